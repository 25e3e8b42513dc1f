"""k-fold cross-validation: every event is scored by a model that has not seen it.

:func:`cross_validate` trains one model a fold, on the events of all other folds, and scores the fold with it.  The models
together are :class:`~tmva_lstm_plugin.fold_models.FoldModels`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .deviations import RegressionEvaluation
from .errors import InputError, OptionError
from .evaluation import Evaluation
from .files import check_writable_folder
from .fold_models import MANIFEST, FoldModels, load_folds, model_name
from .folds import Folds
from .sequences import Sequences
from .study_figures import check_one_answer, evaluation_of, figure_names, figures_of, mean_and_error, target_spreads

if TYPE_CHECKING:
    from .classifier import EpochRecord
    from .sequence_model import SequenceModel
    from .streaming import SequenceStream

__all__ = ["MANIFEST", "CrossValidation", "FoldModels", "cross_validate", "load_folds"]


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What :func:`cross_validate` found.

    Attributes
    ----------
    fold_of : ndarray of int64, shape (N,)
        The fold of each event, from 0.
    outputs : ndarray of float32, shape (N, C)
        What the model that has not seen an event gives for each class or target.
    truth : ndarray of int32, shape (N,), or of float32, shape (N, C)
        The true classes, or targets.
    weights : ndarray of float64, shape (N,), or None
        Event weights.
    models : tuple of LSTMClassifier or LSTMRegressor
        Model f has not seen the events of fold f.
    figures : dict of str to tuple of float
        Of each fold, with the weights where there are any: loss, AUC and accuracy; or of a regression the loss, and root mean
        square (rms) and mean absolute deviation (mae), means over the targets in standard deviations of each (over all events).
    evaluations : tuple of Evaluation or RegressionEvaluation
        All figures of each fold; of a regression each target in its units.
    overall : Evaluation or RegressionEvaluation
        All figures of all events, each with its score in `outputs`.  Scores of different models are mixed there, so it
        is not quite the performance of any one of them.
    folds : Folds or None
        How the folds were told; None where `fold_of` was given.
    """

    fold_of: NDArray[np.int64]
    outputs: NDArray[np.float32]
    truth: NDArray[Any]
    weights: NDArray[np.float64] | None
    models: tuple[SequenceModel, ...]
    figures: dict[str, tuple[float, ...]]
    evaluations: tuple[Evaluation | RegressionEvaluation, ...]
    overall: Evaluation | RegressionEvaluation
    folds: Folds | None

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """The `outputs`, by the name that those of a classification have."""
        return self.outputs

    def mean(self, figure: str) -> tuple[float, float]:
        """Return the mean of a figure over the folds, and its standard error.

        The models share most of their training events, so the error is one of the spread between folds and says a little less
        than it would for independent trainings.

        Parameters
        ----------
        figure : str
            A key of `figures`.

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
        """Return a line a fold, and mean and standard error, with aligned columns; with the weights where there are any.

        Of a regression the last columns are each target's root mean square deviation in its own units.
        """
        header = ["fold", "events", "best epoch", *self.figures]
        columns = [self.figures[name] for name in self.figures]
        for column in self._rms_of_targets():
            header.append(f"RMS of {column[0]}")
            columns.append(column[1])
        sizes = np.bincount(self.fold_of, minlength=len(self.models))
        rows = [header]
        for fold, model in enumerate(self.models):
            figures = [_shown(column[fold], n, self.figures) for n, column in enumerate(columns)]
            rows.append([str(fold), str(sizes[fold]), str(model.history.best_epoch), *figures])
        means = [mean_and_error(column) for column in columns]
        rows.append(["mean", "", "", *(_shown(mean, n, self.figures) for n, (mean, _) in enumerate(means))])
        rows.append(["+-", "", "", *(_shown(error, n, self.figures) for n, (_, error) in enumerate(means))])
        widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        return "\n".join(lines)

    def _rms_of_targets(self) -> list[tuple[str, tuple[float, ...]]]:
        found = [e.weighted or e.unweighted for e in self.evaluations if isinstance(e, RegressionEvaluation)]
        return [(of_folds[0].name, tuple(d.rms for d in of_folds)) for of_folds in zip(*found, strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        summary = {name: dict(zip(("mean", "standard_error"), self.mean(name), strict=True)) for name in self.figures}
        return {
            "folds": len(self.models),
            "figures": {name: list(values) for name, values in self.figures.items()},
            "summary": summary,
            "evaluations": [e.to_dict() for e in self.evaluations],
            "overall": self.overall.to_dict(),
        }


def _shown(value: float, column: int, figures: dict[str, Any]) -> str:
    """Return a number of the table: figures have four decimals, what has a unit four digits."""
    return f"{value:.4f}" if column < len(figures) else f"{value:.4g}"


def cross_validate(
    model: SequenceModel,
    data: Sequences | SequenceStream,
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
    model : LSTMClassifier or LSTMRegressor
        Its parameters are those of every training; it is not trained itself.
    data : Sequences or SequenceStream
        Events with labels, or targets.  A stream is read anew for every training, and only scores, truth and weights are kept.
    folds : int or Folds
        How many folds; with a `Folds` also how they are told.
    fold_of : array_like of int, shape (N,), optional
        The fold of each event, from 0, such as ``Folds(5).of(numbers)``; for a stream that of each of its entries, selected or
        not.  By default folds go by the number of the entry, or by the place of the event where `data` has no entries.
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
        No labels or targets, a fold without events (of a class), or weights in a fold that have no positive sum.
    KeyboardInterrupt
        SIGINT or SIGTERM; what was trained completely is in the folder.

    Examples
    --------
    >>> from tmva_lstm_plugin import LSTMClassifier, cross_validate
    >>> from tmva_lstm_plugin.testing import order_task
    >>> result = cross_validate(LSTMClassifier(hidden=4, epochs=2), order_task(1000).sequences, folds=4)
    >>> mean, standard_error = result.mean("auc")
    """
    check_one_answer(model.every_step, "a cross-validation")
    rule = folds if isinstance(folds, Folds) else Folds(folds)
    dealt = _Dealt(data, rule, fold_of, regression=model.regression)
    spreads = dealt.check()
    target = None if folder is None else check_writable_folder(folder, purpose="the models of the folds")
    parameters = model.get_params()
    outputs: NDArray[np.float32] | None = None
    models: list[SequenceModel] = []
    found = []
    for fold in range(rule.count):
        held_out = np.flatnonzero(dealt.fold_of == fold)
        trained: SequenceModel = type(model)(**parameters)
        note = None if progress is None else _with_fold(progress, fold)
        trained.fit(dealt.training(fold), progress=note)
        if trained.stopped_by in ("SIGINT", "SIGTERM"):
            raise KeyboardInterrupt(_stopped(trained.stopped_by, fold, rule.count, target))
        if target is not None:
            trained.save(target / model_name(name, fold), title=title)
        models.append(trained)
        if outputs is None:
            outputs = np.zeros((len(dealt.fold_of), len(trained.output_names)), dtype=np.float32)
        outputs[held_out] = np.concatenate([trained.outputs(part) for part in dealt.held_out(fold) if len(part)])
        weights = None if dealt.weights is None else dealt.weights[held_out]
        found.append(figures_of(trained, outputs[held_out], dealt.truth[held_out], weights, spreads))
    assert outputs is not None  # there are two folds at least
    told = rule if fold_of is None or isinstance(folds, Folds) else None
    if target is not None and told is not None:
        FoldModels(tuple(models), told)._write_manifest(target, name)
    names = figure_names(regression=model.regression)
    return CrossValidation(
        fold_of=dealt.fold_of,
        outputs=outputs,
        truth=dealt.truth,
        weights=dealt.weights,
        models=tuple(models),
        figures={figure: tuple(values[figure] for values, _ in found) for figure in names},
        evaluations=tuple(evaluation for _, evaluation in found),
        overall=evaluation_of(models[0], outputs, dealt.truth, dealt.weights),
        folds=told,
    )


def _with_fold(progress: Callable[[int, EpochRecord], object], fold: int) -> Callable[[EpochRecord], object]:
    return lambda record: progress(fold, record)


def _stopped(signal: str, fold: int, count: int, target: Path | None) -> str:
    kept = f"the {fold} before it are in '{target}'" if target is not None and fold else "nothing was written"
    return f"stopped by {signal} in the training of fold {fold} (of 0 to {count - 1}); {kept}"


class _Dealt:
    """Events dealt to folds, in memory or streamed.

    Attributes
    ----------
    fold_of : ndarray of int64, shape (N,)
        Of each event that is selected.
    truth, weights
        As in `CrossValidation`.
    """

    def __init__(self, data: Any, rule: Folds, fold_of: ArrayLike | None, *, regression: bool) -> None:
        self._data, self._rule, self._regression = data, rule, regression
        self._streamed = not isinstance(data, Sequences)
        if self._streamed and not hasattr(data, "of_entries"):
            raise InputError(
                f"cross_validate was given {type(data).__name__}, expected Sequences (from read_sequences) or a SequenceStream "
                "(from stream_sequences)"
            )
        self.source = f"{data.files[0]}" if self._streamed else data.source
        truths, weights, entries = [], [], []
        for part in data if self._streamed else [data]:
            truth = part.targets if regression else part.labels
            if truth is None:
                self._refuse_unlabelled(part)
            truths.append(truth)
            weights.append(part.weights)
            entries.append(part.entries)
        self.truth: NDArray[Any] = np.concatenate(truths)
        self.weights = None if any(w is None for w in weights) else np.concatenate(weights)
        if self._streamed:
            self._of_entry = _fold_of(rule, fold_of, self.source, np.arange(data.n_entries), "entries")
            self.fold_of = self._of_entry[np.concatenate(entries)]
        else:
            numbers = np.arange(len(data)) if data.entries is None else data.entries
            self.fold_of = _fold_of(rule, fold_of, self.source, numbers, "events")

    def _refuse_unlabelled(self, part: Sequences) -> None:
        what, argument = ("targets", "targets=") if self._regression else ("labels", "label=")
        hint = ""
        if not self._regression and part.targets is not None:
            hint = "; for their targets use LSTMRegressor"
        elif self._regression and part.labels is not None:
            hint = "; for their classes use LSTMClassifier"
        raise InputError(
            f"{part.source}: the events have no {what}, so there is nothing to learn; give {what} ({argument}){hint}"
        )

    def training(self, fold: int) -> Any:
        """Return the events of all other folds."""
        if self._streamed:
            return self._data.of_entries(self._of_entry != fold)
        return self._data[np.flatnonzero(self.fold_of != fold)]

    def held_out(self, fold: int) -> Iterable[Sequences]:
        """Return the events of a fold in pieces, in their order."""
        if self._streamed:
            return self._data.of_entries(self._of_entry == fold)  # type: ignore[no-any-return]
        return [self._data[np.flatnonzero(self.fold_of == fold)]]

    def check(self) -> NDArray[np.float64] | None:
        """Find out before the first training what would end the last one; return the spreads of a regression's targets."""
        names = () if self._regression else tuple(self._data.class_names)
        advice = "take fewer folds, or mix the numbers with a seed"
        for fold in range(self._rule.count):
            own = self.fold_of == fold
            groups = (
                [(own, "")]
                if self._regression
                else [(own & (self.truth == k), f" of class '{n}'") for k, n in enumerate(names)]
            )
            where = f"{self.source}: fold {fold} of {self._rule.count}"
            for chosen, of_class in groups:
                if not chosen.any():
                    raise InputError(f"{where} has no event{of_class} ({int(own.sum())} events in all); {advice}")
                if self.weights is not None and self.weights[chosen].sum() <= 0:
                    raise InputError(
                        f"{where}: the weights of its {int(chosen.sum())} events{of_class} sum to "
                        f"{self.weights[chosen].sum():.6g}, expected more than 0; {advice}"
                    )
        if not self._regression:
            return None
        return target_spreads(self.truth, self._data.target_names, self.weights, self.source)


def _fold_of(
    rule: Folds, fold_of: ArrayLike | None, source: str, numbers: NDArray[Any], what: str
) -> NDArray[np.int64]:
    """Return the fold of each event, or of each entry: `what` says which; `numbers` are their entry numbers."""
    if fold_of is None:
        if rule.number is not None:
            some = "" if what == "entries" else "[data.entries]"
            raise OptionError(
                f"folds are told by '{rule.number}', and the numbers of these events are not known; give "
                f"fold_of=folds.of(event_numbers(files, folds.number){some})"
            )
        return rule.of(numbers)
    given = np.asarray(fold_of)
    if given.shape != (len(numbers),) or given.dtype.kind not in "iu":
        raise InputError(
            f"{source}: fold_of has shape {given.shape} and type {given.dtype}, expected one whole number for each of "
            f"{len(numbers)} {what}"
        )
    if len(given) and (given.min() < 0 or given.max() >= rule.count):
        raise InputError(
            f"{source}: fold_of has values from {given.min()} to {given.max()}, expected 0 to {rule.count - 1} for "
            f"{rule.count} folds"
        )
    return given.astype(np.int64)
