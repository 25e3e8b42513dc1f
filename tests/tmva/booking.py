"""What tests of the method share: jagged toy events, and a booking taken through its whole life."""

from __future__ import annotations

import array
import itertools
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tmva_lstm_plugin import Sequences
from tmva_lstm_plugin.model_file import without_provenance

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the wheel says that it is an alpha version
    ROOT = pytest.importorskip("ROOT", reason="ROOT is not installed")

from tmva_lstm_plugin import tmva  # noqa: E402

T, D = 5, 3
FEATURES = ("x", "y", "z")
QUIET = "!V:Silent:!Color:!DrawProgressBar"
_NUMBERS = itertools.count()


def fresh(stem: str = "set") -> str:
    """A loader's name: an old TMVA takes a name once in a process."""
    return f"{stem}{next(_NUMBERS)}"


def jagged(n=600, seed=0, *, classes=2, weights=False, event_feature=False, shift=0.8, shortest=0):
    """Gaussian steps around a mean that grows with the class; 0 to T steps; weights of any float, a tenth below 0."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    lengths = rng.integers(shortest, T + 1, n)
    lengths[0] = T
    more: dict[str, Any] = {}
    if event_feature:
        more = {"event_values": (labels + rng.normal(size=n))[:, None], "event_feature_names": ["sum_E"]}
    if weights:
        drawn = rng.lognormal(0, 0.5, n).astype(np.float32)  # a TMVA tree holds weights as floats
        more["weights"] = np.where(rng.random(n) < 0.1, -drawn, drawn)
    return Sequences.from_lists(
        [rng.normal(shift * label, 1, (length, D)) for label, length in zip(labels, lengths, strict=True)],
        labels=labels,
        feature_names=FEATURES,
        class_names=("Background", "Signal") if classes == 2 else tuple(f"c{k}" for k in range(classes)),
        **more,
    )


def padded(sequences, pad=0.0):
    """(N, T * D), time-major."""
    rows = np.full((len(sequences), T, D), pad, np.float32)
    for n in range(len(sequences)):
        steps = sequences.values[sequences.offsets[n] : sequences.offsets[n + 1]]
        rows[n, : len(steps)] = steps
    return rows.reshape(len(sequences), T * D)


def from_rows(rows, lengths, **more):
    """The inverse of `padded`."""
    steps = rows.reshape(len(rows), T, D)
    lists = [row[: int(length)] for row, length in zip(steps, lengths, strict=True)]
    return Sequences.from_lists(lists, feature_names=FEATURES, **more)


@dataclass
class Trained:
    """A booking that was trained, tested and evaluated."""

    factory: Any
    loader: Any
    output: Path
    weights: Path
    title: str
    roc: float

    def tree(self, name="TestTree"):
        """Columns of TestTree or TrainTree; read from the closed file."""
        import uproot

        with uproot.open(self.output) as file:
            # a folder's name may hold what uproot takes for a path
            return file[f"{self.loader.GetName()}/{name}"].arrays(library="np")

    def scores(self, name="TestTree"):
        """(N,) of a binary classification, (N, classes or targets) of anything else."""
        column = self.tree(name)[self.title]
        if column.dtype.names:
            return np.stack([column[leaf] for leaf in column.dtype.names], axis=1)
        return column


def events_of_tree(columns, **more):
    """The events of TestTree or TrainTree in their order, as sequences."""
    names = [name for name in columns if name.startswith("vars")]
    rows = np.stack([columns[name] for name in names], axis=1).reshape(len(columns["length"]), T * D)
    return from_rows(rows.astype(np.float32), columns["length"], **more)


def train(
    folder: Path,
    sequences,
    test=None,
    *,
    options="",
    analysis="Classification",
    title="LSTM",
    job="job",
    name=None,
    output="out.root",
    split=None,
    evaluate=True,
    **filling,
) -> Trained:
    """From sequences to an evaluated booking in the current folder, which has to be `folder`."""
    file = ROOT.TFile(str(folder / output), "RECREATE")
    factory = ROOT.TMVA.Factory(job, file, f"{QUIET}:AnalysisType={analysis}")
    loader = ROOT.TMVA.DataLoader(name or fresh())
    layout = tmva.fill_dataloader(loader, sequences, test=test, steps=T, **filling)
    tmva.prepare(loader, NormMode="None", **(split or {}))
    assert tmva.book(factory, loader, title, f"{layout.options}{':' if options else ''}{options}")
    factory.TrainAllMethods()
    roc = float("nan")
    if evaluate:
        factory.TestAllMethods()
        factory.EvaluateAllMethods()
        if analysis == "Classification":
            roc = factory.GetROCIntegral(loader, title)
    file.Close()
    weights = folder / str(loader.GetName()) / "weights" / f"{job}_{title}.weights.xml"
    return Trained(factory, loader, folder / output, weights, title, roc)


class Reading:
    """A TMVA::Reader for a weights file, fed with numpy rows."""

    def __init__(self, weights: Path, *, tag="LSTM", spectators=None):
        text = weights.read_text(encoding="utf-8")
        declared = dict(variables=declared_names(text, "Variable"), spectators=declared_names(text, "Spectator"))
        self.reader = ROOT.TMVA.Reader("!Color:Silent")
        self.places = {}
        for kind, add in (("variables", self.reader.AddVariable), ("spectators", self.reader.AddSpectator)):
            self.places[kind] = [array.array("f", [0.0]) for _ in declared[kind]]
            for expression, place in zip(declared[kind], self.places[kind], strict=True):
                add(expression, place)
        self.tag = tag
        tmva.book_reader(self.reader, weights, tag)

    def __call__(self, row, length=None, what="EvaluateMVA"):
        for place, value in zip(self.places["variables"], row, strict=True):
            place[0] = value
        for place in self.places["spectators"]:
            place[0] = length
        answer = getattr(self.reader, what)(self.tag)
        return answer if what == "EvaluateMVA" else np.array(list(answer), np.float32)

    def all(self, rows, lengths, what="EvaluateMVA"):
        """Answers for all events, (N,) or (N, outputs)."""
        return np.array([self(row, length, what) for row, length in zip(rows, lengths, strict=True)])


def declared_names(xml: str, tag: str) -> list[str]:
    """Expressions of the variables or spectators of a weights file, in their order."""
    import xml.etree.ElementTree as ET

    return [node.get("Expression", "") for node in ET.fromstring(xml).iter(tag)]


def weights_node(path: Path) -> bytes:
    """The <Weights> of a file, without what differs from one training to the next by nature."""
    text = without_provenance(path.read_bytes())
    found = re.search(rb"<Weights>.*</Weights>", text, re.DOTALL)
    assert found, f"no <Weights> in '{path}'"
    return found.group()
