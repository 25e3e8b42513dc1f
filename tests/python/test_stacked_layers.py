"""LSTM layers on top of each other and in both directions: against PyTorch, and through the doors of Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tmva_lstm_plugin import LSTMClassifier, Sequences, _engine, load_model
from tmva_lstm_plugin.config import make_config
from tmva_lstm_plugin.errors import MemoryLimitError, OptionError

REFERENCE = Path(__file__).resolve().parent.parent / "reference" / "pytorch_stack.npz"
CASES = ["stacked", "stacked_joined", "both", "stacked_both", "stacked_both_joined"]
# the largest difference over the largest number: sums of some ten terms, three layers of seven steps deep
BOUND = {np.float64: 1e-10, np.float32: 3e-6}


def difference(found, expected):
    assert found.shape == expected.shape
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.fixture(scope="module")
def reference():
    with np.load(REFERENCE) as file:
        return {name: file[name] for name in file.files}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", CASES)
def test_pytorch_with_packed_sequences(reference, instruction_set, case, dtype):
    r = {key.split("/")[1]: value for key, value in reference.items() if key.startswith(case + "/")}
    lengths = reference["lengths"]
    *lower, H = map(int, r["widths"])
    (N, T, D), E, K = r["x"].shape, r["event_features"].shape[1], r["probabilities"].shape[1]
    kind = _engine.Trainer if dtype is np.float32 else _engine.Trainer64
    options = {
        "lower": lower, "bidirectional": bool(r["both"]), "flat_steps": T if r["joined"] else 0, "n_threads": 2,
    }  # fmt: skip
    numbers = [np.full(k, v, dtype) for k in (D, E) for v in (0, 1)]
    trainer = kind(D, E, H, K, *numbers, options)
    layout = _engine.parameter_layout(D, E, H, K, options)
    assert sum(rows * columns for _, _, rows, columns in layout) == r["parameters"].size
    assert len(layout) == 3 * len(r["widths"]) * (1 + bool(r["both"])) + 2
    trainer.parameters = r["parameters"].astype(dtype)
    events = (
        r["x"][np.arange(T) < lengths[:, None]].astype(dtype), np.concatenate([[0], np.cumsum(lengths)]),
        r["event_features"].astype(dtype), r["labels"].astype(np.int32), r["weights"],
    )  # fmt: skip
    assert difference(trainer.probabilities(events, 1), r["probabilities"]) < BOUND[dtype]
    alone = np.concatenate([
        trainer.probabilities((events[0][a:b], np.array([0, b - a]), events[2][n : n + 1], None, None), 1)
        for n, (a, b) in enumerate(zip(events[1][:-1], events[1][1:], strict=True))
    ])  # fmt: skip
    assert (alone == trainer.probabilities(events, 2)).all()
    losses = [trainer.loss((*events[:4], None), np.array([n]))[0] for n in range(N)]
    assert difference(np.array(losses), r["losses"]) < BOUND[dtype]
    _, gradient = trainer.gradient(events, np.arange(N))
    assert difference(gradient, r["gradient"]) < BOUND[dtype]


def toy(n=300, seed=3):
    """Events whose class is the sign of the first step's feature: what comes last tells nothing of it."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 13, n)
    values = rng.normal(size=(lengths.sum(), 2)).astype(np.float32)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Sequences.from_arrays(values, offsets, labels=(values[offsets[:-1], 0] > 0).astype(np.int32))


@pytest.mark.parametrize(("hidden", "bidirectional"), [((6, 5), False), (5, True), ([4, 3], True)])
def test_a_model_trains_writes_and_reads_back(tmp_path, hidden, bidirectional):
    events = toy()
    models = [
        LSTMClassifier(hidden, epochs=4, bidirectional=bidirectional, n_threads=n_threads).fit(events)
        for n_threads in (1, 2, 3)
    ]
    scores = [model.predict_proba(events) for model in models]
    assert (scores[0] == scores[1]).all()
    assert (scores[0] == scores[2]).all()
    path = tmp_path / "model.weights.xml"
    models[0].save(path)
    loaded = load_model(path)
    assert loaded.hidden == (tuple(hidden) if not isinstance(hidden, int) else hidden)
    assert loaded.bidirectional is bidirectional
    assert (loaded.predict_proba(events) == scores[0]).all()
    text = path.read_text()
    assert ' Format="2"' in text
    if isinstance(hidden, int):
        assert f"BILSTM|{hidden}|2|12|0|0,LINEAR" in text
    else:
        H0, H1 = hidden
        cell, below = ("BILSTM", 2 * H0) if bidirectional else ("LSTM", H0)
        assert f"{cell}|{H0}|2|12|0|1,{cell}|{H1}|{below}|12|0|0,LINEAR" in text


def test_one_layer_is_written_as_before(tmp_path):
    path = tmp_path / "model.weights.xml"
    LSTMClassifier(4, epochs=1).fit(toy()).save(path)
    text = path.read_text()
    assert ' Format="1"' in text
    assert "Bidirectional=" not in text
    assert "LSTM|4|2|12|0|0,LINEAR" in text


def test_both_directions_see_the_first_step_at_once():
    """It is the last one of the direction that goes back in time."""
    events = toy(1500)
    shared = {"epochs": 6, "batch_size": 32, "patience": None}
    both = LSTMClassifier(6, bidirectional=True, **shared).fit(events)
    score = both.predict_proba(events)[:, 1]
    assert np.mean((score > 0.5) == events.labels) > 0.97


@pytest.mark.parametrize("hidden", [0, [], [4, 0], (4, 2.5), "4", [4, True], 2**16])
def test_widths_that_are_none(hidden):
    with pytest.raises(
        OptionError, match=r"hidden is .*, expected a whole number from 1 to 65535, or several, one for each"
    ):
        LSTMClassifier(hidden)


def test_a_stack_in_both_directions_is_not_cut_in_time():
    """What does not fit is refused, naming entry, length and bytes; in one direction it is cut and trained on."""
    lengths = np.array([3, 400, 5, 6])
    rng = np.random.default_rng(1)
    events = Sequences.from_arrays(
        rng.normal(size=(lengths.sum(), 2)).astype(np.float32),
        np.concatenate([[0], np.cumsum(lengths)]),
        labels=np.array([0, 1, 0, 1], np.int32),
    )
    shared = {"epochs": 1, "validation_fraction": 0.0}
    with pytest.raises(MemoryLimitError, match=r"entry 1 has 400 steps, which with hidden=\[8, 8\] need"):
        LSTMClassifier([8, 8], bidirectional=True, memory_limit="1 MB", **shared).fit(events)
    whole = LSTMClassifier([8, 8], **shared).fit(events).predict_proba(events)
    cut = LSTMClassifier([8, 8], memory_limit="1 MB", **shared).fit(events).predict_proba(events)
    assert (cut == whole).all()


def test_configuration():
    sections = {"input": {"files": "a.root", "features": ["x"], "label": "y"}}
    config = make_config({**sections, "model": {"hidden": [16, 8], "bidirectional": True}})
    assert (config.model.hidden, config.model.bidirectional) == ([16, 8], True)
    with pytest.raises(
        OptionError, match=r"hidden: found \[16, 0\], expected a whole number from 1 to 65535, or a list of such"
    ):
        make_config({**sections, "model": {"hidden": [16, 0]}})
