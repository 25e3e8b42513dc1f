"""`read_sequences` against what was written into the files, worked out event by event in plain Python."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from tmva_lstm_plugin import Recipe, Sequences, read_sequences
from tmva_lstm_plugin.errors import MemoryLimitError, MissingNameError, OptionError
from tmva_lstm_plugin.recipe import parse_bytes

SAMPLE = Path(__file__).parents[2] / "data" / "gibuu_neutrino.root"

PT = [[3.0, 1.0, 2.0], [], [5.0], [2.0, 2.0, 7.0, 1.0], [4.0, 9.0]]
ETA = [[0.1, 0.2, 0.3], [], [0.5], [0.6, 0.7, 0.8, 0.9], [1.0, 1.1]]
MET = [10.0, 20.0, 30.0, 40.0, 50.0]
KIND = [0, 1, 1, 0, 2]
WEIGHT = [1.0, -0.5, 2.0, 0.25, 3.0]


def tree_arrays():
    return {
        "pt": ak.values_astype(ak.Array(PT), np.float32),
        "eta": ak.values_astype(ak.Array(ETA), np.float64),
        "met": np.array(MET),
        "kind": np.array(KIND, dtype=np.int32),
        "w": np.array(WEIGHT),
        "passed": np.array([True, True, False, True, True]),
        "fixed": np.arange(20, dtype=np.float32).reshape(5, 4),
        "table": np.arange(30, dtype=np.float32).reshape(5, 3, 2),
        **{f"vars_time{t}": np.arange(10, dtype=np.float32).reshape(5, 2) + 100 * t for t in range(11)},
        **{f"px_{t}": np.arange(5.0) + 10 * t for t in range(3)},
    }


def write_ttree(file, name, arrays):
    def branch(array):
        if isinstance(array, ak.Array):
            return "var * " + str(array.type.content.content)
        return np.dtype((array.dtype, array.shape[1:])) if array.ndim > 1 else array.dtype

    file.mktree(name, {key: branch(array) for key, array in arrays.items()}).extend(arrays)


@pytest.fixture(params=["TTree", "RNTuple"])
def path(request, tmp_path):
    """The same events as a tree (counted arrays) or as an RNTuple (std::vector)."""
    file_name = tmp_path / "events.root"
    with uproot.recreate(file_name) as file:
        if request.param == "TTree":
            write_ttree(file, "events", tree_arrays())
        else:
            file["events"] = tree_arrays()
    return file_name


def steps_of(events: Sequences) -> list[list[list[float]]]:
    return [events.values[a:b].tolist() for a, b in zip(events.offsets[:-1], events.offsets[1:], strict=True)]


def test_branches_become_columns(path):
    events = read_sequences(path, features=["pt", "eta"])
    assert events.feature_names == ("pt", "eta")
    assert events.values.dtype == np.float32
    assert events.offsets.tolist() == [0, 3, 3, 4, 8, 10]
    np.testing.assert_array_equal(events.values[:, 0], np.float32(sum(PT, [])))
    np.testing.assert_array_equal(events.values[:, 1], np.float32(sum(ETA, [])))
    assert events.entries.tolist() == [0, 1, 2, 3, 4]
    assert events.n_entries == 5
    assert events.labels is None
    assert events.weights is None
    assert events.event_values is None


def test_expressions_and_event_features(path):
    events = read_sequences(
        path, features={"log_pt": "log(pt)", "ratio": "pt / met"}, event_features={"met": "met", "ht": "sum(pt)"}
    )
    assert events.feature_names == ("log_pt", "ratio")
    assert events.event_feature_names == ("met", "ht")
    expected = [[[math.log(x), x / m] for x in pts] for pts, m in zip(PT, MET, strict=True)]
    for found, wanted in zip(steps_of(events), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
    np.testing.assert_allclose(events.event_values, [[m, sum(p)] for m, p in zip(MET, PT, strict=True)])


def test_event_and_element_selection(path):
    events = read_sequences(path, features=["pt"], event_selection="met > 15 && passed", element_selection="pt > 1.5")
    assert events.entries.tolist() == [1, 3, 4]
    assert steps_of(events) == [[], [[2.0], [2.0], [7.0]], [[4.0], [9.0]]]
    assert events.n_entries == 5


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("selection", [None, "pt > 1.5"])
def test_ordering_keeps_ties_in_file_order(path, descending, selection):
    events = read_sequences(
        path, features=["pt", "eta"], order_by="pt", descending=descending, element_selection=selection
    )
    for found, pts, etas in zip(steps_of(events), PT, ETA, strict=True):
        pairs = [(p, e) for p, e in zip(pts, etas, strict=True) if selection is None or p > 1.5]
        expected = sorted(pairs, key=lambda pair: -pair[0] if descending else pair[0])  # sorted() is stable
        np.testing.assert_allclose(np.reshape(found, (-1, 2)), np.reshape(expected, (-1, 2)), rtol=1e-6)


@pytest.mark.parametrize("order_by", [None, "pt"])
@pytest.mark.parametrize("selection", [None, "pt > 1.5"])
def test_truncation_comes_after_selection_and_ordering(path, order_by, selection):
    events = read_sequences(path, features=["pt"], order_by=order_by, element_selection=selection, max_length=2)
    expected = []
    for pts in PT:
        kept = [p for p in pts if selection is None or p > 1.5]
        kept = sorted(kept, reverse=True) if order_by else kept
        expected.append([[p] for p in kept[:2]])
    assert steps_of(events) == expected


def test_order_by_an_expression_over_integers_and_event_values(path):
    events = read_sequences(path, features=["pt"], order_by="-abs(pt - met / 10)", max_length=1)
    expected = [min(pts, key=lambda p: abs(p - m / 10)) for pts, m in zip(PT, MET, strict=True) if pts]
    assert [s[0][0] for s in steps_of(events) if s] == expected


def test_fixed_arrays_are_sequences(path):
    events = read_sequences(path, features=["fixed"])
    assert events.lengths.tolist() == [4] * 5
    assert events.values[:, 0].tolist() == list(range(20))


def test_a_table_gives_a_feature_a_column(path):
    events = read_sequences(path, features=["table"], event_selection="kind == 1")
    assert events.feature_names == ("table_0", "table_1")
    assert events.entries.tolist() == [1, 2]
    assert events.values.ravel().tolist() == list(range(6, 18))


def test_one_branch_a_step_in_numeric_order(path):
    events = read_sequences(path, steps="vars_time{}")
    assert events.feature_names == ("vars_time_0", "vars_time_1")
    expected = [[[2 * n + d + 100 * t for d in range(2)] for t in range(11)] for n in range(5)]
    assert steps_of(events) == expected
    assert events.recipe.steps == (("vars_time", tuple(f"vars_time{t}" for t in range(11))),)


def test_one_scalar_branch_a_step(path):
    events = read_sequences(path, steps={"px": "px_{}"}, features=["px", "px**2"], element_selection="px > 0")
    expected = [[[n + 10.0 * t, (n + 10.0 * t) ** 2] for t in range(3) if n + t] for n in range(5)]
    assert steps_of(events) == expected


def test_steps_listed_one_by_one(path):
    events = read_sequences(path, steps=["vars_time3", "vars_time1"])
    assert steps_of(events)[0] == [[300.0, 301.0], [100.0, 101.0]]


def test_labels_from_an_expression(path):
    events = read_sequences(path, features=["pt"], label="kind == 1", weight="w")
    assert events.class_names == ("background", "signal")
    assert events.labels.tolist() == [0, 1, 1, 0, 0]
    assert events.labels.dtype == np.int32
    assert events.weights.tolist() == WEIGHT
    assert events.weights.dtype == np.float64


def test_class_numbers_with_names(path):
    events = read_sequences(path, features=["pt"], label="kind", classes=["a", "b", "c"], event_selection="met > 15")
    assert events.labels.tolist() == KIND[1:]
    assert events.class_names == ("a", "b", "c")


def test_events_in_no_class_are_left_out_and_counted(path, caplog):
    with caplog.at_level(logging.INFO, logger="tmva_lstm_plugin"):
        events = read_sequences(path, features=["pt"], label={"two": "kind == 2", "one": "kind == 1"}, weight="w")
    assert events.entries.tolist() == [1, 2, 4]
    assert events.labels.tolist() == [1, 1, 0]
    assert events.class_names == ("two", "one")
    assert events.weights.tolist() == [-0.5, 2.0, 3.0]
    assert "2 of 5 selected events are in none of the classes" in caplog.text


def test_without_labels_their_branches_need_not_exist(path):
    recipe = Recipe(features=(("pt", "pt"),), label="not_there == 1", weight="nor_this")
    events = read_sequences(path, recipe=recipe, with_labels=False)
    assert len(events) == 5
    assert events.labels is None
    assert events.weights is None


@pytest.fixture
def two_files(tmp_path):
    for number in range(2):
        with uproot.recreate(tmp_path / f"part{number}.root") as file:
            arrays = {"pt": ak.Array([[1.0 + 10 * number], [2.0, 3.0]]), "met": np.array([1.0, 2.0]) + 10 * number}
            write_ttree(file, "sig", arrays)
            write_ttree(file, "folder/bkg", {"pt": ak.Array([[7.0 + 10 * number]]), "met": np.array([0.5])})
    return tmp_path


@pytest.mark.parametrize("spelling", ["list", "glob", "strings", "file:tree", "url glob"])
def test_many_files(two_files, spelling):
    files = {
        "list": [two_files / "part0.root", two_files / "part1.root"],
        "glob": two_files / "part*.root",
        "strings": [str(two_files / "part0.root"), str(two_files / "part1.root")],
        "file:tree": f"{two_files}/part*.root:sig",
        "url glob": f"file://{two_files}/part*.root",
    }[spelling]
    events = read_sequences(files, tree=None if spelling == "file:tree" else "sig", features="pt")
    assert steps_of(events) == [[[1.0]], [[2.0], [3.0]], [[11.0]], [[2.0], [3.0]]]
    assert events.entries.tolist() == [0, 1, 2, 3]
    assert events.n_entries == 4


def test_one_tree_a_class(two_files):
    events = read_sequences(two_files / "part*.root", tree={"bkg": "folder/bkg", "sig": "sig"}, features="pt")
    assert events.class_names == ("bkg", "sig")
    assert events.labels.tolist() == [0, 0, 1, 1, 1, 1]
    assert steps_of(events)[:3] == [[[7.0]], [[17.0]], [[1.0]]]
    assert events.recipe.tree is None
    assert events.recipe.label is None


def test_one_file_a_class(two_files):
    files = {"old": two_files / "part0.root", "new": [two_files / "part1.root"]}
    events = read_sequences(files, tree="sig", features="pt", event_selection="met > 1.5")
    assert events.class_names == ("old", "new")
    assert events.labels.tolist() == [0, 1, 1]
    assert events.entries.tolist() == [1, 2, 3]
    swapped = read_sequences(files, tree="sig", features="pt", classes=["new", "old"])
    assert swapped.labels.tolist() == [1, 1, 0, 0]
    # the recipe reads others without knowing their classes
    assert read_sequences(files["old"], recipe=events.recipe, with_labels=False).entries.tolist() == [1]


def test_an_empty_file_among_others_adds_nothing(two_files):
    with uproot.recreate(two_files / "part2.root") as file:
        file.mktree("sig", {"pt": "var * float64", "met": "float64"})
    events = read_sequences(two_files / "part*.root", tree="sig", features="pt")
    assert len(events) == 4


def test_invalid_events_are_dropped_and_counted(tmp_path, caplog):
    arrays = {
        "pt": ak.Array([[1.0, -1.0], [2.0], [3.0, 1e39], [4.0]]),
        "met": np.array([1.0, np.nan, 1.0, 1.0]),
        "kind": np.array([0, 1, 1, 1], dtype=np.int32),
        "parity": np.array([0, 1, 0, 1], dtype=np.int32),
        "w": np.array([1.0, 2.0, 3.0, np.inf]),
    }
    with uproot.recreate(tmp_path / "bad.root") as file:
        write_ttree(file, "t", arrays)
    path = tmp_path / "bad.root"
    options = {"features": ["pt"], "event_features": ["met"], "on_invalid": "drop"}
    with caplog.at_level(logging.WARNING, logger="tmva_lstm_plugin"):
        events = read_sequences(path, **options)
    assert events.entries.tolist() == [0, 3]
    assert [r.getMessage() for r in caplog.records] == [f"'{path}': dropped 2 event(s) with values that are not finite"]
    assert events.n_invalid == 2
    # what is selected away does no harm
    cut = read_sequences(path, features=["pt"], label="kind", element_selection="pt < 1e30")
    assert cut.lengths.tolist() == [2, 1, 1, 1]
    # log(1e39) is fine, log(-1) is not; labels and weights go with their events
    labelled = read_sequences(path, features=["log(pt)"], label="parity", weight="w", on_invalid="drop")
    assert labelled.entries.tolist() == [1, 2]
    assert labelled.labels.tolist() == [1, 0]
    assert labelled.weights.tolist() == [2.0, 3.0]


def test_optional_fields_of_an_ntuple_count_as_invalid(tmp_path):
    with uproot.recreate(tmp_path / "optional.root") as file:
        file["t"] = {"pt": ak.Array([[1.0], [2.0, 3.0]]), "m": ak.Array([None, 2.5])}
    events = read_sequences(tmp_path / "optional.root", features="pt", event_features="m", on_invalid="drop")
    assert events.entries.tolist() == [1]
    assert events.event_values.tolist() == [[2.5]]


def test_members_of_records_of_an_ntuple(tmp_path):
    with uproot.recreate(tmp_path / "records.root") as file:
        file["t"] = {"jet": ak.zip({"pt": ak.Array(PT), "eta": ak.Array(ETA)}), "pt": ak.Array([[8.0]] * 5)}
    events = read_sequences(tmp_path / "records.root", features=["jet.pt", "jet.pt * jet.eta"])
    np.testing.assert_array_equal(events.values[:, 0], np.float32(sum(PT, [])))
    alone = read_sequences(tmp_path / "records.root", features=["pt"])
    assert alone.values.ravel().tolist() == [8.0] * 5


def test_many_clusters_and_baskets_are_joined_in_order(tmp_path):
    rng = np.random.default_rng(3)
    parts = [ak.unflatten(rng.random(c.sum()), c) for c in rng.integers(0, 6, (7, 40))]
    with uproot.recreate(tmp_path / "many.root") as file:
        tree = file.mktree("tree", {"x": "var * float64"})
        ntuple = file.mkrntuple("ntuple", {"x": parts[0]})
        for number, part in enumerate(parts):
            tree.extend({"x": part})
            if number:
                ntuple.extend({"x": part})
    expected = ak.concatenate(parts)
    for name in ("tree", "ntuple"):
        events = read_sequences(tmp_path / "many.root", tree=name, features="x")
        assert events.lengths.tolist() == ak.num(expected).tolist()
        np.testing.assert_array_equal(events.values[:, 0], ak.to_numpy(ak.flatten(expected)).astype(np.float32))


def test_real_vectors_against_plain_uproot():
    """The sample has std::vector branches in several baskets that do not end together."""
    events = read_sequences(
        SAMPLE, features={"E": "E", "pt": "sqrt(Px**2 + Py**2)"}, order_by="E", label="evType == 34", weight="weight"
    )
    with uproot.open(SAMPLE) as file:
        arrays = file["RootTuple"].arrays(["E", "Px", "Py", "evType", "weight"])
    order = ak.argsort(arrays.E, ascending=False, stable=True)
    np.testing.assert_array_equal(events.lengths, ak.num(arrays.E))
    np.testing.assert_array_equal(events.values[:, 0], ak.to_numpy(ak.flatten(arrays.E[order])).astype(np.float32))
    pt = np.hypot(arrays.Px, arrays.Py)[order]
    np.testing.assert_allclose(events.values[:, 1], ak.to_numpy(ak.flatten(pt)), rtol=1e-6)
    np.testing.assert_array_equal(events.labels, arrays.evType == 34)
    np.testing.assert_array_equal(events.weights, arrays.weight)
    assert (events.labels == 1).sum() == 3256
    assert (events.weights < 0).sum() == 5


def test_progress_reaches_all_entries(two_files):
    calls = []
    read_sequences(two_files / "part*.root", tree="sig", features="pt", progress=lambda *numbers: calls.append(numbers))
    assert calls == [(2, 4), (4, 4)]


def test_recipe_reads_the_same_again(path):
    first = read_sequences(
        path,
        features={"log_pt": "log(pt)"},
        event_features=["met"],
        order_by="pt",
        max_length=2,
        label="kind == 1",
        weight="w",
    )
    again = read_sequences(path, recipe=first.recipe)
    np.testing.assert_array_equal(again.values, first.values)
    np.testing.assert_array_equal(again.labels, first.labels)
    relabelled = read_sequences(path, recipe=first.recipe, label="kind == 2", weight="met")
    assert relabelled.labels.tolist() == [0, 0, 0, 0, 1]
    assert relabelled.weights.tolist() == MET


def test_recipe_round_trip_through_json():
    recipe = Recipe(
        features=(("a", "log(x)"), ("t", "steps")),
        tree="dir/t",
        event_features=(("m", "met"),),
        steps=(("steps", ("s0", "s1")),),
        event_selection="met > 1",
        element_selection="x > 0",
        order_by="x",
        descending=False,
        max_length=7,
        label=(("b", "k == 0"), ("s", "k == 1")),
        weight="w * 2",
        on_invalid="drop",
    )
    assert recipe.classes == ("b", "s")
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    assert recipe.branches() == ("x", "s0", "s1", "met", "w", "k")
    assert recipe.branches(with_labels=False) == ("x", "s0", "s1", "met")
    plain = Recipe(features=(("x", "x"),), label="k")
    assert Recipe.from_dict(json.loads(json.dumps(plain.to_dict()))) == plain


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"feature": []}, "unknown field 'feature'; did you mean 'features'"),
        ({"features": [["x", "__import__('os')"]]}, "feature"),
        ({"features": [["x"]]}, "neither an expression nor a pair"),
        ({"features": []}, "features is empty"),
        ({"features": 3}, "features is 3, expected expressions"),
        ({"event_selection": "system(1)"}, "event_selection: .*no function 'system'"),
        ({"event_selection": 5}, "event_selection is 5, expected text"),
        ({"weight": "2.5"}, "weight: '2.5' names no branch"),
        ({"max_length": 0}, "max_length is 0, expected a whole number of at least 1"),
        ({"max_length": True}, "max_length is True"),
        ({"descending": 1}, "descending is 1, expected true or false"),
        ({"on_invalid": "ignore"}, "on_invalid is 'ignore', expected 'error' or 'drop'"),
        ({"classes": ["a", "a"]}, "expected names that all differ"),
        ({"classes": "ab"}, "classes is 'ab', expected a sequence"),
        ({"classes": ["a"]}, "at least two"),
        ({"label": [["a", "k"], ["b", "k > 1"]], "classes": ["a", "c"]}, "are not the classes of label"),
        ({"steps": [["a", "b"]]}, "not a pair of a name and the branches"),
        ({"steps": "a"}, "steps is 'a', expected pairs"),
    ],
)
def test_foreign_recipes_are_checked(change, message):
    document = Recipe(features=(("x", "x"),)).to_dict() | change
    with pytest.raises(OptionError, match=message):
        Recipe.from_dict(document)


@pytest.mark.parametrize(
    ("document", "message"), [([1], "found list, expected a mapping"), ({}, "'features' is missing")]
)
def test_foreign_recipes_of_another_form(document, message):
    with pytest.raises(OptionError, match=message):
        Recipe.from_dict(document)


@pytest.mark.parametrize(
    ("text", "size"),
    [("512 MB", 512_000_000), ("2 GiB", 2 << 30), ("1.5kB", 1500), (" 7 b ", 7), ("100", 100), (42, 42), (None, None)],
)
def test_sizes(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "MB", "5 XB", "-1 MB", "1 MB 2", True, 1.5])
def test_sizes_that_are_none(text):
    with pytest.raises(OptionError, match="memory_limit .* is not a size; give bytes as an int"):
        parse_bytes(text)


@pytest.mark.parametrize("text", [0, "0 MB", -5])
def test_sizes_that_are_not_positive(text):
    with pytest.raises(OptionError, match="is not positive"):
        parse_bytes(text)


def test_memory_limit_is_seen_before_reading(path, monkeypatch):
    from tmva_lstm_plugin.root_input import OpenTree

    monkeypatch.setattr(OpenTree, "read", lambda *_: pytest.fail("data was read"))
    with pytest.raises(
        MemoryLimitError, match=r"5 entries would fill about .* more than memory_limit=100 bytes.*stream_sequences"
    ):
        read_sequences(path, features=["pt"], memory_limit=100)


def test_memory_limit_with_a_selection_counts_what_is_kept(path):
    kept = read_sequences(path, features=["pt"], event_selection="met > 45", memory_limit=100)
    assert kept.nbytes < 100
    with pytest.raises(MemoryLimitError, match="the first 5 of 5 entries already fill"):
        read_sequences(path, features=["pt"], event_selection="met > 5", memory_limit=60)


def test_missing_step_is_named(path):
    with pytest.raises(MissingNameError, match="no branch 'var_time{}' for any step; did you mean 'vars_time0'"):
        read_sequences(path, steps="var_time{}")
