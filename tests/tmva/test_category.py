"""LSTMs as the parts of TMVA's Category: one for each region of the detector, with inputs of its own."""

from __future__ import annotations

import array
import copy
import json
import warnings
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from tmva_lstm_plugin import Sequences, load_model
from tmva_lstm_plugin.evaluation import auc

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the wheel says that it is an alpha version
    ROOT = pytest.importorskip("ROOT", reason="ROOT is not installed")

from tmva_lstm_plugin import tmva  # noqa: E402

T, D = 4, 2
NAMES = [f"v{k}" for k in range(T * D)]
SHORT = "Length=length:TrainingStrategy=MaxEpochs=8,BatchSize=50,LearningRate=1e-2:Layout=LSTM|6,LINEAR"


def fill(loader, n=800):
    """Signal is above background on the left and below it on the right, so that no one network without `eta` separates."""
    rng = np.random.default_rng(21)
    trees = []
    for sign, name in ((1, "Signal"), (-1, "Background")):
        tree = ROOT.TTree(name, name, 99, ROOT.nullptr)
        places = {name: array.array("f", [0]) for name in (*NAMES, "length", "eta")}
        for branch, place in places.items():
            tree.Branch(branch, place, f"{branch}/F")
        for _ in range(n):
            length, eta = rng.integers(1, T + 1), rng.uniform(-1, 1)
            places["length"][0], places["eta"][0] = length, eta
            for k, variable in enumerate(NAMES):
                places[variable][0] = rng.normal(sign * np.sign(-eta) * 0.7, 1) if k // D < length else 0
            tree.Fill()
        tree.ResetBranchAddresses()
        trees.append(tree)
    for variable in NAMES:
        loader.AddVariable(variable, "F")
    loader.AddSpectator("length")
    loader.AddSpectator("eta")
    loader.AddSignalTree(trees[0], 1.0)
    loader.AddBackgroundTree(trees[1], 1.0)
    tmva.prepare(loader, NormMode="None", V=False)
    loader._tmva_lstm_trees = trees


def book_category(factory, loader):
    booked = getattr(factory, "_BookMethod", factory.BookMethod)
    return booked.__overload__("TMVA::DataLoader*,TString,TString,TString")(loader, "Category", "Regions", "")


def refused_by_name(factory, loader, capfd):
    capfd.readouterr()
    with pytest.raises(Exception, match="FATAL"):
        book_category(factory, loader)
    said = "".join(capfd.readouterr())
    assert "Category" in said
    assert "embedded host" in said


def part_of(weights, title, folder):
    """A category's part, as the file it would have written by itself."""
    for part in ET.parse(weights).getroot().find("Weights").iter("SubMethod"):
        if part.get("Method") == f"LSTM::{title}":
            root = ET.Element("MethodSetup", Method=part.get("Method"))
            root.extend(copy.deepcopy(child) for child in part)
            path = folder / f"{title}.weights.xml"
            ET.ElementTree(root).write(path, encoding="unicode")
            return load_model(path)
    raise AssertionError(f"no part {title} in {weights}")


def sequences_of(arrays, features, **more):
    """What the method has to make of TMVA's padded columns."""
    rows = np.stack([arrays[name] for name in NAMES], axis=1).astype(np.float32).reshape(-1, T, D)[:, :, :features]
    lists = [row[: int(length)] for row, length in zip(rows, arrays["length"], strict=True)]
    return Sequences.from_lists(lists, feature_names=NAMES[:features], **more)


READ = """
import array, json
import ROOT
from tmva_lstm_plugin import tmva
reader = ROOT.TMVA.Reader("!Color:Silent")
places = {name: array.array("f", [0]) for name in [*NAMES, "length", "eta"]}
for name in NAMES:
    reader.AddVariable(name, places[name])
reader.AddSpectator("length", places["length"])
reader.AddSpectator("eta", places["eta"])
tmva.book_reader(reader, WEIGHTS, "Regions")
columns = json.load(open("columns.json"))
scores = []
for n in range(len(columns["eta"])):
    for name, place in places.items():
        place[0] = columns[name][n]
    scores.append(reader.EvaluateMVA("Regions"))
json.dump(scores, open("scores.json", "w"))
"""


def test_category(tmp_path, monkeypatch, capfd, run_python, tmva_has, needs):
    import uproot

    monkeypatch.chdir(tmp_path)
    tmva.register(quiet=True)
    output = ROOT.TFile("out.root", "RECREATE")
    factory = ROOT.TMVA.Factory("job", output, "!V:!Silent:!Color:!DrawProgressBar:AnalysisType=Classification")
    loader = ROOT.TMVA.DataLoader("regions")
    fill(loader)
    if not tmva_has("Category"):
        refused_by_name(factory, loader, capfd)
    needs("Category")
    category = book_category(factory, loader)
    lstm = ROOT.TMVA.Types.Instance().GetMethodType("LSTM")
    add = category.AddMethod
    assert add(ROOT.TCut("eta<0"), ":".join(NAMES), lstm, "Left", f"InputLayout={T}|{D}:{SHORT}")
    right = ":".join([*NAMES[::D], "eta"])  # one feature a step, and a spectator for an input
    assert add(ROOT.TCut("eta>=0"), right, lstm, "Right", f"InputLayout={T}|1:{SHORT}")
    factory.TrainAllMethods()
    factory.TestAllMethods()
    factory.EvaluateAllMethods()
    output.Close()

    arrays = uproot.open("out.root")["regions/TestTree"].arrays(library="np")
    in_tree = arrays["Regions"].astype(np.float32)
    assert auc(in_tree, arrays["classID"] == 0) > 0.8
    # each part by Python, on the events of its region
    weights = tmp_path / "regions" / "weights" / "job_Regions.weights.xml"
    eta = {"event_values": arrays["eta"].astype(np.float32)[:, None], "event_feature_names": ["eta"]}
    regions = {"Left": (arrays["eta"] < 0, D, {}), "Right": (arrays["eta"] >= 0, 1, eta)}
    for title, (region, features, more) in regions.items():
        model = part_of(weights, title, tmp_path)
        scores = model.predict_proba(sequences_of(arrays, features, **more)[np.flatnonzero(region)])[:, 1]
        assert np.array_equal(in_tree[region], scores), title
    # and by a Reader in a process of its own
    (tmp_path / "columns.json").write_text(
        json.dumps({name: arrays[name].tolist() for name in (*NAMES, "length", "eta")})
    )
    run_python(f"NAMES = {NAMES!r}\nWEIGHTS = {str(weights)!r}\n{READ}")
    read = np.array(json.loads((tmp_path / "scores.json").read_text()))
    assert np.array_equal(read.astype(np.float32), in_tree)
