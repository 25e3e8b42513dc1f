"""The GRU whose reset gate stands before the product with the state: against numpy, and in files."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from tmva_lstm_plugin import LSTMClassifier, _engine
from tmva_lstm_plugin.errors import ModelFileError, OptionError
from tmva_lstm_plugin.testing import order_task

D, E, K = 3, 2, 3
LENGTHS = [7, 1, 4, 0, 7, 2, 40]
BEFORE = {"cell": "gru", "reset_gate": "before"}
BOUND = {np.float64: 1e-12, np.float32: 5e-6}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru(x, W, U, b):
    """Return the states (T, H) of one event (T, D): K. Cho et al., arXiv:1406.1078, z as in PyTorch."""
    (W_r, W_z, W_n), (U_r, U_z, U_n), (b_r, b_z, b_n) = (np.split(a, 3) for a in (W, U, b))
    h, states = np.zeros(len(b_r)), []
    for x_t in x:
        r = sigmoid(W_r @ x_t + U_r @ h + b_r)
        z = sigmoid(W_z @ x_t + U_z @ h + b_z)
        n = np.tanh(W_n @ x_t + U_n @ (r * h) + b_n)
        h = (1 - z) * n + z * h
        states.append(h)
    return np.array(states).reshape(len(x), len(b_r))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("widths", "both"), [([1], False), ([5], False), ([18], False), ([4, 7], False), ([3, 5], True)]
)
def test_numpy(instruction_set, widths, both, dtype):
    rng = np.random.default_rng(4)
    options = BEFORE | {"lower": widths[:-1], "bidirectional": both, "n_threads": 2}
    kind = _engine.Trainer if dtype is np.float32 else _engine.Trainer64
    trainer = kind(D, E, widths[-1], K, *(np.full(k, v, dtype) for k in (D, E) for v in (0, 1)), options)
    trainer.parameters = rng.normal(0, 0.6, len(trainer.parameters)).astype(dtype)
    offset_of = {
        name: (at, rows, columns) for name, at, rows, columns in _engine.parameter_layout(D, E, widths[-1], K, options)
    }

    def matrix(name):
        at, rows, columns = offset_of[name]
        return trainer.parameters[at : at + rows * columns].astype(np.float64).reshape(rows, columns)

    offsets = np.concatenate([[0], np.cumsum(LENGTHS)])
    x, e = rng.normal(size=(offsets[-1], D)).astype(dtype), rng.normal(size=(len(LENGTHS), E)).astype(dtype)
    expected = []
    for n, event in enumerate(np.split(x, offsets[1:-1])):
        sequence = event
        for layer, H in enumerate(widths):
            name = "gru" + (str(layer + 1) if layer else "")
            W, U, b = (matrix(f"{name}.{part}") for part in "WUb")
            assert b.shape == (3 * H, 1)  # one bias a gate
            parts = [gru(sequence, W, U, b[:, 0])]
            if both:
                W, U, b = (matrix(f"{name}.reverse.{part}") for part in "WUb")
                parts.append(gru(sequence[::-1], W, U, b[:, 0])[::-1])
            sequence = np.concatenate(parts, axis=1)
        last = np.concatenate([parts[0][-1:], *(part[:1] for part in parts[1:])], axis=1)
        joined = np.concatenate([last[0] if len(event) else np.zeros(last.shape[1]), e[n]])
        expected.append(matrix("head.W") @ joined + matrix("head.b")[:, 0])
    found = trainer.raw_outputs((x, offsets, e, None, None), 1)
    assert np.abs(found - expected).max() < BOUND[dtype] * np.abs(expected).max()
    alone = [trainer.raw_outputs((x[a:b], np.array([0, b - a]), e[n : n + 1], None, None), 1)[0]
             for n, (a, b) in enumerate(zip(offsets[:-1], offsets[1:], strict=True))]  # fmt: skip
    assert np.array_equal(alone, found)


def test_it_is_another_network():
    events = order_task(300).sequences
    scores = [LSTMClassifier(7, cell="gru", epochs=1, **given).fit(events).predict_proba(events)
              for given in ({}, {"reset_gate": "after"}, {"reset_gate": "before"})]  # fmt: skip
    assert np.array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])


def test_contradictions_are_named():
    for cell in ("lstm", "rnn"):
        with pytest.raises(
            OptionError, match=f"reset_gate: it belongs to the cell 'gru', and cell is '{cell}'; drop reset_gate"
        ):
            LSTMClassifier(cell=cell, reset_gate="before")
        LSTMClassifier(cell=cell, reset_gate="after")  # its default
    with pytest.raises(OptionError, match="reset_gate is 'behind', expected 'after' or 'before'"):
        LSTMClassifier(cell="gru", reset_gate="behind")
    one, none = np.ones(D), np.empty(0)
    for given, message in (
        ({"cell": "rnn", "reset_gate": "before"}, "a reset gate belongs to the GRU; the cell is rnn"),
        (
            {"cell": "gru", "reset_gate": "behind"},
            "there is no place 'behind' for a reset gate; there are 'after', 'before'",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            _engine.Trainer64(D, 0, 3, 1, 0 * one, one, none, none, given)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The text of a file of each kind."""
    folder, events = tmp_path_factory.mktemp("files"), order_task(100).sequences
    texts = {}
    for where in ("after", "before"):
        LSTMClassifier((3, 4), cell="gru", reset_gate=where, epochs=1).fit(events).save(folder / "model.weights.xml")
        texts[where] = (folder / "model.weights.xml").read_text()
    return texts


def test_files_tell_it_where_there_is_something_to_tell(files):
    """What is not written is as in the files of builds that had the one kind only."""
    assert "ResetGate" not in files["after"]
    assert re.search(r'<Network [^>]*Cell="GRU"[^>]* ResetGate="before"', files["before"])
    layouts = {where: re.search(r'name="Layout"[^>]*>([^<]*)<', text)[1] for where, text in files.items()}
    assert re.fullmatch(r"GRU\|3\|\d+\|\d+\|0\|1,GRU\|4\|3\|\d+\|0\|0,LINEAR", layouts["after"])
    assert re.fullmatch(r"GRU\|3\|\d+\|\d+\|0\|1\|0,GRU\|4\|3\|\d+\|0\|0\|0,LINEAR", layouts["before"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ResetGate": None}, r"parameters: found \d+ numbers, expected \d+"),
        ({"ResetGate": "behind"}, "attribute ResetGate: found 'behind', expected 'before'"),
        ({"Cell": "RNN", "GateOrder": "h"}, "found a reset gate with a rnn, expected it with a GRU only"),
    ],
)
def test_what_a_file_contradicts_is_refused(files, changes, message):
    text = re.search(r"<LSTMModel.*</LSTMModel>", files["before"], re.DOTALL)[0]

    def tree(node):
        return node.tag, list(node.items()), node.text or "", [tree(child) for child in node]

    name, attributes, content, children = tree(ET.fromstring(text))
    assert _engine.document_from_node((name, attributes, content, children)).reset_gate == "before"
    network = children[0]
    attributes_of_network = {key: value for key, value in (dict(network[1]) | changes).items() if value is not None}
    children = [(network[0], list(attributes_of_network.items()), *network[2:]), *children[1:]]
    checksum = f"{_engine.checksum((name, attributes, content, children)):08x}"
    attributes = [(key, checksum if key == "Checksum" else value) for key, value in attributes]
    with pytest.raises(ModelFileError, match=message):
        _engine.document_from_node((name, attributes, content, children))
