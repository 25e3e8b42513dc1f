"""Train small LSTMs in the TMVA at hand, and freeze their weights files with some events and the scores these have.

    python tests/reference/tmva/make_crossing_files.py [folder]

Beside this script stand what the embedded host wrote (``host_*``) and what TMVA 4.2.1 wrote (``tmva-4.2.1_*``); each is read
by whatever TMVA runs ``tests/tmva/test_crossing_files.py``, with equal scores.  Run on another TMVA, this writes further
files, named after it.  What tells of the machine and the day is taken out of them.
"""

from __future__ import annotations

import array
import contextlib
import itertools
import json
import os
import re
import sys
import tempfile
import warnings
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np

T, D = 4, 2
NAMES = [f"v{k}" for k in range(T * D)]
TASKS = {
    # the variables as scalars and a transformation of them, which stands in the file too
    "binary": "Classification",
    # the variables as an array where this TMVA has them, else as its elements
    "multiclass": "Multiclass",
    # a transformation that takes in the target, so that it has to be undone
    "regression": "Regression",
}
OPTIONS = "Length=length:!Ranking:Layout=LSTM|5,DENSE|3|TANH,LINEAR:TrainingStrategy=MaxEpochs=4,BatchSize=50"
KERNELS = "baseline"  # every machine of one kind has these, and sums in the same order
_numbers = itertools.count()


@contextlib.contextmanager
def portable_kernels():
    before = os.environ.get("TMVA_LSTM_ISA")
    os.environ["TMVA_LSTM_ISA"] = KERNELS
    try:
        yield
    finally:
        if before is None:
            del os.environ["TMVA_LSTM_ISA"]
        else:
            os.environ["TMVA_LSTM_ISA"] = before


def sample(classes, n=450):
    """Sequences, their labels, and what a regression is to learn."""
    from tmva_lstm_plugin import Sequences

    rng = np.random.default_rng(classes)
    labels = np.arange(n) % classes
    lengths = rng.integers(0, T + 1, n)
    lists = [rng.normal(0.9 * label, 1, (length, D)) for label, length in zip(labels, lengths, strict=True)]
    names = ("background", "signal") if classes == 2 else tuple(f"c{k}" for k in range(classes))
    events = Sequences.from_lists(lists, labels=labels, class_names=names, feature_names=["x", "y"])
    return events, np.array([100 + 7 * steps[:, 0].sum() for steps in lists])


def fill_with_scalars(loader, events, target=None):
    """One branch a value, as most analyses have them."""
    import ROOT

    classes = ((1, "Signal"), (0, "Background")) if target is None else ((None, "Regression"),)
    loader._tmva_lstm_trees = []
    for label, name in classes:
        tree = ROOT.TTree(name, name, 99, ROOT.nullptr)
        places = {branch: array.array("f", [0]) for branch in (*NAMES, "length", "energy")}
        for branch, place in places.items():
            tree.Branch(branch, place, f"{branch}/F")
        for n in range(len(events)):
            if label is not None and events.labels[n] != label:
                continue
            steps = events.values[events.offsets[n] : events.offsets[n + 1]]
            row = np.zeros(T * D, np.float32)
            row[: steps.size] = steps.ravel()
            for branch, value in zip(NAMES, row, strict=True):
                places[branch][0] = value
            places["length"][0] = len(steps)
            places["energy"][0] = 0 if target is None else target[n]
            tree.Fill()
        tree.ResetBranchAddresses()
        loader._tmva_lstm_trees.append(tree)
    for branch in NAMES:
        loader.AddVariable(branch, "F")
    loader.AddSpectator("length")
    if target is not None:
        loader.AddTarget("energy")
        loader.AddRegressionTree(loader._tmva_lstm_trees[0], 1.0)
    else:
        loader.AddSignalTree(loader._tmva_lstm_trees[0], 1.0)
        loader.AddBackgroundTree(loader._tmva_lstm_trees[1], 1.0)


def train(task):
    """Train in the working folder; return the path of the weights file."""
    import ROOT

    from tmva_lstm_plugin import tmva

    events, target = sample(3 if task == "multiclass" else 2)
    output = ROOT.TFile(f"{task}.root", "RECREATE")
    factory = ROOT.TMVA.Factory(task, output, f"!V:Silent:!Color:!DrawProgressBar:AnalysisType={TASKS[task]}")
    name = f"crossing{next(_numbers)}"  # an old TMVA takes a name once in a process
    loader = ROOT.TMVA.DataLoader(name)
    options = f"InputLayout={T}|{D}:VarTransform=N:{OPTIONS}"
    if task == "binary":
        fill_with_scalars(loader, events)
    elif task == "regression":
        fill_with_scalars(loader, events, target)
    else:
        options = f"{tmva.fill_dataloader(loader, events, steps=T).options}:{OPTIONS.removeprefix('Length=length:')}"
    tmva.prepare(loader, NormMode="None", SplitMode="Block", V=False)
    assert tmva.book(factory, loader, "LSTM", options)
    factory.TrainAllMethods()
    output.Close()
    return Path(name) / "weights" / f"{task}_LSTM.weights.xml"


def events_to_score(n=12):
    """Padded rows of T * D values and the true number of steps of each: every length, from none to all."""
    rng = np.random.default_rng(77)
    lengths = np.arange(n) % (T + 1)
    rows = rng.normal(0.5, 1.2, (n, T, D)).astype(np.float32)
    rows[np.arange(T) >= lengths[:, None]] = 0
    return rows.reshape(n, T * D), lengths


def scores_of(weights_file, rows, lengths):
    """Scores by a Reader of the TMVA at hand, float32, of shape (events, 1, or classes, or targets)."""
    import ROOT

    from tmva_lstm_plugin import tmva

    tmva.register(quiet=True)
    root = ET.parse(weights_file).getroot()
    analysis = next(info.get("value") for info in root.iter("Info") if info.get("name") == "AnalysisType")
    reader = ROOT.TMVA.Reader("!Color:Silent")
    places = []
    for kind, add in (("Variable", reader.AddVariable), ("Spectator", reader.AddSpectator)):
        for variable in root.iter(kind):
            places.append(array.array("f", [0]))
            add(variable.get("Expression"), places[-1])
    with portable_kernels():
        tmva.book_reader(reader, str(weights_file), "LSTM")
        scores = []
        for row, length in zip(rows, lengths, strict=True):
            for place, value in zip(places, [*row, length], strict=True):
                place[0] = value
            if analysis == "Regression":
                scores.append(list(reader.EvaluateRegression("LSTM")))
            elif analysis == "Multiclass":
                scores.append(list(reader.EvaluateMulticlass("LSTM")))
            else:
                scores.append([reader.EvaluateMVA("LSTM")])
    return np.array(scores).astype(np.float32)


def without_machine_and_day(text):
    """A weights file's text without what tells where, when and by whom it was made."""
    for name in ("Creator", "Date", "Host", "Dir"):
        text = re.sub(f'(<Info name="{name}" value=)"[^"]*"', r'\1"-"', text)
    provenance = re.search(r"<Provenance [^>]*>", text).group()
    scrubbed = re.sub(r'\b(date|host)="[^"]*"', r'\1="-"', provenance)
    return text.replace(provenance, scrubbed)


def network_of(weights_file):
    """The text of a weights file's parameters, which are the same where every bit of them is."""
    parameters = ET.parse(weights_file).getroot().find("Weights/LSTMModel/Parameters")
    return "".join(parameters.itertext()).strip()


def writer():
    """Name of the TMVA at hand, for the names of its files."""
    import tmva_lstm_plugin

    registered = tmva_lstm_plugin.register(quiet=True)
    return "host" if registered.host else f"tmva-{registered.tmva_version}"


def make(folder):
    """Write the files of the TMVA at hand into a folder; return the path of the one with events and scores."""
    by = writer()
    rows, lengths = events_to_score()
    scores = {}
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        try:
            for task in TASKS:
                with portable_kernels():
                    text = train(task).read_text()
                path = folder / f"{by}_{task}.weights.xml"
                path.write_text(without_machine_and_day(text))
                scores[task] = scores_of(path, rows, lengths).tolist()
        finally:
            os.chdir(before)
    content = {"kernels": KERNELS, "lengths": lengths.tolist(), "rows": rows.tolist(), "scores": scores}
    lines = [f'"{key}": {json.dumps(value)}' for key, value in content.items()]
    path = folder / f"{by}.json"
    path.write_text("{" + ",\n".join(lines) + "}\n")
    return path


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        print(make((Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent).resolve()))
