"""Other cells, pooling, normalisation, dropout and outputs of every step: against PyTorch, and through the doors of Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tmva_lstm_plugin import LSTMClassifier, _engine, load_model
from tmva_lstm_plugin.config import make_config
from tmva_lstm_plugin.errors import OptionError
from tmva_lstm_plugin.testing import order_task

REFERENCE = Path(__file__).resolve().parent.parent / "reference" / "pytorch_variants.npz"
# what PyTorch ran, see make_pytorch_variants_reference.py: hidden units and what the engine is told
CASES = {
    "gru": ([5], {"cell": "gru"}),
    "gru_stacked_both": ([4, 3], {"cell": "gru", "bidirectional": True}),
    "rnn": ([5], {"cell": "rnn"}),
    "rnn_stacked": ([3, 6], {"cell": "rnn"}),
    "peepholes": ([5], {"peepholes": True}),
    "coupled": ([5], {"coupled_gates": True}),
    "peepholes_coupled": ([4, 3], {"peepholes": True, "coupled_gates": True}),
    "norm": ([4, 5], {"layer_norm": True}),
    "norm_both": ([4, 3], {"cell": "gru", "bidirectional": True, "layer_norm": True}),
    "mean": ([5], {"pooling": "mean"}),
    "max_both": ([4], {"bidirectional": True, "pooling": "max"}),
    "attention": ([5], {"pooling": "attention"}),
    "attention_norm_both": (
        [3, 4], {"cell": "gru", "bidirectional": True, "pooling": "attention", "layer_norm": True},
    ),
    "every_step": ([5], {"every_step": True}),
    "every_step_both": ([4, 3], {"cell": "rnn", "bidirectional": True, "every_step": True}),
}  # fmt: skip
# the largest difference over the largest number: sums of some ten terms, two layers of seven steps deep; normalising few units
# multiplies what rounding leaves by the inverse of their deviation
BOUND = {np.float64: 1e-10, np.float32: 5e-6}


@pytest.fixture(scope="module")
def reference():
    with np.load(REFERENCE) as file:
        return {name: file[name] for name in file.files}


def difference(found, expected):
    assert found.shape == expected.shape
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", CASES)
def test_pytorch(reference, instruction_set, case, dtype):
    r = {key.split("/")[1]: value for key, value in reference.items() if key.startswith(case + "/")}
    (*lower, H), shape = CASES[case]
    offsets = np.concatenate([[0], np.cumsum(reference["lengths"])])
    D, E, K, N = r["x"].shape[1], r["event_features"].shape[1], r["outputs"].shape[1], len(offsets) - 1
    options = shape | {"lower": lower, "n_threads": 2}
    kind = _engine.Trainer if dtype is np.float32 else _engine.Trainer64
    trainer = kind(D, E, H, K, *(np.full(k, v, dtype) for k in (D, E) for v in (0, 1)), options)
    layout = _engine.parameter_layout(D, E, H, K, options)
    assert sum(rows * columns for _, _, rows, columns in layout) == r["parameters"].size
    trainer.parameters = r["parameters"].astype(dtype)
    events = (
        r["x"].astype(dtype), offsets, r["event_features"].astype(dtype), r["labels"].astype(np.int32), r["weights"],
    )  # fmt: skip
    outputs = trainer.raw_outputs(events, 1)
    assert difference(outputs, r["outputs"]) < BOUND[dtype]
    assert (outputs == trainer.raw_outputs(events, 2)).all()
    alone = np.concatenate([
        trainer.raw_outputs((events[0][a:b], np.array([0, b - a]), events[2][n : n + 1], None, None), 1)
        for n, (a, b) in enumerate(zip(offsets[:-1], offsets[1:], strict=True))
    ])  # fmt: skip
    assert (alone == outputs).all()
    losses = np.array([trainer.loss((*events[:4], None), np.array([n]))[0] for n in range(N)])
    expected = np.add.reduceat(r["losses"], offsets[:-1]) if shape.get("every_step") else r["losses"]
    assert difference(losses, expected) < BOUND[dtype]
    (total, weight, count), gradient = trainer.gradient(events, np.arange(N))
    assert difference(gradient, r["gradient"]) < BOUND[dtype]
    if shape.get("every_step"):
        labelled = r["labels"] >= 0
        assert count == np.count_nonzero(labelled)
        of_step = np.repeat(r["weights"], reference["lengths"])
        assert weight == pytest.approx(of_step[labelled].sum(), rel=1e-9)
        assert total == pytest.approx((of_step * r["losses"]).sum(), rel=1e-5)


VARIANTS = [
    {"cell": "gru", "hidden": [6, 5]},
    {"cell": "gru", "reset_gate": "before", "hidden": [6, 5], "bidirectional": True},
    {"cell": "rnn", "bidirectional": True},
    {"peepholes": True, "coupled_gates": True},
    {"pooling": "mean", "layer_norm": True},
    {"pooling": "max", "bidirectional": True},
    {"pooling": "attention", "dropout": 0.2, "input_dropout": 0.1, "recurrent_dropout": 0.3},
    {"pooling": "flat", "dense": ["8 tanh", "4 relu"]},
    {"dense": ("5 gauss",), "initialisation": "orthogonal"},
]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: "-".join(v))
def test_a_model_trains_writes_and_reads_back(tmp_path, variant):
    """The same bits for any number of threads, everything on."""
    events = order_task(400).sequences
    models = [LSTMClassifier(**{"hidden": 7} | variant, epochs=3, n_threads=n).fit(events) for n in (1, 2, 3)]
    scores = [model.predict_proba(events) for model in models]
    assert (scores[0] == scores[1]).all()
    assert (scores[0] == scores[2]).all()
    assert len(np.unique(scores[0])) > 100
    path = tmp_path / "model.weights.xml"
    models[0].save(path)
    loaded = load_model(path)
    assert (loaded.predict_proba(events) == scores[0]).all()
    for name, value in models[0].get_params().items():
        expected = tuple(value) if isinstance(value, list) else value
        if name != "n_threads":
            assert getattr(loaded, name) == expected, name
    loaded.save(tmp_path / "again.weights.xml")
    assert (tmp_path / "again.weights.xml").read_text() == path.read_text()


def test_dropout_is_of_trainings_only_and_changes_them():
    events = order_task(400).sequences
    plain = LSTMClassifier(7, epochs=2).fit(events)
    dropping = LSTMClassifier(7, epochs=2, dropout=0.5).fit(events)
    assert (plain.predict_proba(events) != dropping.predict_proba(events)).any()
    assert (dropping.predict_proba(events) == dropping.predict_proba(events)).all()
    again = LSTMClassifier(7, epochs=2, dropout=0.5, seed=1).fit(events)
    assert (again.predict_proba(events) == dropping.predict_proba(events)).all()


def test_states_are_orthogonal_before_the_training():
    options = {"initialisation": "orthogonal", "cell": "gru", "seed": 4}
    one, none = np.ones(2), np.empty(0)
    trainer = _engine.Trainer64(2, 0, 9, 1, 0 * one, one, none, none, options)
    U = {name: (offset, rows) for name, offset, rows, _ in _engine.parameter_layout(2, 0, 9, 1, options)}["gru.U"]
    matrices = trainer.parameters[U[0] : U[0] + U[1] * 9].reshape(3, 9, 9)
    for matrix in matrices:
        assert np.abs(matrix @ matrix.T - np.eye(9)).max() < 1e-12
    assert np.abs(matrices[0] - matrices[1]).max() > 0.1


def test_forget_bias_of_coupled_gates_is_that_of_the_input_gate():
    one, none = np.ones(2), np.empty(0)
    for coupled, expected in ((False, [0, 2, 0, 0]), (True, [-2, 0, 0])):
        options = {"coupled_gates": coupled, "forget_bias": 2.0}
        trainer = _engine.Trainer64(2, 0, 3, 1, 0 * one, one, none, none, options)
        offset, rows = {n: (o, r) for n, o, r, _ in _engine.parameter_layout(2, 0, 3, 1, options)}["lstm.b"]
        assert (trainer.parameters[offset : offset + rows].reshape(-1, 3) == np.array(expected)[:, None]).all()


def test_contradictions_are_named_all_at_once():
    with pytest.raises(OptionError) as error:
        LSTMClassifier(cell="gru", peepholes=True, coupled_gates=True, forget_bias=2.0, dense=["8 tan"], dropout=1.0)
    message = str(error.value)
    for part in (
        "peepholes: it belongs to the cell 'lstm'",
        "coupled_gates: it belongs to the cell 'lstm'",
        "forget_bias: the cell 'gru' has no forget gate",
        "dense is ['8 tan'], expected a list of layers such as '64 tanh'",
        "dropout is 1.0, expected a number from 0 to less than 1",
    ):
        assert part in message


def test_toml_has_them_too():
    document = {"input": {"files": "a.root", "features": ["E"], "label": "y"}}
    keys = {"cell": "gru", "pooling": "attention", "dense": ["8 tanh"], "layer_norm": True, "dropout": 0.1}
    model = make_config(document | {"model": keys | {"reset_gate": "before"}}).model
    assert model.reset_gate == "before"
    assert (model.cell, model.pooling, model.dense, model.layer_norm) == ("gru", "attention", ("8 tanh",), True)
    with pytest.raises(OptionError, match=r"model\.pooling: found 'men', expected 'last', 'mean'"):
        make_config(document | {"model": {"pooling": "men"}})
