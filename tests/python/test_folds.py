"""The fold of an event: a function of its number alone."""

from __future__ import annotations

import numpy as np
import pytest
import uproot

from tmva_lstm_plugin import Folds, event_numbers, read_sequences, stream_sequences
from tmva_lstm_plugin.errors import InputError, MissingNameError, OptionError

INT64 = np.iinfo(np.int64)


def test_without_a_seed_the_fold_is_the_remainder():
    numbers = np.array([0, 1, 2, 5, 6, 7, -1, -7, 2**40 + 3])
    assert Folds(5).of(numbers).tolist() == [0, 1, 2, 0, 1, 2, 1, 2, (2**40 + 3) % 5]
    assert Folds(3).of([True, False]).tolist() == [1, 0]
    assert Folds(3).of([4.0, -5.0]).tolist() == [1, 2]


def test_numbers_of_all_64_bits_are_exact():
    signed = [INT64.min, INT64.min + 1, INT64.max, -3]
    unsigned = [2**64 - 1, 2**63, 2**63 + 5, 17]
    for count in (2, 3, 7, 10):
        assert Folds(count).of(np.array(signed)).tolist() == [abs(x) % count for x in signed]
        assert Folds(count).of(np.array(unsigned, dtype=np.uint64)).tolist() == [x % count for x in unsigned]


def splitmix(x):
    """SplitMix64's finaliser, in Python's own integers."""
    x = (x + 0x9E3779B97F4A7C15) % 2**64
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
    return x ^ x >> 31


def test_with_a_seed_the_number_is_mixed_as_documented():
    # the first outputs of SplitMix64 from the seed 1234567, as published with the generator
    assert [splitmix(1234567 + k * 0x9E3779B97F4A7C15) for k in range(2)] == [6457827717110365317, 3203168211198807973]
    numbers = np.arange(-100, 1000) * 12345678901
    for seed in (0, 1, 2**62):
        expected = [splitmix((abs(int(n)) + splitmix(seed)) % 2**64) % 7 for n in numbers]
        assert Folds(7, seed=seed).of(numbers).tolist() == expected


def test_a_seed_deals_numbers_with_a_pattern_evenly():
    even = np.arange(20000) * 10
    assert len(np.unique(Folds(5).of(even))) == 1
    counts = np.bincount(Folds(5, seed=1).of(even), minlength=5)
    # multinomial: a standard deviation is 57
    assert np.abs(counts - 4000).max() < 5 * 57
    assert not np.array_equal(Folds(5, seed=1).of(even), Folds(5, seed=2).of(even))


@pytest.mark.parametrize("numbers", [[0.5], [np.nan], [np.inf], [2.0**53 + 2], [[1, 2]], ["1"]])
def test_numbers_that_are_none_are_refused(numbers):
    with pytest.raises(InputError, match=r"number"):
        Folds(3).of(numbers)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 1}, "folds is 1, expected a whole number from 2"),
        ({"count": True}, "folds is True"),
        ({"count": 2.0}, "folds is 2.0"),
        ({"seed": -1}, "seed of the folds is -1"),
        ({"number": "12 + 1"}, "names no branch"),
        ({"number": "import os"}, "number of an event"),
        ({"number": ""}, "expected an expression"),
    ],
)
def test_rules_out_of_range_are_refused(arguments, message):
    with pytest.raises(OptionError, match=message):
        Folds(**arguments)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The same 600 events in one file, and in three files in another order."""
    folder = tmp_path_factory.mktemp("folds")
    rng = np.random.default_rng(4)
    numbers = rng.permutation(10**6)[:600].astype(np.uint64) + np.uint64(2**63)
    x = rng.normal(size=(600, 3)).astype(np.float32)
    y = rng.integers(0, 2, 600).astype(np.int32)

    def write(name, chosen):
        with uproot.recreate(folder / name) as file:
            tree = file.mktree("events", {"number": "uint64", "x": ("float32", (3,)), "y": "int32", "run": "int32"})
            run = (numbers % np.uint64(11)).astype(np.int32)
            tree.extend({"number": numbers[chosen], "x": x[chosen], "y": y[chosen], "run": run[chosen]})
        return folder / name

    shuffled = rng.permutation(600)
    parts = [write(f"part{i}.root", part) for i, part in enumerate(np.array_split(shuffled, 3))]
    return write("all.root", np.arange(600)), parts, numbers


def fold_by_number(paths, folds, selection=None):
    """The fold of each selected event, by what tells the event itself: its first value."""
    events = read_sequences(paths, features="x", label="y", event_selection=selection)
    fold_of = folds.of(event_numbers(paths, folds.number)[events.entries])
    return dict(zip(events.values[events.offsets[:-1], 0].tolist(), fold_of.tolist(), strict=True))


@pytest.mark.parametrize("seed", [None, 5])
def test_an_event_is_in_its_fold_whatever_the_files_and_their_order(files, seed):
    whole, parts, numbers = files
    folds = Folds(4, "number", seed)
    expected = fold_by_number(whole, folds)
    assert len(expected) == 600
    assert fold_by_number(parts, folds) == expected
    assert fold_by_number(parts[::-1], folds) == expected
    selected = fold_by_number(parts[::-1], folds, "run > 4")
    assert 200 < len(selected) < 500
    assert selected.items() <= expected.items()
    if seed is None:
        assert list(expected.values()) == [int(n) % 4 for n in numbers]


def test_numbers_go_with_entries_of_a_stream_too(files):
    whole, _, numbers = files
    read = event_numbers(whole, "number")
    assert read.dtype == np.uint64
    assert np.array_equal(read, numbers)
    with stream_sequences(whole, features="x", label="y", event_selection="run < 3", memory_limit="1 MB") as stream:
        chosen = np.concatenate([read[chunk.entries] for chunk in stream])
    assert np.array_equal(chosen, numbers[numbers % np.uint64(11) < 3])


def test_expressions_number_events(files):
    whole, _, numbers = files
    found = event_numbers(whole, "run * 1000 + y", tree="events")
    assert np.array_equal(found // np.uint64(1000), numbers % np.uint64(11))


def test_what_numbers_no_events_is_refused(files):
    whole, _, _ = files
    with pytest.raises(
        MissingNameError, match=r"has no branch 'numbr', which the number of an event, 'numbr', needs; did"
    ):
        event_numbers(whole, "numbr")
    with pytest.raises(InputError, match=r"entry \d+: the number of an event, 'run / 2', is .*expected a whole number"):
        event_numbers(whole, "run / 2")
    with pytest.raises(InputError, match="one value an element, expected one an event"):
        event_numbers(whole, "x")
