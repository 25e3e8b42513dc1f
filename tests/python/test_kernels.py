"""Each instruction set against the plain twin, which follows the equations in loops: layer and network, many shapes."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from tmva_lstm_plugin import _engine, lstm_backward, lstm_forward

VECTOR_SETS = [name for name in _engine.instruction_sets() if name != "plain"]

# Largest difference over the largest number of the tensor. The vector kernels' exp and tanh differ from those of the C
# library by a few units in the last place (1.1e-16, 6e-8), sums are fused or not: a few such steps are carried along.
BOUND = {np.float64: 5e-15, np.float32: 3e-6}
TRAINER = {np.float32: _engine.Trainer, np.float64: _engine.Trainer64}


# (H, D, N): three of each H
_rng = np.random.default_rng(1)
SIZES = list(
    zip(np.arange(120) % 40 + 1, _rng.permutation(120) % 20 + 1, _rng.permutation(140)[:120] % 70 + 1, strict=True)
)


def difference(found, expected):
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert np.isfinite(found).all()
    if found.size == 0:
        return 0.0
    return float(np.abs(found.astype(np.float64) - expected).max() / max(np.abs(expected).max(), 1e-30))


def test_plain_is_always_there():
    names = _engine.instruction_sets()
    assert names[:2] == ["plain", "baseline"]
    assert len(set(names)) == len(names)


def test_the_widest_is_the_default(monkeypatch):
    for value in (None, ""):
        if value is None:
            monkeypatch.delenv("TMVA_LSTM_ISA", raising=False)
        else:
            monkeypatch.setenv("TMVA_LSTM_ISA", value)
        assert _engine.instruction_set() == _engine.instruction_sets()[-1]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", VECTOR_SETS)
@pytest.mark.parametrize("hidden", range(1, 41))
def test_layer(hidden, name, dtype, monkeypatch):
    rng = np.random.default_rng(hidden)
    for _, n_features, n in (size for size in SIZES if size[0] == hidden):
        lengths = rng.integers(0, 6, n)
        lengths[0] = 5
        x, W, U, b, h0, c0, dh = (
            rng.normal(size=size).astype(dtype)
            for size in ((n, 5, n_features), (4 * hidden, n_features), (4 * hidden, hidden), (4 * hidden,), (n, hidden),
                         (n, hidden), (n, 5, hidden))
        )  # fmt: skip
        W /= np.sqrt(n_features)
        U /= np.sqrt(hidden)
        results = {}
        for kernels in ("plain", name):
            monkeypatch.setenv("TMVA_LSTM_ISA", kernels)
            forward = lstm_forward(x, W, U, b, lengths, h0, c0, n_threads=1)
            gradient = lstm_backward(forward, dh, n_threads=1)
            results[kernels] = {k: getattr(forward, k) for k in ("h", "c", "gates")} | vars(gradient)
        for tensor, expected in results["plain"].items():
            assert difference(results[name][tensor], expected) < BOUND[dtype], (tensor, n_features, n)


def test_all_sizes_are_met():
    """The sizes above cover what the kernels tell apart."""
    assert {d for _, d, _ in SIZES} == set(range(1, 21))
    assert {n % 32 for _, _, n in SIZES} == set(range(32))
    assert {h % 12 for h, _, _ in SIZES} == {d % 12 for _, d, _ in SIZES} == set(range(12))
    for columns in (8, 16):  # of float64 and float32: all remainders of the gradient panel, D + H + 1 columns
        assert {(h + d + 1) % columns for h, d, _ in SIZES} == set(range(columns))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", VECTOR_SETS)
def test_network(name, dtype, monkeypatch):
    rng = np.random.default_rng(0)
    for hidden in (1, 2, 3, 5, 8, 13, 16, 21, 34, 40):
        n_features, n_event_features, n_outputs, n = 1 + hidden % 6, hidden % 3, 1 + hidden % 4, 1 + hidden * 29 % 70
        offsets = np.concatenate([[0], np.cumsum(rng.integers(0, 13, n))]).astype(np.int64)
        events = (
            rng.normal(size=(offsets[-1], n_features)).astype(dtype), offsets,
            rng.normal(size=(n, n_event_features)).astype(dtype) if n_event_features else None,
            rng.integers(0, max(2, n_outputs), n).astype(np.int32), rng.normal(0.5, 1, n),
        )  # fmt: skip
        numbers = [np.full(k, v, dtype) for k in (n_features, n_event_features) for v in (0, 1)]
        results = {}
        for kernels in ("plain", name):
            monkeypatch.setenv("TMVA_LSTM_ISA", kernels)
            trainer = TRAINER[dtype](n_features, n_event_features, hidden, n_outputs, *numbers, {"n_threads": 1})
            results[kernels] = (trainer.probabilities(events, 1), trainer.gradient(events, np.arange(n))[1])
        for found, expected in zip(results[name], results["plain"], strict=True):
            assert difference(found, expected) < BOUND[dtype], hidden


@pytest.mark.parametrize("name", VECTOR_SETS)
def test_sets_are_different_code(name, monkeypatch):
    """If the environment variable were ignored, every comparison here would hold trivially."""
    rng = np.random.default_rng(0)
    arguments = [rng.normal(size=size).astype(np.float32) for size in ((70, 8, 5), (36, 5), (36, 9), (36,))]
    bits = set()
    for kernels in ("plain", name):
        monkeypatch.setenv("TMVA_LSTM_ISA", kernels)
        bits.add(lstm_forward(*arguments).h.tobytes())
    assert len(bits) == 2


@pytest.mark.parametrize("name", VECTOR_SETS)
def test_chosen_at_start_of_a_process(name):
    code = "from tmva_lstm_plugin import _engine; print(_engine.instruction_set())"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "TMVA_LSTM_ISA": name}, capture_output=True,
        text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == name
