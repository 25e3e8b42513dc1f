"""Sequences in TMVA's fixed-width form: the layout, the padded file, what is refused. No ROOT is needed."""

from __future__ import annotations

import numpy as np
import pytest
import uproot

import tmva_lstm_plugin
from tmva_lstm_plugin import Sequences, tmva
from tmva_lstm_plugin.errors import InputError, OptionError
from tmva_lstm_plugin.tmva_layout import branch_names, layout_of, padded_blocks


def jagged(n=60, *, classes=2, longest=6, seed=3, **kwargs):
    """Events of 0 to `longest` steps with 3 features; the first has `longest`."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, longest + 1, n)
    lengths[0] = longest
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Sequences.from_arrays(
        rng.normal(size=(offsets[-1], 3)),
        offsets,
        kwargs.pop("labels", np.arange(n) % classes),
        rng.uniform(0.5, 2, n),
        ["px", "py", "pz"],
        event_values=rng.normal(size=(n, 2)),
        event_feature_names=["sum pt/GeV", "n-jets"],
        **kwargs,
    )


def expected_rows(events, steps, pad=0.0):
    rows = np.full((len(events), steps, events.n_features), pad, dtype=np.float32)
    for n in range(len(events)):
        own = events.values[events.offsets[n] : events.offsets[n + 1]][:steps]
        rows[n, : len(own)] = own
    return rows.reshape(len(events), -1)


# --- layout ----------------------------------------------------------------------------------------------------------


def test_layout_and_what_the_booking_needs():
    layout = layout_of(jagged(), steps=None, variables="vars", length="length")
    assert (layout.steps, layout.width, layout.event_features) == (6, 18, ("sum_pt_GeV", "n_jets"))
    assert layout.options == "InputLayout=6|3:Length=length"


@pytest.mark.parametrize("pad", [0.0, -7.0])
@pytest.mark.parametrize("steps", [1, 4, 6, 9])
def test_padding_event_by_event(monkeypatch, steps, pad):
    monkeypatch.setattr("tmva_lstm_plugin.tmva_layout._BLOCK_BYTES", 4 * 3 * steps * 7)  # blocks of 7 events
    events = jagged()
    layout = layout_of(events, steps=steps, variables="v", length="n")
    blocks = list(padded_blocks(events, layout, pad=pad))
    assert [len(block["n"]) for block in blocks[:2]] == [7, 7]
    np.testing.assert_array_equal(np.concatenate([b["v"] for b in blocks]), expected_rows(events, steps, pad))
    np.testing.assert_array_equal(np.concatenate([b["n"] for b in blocks]), np.minimum(events.lengths, steps))
    np.testing.assert_array_equal(np.concatenate([b["n_jets"] for b in blocks]), events.event_values[:, 1])
    np.testing.assert_array_equal(np.concatenate([b["weight"] for b in blocks]), events.weights.astype(np.float32))


def test_names_of_branches():
    names = branch_names(["a", "a b", "a-b", "weight", "1st", "é", "a"], ["weight"])
    assert names == ("a", "a_b", "a_b_2", "weight_2", "f1st", "feature", "a_2")


# --- the padded file -------------------------------------------------------------------------------------------------


def test_file_with_one_flat_array(tmp_path):
    events = jagged()
    layout = tmva.write_tmva_tree(tmp_path / "t.root", events)
    assert (layout.steps, layout.n_events, layout.n_cut) == (6, {"background": 30, "signal": 30}, 0)
    with uproot.open(tmp_path / "t.root") as file:
        assert file.classnames() == {"background;1": "TTree", "signal;1": "TTree"}
        for label, name in enumerate(["background", "signal"]):
            tree, own = file[name], events[events.labels == label]
            assert tree["vars"].interpretation.inner_shape == (18,)
            np.testing.assert_array_equal(tree["vars"].array(library="np"), expected_rows(own, 6))
            length = tree["length"].array(library="np")
            assert length.dtype == np.int32
            np.testing.assert_array_equal(length, own.lengths)
            np.testing.assert_array_equal(tree["sum_pt_GeV"].array(library="np"), own.event_values[:, 0])
            np.testing.assert_array_equal(tree["weight"].array(library="np"), own.weights.astype(np.float32))
            assert set(tree["classID"].array(library="np")) == {label}


def test_file_with_an_array_a_step_as_in_roots_tutorial(tmp_path):
    events = jagged(classes=3, class_names=("a", "b c", "d"))
    layout = tmva.write_tmva_tree(tmp_path / "t.root", events, arrays="per_step", steps=4, pad=-1.0)
    assert layout.n_cut == np.count_nonzero(events.lengths > 4)
    with uproot.open(tmp_path / "t.root") as file:
        assert sorted(file.keys(cycle=False)) == ["a", "b_c", "d"]
        own = events[events.labels == 1]
        steps = [file["b_c"][f"vars_time{t}"].array(library="np") for t in range(4)]
    np.testing.assert_array_equal(np.concatenate(steps, axis=1), expected_rows(own, 4, -1.0))


def test_file_chunk_by_chunk_is_the_same(tmp_path):
    events = jagged()
    tmva.write_tmva_tree(tmp_path / "whole.root", events)
    made = tmva.write_tmva_tree(tmp_path / "chunks.root", (events[i : i + 25] for i in range(0, 60, 25)), steps=6)
    assert made.n_events == {"background": 30, "signal": 30}
    with uproot.open(tmp_path / "whole.root") as one, uproot.open(tmp_path / "chunks.root") as other:
        for name in ("signal", "background"):
            for branch in one[name].keys():
                np.testing.assert_array_equal(
                    one[name][branch].array(library="np"), other[name][branch].array(library="np")
                )


def test_an_earlier_file_survives_a_mistake(tmp_path):
    path = tmp_path / "t.root"
    tmva.write_tmva_tree(path, jagged())
    before = path.read_bytes()
    with pytest.raises(InputError, match="the events have no labels; a tree is written for each class"):
        tmva.write_tmva_tree(path, Sequences.from_lists([[[1.0]], [[2.0]]]))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("events", "options", "error", "message"),
    [
        (jagged(), {"arrays": "wide"}, OptionError, "arrays='wide': expected 'flat' or 'per_step'"),
        (jagged(), {"steps": 0}, OptionError, "steps=0: expected at least 1"),
        (jagged(), {"variables": "my vars"}, OptionError, "variables='my vars' cannot be the name of a branch"),
        (jagged(), {"length": "weight"}, OptionError, "must all be called differently"),
        (jagged()[:0], {}, InputError, "there are no events to write to"),
        ([jagged()], {}, OptionError, "steps= is needed when events come in chunks"),
    ],
)
def test_what_a_file_is_refused_for(tmp_path, events, options, error, message):
    with pytest.raises(error, match=message):
        tmva.write_tmva_tree(tmp_path / "t.root", events, **options)
    assert not list(tmp_path.iterdir())


# --- the loader, as far as it gets without ROOT ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "options", "error", "message"),
    [
        (
            Sequences.from_lists([[[1.0]], [[2.0]]]),
            {},
            InputError,
            "no labels, so TMVA cannot tell signal from background",
        ),
        (jagged(labels=np.zeros(60, int), class_names=("b", "s")), {}, InputError, "no events of class s among 60"),
        (jagged(), {"test": jagged(longest=4)[:1]}, InputError, "no events of class signal among 1"),
        (
            jagged(),
            {"test": jagged(class_names=("x", "y"))},
            InputError,
            "has the classes x, y, expected background, signal",
        ),
        (
            jagged(),
            {"test": Sequences.from_lists([[[1.0]]], [0])},
            InputError,
            "has the features x0, expected px, py, pz, sum",
        ),
        (jagged(), {"targets": {"E": [1.0]}}, InputError, r"target 'E' has shape \(1,\), expected \(60,\)"),
        (jagged(), {"targets": {"E": np.full(60, np.nan)}}, InputError, "target 'E' is nan in event 0"),
        (jagged(), {"targets": {}}, OptionError, "targets= is empty"),
        (jagged(), {"targets": {}, "test": jagged()}, OptionError, "targets= and test= cannot be combined"),
        (jagged(), {"steps": -1}, OptionError, "steps=-1: expected at least 1"),
    ],
)
def test_what_a_loader_is_not_given(events, options, error, message):
    with pytest.raises(error, match=message):
        tmva.fill_dataloader(None, events, **options)


def test_option_strings():
    text = tmva.option_string("InputLayout=6|3", V=False, H=True, Layout="LSTM|8", MaxEpochs=3)
    assert text == "InputLayout=6|3:!V:H:Layout=LSTM|8:MaxEpochs=3"
    with pytest.raises(OptionError, match=r"Layout='a:b': TMVA separates options with ':'"):
        tmva.option_string(Layout="a:b")


def test_public_names():
    assert tmva_lstm_plugin.tmva is tmva
    assert tmva_lstm_plugin.register is tmva.register
    assert {"register", "tmva"} <= set(dir(tmva_lstm_plugin))
