"""The trainer of the compiled core: initial parameters, optimiser steps, epochs, and how they end."""

from __future__ import annotations

import math

import numpy as np
import pytest
from engine_cases import difference, everything, make_events, make_trainer, same_bits, split, subset

from tmva_lstm_plugin import _engine
from tmva_lstm_plugin.errors import EngineError

# (N, longest, D, E, H, K)
STEP_SHAPE = (6, 4, 3, 2, 5, 1)
EPOCH_SHAPE = (45, 5, 3, 1, 4, 1)


# --- optimiser steps -------------------------------------------------------------------------------------------------


def adam(parameters, gradients, rate):
    """D. P. Kingma, J. Ba, arXiv:1412.6980, Algorithm 1."""
    m = v = np.zeros_like(parameters)
    for t, g in enumerate(gradients, start=1):
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        parameters = parameters - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return parameters


def sgd(parameters, gradients, rate, momentum):
    velocity = np.zeros_like(parameters)
    for g in gradients:
        velocity = momentum * velocity + g
        parameters = parameters - rate * velocity
    return parameters


@pytest.mark.parametrize("clip_norm", [0, 0.05, 1e9])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_steps_by_the_book(optimizer, clip_norm):
    shape = (9, 4, 2, 1, 3, 3)
    events = make_events(shape)
    trainer = make_trainer(shape, optimizer=optimizer, learning_rate=0.02, momentum=0.7, clip_norm=clip_norm)
    start, gradients = trainer.parameters, []
    for _ in range(6):
        total, g = trainer.gradient(events, everything(events))
        g = g / np.count_nonzero(events[4])  # the mean over events whose weight is not 0
        norm = np.linalg.norm(g)
        gradients.append(g * min(1, clip_norm / norm) if clip_norm else g)
        assert clip_norm != 0.05 or norm > 0.05
        assert trainer.train_batch(events, everything(events)) == total
    expected = adam(start, gradients, 0.02) if optimizer == "adam" else sgd(start, gradients, 0.02, 0.7)
    assert difference(trainer.parameters, expected) < 1e-12


def test_batch_of_weight_zero_makes_no_step():
    shape = STEP_SHAPE
    events = make_events(shape)
    trainer, twin = make_trainer(shape), make_trainer(shape)
    none = (*events[:4], np.zeros(shape[0]))
    before = trainer.parameters
    assert trainer.train_batch(none, everything(events)) == (0, 0, 0)
    assert same_bits(trainer.parameters, before)
    for t in (trainer, twin):
        t.train_batch(events, everything(events))
    assert same_bits(trainer.parameters, twin.parameters)  # not counted as an Adam step either


def test_initial_parameters():
    shape = (1, 1, 30, 20, 40, 3)
    trainer = make_trainer(shape, parameters_seed=None, seed=5, forget_bias=0.75)
    flat = trainer.parameters
    assert same_bits(flat, make_trainer(shape, parameters_seed=None, seed=5, forget_bias=0.75).parameters)
    assert not same_bits(flat, make_trainer(shape, parameters_seed=None, seed=6, forget_bias=0.75).parameters)
    single = make_trainer(shape, np.float32, parameters_seed=None, seed=5, forget_bias=0.75).parameters
    assert same_bits(single, flat.astype(np.float32))
    parts = split(shape, flat)
    for name, fans in (("W", 40 + 30), ("U", 40 + 40), ("head_W", 3 + 60)):
        numbers = np.sort(parts[name].ravel()) / np.sqrt(6 / fans)
        assert np.abs(numbers).max() < 1
        # Kolmogorov-Smirnov distance to the uniform distribution; 1.95 / sqrt(n) is exceeded once in 1000
        steps = np.arange(len(numbers) + 1) / len(numbers)
        uniform = (numbers + 1) / 2
        assert max(np.abs(uniform - steps[:-1]).max(), np.abs(uniform - steps[1:]).max()) < 1.95 / np.sqrt(len(numbers))
        assert len(np.unique(numbers)) == len(numbers)
    np.testing.assert_array_equal(parts["b"].reshape(4, -1), np.repeat([[0], [0.75], [0], [0]], 40, axis=1))
    assert not parts["head_b"].any()
    assert _engine.parameter_layout(30, 20, 40, 3) == [
        ("lstm.W", 0, 160, 30), ("lstm.U", 4800, 160, 40), ("lstm.b", 11200, 160, 1), ("head.W", 11360, 3, 60),
        ("head.b", 11540, 3, 1),
    ]  # fmt: skip


# --- epochs ----------------------------------------------------------------------------------------------------------


def always(*_):
    return True


def test_epochs_are_batches_in_the_drawn_order():
    events = make_events(EPOCH_SHAPE)
    train, validate = np.arange(0, 38), np.arange(38, 45)
    options = {"epochs": 3, "batch_size": 8, "seed": 11}
    trainer, by_hand = (make_trainer(EPOCH_SHAPE, parameters_seed=None, **options) for _ in range(2))
    records = []
    assert (
        trainer.fit_memory(events, train, validate, True, always, lambda r: records.append(r) is None) == "all epochs"
    )

    best, best_loss = None, np.inf
    for epoch in (1, 2, 3):
        order = _engine.shuffled(train, 11, "shuffle", epoch)
        assert sorted(order) == list(train)
        sums = [by_hand.train_batch(events, order[first : first + 8]) for first in range(0, 38, 8)]
        record = records[epoch - 1]
        assert (record.epoch, record.events) == (epoch, 38)
        assert record.loss == pytest.approx(sum(s[0] for s in sums) / sum(s[1] for s in sums), rel=1e-13)
        validation = by_hand.loss(events, validate)
        assert record.validation_loss == validation[0] / validation[1]
        assert record.best == (record.validation_loss < best_loss)
        if record.best:
            best, best_loss = by_hand.parameters, record.validation_loss
    assert same_bits(trainer.parameters, best)


def test_epochs_without_shuffling_or_validation():
    events = make_events(EPOCH_SHAPE)
    trainer, by_hand = (make_trainer(EPOCH_SHAPE, epochs=2, batch_size=45) for _ in range(2))
    backwards = np.arange(45)[::-1].copy()
    records = []
    trainer.fit_memory(events, backwards, np.empty(0, np.int64), False, always, lambda r: records.append(r) is None)
    for record in records:
        by_hand.train_batch(events, backwards)
        assert math.isnan(record.validation_loss)
        assert not record.best
    assert same_bits(trainer.parameters, by_hand.parameters)


def test_portions_are_the_same_as_memory():
    events = make_events(EPOCH_SHAPE)
    memory, portions = (make_trainer(EPOCH_SHAPE, epochs=2, batch_size=8, parameters_seed=None) for _ in range(2))
    memory.fit_memory(events, np.arange(45), np.arange(45), False, always, always)
    begun = []

    class Source:
        def epoch_events(self):
            return 45

        def begin(self, epoch, batch_size):
            assert batch_size == 8
            begun.append(epoch)
            self.cuts = [(0, 16), (16, 24), (24, 45)]

        def next(self):
            if not self.cuts:
                return None
            first, last = self.cuts.pop(0)
            part = subset(events, np.arange(first, last))
            return part, np.arange(last - first)

    assert portions.fit_source(Source(), events, always, always) == "all epochs"
    assert begun == [1, 2]
    assert same_bits(memory.parameters, portions.parameters)


def test_early_stopping_returns_the_best_parameters():
    events = make_events(EPOCH_SHAPE, weights=False)
    validate = np.arange(25, 45)
    trainer = make_trainer(EPOCH_SHAPE, epochs=200, batch_size=5, patience=4, learning_rate=0.03)
    records = []
    stopped = trainer.fit_memory(
        events,
        np.arange(25),
        validate,
        True,
        always,
        lambda r: records.append((r.epoch, r.validation_loss, r.best)) is None,
    )
    assert stopped == "early stopping"
    losses = [r[1] for r in records]
    best = int(np.argmin(losses))
    assert len(records) == best + 1 + 4 < 200
    assert [r[0] for r in records if r[2]] == [
        1 + n for n in range(len(losses)) if losses[n] < min([np.inf, *losses[:n]])
    ]
    total = trainer.loss(events, validate)
    assert total[0] / total[1] == losses[best]


def test_stopping_from_outside():
    events = make_events(EPOCH_SHAPE)
    trainer = make_trainer(EPOCH_SHAPE, epochs=5, batch_size=8)
    before = trainer.parameters
    assert trainer.fit_memory(events, np.arange(45), np.arange(5), True, lambda: False, always) == "interrupted"
    assert same_bits(trainer.parameters, before)
    seen = []
    stopped = trainer.fit_memory(
        events, np.arange(45), np.arange(5), True, always, lambda r: seen.append(r.epoch) or r.epoch < 2
    )
    assert stopped == "interrupted"
    assert seen == [1, 2]


@pytest.mark.parametrize("where", ["between batches", "after an epoch", "in a portion"])
def test_exceptions_of_callbacks_come_through(where):
    events = make_events(EPOCH_SHAPE)
    trainer = make_trainer(EPOCH_SHAPE, epochs=2, batch_size=8)

    class Stop(Exception):
        pass

    def stop(*_):
        raise Stop

    class Source:
        def epoch_events(self):
            return 45

        def begin(self, epoch, batch_size):
            pass

        next = stop

    def run():
        if where == "in a portion":
            trainer.fit_source(Source(), None, always, always)
        else:
            callbacks = (stop, always) if where == "between batches" else (always, stop)
            trainer.fit_memory(events, np.arange(45), np.arange(5), True, *callbacks)

    with pytest.raises(Stop):
        run()
    assert np.isfinite(trainer.parameters).all()
    assert trainer.fit_memory(events, np.arange(45), np.arange(5), True, always, always) == "all epochs"


def test_training_learns_and_single_precision_follows_double():
    rng = np.random.default_rng(8)
    lengths = rng.integers(1, 7, 300)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = rng.normal(size=(offsets[-1], 1)).astype(np.float32)
    labels = (np.add.reduceat(values[:, 0], offsets[:-1]) > 0).astype(np.int32)
    losses = {}
    for dtype in (np.float32, np.float64):
        trainer = make_trainer(
            (300, 7, 1, 0, 8, 1), dtype, parameters_seed=None, epochs=20, batch_size=20, learning_rate=0.02
        )
        events = (values.astype(dtype), offsets, None, labels, None)
        losses[dtype] = []

        def keep(record, to=losses[dtype]):
            to.append(record.loss)
            return True

        trainer.fit_memory(events, np.arange(300), np.empty(0, np.int64), True, always, keep)
        guessed = trainer.probabilities(events, 2)[:, 1] > 0.5
        assert (guessed == labels).mean() > 0.97
    assert losses[np.float32][0] == pytest.approx(losses[np.float64][0], rel=1e-5)
    assert losses[np.float64][-1] < 0.25 * losses[np.float64][0]


def test_divergence_is_told():
    events = make_events(EPOCH_SHAPE, weights=False)
    values = events[0].copy()
    values[3] = np.inf
    trainer = make_trainer(EPOCH_SHAPE, epochs=2)
    with pytest.raises(EngineError, match="training diverged in epoch 1: the loss is -?nan; lower the learning rate"):
        trainer.fit_memory((values, *events[1:]), np.arange(45), np.empty(0, np.int64), True, always, always)
