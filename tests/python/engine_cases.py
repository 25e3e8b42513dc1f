"""Events and trainers of the compiled core, for the tests that call it without a model around it."""

from __future__ import annotations

import math

import numpy as np

from tmva_lstm_plugin import _engine

TRAINER = {np.float32: _engine.Trainer, np.float64: _engine.Trainer64}


def difference(found, expected):
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape
    assert np.isfinite(found).all()
    return np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-300)


def same_bits(a, b):
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def make_events(shape, dtype=np.float64, seed=0, weights=True):
    """Events as the engine takes them: (values, offsets, event_values, labels, weights)."""
    n, longest, n_features, n_event_features, _, n_outputs = shape
    rng = np.random.default_rng((seed, *shape))
    lengths = rng.integers(0, longest + 1, n)
    lengths[0] = longest
    if n > 2:
        lengths[1:3] = 0, 1
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = rng.normal(size=(offsets[-1], n_features)).astype(np.float32).astype(dtype)
    event_values = rng.normal(size=(n, n_event_features)).astype(np.float32).astype(dtype) if n_event_features else None
    labels = rng.integers(0, max(2, n_outputs), n).astype(np.int32)
    drawn = rng.normal(0.5, 1.0, n)  # negative ones among them
    drawn[2::5] = 0
    return values, offsets, event_values, labels, drawn if weights else None


def make_trainer(shape, dtype=np.float64, standardise=False, parameters_seed=1, **options):
    _, _, n_features, n_event_features, n_hidden, n_outputs = shape
    numbers = [np.full(k, v, dtype) for k in (n_features, n_event_features) for v in (0, 1)]
    if standardise:
        rng = np.random.default_rng(9)
        numbers = [
            f(k).astype(dtype)
            for k in (n_features, n_event_features)
            for f in (lambda k: rng.normal(size=k), lambda k: rng.uniform(0.5, 2, k))
        ]
    trainer = TRAINER[dtype](n_features, n_event_features, n_hidden, n_outputs, *numbers, {"n_threads": 1, **options})
    if parameters_seed is not None:
        rng = np.random.default_rng(parameters_seed)
        trainer.parameters = (rng.normal(size=len(trainer.parameters)) * 0.6).astype(np.float32).astype(dtype)
    return trainer


def everything(events):
    return np.arange(len(events[1]) - 1)


def subset(events, chosen):
    """Only these events, in this order."""
    values, offsets, event_values, labels, weights = events
    rows = [np.arange(offsets[n], offsets[n + 1]) for n in chosen]
    return (
        values[np.concatenate([np.empty(0, int), *rows])],
        np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64),
        None if event_values is None else event_values[chosen],
        labels[chosen],
        None if weights is None else weights[chosen],
    )


def split(shape, flat):
    """Name the parts of a flat parameter buffer, from the documented order."""
    _, _, n_features, n_event_features, n_hidden, n_outputs = shape
    sizes = {
        "W": (4 * n_hidden, n_features),
        "U": (4 * n_hidden, n_hidden),
        "b": (4 * n_hidden,),
        "head_W": (n_outputs, n_hidden + n_event_features),
        "head_b": (n_outputs,),
    }
    parts, at = {}, 0
    for name, size in sizes.items():
        parts[name] = flat[at : at + math.prod(size)].reshape(size)
        at += math.prod(size)
    assert at == len(flat)
    return parts
