"""Optimisers and schedules against PyTorch, from a committed file; tests/reference/make_optimisation_reference.py made it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tmva_lstm_plugin import _engine
from tmva_lstm_plugin.optimisation import OPTIMIZERS, SCHEDULES

with np.load(Path(__file__).resolve().parent.parent / "reference" / "pytorch_optimisation.npz") as file:
    REFERENCE = {name: file[name] for name in file.files}


def options_of(case):
    return json.loads(str(REFERENCE[f"{case}/options"]))


def cases(kind):
    return sorted(
        name.removesuffix("/options") for name in REFERENCE if name.startswith(kind) and name.endswith("/options")
    )


# Largest difference over the largest parameter after 50 steps, each of which is a handful of roundings.
BOUND = {np.float64: 1e-14, np.float32: 2e-6}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", cases("optimizer"))
def test_fifty_steps_are_pytorchs(case, dtype):
    start, gradients = (REFERENCE[name].astype(dtype) for name in ("start", "gradients"))
    found = _engine.optimizer_steps(options_of(case), start, gradients, REFERENCE["decays"])
    expected = REFERENCE[f"{case}/{np.dtype(dtype).name}"]
    assert found.dtype == expected.dtype == dtype
    assert np.abs(found - expected).max() < BOUND[dtype] * np.abs(expected).max()
    assert (found != start).all()


@pytest.mark.parametrize("case", cases("schedule"))
def test_learning_rates_are_pytorchs_value_by_value(case):
    options, expected = options_of(case), REFERENCE[f"{case}/rates"]
    epochs, steps = options.pop("epochs"), len(expected)
    batches = steps // epochs
    warmup = options.get("warmup_epochs", 0) * batches
    found = [_engine.scheduled_rate(options, n // batches, n, warmup, steps) for n in range(steps)]
    # PyTorch multiplies its way along, ours are closed forms
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-12 * options["learning_rate"])


@pytest.mark.parametrize("case", cases("plateau"))
def test_plateaus_are_pytorchs_value_by_value(case):
    found = _engine.plateau_rates(options_of(case), list(REFERENCE[f"{case}/losses"]))
    assert found == pytest.approx(REFERENCE[f"{case}/rates"], rel=1e-12)
    assert len(set(found)) > 2


def test_the_file_has_all_of_them():
    assert {options_of(case)["optimizer"] for case in cases("optimizer")} == set(OPTIMIZERS)
    found = {options_of(case).get("schedule", "constant") for kind in ("schedule", "plateau") for case in cases(kind)}
    assert found == set(SCHEDULES)
    assert any(len(set(REFERENCE[f"{case}/rates"])) > 50 for case in cases("schedule"))


def test_the_core_says_what_does_not_fit():
    with pytest.raises(
        ValueError, match="the gradients have 3 columns and 2 parameters are said to decay or not, expected 2"
    ):
        _engine.optimizer_steps({}, np.zeros(2), np.zeros((1, 3)), np.zeros(2, np.uint8))
