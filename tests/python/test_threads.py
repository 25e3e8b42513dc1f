"""Threads: the same bits from any number of them, after a fork, and under several Python threads; denormal numbers."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tmva_lstm_plugin import _engine, lstm_backward, lstm_forward

THREADS = (1, 2, 3, 7)
TRAINER = {np.float32: _engine.Trainer, np.float64: _engine.Trainer64}


def make_events(n=600, n_features=3, n_event_features=2, classes=2, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(0, 9, n))]).astype(np.int64)
    return (
        rng.normal(size=(offsets[-1], n_features)).astype(dtype),
        offsets,
        rng.normal(size=(n, n_event_features)).astype(dtype),
        rng.integers(0, classes, n).astype(np.int32),
        rng.normal(1, 0.5, n),
    )


def make_trainer(n_threads, n_outputs=1, hidden=7, dtype=np.float32, **options):
    numbers = [np.full(k, v, dtype) for k in (3, 2) for v in (0, 1)]
    return TRAINER[dtype](3, 2, hidden, n_outputs, *numbers, {"n_threads": n_threads, "learning_rate": 0.01, **options})


def all_equal(results):
    return len({tuple(np.asarray(array).tobytes() for array in result) for result in results}) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 33, 600])
def test_layer(n, dtype, instruction_set):
    rng = np.random.default_rng(n)
    lengths = rng.integers(0, 10, n)
    x, W, U, b, dh = (rng.normal(size=size).astype(dtype) for size in ((n, 9, 3), (28, 3), (28, 7), (28,), (n, 9, 7)))
    results = []
    for n_threads in THREADS:
        forward = lstm_forward(x, W, U, b, lengths, n_threads=n_threads)
        backward = lstm_backward(forward, dh, n_threads=n_threads)
        results.append((forward.h, forward.c, forward.gates, *vars(backward).values()))
    assert len(results[0]) == 3 + 9
    assert all_equal(results)
    assert np.abs(results[0][3]).sum() > 0 or n == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batch_size", [1, 37, 600])
def test_training_steps(batch_size, dtype, instruction_set):
    events = make_events(dtype=dtype)
    results = []
    for n_threads in THREADS:
        trainer = make_trainer(n_threads, dtype=dtype)
        sums = [trainer.train_batch(events, np.arange(k, k + batch_size) % 600) for k in range(5)]
        total, gradient = trainer.gradient(events, np.arange(600))
        results.append((sums, total, gradient, trainer.parameters))
    assert all_equal(results)
    start = make_trainer(1, dtype=dtype).parameters
    assert np.abs(results[0][-1] - start).max() > 1e-3


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_epochs(n_outputs):
    events = make_events(classes=max(2, n_outputs))
    train, validate = np.arange(500), np.arange(500, 600)
    results = []
    for n_threads in THREADS:
        trainer = make_trainer(n_threads, n_outputs, epochs=3, batch_size=77, seed=4)
        records = []
        trainer.fit_memory(
            events, train, validate, True, lambda: True,
            lambda r, to=records: to.append((r.loss, r.validation_loss, r.best)) is None,
        )  # fmt: skip
        assert len(records) == 3
        results.append((trainer.parameters, records, trainer.probabilities(events, n_threads)))
    assert all_equal(results)


def test_repeated_at_random():
    """Many short sections one after the other: a race in handing out blocks would show now and then."""
    events = make_events(n=160)
    expected = None
    for n_threads in np.random.default_rng(3).integers(1, 8, 300):
        total, gradient = make_trainer(int(n_threads)).gradient(events, np.arange(160))
        found = (total, gradient.tobytes())
        expected = expected or found
        assert found == expected


def test_python_threads_each_with_its_own_trainer():
    events = make_events()

    def train(_):
        trainer = make_trainer(3, epochs=2, batch_size=50)
        trainer.fit_memory(events, np.arange(600), np.arange(40), True, lambda: True, lambda record: True)
        return trainer.parameters, trainer.probabilities(events, 2)

    with ThreadPoolExecutor(6) as pool:
        assert all_equal(list(pool.map(train, range(12))))


def test_python_threads_share_a_trained_network():
    trainer = make_trainer(2)
    events = [make_events(n=n, seed=n) for n in range(100, 140)]
    expected = [trainer.probabilities(e, 1).tobytes() for e in events]
    with ThreadPoolExecutor(6) as pool:
        for _ in range(5):
            assert [p.tobytes() for p in pool.map(lambda e: trainer.probabilities(e, 2), events)] == expected
        losses = list(pool.map(lambda e: trainer.loss(e, np.arange(50)), events))
    assert losses == [trainer.loss(e, np.arange(50)) for e in events]


def test_layer_from_several_python_threads():
    rng = np.random.default_rng(0)
    x, W, U, b = (rng.normal(size=size) for size in ((200, 9, 3), (28, 3), (28, 7), (28,)))
    expected = lstm_forward(x, W, U, b, n_threads=1).h.tobytes()
    with ThreadPoolExecutor(5) as pool:
        found = list(pool.map(lambda n: lstm_forward(x, W, U, b, n_threads=1 + n % 4).h.tobytes(), range(40)))
    assert set(found) == {expected}


FORK = """
    import os, sys, threading
    import numpy as np
    from tmva_lstm_plugin import _engine

    rng = np.random.default_rng(0)
    offsets = np.arange(0, 1204, 4)
    events = (rng.normal(size=(1200, 3)).astype(np.float32), offsets[:301], None, np.arange(300, dtype=np.int32) % 2, None)
    none = np.empty(0, np.float32)

    def train(n_threads):
        trainer = _engine.Trainer(3, 0, 6, 1, np.zeros(3, np.float32), np.ones(3, np.float32), none, none,
                                  {"n_threads": n_threads, "batch_size": 50, "epochs": 2})
        trainer.fit_memory(events, np.arange(300), np.arange(20), True, lambda: True, lambda record: True)
        return trainer.parameters.tobytes()

    expected = train(4)  # the pool has its threads now
    busy = threading.Event()
    if sys.argv[1] == "during":  # another thread is at work while this one forks
        background = threading.Thread(target=lambda: [train(3) for _ in range(1000) if not busy.is_set()])
        background.start()
    for generation in range(3):
        child = os.fork()
        if child == 0:
            ok = train(1) == train(4) == train(7) == expected
            if ok and generation == 2:  # a grandchild
                grandchild = os.fork()
                if grandchild == 0:
                    os._exit(0 if train(4) == expected else 5)
                ok = os.waitpid(grandchild, 0)[1] == 0
            os._exit(0 if ok else 3)
        _, status = os.waitpid(child, 0)
        assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0, status
        assert train(4) == expected
    if sys.argv[1] == "during":
        assert background.is_alive()
        busy.set()
        background.join()
    print("the same in all processes")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("when", ["after", "during"])
def test_a_forked_child_trains(when):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FORK), when], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "the same in all processes\n"


def test_exit_with_sleeping_threads():
    """The pool's threads must not hold up the end of the process."""
    code = """
import numpy as np, tmva_lstm_plugin
tmva_lstm_plugin.lstm_forward(*(np.ones(shape) for shape in ((99, 3, 1), (4, 1), (4, 1), (4,))), n_threads=5)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# --- denormal numbers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_threads", [1, 4])
@pytest.mark.parametrize("tiny", ["x", "weights", "gradient"])
def test_denormal_numbers_count_as_the_zeros_they_almost_are(tiny, n_threads, instruction_set):
    rng = np.random.default_rng(2)
    x, W, U, b, dh = (
        rng.normal(size=size).astype(np.float32) for size in ((80, 6, 3), (20, 3), (20, 5), (20,), (80, 6, 5))
    )
    scale = np.float32(1e-40)
    if tiny == "x":
        x *= scale
    elif tiny == "weights":
        W, U, b = W * scale, U * scale, b * scale
    else:
        dh *= scale
    assert np.abs(np.concatenate([a.ravel() for a in (x, W, dh)])).min() < np.finfo(np.float32).tiny
    forward = lstm_forward(x, W, U, b, n_threads=n_threads)
    backward = lstm_backward(forward, dh, n_threads=n_threads)
    exact_forward = lstm_forward(*(a.astype(np.float64) for a in (x, W, U, b)))
    exact_backward = lstm_backward(exact_forward, dh)
    for found, exact in ((forward, exact_forward), (backward, exact_backward)):
        for name in ("h", "c", "gates") if found is forward else vars(backward):
            value, expected = getattr(found, name), getattr(exact, name)
            # of the tensor's largest number, or of the smallest normal number if that is less
            allowed = 5e-6 * np.abs(expected).max() + 1e-35
            assert np.abs(value - expected).max() <= allowed, name


def test_saturated_gates_over_many_steps(instruction_set):
    """Gradients die out by a factor of 1e-12 a step: through the range of denormal numbers down to 0, and no further."""
    x = np.full((20, 60, 1), 30, np.float32)
    W = np.array([[1], [-1], [1], [1]], np.float32)  # the forget gate is shut
    forward = lstm_forward(x, W, np.zeros((4, 1), np.float32), np.zeros(4, np.float32))
    dh = np.zeros((20, 60, 1), np.float32)
    dh[:, -1] = 1
    backward = lstm_backward(forward, dh)
    np.testing.assert_allclose(forward.c, 1, rtol=1e-6)
    np.testing.assert_allclose(forward.h, np.tanh(1), rtol=1e-6)
    np.testing.assert_allclose(backward.dc[:, -1], 1 - np.tanh(1) ** 2, rtol=1e-5)
    assert (backward.dc[:, -2] > 0).all()
    assert not backward.dc[:, :50].any()
    assert all(np.isfinite(value).all() for value in vars(backward).values())


@pytest.mark.parametrize("n_threads", [1, 4])
def test_the_caller_keeps_its_denormal_numbers(n_threads):
    lstm_forward(np.ones((100, 3, 2)), np.ones((4, 2)), np.ones((4, 1)), np.ones(4), n_threads=n_threads)
    assert np.float32(1e-30) * np.float32(1e-10) > 0
    assert (np.full(100, 1e-300) * np.full(100, 1e-10) > 0).all()
