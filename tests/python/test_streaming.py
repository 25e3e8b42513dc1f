"""A stream gives, a piece at a time and within its memory, what `read_sequences` gives at once."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from tmva_lstm_plugin import Sequences, SequenceStream, read_sequences, stream_sequences
from tmva_lstm_plugin.errors import InputError, MemoryLimitError, OptionError
from tmva_lstm_plugin.streaming import parse_memory_limit

OPTIONS = {
    "features": {"x": "x", "log": "log(y)"},
    "event_features": ["met"],
    "event_selection": "met > 0.2",
    "element_selection": "y > 0.1",
    "order_by": "y",
    "max_length": 4,
    "label": {"low": "met < 0.5", "high": "met > 0.6"},
    "weight": "met - 0.5",
}


def part(rng, n_events):
    counts = rng.integers(0, 9, n_events)
    columns = {name: ak.unflatten(rng.random(counts.sum()), counts) for name in ("x", "y")}
    return columns | {"met": rng.random(n_events)}


@pytest.fixture(params=["TTree", "RNTuple"])
def files(request, tmp_path):
    rng = np.random.default_rng(5)
    for number in range(2):
        with uproot.recreate(tmp_path / f"part{number}.root") as file:
            first = part(rng, 500)
            if request.param == "TTree":
                tree = file.mktree("t", {"x": "var * float64", "y": "var * float64", "met": "float64"})
                tree.extend(first)
            else:
                tree = file.mkrntuple("t", first)
            for _ in range(9):
                tree.extend(part(rng, 500))
    return sorted(tmp_path.glob("part*.root"))


def assert_same(found: Sequences, expected: Sequences) -> None:
    assert found.feature_names == expected.feature_names
    assert found.class_names == expected.class_names
    assert found.n_entries == expected.n_entries
    for name in ("values", "offsets", "event_values", "labels", "weights", "entries"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


def test_all_chunks_joined_are_the_whole(files):
    expected = read_sequences(files, **OPTIONS)
    with stream_sequences(files, memory_limit="1 MB", **OPTIONS) as stream:
        assert isinstance(stream, SequenceStream)
        assert stream.n_chunks == len(stream) > 4
        assert stream.n_entries == 10000
        assert stream.memory_limit == 1_000_000
        assert stream.class_names == ("low", "high")
        assert stream.feature_names == ("x", "log")
        assert stream.event_feature_names == ("met",)
        assert stream.recipe == expected.recipe
        assert stream.files == tuple(str(f) for f in files)
        assert stream.has_labels
        assert stream.has_weights
        assert_same(Sequences.concatenate(list(stream)), expected)
        # and once more, backwards
        chunks = [stream.read_chunk(i) for i in reversed(range(len(stream)))]
        assert_same(Sequences.concatenate(chunks[::-1]), expected)


def test_chunks_cover_all_entries_and_end_with_baskets(files):
    with stream_sequences(files, memory_limit="1 MB", **OPTIONS) as stream:
        starts, stops = zip(*stream.chunk_bounds, strict=True)
    assert starts[0] == 0
    assert stops[-1] == 10000
    assert starts[1:] == stops[:-1]
    assert all(stop % 500 == 0 for stop in stops)


def test_a_basket_longer_than_a_chunk_is_cut(tmp_path):
    rng = np.random.default_rng(6)
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mktree(
            "t", {"x": "var * float64", "y": "var * float64", "met": "float64", "wide": ("float64", (400,))}
        ).extend(part(rng, 3000) | {"wide": np.zeros((3000, 400))})
    options = {"features": ["wide", "wide"][:1], "event_selection": "met > 0.99"}
    whole = read_sequences(tmp_path / "a.root", **options)
    with pytest.raises(
        MemoryLimitError, match=r"memory_limit=1000000 bytes is too small: branch 'wide' .* give at least \d+ bytes"
    ):
        stream_sequences(tmp_path / "a.root", memory_limit="1 MB", **options)
    with stream_sequences(tmp_path / "a.root", memory_limit="160 MB", **options) as stream:
        assert_same(Sequences.concatenate(list(stream)), whole)


def test_the_limit_that_is_asked_for_is_enough(tmp_path):
    rng = np.random.default_rng(7)
    with uproot.recreate(tmp_path / "a.root") as file:
        file["t"] = part(rng, 3000)
    with pytest.raises(MemoryLimitError) as caught:
        stream_sequences(tmp_path / "a.root", features=["x"], memory_limit="5 kB")
    enough = int(str(caught.value).split("give at least ")[1].split()[0])
    with stream_sequences(tmp_path / "a.root", features=["x"], memory_limit=enough) as stream:
        assert sum(len(chunk) for chunk in stream) == 3000


def test_a_chunk_may_be_empty(files):
    options = {"features": ["x"], "event_selection": "met > 0.9995"}
    with stream_sequences(files, memory_limit="600 kB", **options) as stream:
        chunks = list(stream)
        assert any(len(chunk) == 0 for chunk in chunks)
        assert all(chunk.values.shape == (chunk.offsets[-1], 1) for chunk in chunks)
    assert_same(Sequences.concatenate(chunks), read_sequences(files, **options))


def test_one_file_a_class(files):
    by_class = {"a": files[0], "b": files[1]}
    with stream_sequences(by_class, features=["x"], memory_limit="1 MB") as stream:
        assert_same(Sequences.concatenate(list(stream)), read_sequences(by_class, features=["x"]))
        assert stream.has_labels
        assert not stream.has_weights


def test_what_was_left_out_is_logged_once(files, caplog):
    with caplog.at_level(logging.INFO, logger="tmva_lstm_plugin"):
        with stream_sequences(files, features=["log(x - 0.01)"], on_invalid="drop", memory_limit="1 MB") as stream:
            kept = sum(len(chunk) for chunk in stream)
    (record,) = caplog.records
    assert f"dropped {10000 - kept} event(s)" in record.getMessage()


def test_reading_goes_on_after_closing(files):
    stream = stream_sequences(files, features=["x"], memory_limit="1 MB")
    first = stream.read_chunk(0)
    stream.close()
    stream.close()
    np.testing.assert_array_equal(stream.read_chunk(0).values, first.values)
    del stream  # no ResourceWarning


def test_chunks_that_do_not_exist(files):
    with stream_sequences(files, features=["x"], memory_limit="1 MB") as stream:
        with pytest.raises(IndexError, match="chunk 999 was asked for; there are"):
            stream.read_chunk(999)
        with pytest.raises(IndexError, match="chunk -1 was asked for"):
            stream.read_chunk(-1)


def test_errors_name_the_entry_in_its_file(files):
    with stream_sequences(files, features=["log(x - x)"], memory_limit="1 MB") as stream:
        last = len(stream) - 1
        first_entry = stream.chunk_bounds[last][0] - 5000
        with pytest.raises(InputError, match=r"part1.root:t', entry (\d+), element 0: feature .* is -inf") as caught:
            stream.read_chunk(last)
    entry = int(str(caught.value).split("entry ")[1].split(",")[0])
    assert first_entry <= entry < 5000


def test_a_stream_needs_a_limit(files):
    with pytest.raises(OptionError, match="memory_limit is None, but a stream needs one"):
        stream_sequences(files, features=["x"], memory_limit=None)
    assert parse_memory_limit("2 MiB") == 2 << 20


def test_repr(files):
    with stream_sequences(files, features=["x"]) as stream:
        assert "10000 entries | 2 chunk(s) | features x" in repr(stream)


MEASURE = """
import re, sys
from tmva_lstm_plugin import read_sequences, stream_sequences

def memory(key):
    with open("/proc/self/status") as status:
        return int(re.search(key + r":\\s+(\\d+)", status.read())[1]) * 1024

options = dict(
    features={"a": "log(a)", "b": "b + a", "c": "c", "d": "d"}, order_by="c", element_selection="a > 0.01",
    event_selection="w > 0.01", weight="w",
)
read_sequences(sys.argv[1], **options)  # loads all libraries
with stream_sequences(sys.argv[2], memory_limit=int(sys.argv[3]), **options) as stream:
    before = memory("VmRSS")
    n_events = sum(len(chunk) for chunk in stream)
print(n_events, len(stream), memory("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is measured through /proc")
@pytest.mark.parametrize("kind", ["TTree", "RNTuple"])
def test_memory_stays_within_the_limit(tmp_path, kind):
    """A file of 144 MB, read in a process of its own with a limit of 40 MB."""
    limit = 40_000_000
    rng = np.random.default_rng(8)
    counts = rng.integers(5, 16, 15_000)
    block = {name: ak.unflatten(rng.random(counts.sum()), counts) for name in "abcd"} | {"w": rng.random(len(counts))}
    small = {"a": ak.Array([[0.5, 0.6]] * 3), "w": np.ones(3)} | dict.fromkeys("bcd", ak.Array([[1.0, 2.0]] * 3))
    for name, blocks in (("small", [small]), ("large", [block] * 30)):
        with uproot.recreate(tmp_path / f"{name}.root", compression=None) as file:
            if kind == "TTree":
                tree = file.mktree("t", {**dict.fromkeys("abcd", "var * float64"), "w": "float64"})
                tree.extend(blocks[0])
            else:
                tree = file.mkrntuple("t", blocks[0])
            for other in blocks[1:]:
                tree.extend(other)
    size = (tmp_path / "large.root").stat().st_size
    assert size > 3 * limit
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "small.root"), str(tmp_path / "large.root"), str(limit)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    n_events, n_chunks, used = map(int, result.stdout.split())
    assert n_events == 30 * int((block["w"] > 0.01).sum())
    assert n_chunks > 3
    assert used <= limit
