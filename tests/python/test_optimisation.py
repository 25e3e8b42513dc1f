"""Optimisers in a trainer against PyTorch; schedules, moving average, clipping and growing batches in the training loop.

Against PyTorch by themselves, optimisers and schedules stand in test_optimisation_reference.py.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from tmva_lstm_plugin import _engine
from tmva_lstm_plugin.errors import InputError

TRAINER = {np.float32: _engine.Trainer, np.float64: _engine.Trainer64}
SIZES = (3, 2, 5, 1)  # D, E, H, K
N = 45


def events_of(dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 6, N)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = rng.normal(size=(offsets[-1], SIZES[0])).astype(dtype)
    return values, offsets, rng.normal(size=(N, SIZES[1])).astype(dtype), rng.integers(0, 2, N).astype(np.int32), None


def trainer_of(dtype=np.float64, sizes=SIZES, draw=True, **options):
    numbers = [np.full(k, v, dtype) for k in sizes[:2] for v in (0, 1)]
    trainer = TRAINER[dtype](*sizes, *numbers, {"n_threads": 1, "clip_norm": 0, **options})
    if draw:
        trainer.parameters = (np.random.default_rng(1).normal(size=len(trainer.parameters)) * 0.6).astype(dtype)
    return trainer


def always(*_):
    return True


def biases():
    """Which of the flat parameters are biases."""
    mask = np.zeros(len(trainer_of().parameters), bool)
    for name, offset, rows, columns in _engine.parameter_layout(*SIZES):
        mask[offset : offset + rows * columns] = name.endswith(".b")
    assert 0 < mask.sum() < len(mask)
    return mask


def relative(found, expected):
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape
    assert np.isfinite(found).all()
    return np.abs(found - expected).max() / np.abs(expected).max()


# --- optimisers ------------------------------------------------------------------------------------------------------

# our options, PyTorch's class and its options
OPTIMIZERS = {
    "adam": ({"optimizer": "adam", "learning_rate": 0.02}, "Adam", {"lr": 0.02}),
    "adam_betas": (
        {"optimizer": "adam", "learning_rate": 0.02, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3},
        "Adam",
        {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-3},
    ),
    "adamw": ({"optimizer": "adamw", "learning_rate": 0.02, "weight_decay": 0}, "AdamW", {"lr": 0.02, "weight_decay": 0}),
    "sgd": ({"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0}, "SGD", {"lr": 0.1}),
    "momentum": ({"optimizer": "sgd", "learning_rate": 0.1}, "SGD", {"lr": 0.1, "momentum": 0.9}),
    "nesterov": (
        {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.7, "nesterov": True},
        "SGD",
        {"lr": 0.1, "momentum": 0.7, "nesterov": True},
    ),
    "rmsprop": ({"optimizer": "rmsprop", "learning_rate": 0.01}, "RMSprop", {"lr": 0.01}),
    "rmsprop_momentum": (
        {"optimizer": "rmsprop", "learning_rate": 0.01, "rho": 0.9, "momentum": 0.5, "epsilon": 1e-6},
        "RMSprop",
        {"lr": 0.01, "alpha": 0.9, "momentum": 0.5, "eps": 1e-6},
    ),
    "adagrad": ({"optimizer": "adagrad", "learning_rate": 0.1}, "Adagrad", {"lr": 0.1}),
    "adadelta": ({"optimizer": "adadelta", "learning_rate": 1.0}, "Adadelta", {"lr": 1.0}),
    "adadelta_rho": (
        {"optimizer": "adadelta", "learning_rate": 0.5, "rho": 0.95, "epsilon": 1e-4},
        "Adadelta",
        {"lr": 0.5, "rho": 0.95, "eps": 1e-4},
    ),
}  # fmt: skip
# Largest difference after 50 steps over the largest parameter. Each step is a handful of roundings. In single precision the same
# gradient enters both sides, but the next is taken at our parameters only, so that differences do not feed on themselves.
BOUND = {np.float64: 1e-13, np.float32: 3e-6}


@pytest.mark.parametrize("decay", [0, 0.05])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", OPTIMIZERS)
def test_fifty_steps_as_pytorch_makes_them(case, dtype, decay):
    torch = pytest.importorskip("torch")
    ours, name, theirs = OPTIMIZERS[case]
    decoupled = name == "AdamW"
    # PyTorch's weight_decay w is the gradient of w / 2 times the sum of squares
    more = {} if not decay else {"weight_decay": decay} if decoupled else {"l2": decay / 2}
    trainer = trainer_of(dtype, **ours | more)
    events, mask = events_of(dtype), biases()
    start = torch.from_numpy(trainer.parameters)
    groups = [start[~mask].clone().requires_grad_(), start[mask].clone().requires_grad_()]
    optimizer = getattr(torch.optim, name)(
        [{"params": [groups[0]], **({"weight_decay": decay} if decay else {})}, {"params": [groups[1]], "weight_decay": 0}],
        **theirs,
    )  # fmt: skip
    rng = np.random.default_rng(2)
    for _ in range(50):
        batch = rng.choice(N, 16, replace=False)
        gradient = trainer.gradient(events, batch)[1] / dtype(16)
        trainer.train_batch(events, batch)
        groups[0].grad, groups[1].grad = torch.from_numpy(gradient[~mask]), torch.from_numpy(gradient[mask])
        optimizer.step()
    expected = np.empty(len(mask), dtype)
    expected[~mask], expected[mask] = (g.detach().numpy() for g in groups)
    assert relative(trainer.parameters, expected) < BOUND[dtype]
    assert relative(trainer.parameters, start.numpy()) > 0.01  # it has gone somewhere


def test_decay_changes_the_steps_of_weights_and_not_of_biases():
    events, mask = events_of(), biases()
    moved = []
    for decay in (0, 0.5):
        trainer = trainer_of(optimizer="adamw", weight_decay=decay)
        trainer.train_batch(events, np.arange(N))
        moved.append(trainer.parameters)
    assert np.array_equal(moved[0][mask], moved[1][mask])
    assert (moved[0][~mask] != moved[1][~mask]).all()


# --- the training loop -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"schedule": "one_cycle"},
        {"schedule": "cosine", "warmup_epochs": 2},
        {"schedule": "step", "decay_epochs": 2, "batch_growth": 1.5, "max_batch_size": 14, "batch_growth_epochs": 2},
    ],
)
def test_a_training_is_its_batches_one_by_one_at_the_schedules_rates(options):
    events, epochs, growth = events_of(), 6, "batch_growth" in options
    trainer, by_hand = (trainer_of(epochs=epochs, batch_size=8, learning_rate=0.03, **options) for _ in range(2))
    records = []
    trainer.fit_memory(events, np.arange(N), np.empty(0, np.int64), False, always, lambda r: records.append(r) is None)
    sizes = [8, 8, 12, 12, 14, 14] if growth else [8] * 6
    counts = [math.ceil(N / size) for size in sizes]
    warmup, step = sum(counts[: options.get("warmup_epochs", 0)]), 0
    for epoch, size in enumerate(sizes):
        for first in range(0, N, size):
            rate = _engine.scheduled_rate({"learning_rate": 0.03, **options}, epoch, step, warmup, sum(counts))
            by_hand.set_learning_rate(rate)
            by_hand.train_batch(events, np.arange(first, min(first + size, N)))
            step += 1
        assert records[epoch].learning_rate == rate
    assert step == sum(counts)
    assert trainer.parameters.tobytes() == by_hand.parameters.tobytes()


@pytest.mark.parametrize("with_validation", [True, False])
def test_plateau_looks_at_the_validation_loss_or_else_at_the_training_loss(with_validation):
    events = events_of()
    options = {
        "schedule": "plateau",
        "plateau_patience": 0,
        "learning_rate": 1.0,
        "decay_factor": 0.5,
        "warmup_epochs": 1,
    }
    trainer = trainer_of(epochs=15, batch_size=9, **options)
    records = []
    validate = np.arange(30, N) if with_validation else np.empty(0, np.int64)
    trainer.fit_memory(events, np.arange(30), validate, True, always, lambda r: records.append(r) is None)
    losses = [r.validation_loss if with_validation else r.loss for r in records]
    rates = [r.learning_rate for r in records]
    assert rates[1:] == _engine.plateau_rates(options, losses[1:])
    assert len(set(rates[1:])) > 2


def test_the_moving_average_is_what_is_validated_and_kept():
    events, decay = events_of(), 0.8
    train, validate = np.arange(30), np.arange(30, N)
    trainer, twin = (trainer_of(epochs=8, batch_size=10, learning_rate=0.1, ema_decay=e) for e in (decay, 0))
    records = []
    trainer.fit_memory(events, train, validate, False, always, lambda r: records.append(r) is None)
    average, losses, averages = None, [], []
    for _ in range(8):
        for first in range(0, 30, 10):
            twin.train_batch(events, train[first : first + 10])
            p = twin.parameters
            average = p if average is None else decay * average + (1 - decay) * p
        keeper = trainer_of()
        keeper.parameters = average
        total = keeper.loss(events, validate)
        losses.append(total[0] / total[1])
        averages.append(average)
    assert [r.validation_loss for r in records] == pytest.approx(losses, rel=1e-12)
    assert relative(trainer.parameters, averages[int(np.argmin(losses))]) < 1e-13
    assert relative(trainer.parameters, twin.parameters) > 1e-3


def test_without_validation_the_last_average_is_kept_and_training_goes_on_with_the_weights():
    events = events_of()
    trainer, by_hand = (trainer_of(epochs=2, batch_size=15, ema_decay=0.9) for _ in range(2))
    trainer.fit_memory(events, np.arange(N), np.empty(0, np.int64), False, always, always)
    for first in [0, 15, 30] * 2:
        by_hand.train_batch(events, np.arange(first, first + 15))
    assert trainer.parameters.tobytes() == by_hand.averaged.tobytes()
    assert by_hand.averaged.tobytes() != by_hand.parameters.tobytes()


def test_the_moving_average_is_pytorchs():
    torch = pytest.importorskip("torch")
    events, trainer = events_of(), trainer_of(ema_decay=0.7, learning_rate=0.05)
    module = torch.nn.Linear(len(trainer.parameters), 1, bias=False, dtype=torch.float64)
    averaged = torch.optim.swa_utils.AveragedModel(module, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.7))
    for first in range(0, 40, 5):
        trainer.train_batch(events, np.arange(first, first + 5))
        module.weight.data[0] = torch.from_numpy(trainer.parameters)
        averaged.update_parameters(module)
    assert relative(trainer.averaged, averaged.module.weight.detach().numpy()[0]) < 1e-14


@pytest.mark.parametrize("clip_norm", [0, 0.01])
def test_values_are_clipped_before_the_norm(clip_norm):
    events, largest = events_of(), 0.02
    trainer = trainer_of(optimizer="sgd", momentum=0, learning_rate=0.5, clip_value=largest, clip_norm=clip_norm)
    expected = trainer.parameters
    for _ in range(5):
        gradient = trainer.gradient(events, np.arange(N))[1] / N
        assert 0 < (np.abs(gradient) > largest).sum() < len(gradient)
        gradient = np.clip(gradient, -largest, largest)
        norm = np.linalg.norm(gradient)
        if clip_norm:
            assert norm > clip_norm
            gradient = gradient * (clip_norm / norm)
        expected = expected - 0.5 * gradient
        trainer.train_batch(events, np.arange(N))
        assert relative(trainer.parameters, expected) < 1e-13


EVERYTHING = {
    "optimizer": "adamw",
    "weight_decay": 0.1,
    "l1": 1e-4,
    "l2": 1e-4,
    "clip_value": 0.01,
    "clip_norm": 0.05,
    "ema_decay": 0.9,
    "schedule": "cosine",
    "warmup_epochs": 1,
    "batch_growth": 2.0,
    "max_batch_size": 32,
}


@pytest.mark.parametrize(
    "options",
    [
        EVERYTHING,
        EVERYTHING
        | {"optimizer": "rmsprop", "momentum": 0.5, "weight_decay": None, "schedule": "plateau", "plateau_patience": 0},
        EVERYTHING | {"optimizer": "sgd", "nesterov": True, "weight_decay": None, "schedule": "one_cycle", "warmup_epochs": None},
        EVERYTHING | {"optimizer": "adadelta", "weight_decay": None},
        EVERYTHING | {"optimizer": "adagrad", "weight_decay": None},
    ],
    ids=lambda o: o["optimizer"],
)  # fmt: skip
def test_the_same_bits_for_any_number_of_threads_with_all_of_it_on(options):
    events = events_of(np.float32)
    options = {name: value for name, value in options.items() if value is not None}
    # 28,000 parameters: more than one part of a step
    sizes = (3, 2, 80, 1)
    found = []
    for n_threads in (1, 2, 3):
        trainer = trainer_of(np.float32, sizes, False, epochs=4, batch_size=8, **options | {"n_threads": n_threads})
        trainer.fit_memory(events, np.arange(10, N), np.arange(10), True, always, always)
        found.append(trainer.parameters.tobytes())
    assert found[0] == found[1] == found[2]


def test_the_core_refuses_too():
    for options, message in [
        ({"ema_decay": 1.0}, "ema_decay is 1.0"),
        ({"batch_growth": 0.5}, "batch_growth is 0.5"),
        ({"schedule": "cos"}, "schedule is 'cos', expected one of 'constant', 'step'"),
        ({"optimizer": "sgd", "weight_decay": 0.1}, "weight_decay belongs to AdamW"),
        ({"decay_epochs": 0}, "expected at least 1"),
        ({"nesterof": True}, "the trainer has no option 'nesterof'"),
    ]:
        with pytest.raises(InputError, match=message):
            trainer_of(**options)
