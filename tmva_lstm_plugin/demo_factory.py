"""The training of the demonstration once more, this time booked in TMVA's Factory.

TMVA writes its log from C++ to standard output, and what is loaded into ROOT stays loaded; so the Factory runs in a process of
its own, ``python -m tmva_lstm_plugin.demo_factory``, whose output goes to a file.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .errors import LSTMError
from .sequences import Sequences

__all__ = ["DemoFactory", "signal_first", "train_in_factory"]

LOG = "tmva.log"
ROC = "roc_tmva.png"
_ANSWER = "tmva.json"
_DATASET = "tmva"


@dataclass(frozen=True)
class DemoFactory:
    """What the Factory made of the training without event weights.

    Attributes
    ----------
    left_out : str or None
        Why there is nothing: all else is empty then.
    tmva : str
        Which TMVA it was.
    roc_integral : float
        Area below the ROC curve of the test part, by ``Factory.GetROCIntegral``.
    auc : float
        The same by this package, for the model in the Factory's weights file.
    largest_difference : float
        Between the scores of that model and those of Python's training, on the test part.
    weights_file, output_file, plot, log : str
        What was written.
    """

    left_out: str | None = None
    tmva: str = ""
    roc_integral: float = 0.0
    auc: float = 0.0
    largest_difference: float = 0.0
    weights_file: str = ""
    output_file: str = ""
    plot: str = ""
    log: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"left_out": self.left_out} if self.left_out else asdict(self)


def signal_first(events: Sequences) -> Sequences:
    """Put the signal before the background, as TMVA does, so that both trainings see the same events in the same order.

    Parameters
    ----------
    events : Sequences
        Events of two classes, with labels.

    Returns
    -------
    Sequences
        The same, those with label 1 first; within a class the order stays.
    """
    assert events.labels is not None
    return events[np.argsort(events.labels != 1, kind="stable")]


def train_in_factory(
    sample: str | os.PathLike[str],
    split: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    test: Sequences,
    scores: np.ndarray[Any, Any],
    epochs: int,
    n_threads: int | None,
) -> DemoFactory:
    """Book, train, test and evaluate in a process of its own, and compare with what Python's training gave.

    Parameters
    ----------
    sample, split : path
        See :func:`tmva_lstm_plugin.demo.find_data`.
    folder : path
        Where everything goes.
    test : Sequences
        The test part.
    scores : ndarray of float32, shape (N,)
        Scores of the test part for the signal, by Python's training.
    epochs : int
        Epochs of the training.
    n_threads : int, optional
        Threads; the method's own default if not given.

    Returns
    -------
    DemoFactory
        Without ROOT or a compiler, or when TMVA refused, only why it was left out.
    """
    from .classifier import load_model
    from .evaluation import auc
    from .plugin_build import ensure_plugin

    if importlib.util.find_spec("ROOT") is None:
        return DemoFactory(f"no ROOT for Python {sys.version.split()[0]} (pip install 'tmva-lstm-plugin[root]')")
    try:
        ensure_plugin()  # here, since it shows what it does: compiling takes half a minute, once
    except LSTMError as error:
        return DemoFactory(str(error).splitlines()[0])
    folder = Path(folder)
    log, answer = folder / LOG, folder / _ANSWER
    for path in (answer, folder / ROC):  # of an earlier run
        path.unlink(missing_ok=True)
    job = {"sample": os.path.abspath(sample), "split": os.path.abspath(split), "epochs": epochs, "n_threads": n_threads}
    with open(log, "wb") as file:
        command = [sys.executable, "-m", __name__, json.dumps(job)]
        done = subprocess.run(command, cwd=folder, stdout=file, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        return DemoFactory(f"{_why(log)} (exit code {done.returncode}; all it said is in {log})")
    found = json.loads(answer.read_text(encoding="utf-8"))
    answer.unlink()
    weights_file = folder / found["weights_file"]
    model = load_model(weights_file)
    assert test.labels is not None
    renamed = Sequences.from_arrays(test.values, test.offsets, feature_names=model.feature_names)
    in_factory = model.predict_proba(renamed)[:, 1]
    return DemoFactory(
        tmva=found["tmva"],
        roc_integral=found["roc_integral"],
        auc=auc(in_factory, test.labels == 1),
        largest_difference=float(np.abs(in_factory - scores).max()),
        weights_file=str(weights_file),
        output_file=str(folder / found["output_file"]),
        plot=str(folder / ROC),
        log=str(log),
    )


def _why(log: Path) -> str:
    """Return the line of a failed process that tells most: TMVA's, or else the last one."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    fatal = [line.partition("FATAL>")[2].strip() for line in lines if "FATAL>" in line]
    return (fatal or lines or ["it said nothing"])[-1]


def _train_here(sample: str, split: str, epochs: int, n_threads: int | None) -> dict[str, Any]:
    """Do the work, in the current folder, in this process."""
    from . import tmva
    from .demo import read_parts

    registration = tmva.register()
    import ROOT

    ROOT.gROOT.SetBatch(True)
    train, test = (
        # in TMVA every event carries a weight; without any here it is 1
        Sequences.from_arrays(part.values, part.offsets, labels=part.labels, class_names=part.class_names)
        for part in read_parts(sample, split)
    )
    output = ROOT.TFile.Open("tmva.root", "RECREATE")
    factory = ROOT.TMVA.Factory("demo", output, "!V:!Silent:!Color:!DrawProgressBar:AnalysisType=Classification")
    loader = ROOT.TMVA.DataLoader(_DATASET)
    layout = tmva.fill_dataloader(loader, train, test=test)
    tmva.prepare(loader, SplitMode="Block", NormMode="None")
    # as LSTMClassifier trains, whose validation part is smaller than the usual one of TMVA
    options: dict[str, Any] = {"Layout": "LSTM|32", "TrainingStrategy": f"MaxEpochs={epochs}", "ValidationSize": "10%"}
    if n_threads is not None:
        options["NumThreads"] = n_threads
    tmva.book(factory, loader, "LSTM", layout, **options)
    factory.TrainAllMethods()
    factory.TestAllMethods()
    factory.EvaluateAllMethods()
    area = float(factory.GetROCIntegral(loader, "LSTM"))
    _draw(ROOT, output.Get(f"{_DATASET}/Method_LSTM/LSTM/MVA_LSTM_rejBvsS"), area)
    output.Close()
    return {
        "tmva": f"the embedded host in ROOT {registration.root_version}"
        if registration.host
        else f"TMVA {registration.tmva_version} in ROOT {registration.root_version}",
        "roc_integral": area,
        "weights_file": f"{_DATASET}/weights/demo_LSTM.weights.xml",
        "output_file": "tmva.root",
    }


def _draw(ROOT: Any, curve: Any, area: float) -> None:
    """Draw the background rejection that TMVA has put into its output file."""
    canvas = ROOT.TCanvas("roc", "ROC", 800, 700)
    curve.SetDirectory(ROOT.nullptr)
    curve.SetStats(False)
    curve.SetTitle(f"DIS against the rest, test part, area {area:.4f};signal efficiency;background rejection")
    curve.SetMinimum(0)
    curve.SetMaximum(1.05)
    curve.SetLineWidth(2)
    curve.Draw("l")
    canvas.SaveAs(ROC)


def main() -> None:
    """Do the job named on the command line, in the current folder."""
    warnings.simplefilter("ignore")  # the wheel says that it is an alpha version
    found = _train_here(**json.loads(sys.argv[1]))
    Path(_ANSWER).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
