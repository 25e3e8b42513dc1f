"""Forecasting the next step, and the blocks of docs/every_step.md."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tmva_lstm_plugin import LSTMClassifier, LSTMRegressor, Sequences, next_step_targets, with_step_targets
from tmva_lstm_plugin.errors import InputError, OptionError

PAGE = Path(__file__).parents[2] / "docs" / "every_step.md"


def counting():
    steps = [[[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]], [[7.0, 70.0]], np.zeros((0, 2)), [[8.0, 80.0], [9.0, 90.0]]]
    return Sequences.from_lists(steps, feature_names=["x", "y"], source="counting")


def test_targets_are_the_features_of_the_next_step():
    nan = [np.nan, np.nan]
    events = next_step_targets(counting())
    assert events.step_target_names == ("next_x", "next_y")
    expected = np.array([[2, 20], [4, 40], nan, nan, [9, 90], nan], dtype=np.float32)
    assert np.array_equal(events.step_targets, expected, equal_nan=True)
    two = next_step_targets(counting(), "y", ahead=2)
    assert two.step_target_names == ("next2_y",)
    assert np.array_equal(two.step_targets[:, 0], np.array([40] + [np.nan] * 5, np.float32), equal_nan=True)
    assert np.array_equal(events[[3, 0]].step_targets, expected[[4, 5, 0, 1, 2]], equal_nan=True)
    assert events[[3]].forecast


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"features": ["z"]}, "counting: there is no feature 'z'"),
        ({"features": []}, "expected at least one feature"),
        ({"ahead": 0}, r"0 step\(s\) ahead; expected at least one feature, and a whole number of at least 1"),
        ({"ahead": 1.5}, r"1\.5 step\(s\) ahead"),
        (
            {"ahead": 3},
            r"counting: no event has more than 3 step\(s\) \(the longest has 3\), so there is no later step",
        ),
    ],
)
def test_what_cannot_be_forecast_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        next_step_targets(counting(), **arguments)


def test_a_network_that_sees_the_future_is_refused():
    rng = np.random.default_rng(1)
    events = Sequences.from_lists([rng.normal(size=(n, 1)) for n in rng.integers(2, 9, 60)])
    both = {"hidden": 3, "epochs": 1, "every_step": True, "bidirectional": True}
    with pytest.raises(
        OptionError, match=r"bidirectional: the targets are those of later steps \(next_step_targets\), which"
    ):
        LSTMRegressor(**both).fit(next_step_targets(events)[:50])
    LSTMRegressor(**both | {"bidirectional": False}).fit(next_step_targets(events))
    # labels and targets of the steps themselves are no forecast
    LSTMRegressor(**both).fit(with_step_targets(next_step_targets(events), events.values))
    LSTMClassifier(**both).fit(events, events.values[:, 0] > 0)
    LSTMClassifier(**both).fit(next_step_targets(events), events.values[:, 0] > 0)
    LSTMRegressor(**both).fit(next_step_targets(events), events.values)


def test_the_page_runs_and_the_forecast_beats_the_last_value(capsys):
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) == 2
    found: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), found)
    printed = capsys.readouterr().out
    right = float(re.search(r"([\d.]+)% of the steps are right", printed)[1])
    assert right > 95  # always the same class: about half of them
    error, naive = (float(re.search(rf"{what} (\d\.\d+)", printed)[1]) for what in ("forecast", "'as it was'"))
    assert 0.05 < error < 0.5 * naive  # and none is better than the noise
    assert len(found["of_events"]) == 1000
    assert all(probabilities.shape[1] == 2 for probabilities in found["of_events"])
