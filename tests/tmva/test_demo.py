"""The demonstration's training in TMVA's Factory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tmva_lstm_plugin import load_model
from tmva_lstm_plugin.demo import find_data, read_parts, run_demo
from tmva_lstm_plugin.demo_factory import train_in_factory

DATA = Path(__file__).parents[2] / "data"


def test_the_factory_gives_what_python_gives(tmp_path):
    pytest.importorskip("matplotlib")
    lines: list[str] = []
    result = run_demo(tmp_path, data_folder=DATA, epochs=3, echo=lines.append)
    made = result.factory
    assert made is not None
    if made.left_out and "is constant. Please remove the variable" in made.left_out:
        pytest.skip("not in this TMVA: a step that few events have")
    assert made.left_out is None
    assert made.largest_difference == 0
    in_python = result.trainings[0].evaluation.unweighted.auc
    assert made.auc == in_python > 0.95
    assert made.roc_integral == pytest.approx(in_python, abs=0.005)  # some TMVAs integrate a curve of bins
    model, in_factory = load_model(result.trainings[0].weights_file), load_model(made.weights_file)
    assert np.array_equal(model._trainer.parameters, in_factory._trainer.parameters)
    assert Path(made.plot).read_bytes().startswith(b"\x89PNG")
    assert "Train method: LSTM for Classification" in Path(made.log).read_text()
    text = "\n".join(lines)
    assert "Train method" not in text  # TMVA's own lines go to the log
    assert f"AUC of Python's own training        {in_python:.4f}, all scores equal to the bit" in text
    assert all(name in text for name in (made.plot, made.log, made.weights_file, made.output_file))


@pytest.fixture
def arguments(tmp_path):
    sample, split = find_data(DATA)
    _, test = read_parts(sample, split)
    scores = np.zeros(len(test), np.float32)
    return {
        "sample": sample, "split": split, "folder": tmp_path, "test": test, "scores": scores, "epochs": 1, "n_threads": 1
    }  # fmt: skip


def test_without_a_compiler_it_is_left_out(arguments, monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    made = train_in_factory(**arguments)
    assert "there is no C++ compiler: install one" in made.left_out
    assert made.to_dict() == {"left_out": made.left_out}


def test_a_process_that_fails_says_why(arguments, tmp_path):
    made = train_in_factory(**{**arguments, "sample": tmp_path / "nowhere.root"})
    assert "nowhere.root" in made.left_out
    assert f"exit code 1; all it said is in {tmp_path / 'tmva.log'}" in made.left_out
