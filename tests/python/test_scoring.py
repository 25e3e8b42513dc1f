"""Scores of whole files: one entry for each input entry, in the same order, within bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys

import awkward as ak
import numpy as np
import pytest
import uproot

from tmva_lstm_plugin import LSTMClassifier, read_sequences
from tmva_lstm_plugin.errors import MissingNameError, OptionError, OutputError
from tmva_lstm_plugin.scoring import UNSELECTED_SCORE, score_branches, score_file
from tmva_lstm_plugin.sequences import Sequences

READING = {"tree": "events", "features": ["x"], "event_selection": "keep > 0", "label": "y", "on_invalid": "drop"}


def write_events(path, n_events, seed, *, keep=None, basket=None):
    """Write jagged events with a flag for the selection; some are empty, one has a value that is not finite."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n_events)
    lengths = rng.integers(0, 6, n_events)
    x = rng.normal(np.repeat(y, lengths), 1.0).astype(np.float32)
    jagged = ak.unflatten(x, lengths)
    keep = (rng.random(n_events) < 0.8).astype(np.int32) if keep is None else keep
    with uproot.recreate(path) as file:
        tree = file.mktree("events", {"x": "var * float32", "y": np.int32, "keep": np.int32})
        for start in range(0, n_events, basket or n_events):
            part = slice(start, start + (basket or n_events))
            tree.extend({"x": jagged[part], "y": y[part].astype(np.int32), "keep": keep[part]})
    return lengths, keep


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("scoring")
    write_events(path / "a.root", 500, 1)
    write_events(path / "b.root", 300, 2)
    return path


@pytest.fixture(scope="module")
def model(folder):
    events = read_sequences(folder / "a.root", **READING)
    return LSTMClassifier(hidden=4, epochs=2, n_threads=2).fit(events)


def read_scores(path, tree="scores"):
    with uproot.open(path) as file:
        assert file.classnames() == {f"{tree};1": "TTree"}
        return file[tree].arrays(library="np")


def test_one_entry_for_each_input_entry_in_the_same_order(folder, model, tmp_path):
    files = [folder / "b.root", folder / "a.root"]
    told = []
    summary = score_file(model, files, tmp_path / "s.root", progress=lambda *numbers: told.append(numbers))
    assert all(total == 800 for _, total in told)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    found = read_scores(tmp_path / "s.root")
    keep = np.concatenate([uproot.open(f)["events"]["keep"].array(library="np") for f in files])
    assert (summary.n_entries, summary.n_selected) == (800, keep.sum())
    assert summary.branches == ("lstm_score",)
    assert summary.events_per_second == pytest.approx(800 / summary.seconds)
    np.testing.assert_array_equal(found["entry"], np.arange(800))
    np.testing.assert_array_equal(found["lstm_selected"], keep)
    assert found["lstm_score"].dtype == np.float32
    # each file by itself, through the in-memory reader and at the place its own entry number says
    for file, first in zip(files, (0, 300), strict=True):
        events = read_sequences(file, recipe=model.recipe, with_labels=False)
        expected = np.full(events.n_entries, UNSELECTED_SCORE, dtype=np.float32)
        expected[events.entries] = model.predict_proba(events)[:, 1]
        np.testing.assert_array_equal(found["lstm_score"][first : first + events.n_entries], expected)


def test_empty_events_are_scored_like_all_others(folder, model, tmp_path):
    score_file(model, folder / "a.root", tmp_path / "s.root")
    found = read_scores(tmp_path / "s.root")
    tree = uproot.open(folder / "a.root")["events"].arrays()
    empty = (ak.num(tree.x) == 0).to_numpy() & (tree.keep == 1).to_numpy()
    assert empty.sum() > 10
    nothing = Sequences.from_arrays(np.zeros((0, 1)), [0, 0], feature_names=["x"])
    np.testing.assert_array_equal(found["lstm_score"][empty], model.predict_proba(nothing)[0, 1])


def test_works_as_a_friend(folder, model, tmp_path):
    score_file(model, folder / "a.root", tmp_path / "s.root", tree="mine")
    with uproot.open(folder / "a.root") as data, uproot.open(tmp_path / "s.root") as scores:
        assert data["events"].num_entries == scores["mine"].num_entries


def test_events_that_are_not_finite_are_flagged(folder, model, tmp_path):
    with uproot.recreate(tmp_path / "odd.root") as file:
        tree = file.mktree("events", {"x": "var * float32", "keep": np.int32})
        tree.extend({"x": ak.Array([[1.0, 2.0], [np.inf], [3.0]]), "keep": np.ones(3, np.int32)})
    summary = score_file(model, tmp_path / "odd.root", tmp_path / "s.root")
    found = read_scores(tmp_path / "s.root")
    assert found["lstm_selected"].tolist() == [1, 0, 1]
    assert found["lstm_score"][1] == UNSELECTED_SCORE
    assert summary.n_selected == 2


@pytest.mark.parametrize("selected", [[], [0], [999_999], [2_500_000], [1_000_000, 2_999_999]])
def test_long_stretches_without_selected_entries(model, tmp_path, selected):
    keep = np.zeros(3_000_000, np.int32)
    keep[selected] = 1
    with uproot.recreate(tmp_path / "long.root") as file:
        tree = file.mktree("events", {"x": "var * float32", "keep": np.int32})
        x = ak.unflatten(np.zeros(0, np.float32), np.zeros(len(keep), np.int64))
        tree.extend({"x": x, "keep": keep})
    summary = score_file(model, tmp_path / "long.root", tmp_path / "s.root")
    found = read_scores(tmp_path / "s.root")
    np.testing.assert_array_equal(found["lstm_selected"], keep)
    np.testing.assert_array_equal(found["entry"], np.arange(len(keep)))
    np.testing.assert_array_equal(found["lstm_score"] != UNSELECTED_SCORE, keep == 1)
    assert summary.n_selected == len(selected)


def test_several_classes_get_a_branch_each(folder, tmp_path):
    reading = {"tree": "events", "features": ["x"], "label": "y + (keep > 0 && y > 0)", "classes": ["a", "b", "c"]}
    events = read_sequences(folder / "a.root", **reading)
    assert score_branches(("a", "b+", "c d")) == ("lstm_score_a", "lstm_score_b_", "lstm_score_c_d")
    assert score_branches(("background", "signal")) == ("lstm_score",)
    model = LSTMClassifier(hidden=3, epochs=1).fit(events)
    summary = score_file(model, folder / "a.root", tmp_path / "s.root")
    found = read_scores(tmp_path / "s.root")
    assert summary.branches == tuple(f"lstm_score_{name}" for name in events.class_names)
    total = sum(found[name] for name in summary.branches)
    np.testing.assert_allclose(total[found["lstm_selected"] == 1], 1.0, atol=1e-5)
    with pytest.raises(OptionError, match=r"classes 'a\+' and 'a-' would share the branch 'lstm_score_a_'; rename one"):
        score_branches(("a+", "a-", "b"))


def test_refuses_to_overwrite_its_input(folder, model, tmp_path):
    copy = tmp_path / "a.root"
    copy.write_bytes((folder / "a.root").read_bytes())
    link = tmp_path / "link.root"
    link.symlink_to(copy)
    for output in (copy, link):
        with pytest.raises(OutputError, match="it is an input file; give another name"):
            score_file(model, copy, output)
    assert copy.read_bytes() == (folder / "a.root").read_bytes()


def test_an_earlier_file_survives_a_failure(folder, model, tmp_path):
    output = tmp_path / "s.root"
    output.write_bytes(b"earlier")
    damaged = tmp_path / "damaged.root"
    write_events(damaged, 50_000, 3)
    content = bytearray(damaged.read_bytes())
    content[len(content) // 3 : len(content) // 3 + 2000] = bytes(2000)
    damaged.write_bytes(content)
    with pytest.raises(ValueError, match="damaged.root"):
        score_file(model, damaged, output)
    assert output.read_bytes() == b"earlier"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["damaged.root", "s.root"]


def test_an_output_that_cannot_be_written_is_found_first(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write the scores into folder"):
        score_file(model, "not_there.root", tmp_path / "file" / "s.root")
    with pytest.raises(OutputError, match="it is a folder; give the name of a ROOT file"):
        score_file(model, "not_there.root", tmp_path)


def test_inputs_are_checked(folder, model, tmp_path):
    with pytest.raises(MissingNameError, match="a.rooot' does not exist; did you mean 'a.root'"):
        score_file(model, folder / "a.rooot", tmp_path / "s.root")
    with pytest.raises(MissingNameError, match="no tree 'evnts'; did you mean 'events'"):
        score_file(model, folder / "a.root", tmp_path / "s.root", input_tree="evnts")
    assert list(tmp_path.iterdir()) == []


def test_a_model_trained_on_arrays_does_not_know_branches(tmp_path):
    events = Sequences.from_lists([[[0.0]], [[1.0]]] * 20, [0, 1] * 20)
    model = LSTMClassifier(hidden=2, epochs=1, validation_fraction=0.0).fit(events)
    with pytest.raises(OptionError, match="trained on arrays, so it knows no branches"):
        score_file(model, "a.root", tmp_path / "s.root")


def test_the_number_of_threads_is_for_this_call(folder, model, tmp_path):
    score_file(model, folder / "a.root", tmp_path / "s.root", n_threads=1)
    assert model.n_threads == 2


MEASURE = """
import json, resource, sys
from tmva_lstm_plugin import load_model
from tmva_lstm_plugin.scoring import score_file
model, output, limit = sys.argv[1:4]
model = load_model(model)
score_file(model, sys.argv[5], output, memory_limit=limit, n_threads=1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
summary = score_file(model, sys.argv[4], output, memory_limit=limit, n_threads=1)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"entries": summary.n_entries, "kB": after - before}))
"""


def test_memory_does_not_grow_with_the_file(folder, model, tmp_path):
    model.save(tmp_path / "m.xml")
    n_events, limit = 3_000_000, 40_000_000
    lengths, _ = write_events(tmp_path / "big.root", n_events, 4, basket=50_000)
    whole = 4 * int(lengths.sum()) + 8 * n_events  # values and offsets of all events
    command = [sys.executable, "-c", MEASURE, tmp_path / "m.xml", tmp_path / "s.root", str(limit)]
    done = subprocess.run(
        [*command, tmp_path / "big.root", folder / "a.root"], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert found["entries"] == n_events
    # what reading may use, and as much again for scores, buffers of the writer and fragmentation
    assert 1000 * found["kB"] < 2 * limit
    assert whole > 1.2 * limit
