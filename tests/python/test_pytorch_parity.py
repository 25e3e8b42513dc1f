"""Tensor by tensor against PyTorch, from committed files; tests/reference/make_pytorch_reference.py made them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tmva_lstm_plugin import _engine, lstm_backward, lstm_forward

REFERENCE = Path(__file__).resolve().parent.parent / "reference"

# Largest difference over the largest number of the tensor. In float32 both sides round sums of up to 40 terms, each to
# 6e-8, some ten steps deep; ten optimiser steps carry that on.
BOUND = {
    np.float64: {"tensor": 1e-10, "steps": 1e-10},
    np.float32: {"tensor": 3e-6, "steps": 3e-5},
}
RUNS = {
    "adam": {"optimizer": "adam", "learning_rate": 0.02, "clip_norm": 0},
    "sgd": {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9, "clip_norm": 0},
    "sgd_clip": {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.5, "clip_norm": 0.1},
    "sgd_torch_clip": {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.5, "clip_norm": 0.1},
    "adam_clip": {"optimizer": "adam", "learning_rate": 0.02, "clip_norm": 0.1},
}


def difference(found, expected):
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape
    assert np.isfinite(found).all()
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.fixture(scope="module")
def files():
    loaded = {}
    for label in ("float64", "float32"):
        with np.load(REFERENCE / f"pytorch_{label}.npz") as file:
            loaded[label] = {name: file[name] for name in file.files}
    return loaded


@pytest.fixture(params=_engine.instruction_sets(), autouse=True)
def instruction_set(request, monkeypatch):
    monkeypatch.setenv("TMVA_LSTM_ISA", request.param)


@pytest.fixture(params=[(np.float64, "float64"), (np.float32, "float64"), (np.float32, "float32")], ids=str)
def precision(request):
    """What is computed in, and which file it is held against."""
    return request.param


def part(files, label, case):
    return {name[len(case) + 1 :]: array for name, array in files[label].items() if name.startswith(case + "/")}


def test_layer(files, precision):
    dtype, label = precision
    r = part(files, label, "layer")
    forward = lstm_forward(*(r[k].astype(dtype) for k in ("x", "W", "U", "b")), r["lengths"], r["h0"].astype(dtype),
                           r["c0"].astype(dtype))  # fmt: skip
    gradient = lstm_backward(forward, r["dh"])
    assert forward.h.dtype == dtype
    names = [name[4:] for name in r if name.startswith("out_")]
    assert sorted(names) == ["dU", "dW", "db", "dc0", "dh0", "dx", "h"]
    for name in names:
        found = forward.h if name == "h" else getattr(gradient, name)
        assert difference(found, r["out_" + name]) < BOUND[dtype]["tensor"], name
    sequences = np.arange(len(r["lengths"]))
    ended = np.where((r["lengths"] > 0)[:, None], r["out_h"][sequences, r["lengths"] - 1], r["h0"])
    assert difference(forward.h_last, ended) < BOUND[dtype]["tensor"]


def make(r, dtype, **options):
    """Trainer and events of a reference case."""
    n_outputs = len(r["head_b"])
    n_features, n_event_features, n_hidden = r["x"].shape[2], r["event_features"].shape[1], r["U"].shape[1]
    offsets = np.concatenate([[0], np.cumsum(r["lengths"])]).astype(np.int64)
    true = np.arange(r["x"].shape[1]) < r["lengths"][:, None]
    events = (
        r["x"][true].astype(dtype), offsets, r["event_features"].astype(dtype), r["labels"].astype(np.int32),
        r["weights"].astype(np.float64),
    )  # fmt: skip
    numbers = [np.full(k, v, dtype) for k in (n_features, n_event_features) for v in (0, 1)]
    kind = _engine.Trainer if dtype is np.float32 else _engine.Trainer64
    trainer = kind(n_features, n_event_features, n_hidden, n_outputs, *numbers, {"n_threads": 2, **options})
    names = ("W", "U", "b", "head_W", "head_b")
    trainer.parameters = np.concatenate([r[name].ravel() for name in names]).astype(dtype)
    return trainer, events


@pytest.mark.parametrize("case", ["binary", "multiclass"])
def test_outputs_losses_and_gradients(files, precision, case):
    dtype, label = precision
    r = part(files, label, case)
    trainer, events = make(r, dtype)
    bound = BOUND[dtype]["tensor"]
    assert difference(trainer.probabilities(events, 1), r["out_probabilities"]) < bound
    unweighted = (*events[:4], None)
    losses = [trainer.loss(unweighted, np.array([n]))[0] for n in range(len(r["labels"]))]
    assert difference(losses, r["out_losses"]) < bound
    total, gradient = trainer.gradient(events, np.arange(len(r["labels"])))
    assert total[2] == np.count_nonzero(r["weights"])
    assert total[0] == pytest.approx((r["weights"] * r["out_losses"].astype(np.float64)).sum(), rel=bound)
    at = 0
    for name in ("W", "U", "b", "head_W", "head_b"):
        expected = r["out_d" + name]
        found = gradient[at : at + expected.size].reshape(expected.shape) / total[2]
        assert difference(found, expected) < bound, name
        at += expected.size
    assert at == gradient.size


@pytest.mark.parametrize("run", list(RUNS))
@pytest.mark.parametrize("case", ["binary", "multiclass"])
def test_ten_steps(files, precision, case, run):
    dtype, label = precision
    r = part(files, label, case)
    trainer, events = make(r, dtype, **RUNS[run])
    batch = np.arange(len(r["labels"]))
    losses = []
    for _ in range(10):
        total = trainer.train_batch(events, batch)
        losses.append(total[0] / total[2])
    bound = BOUND[dtype]["steps"]
    if run == "sgd_torch_clip":
        bound = max(bound, 2e-6)  # PyTorch divides by norm + 1e-6; the norms are 0.1 and more
    assert difference(losses, r[f"{run}/losses"]) < bound
    assert difference(trainer.parameters, r[f"{run}/parameters"]) < bound


def test_the_reference_tells_runs_apart(files):
    """Each optimiser setting leads elsewhere, by far more than the bounds: a setting that is ignored would be seen."""
    for case in ("binary", "multiclass"):
        r = part(files, "float64", case)
        starts = {run: r[f"{run}/losses"][0] for run in RUNS}
        assert len(set(starts.values())) == 1
        ends = {run: r[f"{run}/parameters"] for run in RUNS if run != "sgd_torch_clip"}
        for a in ends:
            for b in ends:
                assert a == b or np.abs(ends[a] - ends[b]).max() > 1e-4
