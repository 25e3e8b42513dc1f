"""The threads of the pool beside all that programs do: worker processes, fewer processors, sleep, threads that cannot start."""

from __future__ import annotations

import multiprocessing
import os
import resource
import subprocess
import sys
import textwrap

import pytest

TRAIN = """
import numpy as np
from tmva_lstm_plugin import _engine

def train(n_threads, epochs=2):
    rng = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(0, 9, 300))]).astype(np.int64)
    values = rng.normal(size=(offsets[-1], 3)).astype(np.float32)
    events = (values, offsets, None, np.arange(300, dtype=np.int32) % 2, None)
    none = np.empty(0, np.float32)
    trainer = _engine.Trainer(3, 0, 6, 1, np.zeros(3, np.float32), np.ones(3, np.float32), none, none,
                              {"n_threads": n_threads, "batch_size": 150, "epochs": epochs})
    trainer.fit_memory(events, np.arange(300), np.arange(20), True, lambda: True, lambda record: True)
    return trainer.parameters.tobytes()
"""


def run(code, folder, *arguments, timeout=120, **options):
    """Runs a program of its own: `train` above, then the code. What it prints."""
    script = folder / "program.py"
    script.write_text(TRAIN + textwrap.dedent(code))
    command = [sys.executable, str(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


WORKERS = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

def work(n_threads):
    with ThreadPoolExecutor(2) as pool:  # a worker that has threads of its own
        return list(pool.map(train, [n_threads, n_threads]))

if __name__ == "__main__":
    expected = train(2)  # the pool has its thread before there are workers
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context(sys.argv[1])) as workers:
        found = [each for pair in workers.map(work, [2, 1, 2, 4, 2, 2]) for each in pair]
    assert train(2) == expected
    print(len(found), set(found) == {expected})
"""


@pytest.mark.parametrize("start", ["fork", "spawn", "forkserver"])
def test_worker_processes(start, tmp_path):
    """As joblib and Dask have them: all finish, with the same bits."""
    if start not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {start} on this system")
    assert run(WORKERS, tmp_path, start) == "12 True\n"


def test_python_threads_training_at_once(tmp_path):
    code = """
    from concurrent.futures import ThreadPoolExecutor
    expected = train(1)
    with ThreadPoolExecutor(4) as pool:
        print(set(pool.map(train, [2] * 24)) == {expected})
    """
    assert run(code, tmp_path) == "True\n"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no CPU affinity on this system")
def test_the_processors_of_the_process_are_honoured(tmp_path):
    code = """
    import os
    from tmva_lstm_plugin import LSTMClassifier
    allowed = os.sched_getaffinity(0)
    assert _engine.usable_processors() == len(allowed)
    os.sched_setaffinity(0, {min(allowed)})
    print(_engine.usable_processors(), LSTMClassifier()._threads(), train(1) == train(4))
    """
    assert run(code, tmp_path) == "1 1 True\n"


def test_threads_without_work_sleep(tmp_path):
    """They look for work for 50 microseconds: of a quarter of a second with nothing to do, three of them take well below 2.5 ms
    of processor time (all threads of the process count). Spinning on, they would take more than 250, after every training; a
    processor that the system takes away for a moment is counted as used, but not after every one of five."""
    code = """
    import os, time
    taken = []
    for _ in range(5):
        train(4)
        before = time.process_time()
        time.sleep(0.25)
        taken.append(time.process_time() - before)
    print(min(taken))
    assert not os.path.exists("/proc/self/task") or len(os.listdir("/proc/self/task")) >= 4
    """
    assert float(run(code, tmp_path)) < 0.0025


def test_denormal_numbers_of_a_program_that_trains(tmp_path):
    """Between batches, after epochs, after the training, and in a thread that trains itself."""
    code = """
    import threading
    def kept():
        tiny = np.full(64, 1e-30, np.float32)  # numpy's vector code
        return bool((tiny * np.float32(1e-10) > 0).all() and np.float32(1e-30) * np.float32(1e-10) > 0)
    seen = [kept()]
    events = (np.ones((400, 3), np.float32), np.arange(0, 401, 4), None, np.arange(100, dtype=np.int32) % 2, None)
    none = np.empty(0, np.float32)
    def fit(n_threads):
        trainer = _engine.Trainer(3, 0, 6, 1, np.zeros(3, np.float32), np.ones(3, np.float32), none, none,
                                  {"n_threads": n_threads, "batch_size": 100, "epochs": 3})
        note = lambda *record: seen.append(kept()) is None
        trainer.fit_memory(events, np.arange(100), np.arange(40), True, note, note)
        trainer.probabilities(events, n_threads)
        seen.append(kept())
    fit(1)
    fit(4)
    thread = threading.Thread(target=fit, args=(4,))
    thread.start()
    thread.join()
    print(len(seen) >= 1 + 3 * (1 + 3 + 1), all(seen))
    """
    assert run(code, tmp_path) == "True True\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the address space is limited on Linux alone")
def test_threads_that_cannot_start(tmp_path):
    """A limit of processes or memory: work goes on with the threads there are."""
    code = """
    import os, resource
    expected = train(1)
    pages = int(open("/proc/self/statm").read().split()[0])
    room = pages * resource.getpagesize() + (32 << 20)  # a thread's stack takes 64 MiB
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (room, before[1]))
    limited = train(4), train(3)
    threads = len(os.listdir("/proc/self/task"))
    resource.setrlimit(resource.RLIMIT_AS, before)
    print(set(limited) == {expected}, threads, train(4) == expected, len(os.listdir("/proc/self/task")))
    """

    def stacks_of_64_mib():
        resource.setrlimit(resource.RLIMIT_STACK, (64 << 20, resource.getrlimit(resource.RLIMIT_STACK)[1]))

    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    assert run(code, tmp_path, env=environment, preexec_fn=stacks_of_64_mib) == "True 1 True 4\n"
