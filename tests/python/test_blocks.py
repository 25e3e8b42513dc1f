"""A batch is a random draw; that its events are worked on in blocks of like length changes the order of additions alone."""

from __future__ import annotations

import numpy as np
import pytest

from tmva_lstm_plugin import _engine

TRAINER = {np.float32: _engine.Trainer, np.float64: _engine.Trainer64}
D, E, H = 3, 2, 9
RATE = 0.01


def make_events(n, dtype, longest=25, seed=0):
    """A task that can be learnt: is the sum over the first feature positive? Some lengths are 0."""
    rng = np.random.default_rng(seed)
    lengths = np.minimum(rng.geometric(0.12, n) - 1, longest)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = rng.normal(size=(offsets[-1], D)).astype(np.float32).astype(dtype)
    sums = np.array([values[first:last, 0].sum() for first, last in zip(offsets[:-1], offsets[1:], strict=True)])
    labels = (sums + 0.3 * rng.normal(size=n) > 0).astype(np.int32)
    event_values = rng.normal(size=(n, E)).astype(np.float32).astype(dtype)
    return values, offsets, event_values, labels, rng.uniform(0.5, 1.5, n)


def make_trainer(dtype, seed=1, n_threads=2):
    numbers = [np.full(k, v, dtype) for k in (D, E) for v in (0, 1)]
    options = {"n_threads": n_threads, "learning_rate": RATE, "clip_norm": 0, "seed": seed}
    return TRAINER[dtype](D, E, H, 1, *numbers, options)


def draw_batches(n_events, size, steps, seed):
    """Consecutive parts of the events in an order drawn for each epoch, as in a training."""
    batches = []
    for epoch in range(1, 1 + steps * size // n_events + 1):
        order = _engine.shuffled(np.arange(n_events), seed, "shuffle", epoch)
        batches += [order[first : first + size] for first in range(0, n_events - size + 1, size)]
    return batches[:steps]


def bucketed(events, batches, dtype, seed=1):
    """As the trainer does it. The losses of all batches, and the parameters."""
    trainer = make_trainer(dtype, seed)
    sums = [trainer.train_batch(events, batch) for batch in batches]
    return np.array([s[0] / s[1] for s in sums]), trainer.parameters


def unbucketed(events, batches, dtype, seed=1):
    """Each event by itself, in the order drawn; sums and Adam (D. P. Kingma, J. Ba, arXiv:1412.6980) in numpy."""
    trainer = make_trainer(dtype, seed, n_threads=1)
    parameters = trainer.parameters
    m, v = np.zeros_like(parameters), np.zeros_like(parameters)
    losses = []
    for step, batch in enumerate(batches, start=1):
        g, loss, weight = np.zeros_like(parameters), 0.0, 0.0
        for event in batch:
            (event_loss, event_weight, _), gradient = trainer.gradient(events, np.array([event]))
            g, loss, weight = g + gradient, loss + event_loss, weight + event_weight
        losses.append(loss / weight)
        g /= dtype(len(batch))
        m = dtype(0.9) * m + dtype(0.1) * g
        v = dtype(0.999) * v + dtype(0.001) * g**2
        parameters = parameters - dtype(RATE) * (m / dtype(1 - 0.9**step)) / (
            np.sqrt(v / dtype(1 - 0.999**step)) + dtype(1e-8)
        )
        trainer.parameters = parameters
    return np.array(losses), parameters


def test_thirty_steps_are_those_of_events_taken_one_by_one():
    events = make_events(300, np.float64)
    batches = draw_batches(300, 100, 30, seed=1)
    lengths = np.diff(events[1])
    assert all(len(set(lengths[batch])) > 10 and not lengths[batch].all() for batch in batches)
    losses, parameters = bucketed(events, batches, np.float64)
    expected_losses, expected = unbucketed(events, batches, np.float64)
    assert np.abs(losses - expected_losses).max() < 1e-10
    assert np.abs(parameters - expected).max() < 1e-10
    assert losses[-3:].mean() < 0.85 * losses[:3].mean()
    assert np.abs(expected - make_trainer(np.float64).parameters).max() > 10 * RATE


def test_blocks_move_a_training_less_than_its_seed_does(capsys):
    """In single precision both ways round differently: a sum of 100 gradients is off by 1e-6 of itself at most, and as Adam
    divides by the gradient's size, so is each step. After 60 steps of 0.01 a parameter is off by 6e-7, and a loss, whose
    gradient by all parameters is of length 1 or so, by no more than some of these: 1e-5 is far away. The draw of batches and
    initial weights is a matter of 1e-2."""
    events = make_events(300, np.float32)
    curves = {seed: bucketed(events, draw_batches(300, 100, 60, seed), np.float32, seed) for seed in range(1, 7)}
    other_losses, other = unbucketed(events, draw_batches(300, 100, 60, 1), np.float32, 1)
    by_blocks = np.abs(curves[1][0] - other_losses).max()
    by_seed = np.std([losses for losses, _ in curves.values()], axis=0, ddof=1)
    with capsys.disabled():
        print(
            f"\nlosses of a training: {by_blocks:.1e} apart with and without blocks, {by_seed.mean():.1e} between seeds"
        )
    assert by_blocks < 1e-5
    assert by_seed.min() > 1000 * by_blocks
    assert np.abs(other - curves[1][1]).max() < 1e-4


def test_a_batch_is_drawn_without_regard_to_length():
    """Of the lengths, sorted, each batch of a training holds its share: the mean rank is that of a random sample."""
    n, size = 4000, 50
    ranks = np.arange(n)  # events sorted by length
    means = np.array([ranks[b].mean() for b in draw_batches(n, size, 20 * n // size, seed=5)])
    # without replacement: variance (n + 1) (n - size) / (12 size)
    pulls = (means - (n - 1) / 2) / np.sqrt((n + 1) * (n - size) / (12 * size))
    assert len(pulls) == 1600
    assert abs(pulls.std() - 1) < 5 / np.sqrt(2 * 1600)  # five deviations of that deviation
    assert abs(pulls[::2].mean()) < 5 / np.sqrt(800)


# --- sequences without a step ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sequences_of_no_step_leave_the_layer_alone(dtype):
    """900 of 1000 events are empty: the layer's gradient is that of the 100, to the bit, and only the head sees the others."""
    values, offsets, event_values, labels, weights = make_events(2000, dtype)
    has_steps = np.diff(offsets) > 0
    rng = np.random.default_rng(2)
    some, none = rng.choice(np.flatnonzero(has_steps), 100, replace=False), np.flatnonzero(~has_steps)
    none = rng.choice(none, 900)  # the same event may come twice
    events = (values, offsets, event_values, labels, weights)
    batch = rng.permutation(np.concatenate([some, none]))
    some = batch[has_steps[batch]]  # in the order in which the batch has them

    trainer = make_trainer(dtype)
    parameters = trainer.parameters
    parameters[-1 - E - H :] += dtype(0.2)
    trainer.parameters = parameters
    (loss, weight, n), gradient = trainer.gradient(events, batch)
    (some_loss, some_weight, some_n), some_gradient = trainer.gradient(events, some)
    assert (n, some_n) == (1000, 100)
    layer = 4 * H * (D + H + 1)
    np.testing.assert_array_equal(gradient[:layer], some_gradient[:layer])
    assert np.abs(gradient[:layer]).max() > 0.1

    # of an empty event the state is 0: its logit is that of the event features and the bias
    w, bias = parameters[layer + H : -1].astype(float), float(parameters[-1])
    z = event_values[none].astype(float) @ w + bias
    y, u = labels[none], weights[none]
    dz = u * (1 / (1 + np.exp(-z)) - y)
    rounding = 1e-12 if dtype is np.float64 else 2e-5
    assert loss - some_loss == pytest.approx((u * (np.logaddexp(0, z) - y * z)).sum(), rel=rounding)
    assert weight - some_weight == pytest.approx(u.sum(), rel=1e-12)
    head = gradient[layer:].astype(float) - some_gradient[layer:]
    expected = np.concatenate([np.zeros(H), dz @ event_values[none], [dz.sum()]])
    assert np.abs(head - expected).max() < rounding * np.abs(expected).max()


def test_nothing_but_sequences_of_no_step():
    values, offsets, *others = make_events(70, np.float32)
    trainer = make_trainer(np.float32)
    (_, _, n), gradient = trainer.gradient((values[:0], np.zeros_like(offsets), *others), np.arange(70))
    assert n == 70
    assert not gradient[: -1 - E].any()
    assert gradient[-1 - E :].all()
