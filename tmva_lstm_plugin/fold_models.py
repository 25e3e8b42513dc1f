"""The models of a cross-validation as one: each event is scored by the model whose fold its number belongs to.

An event that was in the training is so never scored by a model that has seen it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .classifier import load_model
from .errors import InputError, LSTMError, ModelFileError, OptionError
from .files import check_writable_folder, write_text
from .folds import Folds, event_numbers
from .sequences import Sequences

if TYPE_CHECKING:
    from .recipe import Recipe
    from .root_input import Files
    from .sequence_model import SequenceModel

__all__ = ["MANIFEST", "FoldModels", "load_folds", "model_name"]

_FORMAT, _VERSION = "tmva_lstm_plugin folds", 1
MANIFEST = "folds.json"
"""Name of the file that says which models belong together, and how folds are told."""


@dataclass(eq=False)
class FoldModels:
    """One model a fold, each trained without the events of its fold.

    Attributes
    ----------
    models : tuple of LSTMClassifier or LSTMRegressor
        Model f has not seen the events of fold f.
    folds : Folds
        Which fold an event is in.
    """

    models: tuple[SequenceModel, ...]
    folds: Folds
    _numbers: NDArray[np.uint64] | None = field(default=None, repr=False)

    @property
    def regression(self) -> bool:
        """Whether targets are learnt, not classes."""
        return self.models[0].regression

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, which all models share; none of a regression."""
        return () if self.regression else self.output_names

    @property
    def output_names(self) -> tuple[str, ...]:
        """The columns of :meth:`outputs`."""
        return self.models[0].output_names

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

    def outputs(self, data: Sequences, numbers: ArrayLike | None = None) -> NDArray[np.float32]:
        """Score each event with the model that has not seen it.

        Parameters
        ----------
        data : Sequences
            Events with the features of the training.
        numbers : array_like of int, shape (N,), optional
            The events' numbers; by default those of :meth:`for_files`, or, where folds go by them, the entry numbers.

        Returns
        -------
        ndarray of float32, shape (N, outputs)
            One column for each of `output_names`.

        Raises
        ------
        InputError
            The numbers of the events are not known, or are not one an event.
        """
        fold_of = self.folds.of(self._numbers_of(data) if numbers is None else numbers)
        if len(fold_of) != len(data):
            raise InputError(f"{data.source}: {len(fold_of)} numbers for {len(data)} events; give one number an event")
        scores = np.zeros((len(data), len(self.output_names)), dtype=np.float32)
        for fold, model in enumerate(self.models):
            places = np.flatnonzero(fold_of == fold)
            if len(places):
                scores[places] = model.outputs(data[places])
        return scores

    def predict_proba(self, data: Sequences, numbers: ArrayLike | None = None) -> NDArray[np.float32]:
        """Return the probability of each class as :meth:`outputs`, shape (N, classes).

        Raises
        ------
        OptionError
            The models are those of a regression.
        InputError
            As :meth:`outputs`.
        """
        if self.regression:
            raise OptionError(f"these models estimate {', '.join(self.output_names)}; call predict, which gives them")
        return self.outputs(data, numbers)

    def predict(self, data: Sequences, numbers: ArrayLike | None = None) -> NDArray[Any]:
        """Return the estimates of a regression, shape (N, targets), or the most probable class of each event, shape (N,).

        Raises
        ------
        InputError
            As :meth:`outputs`.
        """
        found = self.outputs(data, numbers)
        return found if self.regression else np.argmax(found, axis=1)

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
