"""Weights files cross over: what one TMVA wrote, every other reads with equal scores, the embedded host included.

The frozen files were written by ``tests/reference/tmva/make_crossing_files.py``; whatever TMVA runs this reads all of them.
"""

from __future__ import annotations

import getpass
import importlib.util
import json
import platform
import warnings
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the wheel says that it is an alpha version
    ROOT = pytest.importorskip("ROOT", reason="ROOT is not installed")

REFERENCE = Path(__file__).parents[1] / "reference" / "tmva"
WRITERS = ("host", "tmva-4.2.1")
TASKS = ("binary", "multiclass", "regression")
WIDTHS = {"binary": 1, "multiclass": 3, "regression": 1}


@pytest.fixture(scope="module")
def crossing():
    spec = importlib.util.spec_from_file_location("make_crossing_files", REFERENCE / "make_crossing_files.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def assert_read_as_written(crossing, content, weights, task):
    rows, expected = np.array(content["rows"], np.float32), np.array(content["scores"][task], np.float32)
    assert expected.shape == (len(rows), WIDTHS[task])
    assert len(np.unique(expected)) > 5  # scores that tell events apart
    scores = crossing.scores_of(weights, rows, content["lengths"])
    if platform.machine() in ("x86_64", "AMD64"):  # where the frozen ones were written
        assert np.array_equal(scores, expected)
    else:
        np.testing.assert_allclose(scores, expected, rtol=1e-5)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("writer", WRITERS)
def test_a_frozen_file_is_read_with_equal_scores(crossing, writer, task):
    content = json.loads((REFERENCE / f"{writer}.json").read_text())
    assert_read_as_written(crossing, content, REFERENCE / f"{writer}_{task}.weights.xml", task)


@pytest.mark.parametrize("task", TASKS)
def test_both_trained_the_same_network(crossing, task):
    """From the same events, host and TMVA 4.2.1 came to the same parameters and the same scores."""
    contents = [json.loads((REFERENCE / f"{writer}.json").read_text()) for writer in WRITERS]
    assert contents[0]["scores"][task] == contents[1]["scores"][task]
    networks = [crossing.network_of(REFERENCE / f"{writer}_{task}.weights.xml") for writer in WRITERS]
    assert len(networks[0]) > 100
    assert networks[0] == networks[1]


def test_files_of_the_tmva_at_hand(crossing, tmp_path):
    """The script writes on this TMVA too, what it writes is read, and nothing in it tells of this machine."""
    path = crossing.make(tmp_path)
    content = json.loads(path.read_text())
    for task in TASKS:
        weights = tmp_path / f"{crossing.writer()}_{task}.weights.xml"
        assert_read_as_written(crossing, content, weights, task)
    for written in (*tmp_path.iterdir(), *REFERENCE.glob("*.json"), *REFERENCE.glob("*.xml")):
        text = written.read_text()
        for telling in (str(tmp_path), str(Path.home()), f'"{getpass.getuser()}"', "/tmp"):
            assert telling not in text, (written.name, telling)
        if written.suffix == ".xml":
            root = ET.fromstring(text)
            facts = {info.get("name"): info.get("value") for info in root.iter("Info")}
            assert [facts[name] for name in ("Creator", "Date", "Host", "Dir")] == ["-"] * 4, written.name
            provenance = root.find("Weights/LSTMModel/Provenance")
            assert (provenance.get("date"), provenance.get("host")) == ("-", "-"), written.name
