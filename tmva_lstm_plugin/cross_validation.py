"""k-fold cross-validation: every event is scored by a model that has not seen it.

:func:`cross_validate` trains one model a fold, on the events of all other folds, and scores the fold with it.  The models
together are `FoldModels`: they score any event with the model whose fold its number belongs to, so an event that was in the
training is never scored by a model that has seen it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .classifier import LSTMClassifier, load_model
from .errors import InputError, LSTMError, ModelFileError, OptionError
from .evaluation import Evaluation
from .files import check_writable_folder, write_text
from .folds import Folds, event_numbers
from .sequences import Sequences
from .study_figures import FIGURES, figures_of, mean_and_error

if TYPE_CHECKING:
    from .classifier import EpochRecord
    from .recipe import Recipe
    from .root_input import Files

__all__ = ["CrossValidation", "FoldModels", "cross_validate", "load_folds"]

_FORMAT, _VERSION = "tmva_lstm_plugin folds", 1
MANIFEST = "folds.json"
"""Name of the file that says which models belong together, and how folds are told."""


@dataclass(eq=False)
class FoldModels:
    """One model a fold, each trained without the events of its fold.

    Attributes
    ----------
    models : tuple of LSTMClassifier
        Model f has not seen the events of fold f.
    folds : Folds
        Which fold an event is in.
    """

    models: tuple[LSTMClassifier, ...]
    folds: Folds
    _numbers: NDArray[np.uint64] | None = field(default=None, repr=False)

    @property
    def regression(self) -> bool:
        """Whether targets are learnt, not classes."""
        return self.models[0].regression

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, which all models share."""
        return self.models[0].class_names

    @property
    def output_names(self) -> tuple[str, ...]:
        """The columns of :meth:`outputs`."""
        return self.models[0].output_names

    def outputs(self, data: Sequences) -> NDArray[np.float32]:
        """Score events as :meth:`predict_proba`, under the name that every model has for it."""
        return self.predict_proba(data)

    @property
    def recipe(self) -> Recipe | None:
        """How the events were read."""
        return self.models[0].recipe

    @property
    def n_threads(self) -> int | None:
        """Threads for scoring."""
        return self.models[0].n_threads

    @n_threads.setter
    def n_threads(self, value: int | None) -> None:
        for model in self.models:
            model.n_threads = value

    def for_files(self, files: Files, *, tree: str | Mapping[str, str] | None = None) -> FoldModels:
        """Return the same models with the numbers of all entries of some files, so that events read from these have theirs.

        Parameters
        ----------
        files : str, path, sequence of them, or mapping of class name to one of these
            The files that events will be read from.
        tree : str, mapping of class name to str, or None
            As for :func:`tmva_lstm_plugin.read_sequences`; by default that of the training.

        Returns
        -------
        FoldModels

        Raises
        ------
        MissingNameError, InputError
            As :func:`tmva_lstm_plugin.folds.event_numbers`.
        """
        if self.folds.number is None:
            return self
        if tree is None and self.recipe is not None:
            tree = self.recipe.tree
        return replace(self, _numbers=event_numbers(files, self.folds.number, tree=tree))

    def predict_proba(self, data: Sequences, numbers: ArrayLike | None = None) -> NDArray[np.float32]:
        """Score each event with the model that has not seen it.

        Parameters
        ----------
        data : Sequences
            Events with the features of the training.
        numbers : array_like of int, shape (N,), optional
            The events' numbers; by default those of :meth:`for_files`, or, where folds go by them, the entry numbers.

        Returns
        -------
        ndarray of float32, shape (N, classes)

        Raises
        ------
        InputError
            The numbers of the events are not known, or are not one an event.
        """
        fold_of = self.folds.of(self._numbers_of(data) if numbers is None else numbers)
        if len(fold_of) != len(data):
            raise InputError(f"{data.source}: {len(fold_of)} numbers for {len(data)} events; give one number an event")
        scores = np.zeros((len(data), len(self.class_names)), dtype=np.float32)
        for fold, model in enumerate(self.models):
            places = np.flatnonzero(fold_of == fold)
            if len(places):
                scores[places] = model.predict_proba(data[places])
        return scores

    def _numbers_of(self, data: Sequences) -> NDArray[Any]:
        if self.folds.number is None:
            return np.arange(len(data)) if data.entries is None else data.entries
        if self._numbers is None or data.entries is None:
            raise InputError(
                f"{data.source}: these models tell folds by '{self.folds.number}', and the events' numbers are not known; "
                "give numbers=, or use for_files(files) with the files the events were read from"
            )
        return self._numbers[data.entries]

    def save(self, folder: str | os.PathLike[str], *, name: str = "lstm", title: str = "LSTM") -> Path:
        """Write all models, and last the file that says how they belong together.

        Parameters
        ----------
        folder : path
            Where to write; it is created.
        name : str
            What the names of the weights files begin with.
        title : str
            The method's title in the weights files.

        Returns
        -------
        pathlib.Path
            ``folds.json``, which :func:`load_folds` reads.

        Raises
        ------
        OutputError
            A file cannot be written.
        """
        target = check_writable_folder(folder, purpose="the models of the folds")
        for fold, model in enumerate(self.models):
            model.save(target / model_name(name, fold), title=title)
        return self._write_manifest(target, name)

    def _write_manifest(self, folder: Path, name: str) -> Path:
        names = [model_name(name, fold) for fold in range(len(self.models))]
        document = {
            "format": _FORMAT,
            "version": _VERSION,
            "folds": int(self.folds.count),
            "number": self.folds.number,
            "seed": self.folds.seed,
            "models": [{"file": n, "sha256": _checksum(folder / n)} for n in names],
        }
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        return write_text(folder / MANIFEST, text, purpose="the list of the folds' models")


def model_name(name: str, fold: int) -> str:
    """Return the name of a fold's weights file."""
    return f"{name}_fold{fold}.weights.xml"


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load_folds(path: str | os.PathLike[str], *, n_threads: int | None = None) -> FoldModels:
    """Read the models of a cross-validation.

    Parameters
    ----------
    path : path
        ``folds.json``, or the folder it is in.
    n_threads : int, optional
        Threads for scoring.

    Returns
    -------
    FoldModels

    Raises
    ------
    ModelFileError
        The file is missing or another, or a model is not the one it was written with.
    """
    manifest = Path(path) / MANIFEST if Path(path).is_dir() else Path(path)
    try:
        document = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelFileError(
            f"'{manifest}' cannot be read: {error}; expected {MANIFEST} of tmva-lstm cross-validate"
        ) from error
    if not isinstance(document, dict) or document.get("format") != _FORMAT or document.get("version") != _VERSION:
        raise ModelFileError(
            f"'{manifest}' is no list of the folds' models of version {_VERSION}; expected {MANIFEST} of "
            "tmva-lstm cross-validate"
        )
    try:
        folds = Folds(document["folds"], document["number"], document["seed"])
        listed = [(str(item["file"]), str(item["sha256"])) for item in document["models"]]
    except (KeyError, TypeError, LSTMError) as error:
        raise ModelFileError(f"'{manifest}' is damaged: {error!r}; write it again") from error
    if len(listed) != folds.count:
        raise ModelFileError(f"'{manifest}' is damaged: {len(listed)} models for {folds.count} folds; write it again")
    models = []
    for name, checksum in listed:
        file = manifest.parent / Path(name).name
        models.append(load_model(file, n_threads=n_threads))
        if _checksum(file) != checksum:
            raise ModelFileError(
                f"'{file}' is not the model that '{manifest}' was written with, so it may have seen the events of its fold; "
                "run the cross-validation again"
            )
    return FoldModels(tuple(models), folds)


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What :func:`cross_validate` found.

    Attributes
    ----------
    fold_of : ndarray of int64, shape (N,)
        The fold of each event, from 0.
    probabilities : ndarray of float32, shape (N, C)
        The scores of each event, by the model that has not seen it.
    models : tuple of LSTMClassifier
        Model f has not seen the events of fold f.
    figures : dict of str to tuple of float
        Loss, AUC and accuracy of each fold, with the weights where there are any.
    evaluations : tuple of Evaluation
        All figures of each fold.
    overall : Evaluation
        All figures of all events, each with its score in `probabilities`.  Scores of different models are mixed there, so it
        is not quite the performance of any one of them.
    folds : Folds or None
        How the folds were told; None where `fold_of` was given.
    """

    fold_of: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    models: tuple[LSTMClassifier, ...]
    figures: dict[str, tuple[float, ...]]
    evaluations: tuple[Evaluation, ...]
    overall: Evaluation
    folds: Folds | None

    def mean(self, figure: str) -> tuple[float, float]:
        """Return the mean of a figure over the folds, and its standard error.

        The models share most of their training events, so the error is one of the spread between folds and says a little less
        than it would for independent trainings.

        Parameters
        ----------
        figure : {"loss", "auc", "accuracy"}

        Returns
        -------
        mean, standard_error : float
        """
        return mean_and_error(self.figures[figure])

    def fold_models(self) -> FoldModels:
        """Return the models as one, for application.

        Raises
        ------
        OptionError
            The folds were not told by numbers.
        """
        if self.folds is None:
            raise OptionError(
                "the folds were given as fold_of, so it is not known how to tell them; give folds=Folds(...) too"
            )
        return FoldModels(self.models, self.folds)

    def table(self) -> str:
        """Return a line a fold, and mean and standard error, with aligned columns; with the weights where there are any."""
        header = ["fold", "events", "best epoch", *FIGURES]
        sizes = np.bincount(self.fold_of, minlength=len(self.models))
        rows = [header]
        for fold, model in enumerate(self.models):
            figures = [f"{self.figures[name][fold]:.4f}" for name in FIGURES]
            rows.append([str(fold), str(sizes[fold]), str(model.history.best_epoch), *figures])
        means = [self.mean(name) for name in FIGURES]
        rows.append(["mean", "", "", *(f"{mean:.4f}" for mean, _ in means)])
        rows.append(["+-", "", "", *(f"{error:.4f}" for _, error in means)])
        widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        summary = {name: dict(zip(("mean", "standard_error"), self.mean(name), strict=True)) for name in FIGURES}
        return {
            "folds": len(self.models),
            "figures": {name: list(values) for name, values in self.figures.items()},
            "summary": summary,
            "evaluations": [e.to_dict() for e in self.evaluations],
            "overall": self.overall.to_dict(),
        }


def cross_validate(
    model: LSTMClassifier,
    data: Sequences,
    folds: int | Folds = 5,
    *,
    fold_of: ArrayLike | None = None,
    folder: str | os.PathLike[str] | None = None,
    name: str = "lstm",
    title: str = "LSTM",
    progress: Callable[[int, EpochRecord], object] | None = None,
) -> CrossValidation:
    """Train a model for each fold on all other folds, and score each event with the model that has not seen it.

    Parameters
    ----------
    model : LSTMClassifier
        Its parameters are those of every training; it is not trained itself.
    data : Sequences
        Labelled events.
    folds : int or Folds
        How many folds; with a `Folds` also how they are told.
    fold_of : array_like of int, shape (N,), optional
        The fold of each event, from 0, such as ``Folds(5).of(numbers)``.  By default folds go by the number of the entry, or
        by the place of the event where `data` has no entries.
    folder : path, optional
        Where each model is written when it is trained, and ``folds.json`` at the end.
    name, title : str
        What the names of the weights files begin with, and the method's title in them.
    progress : callable, optional
        Called with the fold and an `EpochRecord` after each epoch.

    Returns
    -------
    CrossValidation

    Raises
    ------
    OptionError
        Folds out of range, or told by a number that is not given.
    InputError
        No labels, a fold without events of a class, or weights of a class in a fold that have no positive sum.
    KeyboardInterrupt
        SIGINT or SIGTERM; what was trained completely is in the folder.

    Examples
    --------
    >>> from tmva_lstm_plugin import LSTMClassifier, cross_validate
    >>> from tmva_lstm_plugin.testing import order_task
    >>> result = cross_validate(LSTMClassifier(hidden=4, epochs=2), order_task(1000).sequences, folds=4)
    >>> mean, standard_error = result.mean("auc")
    """
    rule = folds if isinstance(folds, Folds) else Folds(folds)
    parts = _fold_of(rule, fold_of, data)
    _check_folds(parts, rule.count, data)
    target = None if folder is None else check_writable_folder(folder, purpose="the models of the folds")
    parameters = model.get_params()
    labels, weights = data.labels, data.weights
    assert labels is not None  # checked
    probabilities = np.zeros((len(data), len(data.class_names)), dtype=np.float32)
    models: list[LSTMClassifier] = []
    found = []
    for fold in range(rule.count):
        held_out = np.flatnonzero(parts == fold)
        trained = type(model)(**parameters)
        note = None if progress is None else _with_fold(progress, fold)
        trained.fit(data[np.flatnonzero(parts != fold)], progress=note)
        if trained.stopped_by in ("SIGINT", "SIGTERM"):
            raise KeyboardInterrupt(_stopped(trained.stopped_by, fold, rule.count, target))
        if target is not None:
            trained.save(target / model_name(name, fold), title=title)
        models.append(trained)
        probabilities[held_out] = trained.predict_proba(data[held_out])
        found.append(
            figures_of(
                probabilities[held_out],
                labels[held_out],
                data.class_names,
                None if weights is None else weights[held_out],
            )
        )
    told = rule if fold_of is None or isinstance(folds, Folds) else None
    if target is not None and told is not None:
        FoldModels(tuple(models), told)._write_manifest(target, name)
    return CrossValidation(
        fold_of=parts,
        probabilities=probabilities,
        models=tuple(models),
        figures={figure: tuple(values[figure] for values, _ in found) for figure in FIGURES},
        evaluations=tuple(evaluation for _, evaluation in found),
        overall=figures_of(probabilities, labels, data.class_names, weights)[1],
        folds=told,
    )


def _with_fold(progress: Callable[[int, EpochRecord], object], fold: int) -> Callable[[EpochRecord], object]:
    return lambda record: progress(fold, record)


def _stopped(signal: str, fold: int, count: int, target: Path | None) -> str:
    kept = f"the {fold} before it are in '{target}'" if target is not None and fold else "nothing was written"
    return f"stopped by {signal} in the training of fold {fold} (of 0 to {count - 1}); {kept}"


def _fold_of(rule: Folds, fold_of: ArrayLike | None, data: Sequences) -> NDArray[np.int64]:
    if not isinstance(data, Sequences):
        raise InputError(
            f"cross_validate was given {type(data).__name__}, expected Sequences, since each fold picks events one by one"
        )
    if data.labels is None:
        raise InputError(
            f"{data.source}: the events have no labels, so there is nothing to learn; give labels (label=)"
        )
    if fold_of is None:
        if rule.number is not None:
            raise OptionError(
                f"folds are told by '{rule.number}', and the numbers of these events are not known; give "
                "fold_of=folds.of(event_numbers(files, folds.number)[data.entries])"
            )
        return rule.of(np.arange(len(data)) if data.entries is None else data.entries)
    given = np.asarray(fold_of)
    if given.shape != (len(data),) or given.dtype.kind not in "iu":
        raise InputError(
            f"{data.source}: fold_of has shape {given.shape} and type {given.dtype}, expected one whole number for each of "
            f"{len(data)} events"
        )
    if len(given) and (given.min() < 0 or given.max() >= rule.count):
        raise InputError(
            f"{data.source}: fold_of has values from {given.min()} to {given.max()}, expected 0 to {rule.count - 1} for "
            f"{rule.count} folds"
        )
    return given.astype(np.int64)


def _check_folds(parts: NDArray[np.int64], count: int, data: Sequences) -> None:
    """Find out before the first training what would end the last one."""
    labels = data.labels
    assert labels is not None
    advice = "take fewer folds, or mix the numbers with a seed"
    for fold in range(count):
        for index in range(len(data.class_names)):
            chosen = (parts == fold) & (labels == index)
            where = f"{data.source}: fold {fold} of {count}"
            if not chosen.any():
                raise InputError(
                    f"{where} has no event of class '{data.class_names[index]}' ({int((parts == fold).sum())} events in all); "
                    f"{advice}"
                )
            if data.weights is not None and data.weights[chosen].sum() <= 0:
                raise InputError(
                    f"{where}: the weights of its {int(chosen.sum())} events of class '{data.class_names[index]}' sum to "
                    f"{data.weights[chosen].sum():.6g}, expected more than 0; {advice}"
                )
