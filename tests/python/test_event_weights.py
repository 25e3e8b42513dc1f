"""What weights become in a training: negative ones, and classes in balance."""

from __future__ import annotations

import numpy as np
import pytest

from tmva_lstm_plugin import LSTMClassifier, Sequences
from tmva_lstm_plugin.errors import InputError
from tmva_lstm_plugin.event_weights import EventWeights

NAMES = ("rest", "DIS")


def events(n=600, seed=0):
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.2).astype(int)
    weights = np.where(rng.random(n) < 0.1, -1.0, 1.0) * rng.lognormal(0, 0.5, n)
    steps = [
        rng.normal(0.5 * label, 1, (length, 2)) for label, length in zip(labels, rng.integers(1, 5, n), strict=True)
    ]
    return Sequences.from_lists(steps, labels=labels, weights=weights, class_names=NAMES)


def trained(data, **options):
    return LSTMClassifier(hidden=6, epochs=2, **options).fit(data)


def with_weights(data, weights):
    import dataclasses

    return dataclasses.replace(data, weights=weights)


def bits(model):
    return model._trainer.parameters


def test_negative_weights_kept_ignored_absolute():
    data = events()
    keep, ignore, absolute = (trained(data, negative_weights=how) for how in ("keep", "ignore", "absolute"))
    assert np.array_equal(bits(keep), bits(trained(data)))
    assert np.array_equal(bits(ignore), bits(trained(data[data.weights > 0])))
    assert np.array_equal(bits(absolute), bits(trained(with_weights(data, np.abs(data.weights)))))
    assert not np.array_equal(bits(keep), bits(ignore))
    assert not np.array_equal(bits(keep), bits(absolute))
    negative = int((data.weights < 0).sum())
    for model, how in ((keep, "keep"), (ignore, "ignore"), (absolute, "absolute")):
        assert model.summary["weight_negative_events"] == negative
        assert model.summary["negative_weights"] == how
    assert ignore.summary["training_events"] + ignore.summary["validation_events"] == len(data) - negative


def test_what_is_done_is_said(caplog):
    for how, said in (("keep", "kept with their sign"), ("ignore", "left out"), ("absolute", "absolute values")):
        caplog.clear()
        trained(events(), negative_weights=how)
        assert said in caplog.text


@pytest.mark.parametrize("weighted", [True, False])
def test_sums_of_balanced_classes(weighted):
    data = events()
    own = data.weights if weighted else None
    raw = np.ones(len(data)) if own is None else own
    for balance in ("none", "events", "equal"):
        rule = EventWeights(balance=balance)
        found = rule.fit(own, data.labels, NAMES, "here", {})
        if balance == "none":
            assert found is own
            continue
        sums = np.bincount(data.labels, found)
        counts = np.bincount(data.labels)
        expected = counts if balance == "events" else [counts[1]] * 2
        assert sums == pytest.approx(expected, rel=1e-12)
        # one factor a class, so that weights within a class keep their ratios
        for index in (0, 1):
            mine = data.labels == index
            assert found[mine] / raw[mine] == pytest.approx(np.full(mine.sum(), found[mine][0] / raw[mine][0]))
        assert np.array_equal(rule.apply(None if own is None else own[5:50], data.labels[5:50]), found[5:50])


def test_balance_is_the_training_with_such_weights():
    data = events()
    factors: dict = {}
    by_hand = EventWeights(balance="equal").fit(data.weights, data.labels, NAMES, "here", factors)
    model = trained(data, class_balance="equal")
    assert np.array_equal(bits(model), bits(trained(with_weights(data, by_hand))))
    assert not np.array_equal(bits(model), bits(trained(data)))
    assert model.summary["class_weight_factors"] == factors["class_weight_factors"]
    # without weights it counts events
    plain = trained(data, class_balance="equal", use_weights=False)
    counted = np.bincount(data.labels)[1] / np.bincount(data.labels)[data.labels]
    assert plain.summary["class_weight_factors"]["rest"] == pytest.approx(counted[data.labels == 0][0])


def test_a_class_that_cannot_be_scaled():
    data = events()
    weights = np.where(data.labels == 0, -1.0, 1.0)
    with pytest.raises(InputError, match="class 'rest' sum to -.*class_balance='equal' cannot scale"):
        trained(with_weights(data, weights), class_balance="equal")
