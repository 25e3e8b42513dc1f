"""Network and trainer of the compiled core: loss and gradient, what must not change them, limits."""

from __future__ import annotations

import numpy as np
import pytest
from engine_cases import difference, everything, make_events, make_trainer, same_bits, split, subset

from tmva_lstm_plugin import _engine
from tmva_lstm_plugin.errors import InputError, MemoryLimitError

INSTRUCTION_SETS = _engine.instruction_sets()

# Largest difference over the largest number of the tensor.
TOLERANCE = {
    # the vector kernels' exp and tanh are good to a few units in the last place, 1e-16 and 6e-8; a few steps add them
    ("formula", np.float64): 1e-14,
    ("formula", np.float32): 2e-6,
    # central difference of fourth order with step 1e-3, see test_lstm_layer.py
    ("finite difference", np.float64): 1e-9,
    # sums over events in another order
    ("regrouped", np.float64): 1e-12,
    ("regrouped", np.float32): 1e-6,
}

# (N, longest, D, E, H, K)
SHAPES = [
    (1, 1, 1, 0, 1, 1),
    (6, 4, 3, 2, 5, 1),
    (7, 5, 2, 1, 3, 3),
    (19, 3, 1, 3, 2, 4),
    (35, 11, 2, 0, 3, 1),
    (5, 7, 9, 4, 6, 2),
]


def logits_by_formula(shape, flat, events):
    """Follow the equations event by event."""
    values, offsets, event_values, _, _ = (None if a is None else np.asarray(a, np.float64) for a in events)
    p = split(shape, np.asarray(flat, np.float64))
    n_hidden = shape[4]
    result = []
    for n in range(len(offsets) - 1):
        h, c = np.zeros(n_hidden), np.zeros(n_hidden)
        for x in values[int(offsets[n]) : int(offsets[n + 1])]:
            z = (p["W"] @ x + p["U"] @ h + p["b"]).reshape(4, n_hidden)
            i, f, o = (1 / (1 + np.exp(-z[k])) for k in (0, 1, 3))
            c = f * c + i * np.tanh(z[2])
            h = o * np.tanh(c)
        joined = h if event_values is None else np.concatenate([h, event_values[n]])
        result.append(p["head_W"] @ joined + p["head_b"])
    return np.array(result)


def probabilities_by_formula(logits):
    if logits.shape[1] == 1:
        signal = 1 / (1 + np.exp(-logits[:, 0]))
        return np.stack([1 - signal, signal], axis=1)
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


# --- loss and gradient -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_probabilities_and_loss_follow_the_formula(shape, dtype, instruction_set):
    events = make_events(shape, dtype)
    trainer = make_trainer(shape, dtype)
    p = probabilities_by_formula(logits_by_formula(shape, trainer.parameters, events))
    assert difference(trainer.probabilities(events, 2), p) < TOLERANCE["formula", dtype]
    labels, weights = events[3:]
    losses = -np.log(p[np.arange(len(p)), labels])
    for given, w in ((weights, weights), (None, np.ones(len(p)))):
        found = trainer.loss((*events[:4], given), everything(events))
        assert found[0] == pytest.approx((w * losses).sum(), rel=10 * TOLERANCE["formula", dtype], abs=1e-12)
        assert found[1] == pytest.approx(w.sum(), rel=1e-13)
        assert found[2] == np.count_nonzero(w)


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_finite_differences_of_every_parameter(shape, weights, instruction_set):
    events = make_events(shape, weights=weights)
    trainer = make_trainer(shape, standardise=True)
    batch = everything(events)
    total, gradient = trainer.gradient(events, batch)
    assert total == pytest.approx(trainer.loss(events, batch), rel=1e-13)
    step, parameters = 1e-3, trainer.parameters
    expected = np.empty(len(parameters))
    for entry in range(len(parameters)):
        ladder = []
        for shift in (2, 1, -1, -2):
            moved = parameters.copy()
            moved[entry] += shift * step
            trainer.parameters = moved
            ladder.append(trainer.loss(events, batch)[0])
        expected[entry] = (8 * (ladder[1] - ladder[2]) - (ladder[0] - ladder[3])) / (12 * step)
    for name, part in split(shape, gradient).items():
        wanted = split(shape, expected)[name]
        error = np.abs(part - wanted).max() / max(1.0, np.abs(wanted).max())
        assert error < TOLERANCE["finite difference", np.float64], name


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_single_precision_gradient_against_double(shape, instruction_set):
    single = make_trainer(shape, np.float32).gradient(make_events(shape, np.float32), np.arange(shape[0]))[1]
    double = make_trainer(shape).gradient(make_events(shape), np.arange(shape[0]))[1]
    for name, part in split(shape, single).items():
        assert part.dtype == np.float32
        assert difference(part, split(shape, double)[name]) < 5 * TOLERANCE["formula", np.float32], name


def test_weight_scale_multiplies_loss_and_gradient():
    shape = SHAPES[1]
    events = make_events(shape)
    one, (total, gradient) = (
        make_trainer(shape),
        make_trainer(shape, weight_scale=2.5).gradient(events, everything(events)),
    )
    plain_total, plain = one.gradient(events, everything(events))
    assert total[:2] == pytest.approx([2.5 * v for v in plain_total[:2]], rel=1e-13)
    assert difference(gradient, 2.5 * plain) < 1e-13


def test_standardisation_is_the_same_as_standardising_before():
    shape = SHAPES[1]
    values, offsets, event_values, labels, weights = make_events(shape)
    rng = np.random.default_rng(2)
    mean, scale, event_mean, event_scale = (
        rng.normal(size=3),
        rng.uniform(1, 3, 3),
        rng.normal(size=2),
        np.array([2.0, 7.0]),
    )
    inside = _engine.Trainer64(3, 2, 5, 1, mean, scale, event_mean, event_scale, {})
    outside = make_trainer(shape, parameters_seed=None)
    assert same_bits(inside.parameters, outside.parameters)
    standardised = (
        (values - mean) * (1 / scale),
        offsets,
        (event_values - event_mean) * (1 / event_scale),
        labels,
        weights,
    )
    found = inside.probabilities((values, offsets, event_values, None, None), 1)
    assert same_bits(found, outside.probabilities(standardised, 1))
    gradients = [t.gradient(e, np.arange(6))[1] for t, e in ((inside, make_events(shape)), (outside, standardised))]
    assert same_bits(*gradients)


@pytest.mark.parametrize("logit", [-800.0, -90.0, -1e-3, 0.0, 1e-9, 90.0, 800.0])
@pytest.mark.parametrize("label", [0, 1])
def test_loss_of_extreme_logits(logit, label):
    for n_outputs in (1, 2):
        trainer = make_trainer((1, 0, 1, 1, 1, n_outputs))
        parameters = np.zeros(len(trainer.parameters))
        parts = split((1, 0, 1, 1, 1, n_outputs), parameters)
        parts["head_W"][-1, 1] = logit  # the event feature is 1, so the (difference of) logits is this
        trainer.parameters = parameters
        events = np.zeros((0, 1)), np.array([0, 0]), np.ones((1, 1)), np.array([label], np.int32), None
        total, gradient = trainer.gradient(events, np.array([0]))
        sign = -1 if label else 1
        # the softmax subtracts logits, so that its loss is good to a rounding of them
        absolute = 1e-300 if n_outputs == 1 else 1e-16 * abs(logit)
        assert total[0] == pytest.approx(np.logaddexp(0, sign * logit), rel=1e-12, abs=absolute)
        slope = sign * np.exp(-np.logaddexp(0, -sign * logit))
        assert split((1, 0, 1, 1, 1, n_outputs), gradient)["head_b"][-1] == pytest.approx(slope, rel=1e-12, abs=1e-15)
        probabilities = trainer.probabilities(events, 1)[0]
        assert probabilities[1] == pytest.approx(np.exp(-np.logaddexp(0, -logit)), rel=1e-12, abs=1e-300)
        assert probabilities.sum() == pytest.approx(1, rel=1e-15)


# --- what must change nothing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_company_and_position_change_no_score(n_outputs, dtype, instruction_set):
    shape = (70, 6, 3, 2, 5, n_outputs)
    events = make_events(shape, dtype)
    trainer = make_trainer(shape, dtype)
    alone = np.concatenate([trainer.probabilities(subset(events, [n]), 1) for n in range(70)])
    rng = np.random.default_rng(4)
    for size in range(1, 71):
        chosen = rng.permutation(70)[:size]
        assert same_bits(trainer.probabilities(subset(events, chosen), 1 + size % 3), alone[chosen]), size


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_order_of_events_and_weight_zero(dtype, instruction_set):
    shape = (70, 6, 3, 2, 5, 3)
    events = make_events(shape, dtype)
    trainer = make_trainer(shape, dtype)
    total, gradient = trainer.gradient(events, everything(events))
    rng = np.random.default_rng(4)
    used = np.flatnonzero(events[4])
    assert 0 < len(used) < 70
    for chosen in (rng.permutation(70), used, rng.permutation(used)):
        other_total, other = trainer.gradient(events, chosen)  # by position
        assert other_total == pytest.approx(total, rel=TOLERANCE["regrouped", dtype])
        assert total[2] == len(used)
        moved_total, moved = trainer.gradient(subset(events, chosen), np.arange(len(chosen)))  # the events themselves
        assert same_bits(other, moved)
        assert other_total == moved_total
        for name, part in split(shape, other).items():
            assert difference(part, split(shape, gradient)[name]) < 2 * TOLERANCE["regrouped", dtype], name


def test_event_with_nan_spoils_no_other(instruction_set):
    shape = (40, 5, 3, 1, 4, 1)
    events = make_events(shape)
    trainer = make_trainer(shape)
    clean = trainer.probabilities(events, 1)
    values = events[0].copy()
    values[events[1][0]] = np.nan  # the first step of event 0
    found = trainer.probabilities((values, *events[1:]), 1)
    assert np.isnan(found[0]).all()
    assert same_bits(found[1:], clean[1:])
    # nor what the same trainer does afterwards with memory that held NaN in every lane of every step
    full = np.full((200, 3), np.nan), np.arange(0, 201, 5), *events[2:]
    assert np.isnan(trainer.gradient(full, everything(full))[1]).any()
    gradients = [t.gradient(events, everything(events))[1] for t in (trainer, make_trainer(shape))]
    assert same_bits(*gradients)


def test_batch_without_events():
    shape = SHAPES[1]
    events = make_events(shape)
    for after_another in (False, True):
        trainer = make_trainer(shape)
        if after_another:
            trainer.gradient(events, everything(events))
        total, gradient = trainer.gradient(events, np.empty(0, np.int64))
        assert total == (0, 0, 0)
        assert not gradient.any()
    nothing = subset(events, [])
    assert make_trainer(shape).probabilities(nothing, 3).shape == (0, 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_forward_pass_computed_twice_gives_the_same_bits(instruction_set, dtype):
    shape = (70, 90, 3, 2, 5, 1)
    events = make_events(shape, dtype)
    in_one_piece = 90 * 32 * 4 * (8 + 10 + 20)
    total, gradient = make_trainer(shape, dtype).gradient(events, everything(events))
    for limit in (100_000, 200_000, 400_000):
        assert limit < in_one_piece
        for n_threads in (1, 3):
            trainer = make_trainer(shape, dtype, bytes_per_thread=limit, n_threads=n_threads)
            again, recomputed = trainer.gradient(events, everything(events))
            assert again == total
            assert same_bits(recomputed, gradient)


# --- limits and wrong arguments --------------------------------------------------------------------------------------


def test_longest_sequence_and_the_memory_error():
    shape = (2, 0, 3, 0, 5, 1)
    # lanes x 4 bytes x ((D + H) inputs, H cells, H tanh of cells, 4H gates) a step; h and c at the begin of a segment; and
    # inputs, cells and two gradients of one state, the panel of four steps with its D + H + 1 columns filled up to 16
    a_step, state, once = 32 * 4 * ((3 + 5) + 5 + 5 + 4 * 5), 32 * 4 * 2 * 5, 32 * 4 * ((3 + 5) + 3 * 5 + 4 * 16)
    limit = 1_000_000
    segments = range(4, (limit - once) // a_step + 1, 4)
    longest = max(length * (1 + (limit - once - length * a_step) // state) for length in segments)
    assert longest > 100 * limit // a_step  # more than fits in one piece
    assert _engine.longest_sequence(3, 0, 5, 1, limit) == longest
    assert _engine.longest_sequence(3, 0, 5, 1, once + 3 * a_step) == 3  # too little for a segment
    assert _engine.longest_sequence(3, 0, 5, 1, 10) == 0
    trainer = make_trainer(shape, np.float32, bytes_per_thread=limit)
    for n_steps, fits in ((longest, True), (longest + 1, False)):
        values = np.zeros((2 + n_steps, 3), np.float32)
        events = (values, np.array([0, 2, 2 + n_steps]), None, np.array([0, 1], np.int32), None)
        assert trainer.loss(events, np.array([1, 0]))[2] == 2  # scores need no activations
        assert trainer.probabilities(events, 1).shape == (2, 2)
        calls = [
            lambda e=events: trainer.train_batch(e, np.array([1, 0])),
            lambda e=events: trainer.gradient(e, np.array([1, 0])),
        ]
        for call in calls:
            if fits:
                call()
                continue
            with pytest.raises(MemoryLimitError) as caught:
                call()
            needed = _engine.block_bytes(3, 0, 5, 1, n_steps)
            assert limit < needed <= limit + state
            assert str(caught.value) == (
                f"event 1 has {longest + 1} steps, which need at least {needed} bytes of activations a thread; the limit of "
                f"{limit} bytes allows {longest} steps: raise the memory limit, or keep fewer steps of a sequence "
                "(max_length)"
            )
    short = (np.zeros((2, 3), np.float32), np.array([0, 2]), None, np.array([0], np.int32), None)
    assert trainer.train_batch(short, np.array([0]))[2] == 1  # a refused batch leaves the trainer usable


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0, 1, 1), "at least one feature, one hidden unit and one output; it was given D = 0, H = 1, K = 1"),
        ((1, 0, 0, 1), "D = 1, H = 0, K = 1"),
        ((1, 0, 1, 0), "D = 1, H = 1, K = 0"),
    ],
)
def test_impossible_shapes(arguments, message):
    n_features, n_event_features = arguments[:2]
    numbers = [np.ones(k) for k in (n_features, n_features, n_event_features, n_event_features)]
    with pytest.raises(InputError, match=message):
        _engine.Trainer64(*arguments, *numbers, {})


def test_wrong_arguments():
    one, none = np.ones(1), np.empty(0)
    with pytest.raises(InputError, match="standardisation of 1 features and 0 event features given for 2 and 0"):
        _engine.Trainer64(2, 0, 3, 1, one, one, none, none, {})
    with pytest.raises(InputError, match="optimizer is 'rmspropp', expected one of 'adam', 'sgd'"):
        make_trainer(SHAPES[1], optimizer="rmspropp")
    with pytest.raises(InputError, match="batch_size is 0; expected at least 1"):
        make_trainer(SHAPES[1], batch_size=0)
    trainer = make_trainer(SHAPES[1])
    with pytest.raises(InputError, match="3 parameters given, expected 188"):
        trainer.parameters = np.zeros(3)
    events = make_events(SHAPES[1])
    with pytest.raises(InputError, match="the events have no labels"):
        trainer.gradient((*events[:3], None, None), np.array([0]))
    with pytest.raises(InputError, match="have 3 features a step and 0 event features, .* was made for 3 and 2"):
        trainer.probabilities((*events[:2], None, None, None), 1)
    with pytest.raises(InputError, match="have 1 features a step and 2 event features"):
        trainer.probabilities((np.ones((events[1][-1], 1)), *events[1:]), 1)
