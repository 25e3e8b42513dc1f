"""What cannot be read is refused with a message that says what, where, and what to do."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from tmva_lstm_plugin import Sequences, read_sequences, stream_sequences
from tmva_lstm_plugin.errors import InputError, LSTMError, MissingNameError, OptionError

SAMPLE = Path(__file__).parents[2] / "data" / "gibuu_neutrino.root"


def fill(file, name, arrays):
    def branch(array):
        if isinstance(array, ak.Array):
            return "var * " + str(array.type.content.content)
        return np.dtype((array.dtype, array.shape[1:])) if array.ndim > 1 else array.dtype

    file.mktree(name, {key: branch(array) for key, array in arrays.items()}).extend(arrays)


@pytest.fixture
def path(tmp_path):
    """One tree of five events, and a histogram."""
    with uproot.recreate(tmp_path / "events.root") as file:
        arrays = {
            "jet_pt": ak.Array([[3.0, 1.0], [0.0], [], [2.0, -5.0], [4.0]]),
            "jet_eta": ak.Array([[0.1, 0.2], [0.3], [], [0.4, 0.5], [0.6]]),
            "hit_x": ak.Array([[1.0, 2.0], [3.0], [], [4.0], [5.0, 6.0, 7.0]]),
            "met": np.array([1.0, np.inf, 3.0, 4.0, np.nan]),
            "kind": np.array([0.0, 1.0, 7.0, 0.5, 1.0]),
            "zero": np.zeros(5),
            "big": ak.Array([[1.0, 1.0], [1.0], [], [1.0, 1e39], [1.0]]),
            "table": np.zeros((5, 3, 2), dtype=np.float32),
            "time0": np.zeros(5),
            "time1": np.zeros((5, 2)),
            "time3": np.zeros(5),
            "late2": np.zeros(5),
        }
        fill(file, "events", arrays)
        file["histogram"] = np.histogram(np.arange(4))
    return tmp_path / "events.root"


def test_missing_file_names_its_neighbours(path):
    with pytest.raises(MissingNameError, match=r"file '.*event.root' does not exist; did you mean 'events.root'\?"):
        read_sequences(path.with_name("event.root"), features="jet_pt")


def test_missing_file_in_a_folder_without_any(tmp_path):
    with pytest.raises(MissingNameError, match=r"does not exist; there are no \.root files in"):
        read_sequences(tmp_path / "a.root", features="x")


def test_missing_folder(tmp_path):
    with pytest.raises(MissingNameError, match="does not exist, nor does its folder"):
        read_sequences(tmp_path / "nowhere" / "a.root", features="x")


def test_glob_without_match(tmp_path):
    with pytest.raises(MissingNameError, match=r"no file matches '.*/run\*\.root'; check the pattern"):
        read_sequences(tmp_path / "run*.root", features="x")


def test_no_files():
    with pytest.raises(InputError, match="files is empty; give at least one"):
        read_sequences([], features="x")


@pytest.mark.parametrize(
    ("files", "message"),
    [(5, "files is 5, expected a path"), ([5], "files has 5, expected a path"), ("", "files has an empty name")],
)
def test_files_of_wrong_type(files, message):
    with pytest.raises(OptionError, match=message):
        read_sequences(files, features="x")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match=r"is a folder, expected a ROOT file; give '.*\*\.root'"):
        read_sequences(tmp_path, features="x")


@pytest.mark.parametrize(("content", "found"), [(b"", "it is empty"), (b"PK\x03\x04zip", r"begins with b'PK")])
def test_not_a_root_file(tmp_path, content, found):
    (tmp_path / "a.root").write_bytes(content)
    with pytest.raises(InputError, match=f"'.*a.root' is not a ROOT file: .*{found}"):
        read_sequences(tmp_path / "a.root", features="x")


def test_an_unreachable_protocol():
    with pytest.raises(InputError, match=r"cannot open 'nosuch://host/a.root': .*out of reach"):
        read_sequences("nosuch://host/a.root:events", features="x")


def test_the_same_file_twice(path):
    with pytest.raises(InputError, match="is given twice .*count its events twice"):
        read_sequences([path, path.parent / "." / "events.root"], features="jet_pt")
    with pytest.raises(InputError, match="is given twice"):
        read_sequences({"a": path, "b": path}, features="jet_pt")


def test_missing_tree_names_those_there_are(path):
    with pytest.raises(MissingNameError, match=r"has no tree 'event'; did you mean 'events'\?"):
        read_sequences(path, tree="event", features="jet_pt")


def test_a_histogram_is_no_tree(path):
    with pytest.raises(InputError, match="'histogram' in .* is a TH1D, expected a tree or RNTuple"):
        read_sequences(path, tree="histogram", features="jet_pt")


def test_no_tree_at_all(tmp_path):
    with uproot.recreate(tmp_path / "h.root") as file:
        file["h"] = np.histogram(np.arange(4))
    with pytest.raises(MissingNameError, match=r"has no tree or RNTuple; it holds 'h' \(TH1D\)"):
        read_sequences(tmp_path / "h.root", features="x")


def test_several_trees_need_a_choice(tmp_path):
    with uproot.recreate(tmp_path / "two.root") as file:
        fill(file, "one", {"x": np.zeros(2)})
        file["two"] = {"x": np.zeros(2)}
    with pytest.raises(MissingNameError, match=r"has 2 trees: 'one', 'two'; say which with tree="):
        read_sequences(tmp_path / "two.root", features="x")


def test_missing_branch_is_named_with_its_expression(path):
    with pytest.raises(MissingNameError, match=r"no branch 'jet_phi', which feature 'jet_phi' needs; did you mean"):
        read_sequences(path, features=["jet_phi"])
    with pytest.raises(
        MissingNameError, match=r"no branch 'jet_Pt', which feature 'l', 'log\(jet_Pt\)', needs; did you mean 'jet_pt'"
    ):
        read_sequences(path, features={"l": "log(jet_Pt)"})
    with pytest.raises(
        MissingNameError, match=r"no branch 'mett', which event_selection, 'mett > 1', needs; did you mean 'met'"
    ):
        read_sequences(path, features=["jet_pt"], event_selection="mett > 1")
    with pytest.raises(MissingNameError, match=r"no branch 'weights', which weight needs"):
        read_sequences(path, features=["jet_pt"], weight="weights")


def test_a_file_that_differs_is_named(path, tmp_path):
    other = tmp_path / "other.root"
    with uproot.recreate(other) as file:
        fill(file, "events", {"jet_eta": ak.Array([[1.0]])})
    with pytest.raises(
        MissingNameError, match=r"'.*other.root:events' has no branch 'jet_pt' \(which '.*events.root:events' has\)"
    ):
        read_sequences([path, other], features=["jet_eta", "jet_pt"])
    with uproot.recreate(other) as file:
        fill(file, "events", {"table": np.zeros((1, 3, 4), dtype=np.float32)})
    with pytest.raises(
        InputError, match="other.root:events' gives the features table_0, .* but '.*events.root:events' gives"
    ):
        read_sequences([path, other], features=["table"])


def test_features_missing_lists_the_branches(path):
    with pytest.raises(OptionError, match="features is missing; .* has: .*jet_pt, "):
        read_sequences(path)


def test_event_values_are_no_sequence(path):
    with pytest.raises(
        InputError,
        match="feature 'met', 'met', has one value an event, expected one an element; give it in event_features",
    ):
        read_sequences(path, features=["jet_pt", "met"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"event_features": ["jet_pt"]}, "event feature 'jet_pt', .* one value an element, expected one an event"),
        (
            {"event_selection": "jet_pt > 1"},
            "event_selection, .* one value an element, expected one an event; reduce it",
        ),
        ({"weight": "jet_pt"}, "weight, .* one value an element"),
        ({"label": "jet_pt > 1"}, "label, .* one value an element"),
        (
            {"element_selection": "met > 1"},
            "element_selection, .* one value an event, expected one an element; use event_selection",
        ),
        ({"order_by": "met"}, "order_by, .* one value an event, .*order by a sequence branch"),
        ({"order_by": "table"}, "order_by, 'table', has 2 values an element, expected one"),
        ({"features": ["log(table)"]}, r"branch 'table' has type .*, expected one number an event or one list"),
        ({"features": ["jet_pt[0]"]}, "indexing is not part of the language"),
        ({"features": ["jet_pt", "jet_pt"]}, "features has 'jet_pt' more than once"),
        ({"features": {"table_0": "jet_pt", "table": "table"}}, "table_0, table_0, table_1 do not all differ"),
        ({"steps": "time{}", "features": None}, "steps 'time0' to 'time3' but no 'time2'"),
        ({"steps": "late{}", "features": None}, "steps 'late2' to 'late2' but no 'late1'"),
        ({"steps": "time", "features": None}, r"steps 'time' needs one \{\} where the number"),
        ({"steps": {"met": "time{}"}}, "has a branch 'met' already"),
        ({"steps": ["time0", "time1"], "features": None}, "steps of 'time' differ in size: time0 1, time1"),
        (
            {"steps": ["time0", "jet_pt"], "features": None},
            "branch 'jet_pt' .* is one step of 'time', so it needs one number",
        ),
    ],
)
def test_wrong_structure(path, options, message):
    with pytest.raises(LSTMError, match=message):
        read_sequences(path, **({"features": ["jet_pt"]} | options))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"v": ak.Array([[[1.0], [2.0, 3.0]], []])},
            r"branch 'v' of type 'std::vector<std::vector<double>>' has vectors nested in vectors",
        ),
        ({"v": ak.Array(["a", "bc"])}, "branch 'v' of type 'std::string' has strings, expected numbers"),
        ({"v": ak.Array([["a"], ["bc", ""]])}, "branch 'v' .* has strings"),
        ({"v": ak.zip({"a": ak.Array([[1.0], []])})}, "branch 'v' .* has records with members a; name one member"),
        ({"v": np.zeros((2, 2, 2, 2))}, "branch 'v' .* has vectors nested"),
    ],
)
def test_types_that_are_no_sequences(tmp_path, arrays, message):
    with uproot.recreate(tmp_path / "types.root") as file:
        file["t"] = arrays
    with pytest.raises(InputError, match=message):
        read_sequences(tmp_path / "types.root", features="v")


def test_different_counts_in_one_event(path):
    match = r"events', entry 3: 'jet_pt' has 2 element\(s\) and 'hit_x' has 1; .*take branches of one collection"
    with pytest.raises(InputError, match=match):
        read_sequences(path, features=["jet_pt", "hit_x"])
    with pytest.raises(InputError, match=match):
        read_sequences(path, features=["jet_pt"], order_by="hit_x")
    # entries count from the file, also where events are left out before
    with pytest.raises(InputError, match=match):
        read_sequences(path, features=["jet_pt", "hit_x"], event_selection="met != 1 && met != 3")
    with pytest.raises(InputError, match=r"in entry 3 branch 'hit_x' has 1 element\(s\) and branch 'jet_pt' has 2"):
        read_sequences(path, features=["hit_x + jet_pt"], event_selection="met != 1 && met != 3")


def test_values_that_are_not_finite(path):
    with pytest.raises(
        InputError, match=r"entry 1, element 0: feature 'l', 'log\(jet_pt\)', is -inf; 2 event\(s\).*on_invalid='drop'"
    ):
        read_sequences(path, features={"l": "log(jet_pt)"})
    with pytest.raises(InputError, match=r"entry 3, element 1: feature 'l', 'log\(jet_pt\)', is nan; 1 event"):
        read_sequences(path, features={"l": "log(jet_pt)"}, event_selection="met > 3 && met < 9", order_by="jet_eta")
    with pytest.raises(InputError, match="entry 1: event feature 'met', 'met', is inf"):
        read_sequences(path, features=["jet_pt"], event_features=["met"])
    with pytest.raises(InputError, match="entry 4: weight, 'met', is nan"):
        read_sequences(path, features=["jet_pt"], weight="met", event_selection="met != 1 && met < 9 || met != met")
    with pytest.raises(
        InputError, match=r"entry 3, element 1: feature 'big', 'big', is 1e\+39, beyond single precision"
    ):
        read_sequences(path, features=["big"])
    with pytest.raises(InputError, match=r"entry 3: order_by, 'sqrt\(jet_pt\)', is nan"):
        read_sequences(path, features=["jet_pt"], order_by="sqrt(jet_pt)")


def test_labels_that_are_no_classes(path):
    with pytest.raises(
        InputError,
        match=(
            r"entry 2: label, 'kind', is 7.0, expected a whole number from 0 to 1 for the classes background, signal; 2"
            r" event"
        ),
    ):
        read_sequences(path, features=["jet_pt"], label="kind")
    with pytest.raises(InputError, match=r"entry 3: label, 'kind', is 0.5, expected a whole number"):
        read_sequences(path, features=["jet_pt"], label="kind", event_selection="kind < 7")
    with pytest.raises(InputError, match=r"entry 4: label, 'met', is nan"):
        read_sequences(path, features=["jet_pt"], label="met", event_selection="met != met || met < 2")


def test_an_event_in_two_classes(path):
    with pytest.raises(
        InputError, match="entry 1: the event is in the classes 'a' and 'b' at once, and so are 1 other"
    ):
        read_sequences(path, features=["jet_pt"], label={"a": "kind < 2", "b": "kind == 1"})


def test_label_beside_one_file_a_class(path, tmp_path):
    shutil.copy(path, tmp_path / "copy.root")
    with pytest.raises(OptionError, match="label and a mapping of class name to files .* were both given"):
        read_sequences({"a": path, "b": tmp_path / "copy.root"}, features="jet_pt", label="kind")
    with pytest.raises(OptionError, match="are not the classes of the files or trees"):
        read_sequences({"a": path, "b": tmp_path / "copy.root"}, features="jet_pt", classes=["a", "c"])
    with pytest.raises(OptionError, match="give the same in both"):
        read_sequences({"a": path, "b": tmp_path / "copy.root"}, tree={"a": "events"}, features="jet_pt")


def test_nothing_left_says_why(path):
    with pytest.raises(
        InputError, match="no events are left: 5 entries were read; event_selection 'met > 1e9 && met < 1e10' kept 0"
    ):
        read_sequences(path, features=["jet_pt"], event_selection="met > 1e9 && met < 1e10")
    with pytest.raises(InputError, match="5 are in none of the classes"):
        read_sequences(path, features=["jet_pt"], label={"a": "kind == 8", "b": "kind == 9"})
    with pytest.raises(
        InputError, match="none of the 5 events has any elements: element_selection 'jet_pt > 99' leaves none"
    ):
        read_sequences(path, features=["jet_pt"], element_selection="jet_pt > 99")


def test_one_class_only(path):
    with pytest.raises(InputError, match=r"all 5 events are in one class \(5 background, 0 signal\)"):
        read_sequences(path, features=["jet_pt"], label="kind > 9")


def test_weights_all_zero(path):
    with pytest.raises(InputError, match="the weights, 'zero', of all 5 events are zero"):
        read_sequences(path, features=["jet_pt"], weight="zero")


def test_empty_tree(tmp_path):
    with uproot.recreate(tmp_path / "empty.root") as file:
        file.mktree("t", {"x": "var * float64"})
    with pytest.raises(InputError, match="there are no entries at all"):
        read_sequences(tmp_path / "empty.root", features="x")


def test_recipe_beside_other_options(path):
    recipe = read_sequences(path, features=["jet_pt"]).recipe
    with pytest.raises(OptionError, match="max_length and recipe were both given; leave it out"):
        read_sequences(path, recipe=recipe, max_length=3)
    with pytest.raises(OptionError, match="features, order_by and recipe were both given"):
        read_sequences(path, recipe=recipe, features=["jet_eta"], order_by="jet_pt")


@pytest.fixture(params=["TTree", "RNTuple"])
def compressed(request, tmp_path):
    """A file of some kilobytes in several compressed pieces, and its content."""
    rng = np.random.default_rng(1)
    tree = None
    with uproot.recreate(tmp_path / "whole.root", compression=uproot.ZLIB(4)) as file:
        for number in range(4):
            counts = rng.integers(0, 9, 300)
            arrays = {"x": ak.unflatten(np.round(rng.normal(size=counts.sum()), 1), counts)}
            if number:
                tree.extend(arrays)
            elif request.param == "TTree":
                fill(file, "t", arrays)
                tree = file["t"]
            else:
                tree = file.mkrntuple("t", arrays)
    return tmp_path / "whole.root", read_sequences(tmp_path / "whole.root", features="x")


@pytest.mark.parametrize("fraction", [0.01, 0.05, 0.3, 0.6, 0.9, 0.99, 0.999])
def test_a_truncated_file_is_named(compressed, tmp_path, fraction):
    whole, _ = compressed
    data = whole.read_bytes()
    (tmp_path / "cut.root").write_bytes(data[: int(fraction * len(data))])
    with pytest.raises(InputError, match=r"cut\.root'.*truncated") as caught:
        read_sequences(tmp_path / "cut.root", features="x")
    assert "fetch or write it again" in str(caught.value)


def test_flipped_bytes_never_end_in_a_raw_traceback(compressed, tmp_path):
    """Anywhere in the file: refused with its name, or (bytes nobody reads) the same events as before."""
    whole, expected = compressed
    with uproot.open(whole) as file:
        is_tree = file.classname_of("t") == "TTree"
    data = bytearray(whole.read_bytes())
    rng = np.random.default_rng(2)
    messages = []
    for position in rng.integers(4, len(data), 150):
        damaged = bytearray(data)
        damaged[position] ^= 0xFF
        (tmp_path / "flipped.root").write_bytes(damaged)
        try:
            found = read_sequences(tmp_path / "flipped.root", features="x")
        except LSTMError as error:
            messages.append(str(error))
        else:
            assert isinstance(found, Sequences)
            assert len(found) == len(expected)
            # zlib's checksum covers the baskets; checksums of the metadata of RNTuples are not looked at by uproot
            if is_tree:
                np.testing.assert_array_equal(found.values, expected.values)
    assert len(messages) > 30
    assert all("flipped.root" in message for message in messages)


def test_damage_within_the_baskets_of_the_sample(tmp_path):
    with uproot.open(SAMPLE) as file:
        branch = file["RootTuple"]["E"]
        position = int(branch.member("fBasketSeek")[1]) + 500
    damaged = bytearray(SAMPLE.read_bytes())
    damaged[position : position + 8] = b"\xff" * 8
    (tmp_path / "damaged.root").write_bytes(damaged)
    message = (
        r"damaged\.root:RootTuple: branch 'E' cannot be read for entries 0 to 4754: the file is truncated or corrupt;"
        r" fetch or write it"
    )
    with pytest.raises(InputError, match=message):
        read_sequences(tmp_path / "damaged.root", features="E")
    # branches that are whole can still be read
    assert len(read_sequences(tmp_path / "damaged.root", features="Px")) == 4755
    with (
        stream_sequences(tmp_path / "damaged.root", features="E") as stream,
        pytest.raises(InputError, match=re.escape("branch 'E'")),
    ):
        stream.read_chunk(0)
