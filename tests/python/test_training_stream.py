"""Training from a stream: as in memory where the order is the same, in bounded memory, in a new order each epoch."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

from tmva_lstm_plugin import LSTMClassifier, Sequences, read_sequences, stream_sequences
from tmva_lstm_plugin.errors import InputError, MemoryLimitError
from tmva_lstm_plugin.evaluation import auc
from tmva_lstm_plugin.event_weights import EventWeights
from tmva_lstm_plugin.model_file import without_provenance
from tmva_lstm_plugin.testing import write_toy_root
from tmva_lstm_plugin.training_events import StreamEvents

READING = {"features": ["x", "noise0"], "label": "label", "weight": "weight"}


@pytest.fixture(scope="module")
def toy_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("stream") / "toys.root"
    return write_toy_root(path, "gaussian_sum", 30_000, seed=5, chunk=2000, lengths=(1, 20), n_noise=1)


def small_stream(path, chunks=6):
    """A stream of several chunks, as small a file as it is."""
    for limit in np.geomspace(3e5, 3e7, 40):
        try:
            stream = stream_sequences(path, memory_limit=int(limit), **READING)
        except MemoryLimitError:
            continue
        if stream.n_chunks >= chunks:
            return stream
    raise AssertionError("no limit gives several chunks")


def saved(model, path):
    model.save(path)
    return without_provenance(path)


def test_in_file_order_a_stream_gives_the_bytes_that_memory_gives(toy_file, tmp_path):
    options = {"hidden": 7, "epochs": 2, "shuffle": False, "batch_size": 70, "validation_fraction": 0.02}
    events = read_sequences(toy_file, **READING)
    with small_stream(toy_file) as stream:
        assert stream.n_chunks > 5
        streamed = saved(LSTMClassifier(n_threads=3, **options).fit(stream), tmp_path / "stream.xml")
    assert streamed == saved(LSTMClassifier(n_threads=1, **options).fit(events), tmp_path / "memory.xml")


def test_batches_that_grow_and_a_schedule_are_those_of_memory_too(toy_file, tmp_path):
    options = {
        "hidden": 5,
        "epochs": 3,
        "shuffle": False,
        "batch_size": 70,
        "validation_fraction": 0.02,
        "batch_growth": 1.5,
        "max_batch_size": 130,
        "schedule": "one_cycle",
        "ema_decay": 0.9,
    }
    events = read_sequences(toy_file, **READING)
    with small_stream(toy_file) as stream:
        streamed = saved(LSTMClassifier(n_threads=3, **options).fit(stream), tmp_path / "stream.xml")
    assert streamed == saved(LSTMClassifier(n_threads=1, **options).fit(events), tmp_path / "memory.xml")


def test_a_stream_of_one_chunk_gives_the_bytes_that_memory_gives_shuffled_too(toy_file, tmp_path):
    options = {"hidden": 5, "epochs": 2}
    with stream_sequences(toy_file, memory_limit="2 GB", **READING) as stream:
        assert stream.n_chunks == 1
        streamed = saved(LSTMClassifier(**options).fit(stream), tmp_path / "stream.xml")
    memory = saved(LSTMClassifier(**options).fit(read_sequences(toy_file, **READING)), tmp_path / "memory.xml")
    assert streamed == memory


def portions(events, epoch):
    """The values of the events of an epoch, in the order they would train in, and the size of each portion."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as events._reader:
        events.begin(epoch, 32)
        seen, sizes = [], []
        while (portion := events.next()) is not None:
            (values, offsets, *_), order = portion
            sizes.append(len(order))
            seen += [values[offsets[n] : offsets[n + 1]].tobytes() for n in order]
    return seen, sizes


def test_every_epoch_has_all_training_events_once_in_a_new_order_and_whole_batches(toy_file):
    with small_stream(toy_file) as stream:
        events = StreamEvents(
            stream, regression=False, weights=EventWeights(), fraction=0.02, seed=3, check=lambda: None
        )
        prepared = events.prepare(lambda: None)
        (first, sizes), (second, _), (again, _) = (portions(events, epoch) for epoch in (1, 2, 1))
    assert len(sizes) > 2
    assert all(size % 32 == 0 for size in sizes[:-1])
    assert len(first) == prepared.figures["training_events"]
    assert first == again
    assert first != second
    assert sorted(first) == sorted(second)
    # neighbours of the file are no neighbours any more
    file_order = {event.values.tobytes(): n for n, event in enumerate(_single_events(toy_file))}
    steps = np.abs(np.diff([file_order[event] for event in first]))
    assert np.mean(steps < 20) < 0.05


def _single_events(path):
    events = read_sequences(path, **READING)
    return (events[n : n + 1] for n in range(len(events)))


def test_a_shuffled_stream_learns_as_well_as_memory(toy_file):
    events = read_sequences(toy_file, **READING)
    with small_stream(toy_file) as stream:
        streamed = LSTMClassifier(hidden=8, epochs=3, validation_fraction=0.02).fit(stream)
        scores = streamed.predict_proba(stream)[:, 1]
    memory = LSTMClassifier(hidden=8, epochs=3, validation_fraction=0.02).fit(events).predict_proba(events)[:, 1]
    is_signal = events.labels == 1
    assert abs(auc(scores, is_signal) - auc(memory, is_signal)) < 0.01


def test_a_validation_part_that_does_not_fit_is_made_smaller_and_said(toy_file, caplog):
    with small_stream(toy_file) as stream, caplog.at_level(logging.WARNING, "tmva_lstm_plugin"):
        model = LSTMClassifier(hidden=3, epochs=1, validation_fraction=0.9).fit(stream)
    assert "would not fit into a quarter of the stream's memory limit" in caplog.text
    assert model.summary["validation_events"] < 0.9 * 30_000


def test_a_signal_while_streaming_keeps_what_was_learnt(toy_file):
    def after_one(record):
        if record.epoch == 1:
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()

    with small_stream(toy_file) as stream:
        model = LSTMClassifier(hidden=8, epochs=10_000, validation_fraction=0.02).fit(stream, progress=after_one)
    assert model.stopped_by == "SIGINT"
    assert len(model.history) >= 1


def test_a_file_damaged_while_training_is_an_error_that_names_it(toy_file, tmp_path):
    path = tmp_path / "going.root"
    path.write_bytes(toy_file.read_bytes())

    def damage(record):
        stream.close()
        path.write_bytes(toy_file.read_bytes()[: toy_file.stat().st_size // 2])

    stream = small_stream(path)
    with pytest.raises(InputError, match="going.root"):
        LSTMClassifier(hidden=3, epochs=3, validation_fraction=0.02).fit(stream, progress=damage)
    stream.close()


def test_no_labels_and_long_sequences_are_refused(toy_file):
    with (
        stream_sequences(toy_file, features=["x"], memory_limit="1 GB") as stream,
        pytest.raises(InputError, match="no labels, so there is nothing to learn"),
    ):
        LSTMClassifier().fit(stream)
    with small_stream(toy_file) as stream, pytest.raises(MemoryLimitError, match=r"entry \d+ has 20 steps"):
        LSTMClassifier(hidden=64, memory_limit="200 kB").fit(stream)


SCRIPT = """
import resource, sys
import numpy as np
from tmva_lstm_plugin import LSTMClassifier, Sequences, stream_sequences
from tmva_lstm_plugin import _engine, streaming, training_events
path, limit = sys.argv[1], int(sys.argv[2])
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
options = dict(hidden=8, epochs=2, batch_size=256, n_threads=2)
# libraries, thread stacks and the network itself are there before the stream is
warm = Sequences.from_lists([np.ones((40, 8)), np.zeros((40, 8))] * 300, labels=[0, 1] * 300)
LSTMClassifier(**options).fit(warm)
with stream_sequences(path, features=[f"x{i}" for i in range(8)], label="label", memory_limit=limit) as stream:
    before = peak()
    stream.read_chunk(0)[:0]
    LSTMClassifier(**options).fit(stream)
print(peak() - before)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs /proc to see the peak of a process's memory")
def test_a_file_five_times_the_memory_limit_trains_within_twice_the_limit(tmp_path):
    """The stream reads within its limit; validation part and shuffle buffer take at most as much again."""
    import awkward as ak
    import uproot

    limit, path = 48_000_000, tmp_path / "large.root"
    rng = np.random.default_rng(0)
    written = 0
    with uproot.recreate(path, compression=uproot.LZ4(1)) as file:
        tree = file.mktree("events", {**{f"x{i}": "var * float32" for i in range(8)}, "label": "int32"})
        while written < 5 * limit:
            counts = rng.integers(0, 41, 4000)
            label = rng.integers(0, 2, 4000).astype(np.int32)
            # eight columns of a few repeated values: large when unpacked, quick to write
            columns = {
                f"x{i}": ak.unflatten(rng.normal(size=counts.sum()).astype(np.float32).round(1), counts)
                for i in range(8)
            }
            tree.extend({**columns, "label": label})
            written += 8 * 4 * int(counts.sum())
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(path), str(limit)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) < 2 * limit, (
        f"{int(result.stdout) / 1e6:.0f} MB above the start, limit {limit / 1e6:.0f} MB"
    )


def test_concatenated_chunks_are_the_events(toy_file):
    with small_stream(toy_file) as stream:
        joined = Sequences.concatenate([chunk for chunk in stream if len(chunk)])
    events = read_sequences(toy_file, **READING)
    assert np.array_equal(joined.values, events.values)
    assert np.array_equal(joined.offsets, events.offsets)
    assert np.array_equal(joined.labels, events.labels)
