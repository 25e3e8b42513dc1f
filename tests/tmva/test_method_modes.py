"""Other ways to book and to run the method: keywords, the plugin manager, transformations, no output file."""

from __future__ import annotations

import array
import itertools
import warnings

import numpy as np
import pytest

from tmva_lstm_plugin import Sequences, load_model

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the wheel says that it is an alpha version
    ROOT = pytest.importorskip("ROOT", reason="ROOT is not installed")

from tmva_lstm_plugin import tmva  # noqa: E402

T, D = 4, 2
NUMBERS = itertools.count()
SHORT = "TrainingStrategy=MaxEpochs=6,BatchSize=50,LearningRate=5e-3"


pytestmark = pytest.mark.usefixtures("registered")


def events(n=800, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    lists = [rng.normal(label, 1, (length, D)) for label, length in zip(labels, rng.integers(1, T + 1, n), strict=True)]
    return Sequences.from_lists(lists, labels=labels, feature_names=["x", "y"])


def loader_of(sequences, test):
    loader = ROOT.TMVA.DataLoader(f"modes{next(NUMBERS)}")
    layout = tmva.fill_dataloader(loader, sequences, test=test, steps=T)
    tmva.prepare(loader, NormMode="None", V=False)
    return loader, layout


def finish(factory):
    factory.TrainAllMethods()
    factory.TestAllMethods()
    factory.EvaluateAllMethods()


def scores_of(loader, folder, name="LSTM", title="LSTM"):
    import uproot

    tree = uproot.open(folder / "out.root")[f"{loader.GetName()}/TestTree"]
    arrays = tree.arrays(library="np")
    return arrays[title], arrays["classID"]


def area(scores, class_id):
    from tmva_lstm_plugin.evaluation import auc

    return auc(scores, class_id == 0)


def test_keywords(folder):
    output = ROOT.TFile("out.root", "RECREATE")
    factory = ROOT.TMVA.Factory("job", output, "!V:Silent:!DrawProgressBar:AnalysisType=Classification")
    loader, layout = loader_of(events(), events(300, 1))
    assert tmva.book(factory, loader, "LSTM", layout, Ranking=False, Layout="LSTM|6", TrainingStrategy="MaxEpochs=6")
    finish(factory)
    output.Close()
    assert area(*scores_of(loader, folder)) > 0.8


@pytest.mark.parametrize("transformation", ["N", "D", "G"])
def test_transformations_of_the_variables(folder, needs, transformation):
    if transformation != "N":  # every TMVA has that one
        needs(f"VarTransform={transformation}")
    output = ROOT.TFile("out.root", "RECREATE")
    factory = ROOT.TMVA.Factory("job", output, "!V:Silent:!DrawProgressBar:AnalysisType=Classification")
    loader = ROOT.TMVA.DataLoader(f"modes{next(NUMBERS)}")
    files = fill_with_scalars(loader)
    tmva.prepare(loader, NormMode="None", V=False)
    assert tmva.book(
        factory, loader, "LSTM", f"InputLayout={T}|{D}:Length=length:VarTransform={transformation}:{SHORT}"
    )
    finish(factory)
    output.Close()
    assert area(*scores_of(loader, folder)) > 0.8
    del files


def fill_with_scalars(loader, n=800):
    """Trees with one branch a value, as most analyses have them."""
    rng = np.random.default_rng(3)
    trees = []
    for shift, name in ((1, "Signal"), (0, "Background")):
        tree = ROOT.TTree(name, name, 99, ROOT.nullptr)
        places = [array.array("f", [0]) for _ in range(T * D)]
        for k, place in enumerate(places):
            tree.Branch(f"v{k}", place, f"v{k}/F")
        length = array.array("f", [0])
        tree.Branch("length", length, "length/F")
        for _ in range(n):
            length[0] = rng.integers(1, T + 1)
            for k, place in enumerate(places):
                place[0] = rng.normal(shift, 1) if k // D < length[0] else 0
            tree.Fill()
        tree.ResetBranchAddresses()
        trees.append(tree)
    for k in range(T * D):
        loader.AddVariable(f"v{k}", "F")
    loader.AddSpectator("length")
    loader.AddSignalTree(trees[0], 1.0)
    loader.AddBackgroundTree(trees[1], 1.0)
    loader._tmva_lstm_trees = trees
    return trees


def test_by_the_plugin_manager(folder):
    """Types::kPlugins looks the method up by its title; the file says Plugins, and is read back in the same way."""
    output = ROOT.TFile("out.root", "RECREATE")
    factory = ROOT.TMVA.Factory("job", output, "!V:Silent:!DrawProgressBar:AnalysisType=Classification")
    loader, layout = loader_of(events(), events(300, 1))
    booked = getattr(factory, "_BookMethod", factory.BookMethod)
    assert booked.__overload__("TMVA::DataLoader*,TString,TString,TString")(
        loader, "Plugins", "MyLSTM", f"{layout.options}:{SHORT}"
    )
    finish(factory)
    output.Close()
    weights = folder / loader.GetName() / "weights" / "job_MyLSTM.weights.xml"
    assert 'Method="Plugins::MyLSTM"' in weights.read_text()
    assert area(*scores_of(loader, folder, title="MyLSTM")) > 0.8
    assert load_model(weights).class_names == ("Background", "Signal")


def test_without_an_output_file(folder, needs):
    needs("a Factory without an output file")
    factory = ROOT.TMVA.Factory("job", "!V:Silent:!DrawProgressBar:AnalysisType=Classification")
    loader, layout = loader_of(events(), events(300, 1))
    assert tmva.book(factory, loader, "LSTM", f"{layout.options}:{SHORT}")
    finish(factory)
    assert factory.GetROCIntegral(loader, "LSTM") > 0.8
    assert not (folder / "out.root").exists()
