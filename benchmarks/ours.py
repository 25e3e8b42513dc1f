"""Ours: the compiled core, called as `LSTMClassifier` calls it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tmva_lstm_plugin import LSTMClassifier, Sequences, _engine

from .cases import Case, Events

LEARNING_RATE = 1e-3


def make_trainer(case: Case, n_threads: int) -> _engine.Trainer:
    """Make a network (LSTM, last state, linear head, cross entropy) with Adam and without clipping."""
    mean, scale, none = np.zeros(case.D, np.float32), np.ones(case.D, np.float32), np.zeros(0, np.float32)
    options = {"optimizer": "adam", "learning_rate": LEARNING_RATE, "clip_norm": 0.0, "batch_size": case.B, "seed": 1}
    options |= {**layers_of(case), "n_threads": n_threads}
    return _engine.Trainer(case.D, 0, case.H, 1, mean, scale, none, none, options)


def layers_of(case: Case) -> dict[str, object]:
    """Return what the engine has to know of the layers beside the width of the last."""
    return {"lower": [case.H] * (case.layers - 1), "bidirectional": case.directions == 2, "cell": case.cell}


def training_steps(trainer: _engine.Trainer, events: Events, batches: list[NDArray[np.int64]]) -> list[Callable]:
    """Return one optimiser step for each batch; gathering the batch from the jagged arrays is part of it."""
    arrays = events.engine_arrays

    def step(batch: NDArray[np.int64]) -> Callable:
        return lambda: trainer.train_batch(arrays, batch)

    return [step(np.ascontiguousarray(batch)) for batch in batches]


def split_parameters(case: Case, flat: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Return the parts of the flat parameters by name."""
    layout = _engine.parameter_layout(case.D, 0, case.H, 1, layers_of(case))
    return {name: flat[at : at + rows * cols].reshape(rows, cols) for name, at, rows, cols in layout}


def scoring_call(trainer: _engine.Trainer, events: Events, n_threads: int) -> Callable[[], NDArray[np.float32]]:
    """Return a call that scores all events of the arrays: (N, 2)."""
    arrays = (events.values, events.offsets, None, None, None)
    return lambda: trainer.probabilities(arrays, n_threads)


def public_scoring_call(
    case: Case, trainer: _engine.Trainer, events: Events, n_threads: int
) -> Callable[[], NDArray[np.float32]]:
    """Do the same through `LSTMClassifier.predict_proba`, checks included."""
    sequences = Sequences.from_arrays(events.values, events.offsets, events.labels)
    # a model made by the shortest of trainings, which then gets the parameters
    two = Sequences.from_arrays(np.zeros((4, case.D)), [0, 1, 2, 3, 4], [0, 1, 0, 1])
    layers = {"cell": case.cell, "bidirectional": case.directions == 2}
    model = LSTMClassifier([case.H] * case.layers, 1, **layers, validation_fraction=0.0, n_threads=n_threads).fit(two)
    model._trainer = trainer
    return lambda: model.predict_proba(sequences)
