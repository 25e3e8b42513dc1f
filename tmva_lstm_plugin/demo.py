"""The demonstration: deep inelastic scattering against the rest, on a real neutrino sample.

The sample and its split are in the folder ``data`` of the project: 4755 neutrino-oxygen events of the generator GiBUU
with the hadrons that left the nucleus, 1 to 16 an event.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from .demo_factory import DemoFactory, signal_first, train_in_factory
from .errors import MissingNameError
from .progress import LineProgress, make_progress
from .training_run import check_output, draw_plots, evaluate_parts, fit, listed_plots, read_event_numbers

if TYPE_CHECKING:
    from .evaluation import Evaluation
    from .sequences import Sequences

__all__ = ["DEMO_READING", "DemoResult", "DemoTraining", "find_data", "read_parts", "run_demo"]

DATA_FILE = "gibuu_neutrino.root"
SPLIT_FILE = "gibuu_split.csv"

DEMO_READING: dict[str, Any] = {
    "tree": "RootTuple",
    "features": {
        "log_E": "log(E)",
        "log_pT": "log(sqrt(Px**2 + Py**2))",
        "asinh_pz": "asinh(Pz)",
        "is_nucleon": "(abs(barcode) == 2112) | (abs(barcode) == 2212)",
        "is_pion": "(abs(barcode) == 211) | (barcode == 111)",
        "is_other": "(abs(barcode) != 2112) & (abs(barcode) != 2212) & (abs(barcode) != 211) & (barcode != 111)",
    },
    "order_by": "E",
    "descending": True,
    "label": "evType == 34",
    "classes": ["rest", "DIS"],
    "weight": "weight",
}
"""How the demonstration reads its sample, as keyword arguments of :func:`read_sequences`.

Two thirds of the hadrons are pions (barcodes 211, -211, 111), a quarter nucleons (2112, 2212 and their antiparticles);
the others are kaons, hyperons and a few heavier ones.
"""


@dataclass(frozen=True)
class DemoTraining:
    """One of the two trainings of the demonstration.

    Attributes
    ----------
    title : str
        Which one.
    weights_file : str
        The model.
    evaluation : Evaluation
        Figures on the test part, unweighted and weighted, with the overtraining check.
    seconds : float
        Time of the training.
    events_per_second : float
        Training events gone through, by time.
    """

    title: str
    weights_file: str
    evaluation: Evaluation
    seconds: float
    events_per_second: float


@dataclass(frozen=True)
class DemoResult:
    """What the demonstration found and wrote.

    Attributes
    ----------
    n_train, n_test : int
        Events of the two parts.
    effective_events : dict of str to tuple (float, int)
        Of each class, the effective number of all its events with weights, and their number.
    trainings : tuple of DemoTraining
        Without and with event weights; fewer after an interruption.
    scored_file : str or None
        Scores of all events by the training without weights.
    plots : tuple of str
        ROC, loss and overtraining of the training without weights.
    factory : DemoFactory or None
        The training without weights once more, booked in TMVA's Factory; None after an interruption.
    stopped_by : str or None
        The signal that interrupted a training.
    """

    n_train: int
    n_test: int
    effective_events: dict[str, tuple[float, int]]
    trainings: tuple[DemoTraining, ...] = ()
    scored_file: str | None = None
    plots: tuple[str, ...] = ()
    factory: DemoFactory | None = None
    stopped_by: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "n_train": self.n_train,
            "n_test": self.n_test,
            "effective_events": {name: list(numbers) for name, numbers in self.effective_events.items()},
            "trainings": [
                {
                    "title": t.title,
                    "weights_file": t.weights_file,
                    "seconds": t.seconds,
                    "events_per_second": t.events_per_second,
                    "evaluation": t.evaluation.to_dict(),
                }
                for t in self.trainings
            ],
            "scored_file": self.scored_file,
            "plots": list(self.plots),
            "factory": None if self.factory is None else self.factory.to_dict(),
            "stopped_by": self.stopped_by,
        }


def find_data(folder: str | os.PathLike[str] | None = None) -> tuple[Path, Path]:
    """Find the sample and its split.

    Parameters
    ----------
    folder : path, optional
        Where they are; by default the folder ``data`` in the current folder, or beside the package.

    Returns
    -------
    sample, split : pathlib.Path
        The two files.

    Raises
    ------
    MissingNameError
        They are not there.
    """
    places = [Path("data"), Path(__file__).parents[1] / "data"] if folder is None else [Path(folder)]
    for place in places:
        sample, split = place / DATA_FILE, place / SPLIT_FILE
        if sample.is_file() and split.is_file():
            return sample, split
    looked = " and ".join(f"'{place}'" for place in places)
    raise MissingNameError(
        f"the demonstration needs {DATA_FILE} and {SPLIT_FILE}, looked for in {looked}; "
        "run it in a clone of the project, or name their folder with --data"
    )


def read_parts(sample: str | os.PathLike[str], split: str | os.PathLike[str]) -> tuple[Sequences, Sequences]:
    """Read the sample.

    Parameters
    ----------
    sample, split : path
        The two files.

    Returns
    -------
    train, test : Sequences
        The parts; the training part with the signal first, the order TMVA has it in.
    """
    from .reading import read_sequences

    events = read_sequences(sample, **DEMO_READING)
    assert events.n_entries is not None
    assert events.entries is not None
    is_test = np.isin(events.entries, read_event_numbers(split, events.n_entries))
    return signal_first(events[~is_test]), events[is_test]


def run_demo(
    output_folder: str | os.PathLike[str] = "demo_output",
    *,
    data_folder: str | os.PathLike[str] | None = None,
    epochs: int = 15,
    n_threads: int | None = None,
    echo: Callable[[str], Any] = print,
) -> DemoResult:
    """Train twice on the sample, without and with event weights, once more in TMVA's Factory, and show what came out.

    Without ROOT, or without a compiler to build the plugin for it, the Factory is left out; one line says so and why.

    Parameters
    ----------
    output_folder : path
        Where the models, the scored file and the plots go.
    data_folder : path, optional
        See :func:`find_data`.
    epochs : int
        Epochs of each training.
    n_threads : int, optional
        Threads; all cores by default.
    echo : callable
        Takes each line that is shown.

    Returns
    -------
    DemoResult

    Raises
    ------
    OutputError
        The output folder cannot be written; found before the training.
    MissingNameError
        The sample is not there.
    """
    from .classifier import LSTMClassifier
    from .evaluation import effective_events
    from .scoring import score_file

    folder = check_output(output_folder, plots=True)
    sample, split = find_data(data_folder)
    train, test = read_parts(sample, split)
    n_events = len(train) + len(test)
    longest, shortest = (extreme([extreme(part.lengths) for part in (train, test)]) for extreme in (max, min))
    echo(f"Deep inelastic scattering (DIS) against the rest: {n_events} neutrino-oxygen events from {sample}")
    echo(
        f"{len(train)} events to train on, {len(test)} to test on, {shortest} to {longest} "
        f"hadrons each, {train.n_features} features a hadron"
    )
    echo("")
    effective = {}
    for index, name in enumerate(train.class_names):
        weights = np.concatenate([_weights_of_class(part, index) for part in (train, test)])
        effective[name] = (effective_events(weights), len(weights))
    trainings: list[DemoTraining] = []
    scored_file: str | None = None
    plots: tuple[str, ...] = ()
    for title, stem in (("without weights", "lstm"), ("with weights", "lstm_weighted")):
        model = LSTMClassifier(hidden=32, epochs=epochs, n_threads=n_threads, use_weights=stem == "lstm_weighted")
        with make_progress(title=f"training {title:15}") as progress:
            if isinstance(progress, LineProgress):
                echo(f"training {title}")
            seconds, speed = fit(model, train, progress)
        weights_file = folder / f"{stem}.weights.xml"
        model.save(weights_file, title=stem.upper())
        if model.stopped_by in ("SIGINT", "SIGTERM"):
            echo(f"stopped by {model.stopped_by}; what was learnt is in {weights_file}")
            done = tuple(trainings)
            return DemoResult(len(train), len(test), effective, done, scored_file, plots, stopped_by=model.stopped_by)
        evaluation, scored_train, scored_test = evaluate_parts(model, train, test)
        trainings.append(DemoTraining(title, str(weights_file), cast("Evaluation", evaluation), seconds, speed))
        if stem == "lstm":
            scores = scored_test.outputs[:, 1]
            scored_file = score_file(model, sample, folder / "scores.root", n_threads=n_threads).output
            plots = tuple(str(p) for p in draw_plots(model, folder, test=scored_test, train=scored_train))
    echo("training without weights, booked in TMVA's Factory")
    factory = train_in_factory(sample, split, folder, test=test, scores=scores, epochs=epochs, n_threads=n_threads)
    if factory.left_out:
        echo(f"left out: {factory.left_out}")
    result = DemoResult(len(train), len(test), effective, tuple(trainings), scored_file, plots, factory)
    for line in _report(result, sample):
        echo(line)
    return result


def _weights_of_class(events: Sequences, index: int) -> NDArray[np.float64]:
    assert events.labels is not None
    assert events.weights is not None
    return events.weights[events.labels == index]


def _report(result: DemoResult, sample: Path) -> list[str]:
    from .evaluation import plus_minus

    evaluations = [t.evaluation for t in result.trainings]
    rows = [["on the test part", *(f"trained {t.title}" for t in result.trainings)]]
    weighted_by = [(name, [getattr(e, name) for e in evaluations]) for name in ("unweighted", "weighted")]
    for name, figures in weighted_by:
        rows.append([f"AUC, {name}", *(plus_minus(p.auc, p.auc_uncertainty) for p in figures)])
    for index, percent in enumerate((50, 90)):
        cells = [str(p.classes[0].rejections[index]) for p in weighted_by[0][1]]
        rows.append([f"background rejection at {percent} % signal", *cells])
    rows.append(["training speed", *(f"{t.events_per_second:.0f} events/s" for t in result.trainings)])
    rows.append(["training time", *(f"{t.seconds:.2f} s" for t in result.trainings)])
    counted = ", ".join(f"{name} {n:.0f} of {total}" for name, (n, total) in result.effective_events.items())
    files = [
        ["weights files", " ".join(t.weights_file for t in result.trainings)],
        ["scored file", f"{result.scored_file} (tree scores, a friend of RootTuple)"],
        ["plots", listed_plots(result.plots)],
    ]
    in_factory: list[str] = []
    if result.factory is not None and not result.factory.left_out:
        made = result.factory
        difference = "equal to the bit" if made.largest_difference == 0 else f"within {made.largest_difference:.2g}"
        in_factory = [
            f"The training without weights once more, booked in TMVA's Factory ({made.tmva})",
            *_aligned(
                [
                    ["  area below the ROC curve, by TMVA", f"{made.roc_integral:.4f}"],
                    ["  AUC of its weights file, in Python", f"{made.auc:.4f}"],
                    ["  AUC of Python's own training", f"{evaluations[0].unweighted.auc:.4f}, all scores {difference}"],
                ]
            ),
            "",
        ]
        files[0][1] += f" {made.weights_file}"
        files += [["TMVA's own", f"{made.plot}  {made.output_file}  {made.log}"]]
    model = result.trainings[0].weights_file
    return [
        "",
        *_aligned(rows),
        "",
        f"Effective events with weights: {counted}.",
        "With so few of the rest, training with weights costs some AUC without them.",
        "",
        *in_factory,
        *_aligned(files),
        "",
        "What to do next:",
        *_aligned(
            [
                [f"  tmva-lstm inspect {model}", "what is in the model"],
                [f"  tmva-lstm check {model}", "does it score here as it did there"],
                [f"  tmva-lstm apply {model} {sample}", "score any file like it"],
                ["  tmva-lstm train --help", "train on your own"],
            ]
        ),
    ]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
