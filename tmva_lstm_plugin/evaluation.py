"""Evaluation of a classifier: all figures of a test part, as values, as a table and for JSON.

The figures themselves (ROC, AUC, rejection, Kolmogorov-Smirnov) are in :mod:`tmva_lstm_plugin.separation`, with their
sources, and can be imported from here as well.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError
from .separation import (
    ROUNDING,
    Floats,
    Rejection,
    RocCurve,
    auc,
    auc_and_influence,
    auc_uncertainty,
    check_finite,
    check_positive_sum,
    checked_array,
    checked_numbers,
    effective_events,
    ks_distance,
    ks_probability,
    plus_minus,
    rejection_at_efficiency,
    rejection_on_curve,
    roc_curve,
    root_sum_square,
)

__all__ = [
    "ClassEvents",
    "ClassPerformance",
    "Evaluation",
    "KSTest",
    "Performance",
    "Rejection",
    "RocCurve",
    "auc",
    "auc_uncertainty",
    "effective_events",
    "evaluate",
    "ks_distance",
    "ks_probability",
    "plus_minus",
    "rejection_at_efficiency",
    "roc_curve",
]


@dataclass(frozen=True)
class KSTest:
    """Overtraining check: one class's scores in the training part against those in the test part.

    Attributes
    ----------
    events : str
        Which events: a class, or ``"rest"``.
    distance, probability : float
        See :func:`ks_distance` and :func:`ks_probability`.
    n_effective_train, n_effective_test : float
        Effective event numbers.
    """

    events: str
    distance: float
    probability: float
    n_effective_train: float
    n_effective_test: float

    def __str__(self) -> str:
        """Give distance and probability."""
        p = self.probability
        return f"D = {self.distance:.3f}, p = {p:.2f}" if p >= 0.01 else f"D = {self.distance:.3f}, p = {p:.0e}"


@dataclass(frozen=True)
class ClassPerformance:
    """How well the score of one class tells its events from all others.

    Attributes
    ----------
    name : str
        The class that counts as signal.
    auc, auc_uncertainty : float
        See :func:`auc` and :func:`auc_uncertainty`.
    rejections : tuple of Rejection
        At each signal efficiency asked for.
    monotonic : bool
        As in `RocCurve`.
    n_effective_signal, n_effective_background : float
        Effective event numbers of the class and of all others.
    train_auc, train_auc_uncertainty : float or None
        The same of the training part, where one was given.
    ks : tuple of KSTest
        Two, for the events of the class and for all others, where a training part was given.
    """

    name: str
    auc: float
    auc_uncertainty: float
    rejections: tuple[Rejection, ...]
    monotonic: bool
    n_effective_signal: float
    n_effective_background: float
    train_auc: float | None = None
    train_auc_uncertainty: float | None = None
    ks: tuple[KSTest, ...] = ()


@dataclass(frozen=True)
class Performance:
    """All figures for one choice of weights.

    Attributes
    ----------
    auc, auc_uncertainty : float
        Two classes: of the second one's score.  More: the plain mean over the classes, each against the rest; the
        uncertainty accounts for the events they share.
    accuracy, accuracy_uncertainty : float
        Fraction of events (of the sum of weights) whose class has the highest probability.
    confusion : tuple of tuple of float
        Sums of weights; row: true class, column: class with the highest probability.
    classes : tuple of ClassPerformance
        Two classes: only the second, the signal.  More: each against the rest.
    """

    auc: float
    auc_uncertainty: float
    accuracy: float
    accuracy_uncertainty: float
    confusion: tuple[tuple[float, ...], ...]
    classes: tuple[ClassPerformance, ...]


@dataclass(frozen=True)
class ClassEvents:
    """What there is of one class in the test part.

    Attributes
    ----------
    name : str
        The class.
    n_events : int
        Number of events.
    n_effective, sum_of_weights : float
        With weights; both are the number of events without.
    n_negative : int
        Events with a negative weight.
    negative_share : float
        Their share of the sum of ``|w|``.
    """

    name: str
    n_events: int
    n_effective: float
    sum_of_weights: float
    n_negative: int
    negative_share: float


@dataclass(frozen=True)
class Evaluation:
    """The result of :func:`evaluate`.

    Attributes
    ----------
    class_names : tuple of str
        For two classes the second is the signal.
    events : tuple of ClassEvents
        One a class.
    unweighted : Performance
        Every event counts once.
    weighted : Performance or None
        With the weights, where there are any.
    notes : tuple of str
        What a reader of the numbers must know: curves that are not monotonic, limits, uncertainties without meaning.
    """

    class_names: tuple[str, ...]
    events: tuple[ClassEvents, ...]
    unweighted: Performance
    weighted: Performance | None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, numbers and strings for JSON; a number that is not finite becomes None."""
        return {name: _plain(value) for name, value in asdict(self).items()}

    def table(self) -> str:
        """Return the figures as lines of text with aligned columns, for a terminal."""
        named = [("unweighted", self.unweighted)] + ([("weighted", self.weighted)] if self.weighted else [])
        lines = self._binary_table(named) if len(self.class_names) == 2 else self._multiclass_table(named)
        negative = sum(c.n_negative for c in self.events)
        if negative:
            parts = [f"{c.name}: {c.n_negative} of {c.n_events}, {c.negative_share:.1%} of |w|" for c in self.events]
            lines.append(f"negative weights  {'; '.join(parts)}")
        for note in self.notes:
            lines += textwrap.wrap(f"note: {note}", width=100, subsequent_indent="      ")
        return "\n".join(lines)

    def _binary_table(self, named: list[tuple[str, Performance]]) -> list[str]:
        background, signal = self.class_names
        single = [p.classes[0] for _, p in named]
        rows = [
            ["", *(title if self.weighted else "" for title, _ in named)],
            [f"effective events, {background}", *(_count(c.n_effective_background) for c in single)],
            [f"effective events, {signal}", *(_count(c.n_effective_signal) for c in single)],
            ["AUC", *(plus_minus(c.auc, c.auc_uncertainty) for c in single)],
        ]
        for index, at in enumerate(single[0].rejections):
            label = f"rejection of {background} at {at.signal_efficiency:.3g} {signal} efficiency"
            rows.append([label, *(str(c.rejections[index]) for c in single)])
        rows.append(["accuracy", *(plus_minus(p.accuracy, p.accuracy_uncertainty) for _, p in named)])
        if single[0].ks:
            train = [plus_minus(c.train_auc or 0.0, c.train_auc_uncertainty or 0.0) for c in single]
            rows.append(["AUC of the training part", *train])
            for index, test in enumerate(single[0].ks):
                rows.append([f"train against test, {test.events}", *(str(c.ks[index]) for c in single)])
        return _aligned(rows if self.weighted else rows[1:])

    def _multiclass_table(self, named: list[tuple[str, Performance]]) -> list[str]:
        lines: list[str] = []
        for title, performance in named:
            first = performance.classes[0]
            heads = [f"{title}, each against the rest", "effective events", "AUC"]
            heads += [f"rejection at {r.signal_efficiency:.3g}" for r in first.rejections]
            heads += ["train against test", "rest"][: len(first.ks)]
            rows = [heads]
            for c in performance.classes:
                figures = [c.name, _count(c.n_effective_signal), plus_minus(c.auc, c.auc_uncertainty)]
                rows.append(figures + [str(r) for r in c.rejections] + [str(k) for k in c.ks])
            mean = plus_minus(performance.auc, performance.auc_uncertainty)
            rows.append(["mean AUC", "", mean] + [""] * (len(heads) - 3))
            accuracy = plus_minus(performance.accuracy, performance.accuracy_uncertainty)
            rows.append(["accuracy", "", accuracy] + [""] * (len(heads) - 3))
            lines += [*_aligned(rows), ""]
            matrix = [[f"{title}, true class", *(f"as {name}" for name in self.class_names)]]
            for name, row in zip(self.class_names, performance.confusion, strict=True):
                matrix.append([name, *(_count(x) for x in row)])
            lines += [*_aligned(matrix), ""]
        return lines

    def __str__(self) -> str:
        return self.table()


def evaluate(
    probabilities: ArrayLike,
    labels: ArrayLike,
    class_names: Sequence[str],
    weights: ArrayLike | None = None,
    train: tuple[ArrayLike, ArrayLike, ArrayLike | None] | None = None,
    *,
    efficiencies: Sequence[float] = (0.5, 0.9),
) -> Evaluation:
    """Evaluate a classifier on a test part, and compare with the training part where it is given.

    Parameters
    ----------
    probabilities : array_like, shape (N, C)
        What the classifier gave for each of C classes; for two classes the second column is the signal's.
    labels : array_like of int, shape (N,)
        The true class, 0 to C - 1.
    class_names : sequence of str, length C
        Names of the classes.
    weights : array_like, shape (N,), optional
        Event weights.  With them every figure is given twice, unweighted and weighted.
    train : tuple (probabilities, labels, weights or None), optional
        The same for the training part; weights must be given for both parts or for none.
    efficiencies : sequence of float
        Signal efficiencies to give the background rejection at.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        Shapes that do not fit, values that are not finite, labels out of range, a class without events, or a class
        whose weights do not have a positive sum.
    OptionError
        An efficiency out of range.
    """
    names = tuple(str(name) for name in class_names)
    test = _part("test part", probabilities, labels, weights, names)
    other = None
    if train is not None:
        if len(train) != 3:
            raise InputError(
                f"train has {len(train)} item(s), expected three: probabilities, labels, and weights or None"
            )
        other = _part("training part", *train, names)
        if (weights is None) != (train[2] is None):
            has, lacks = ("test", "training") if train[2] is None else ("training", "test")
            raise InputError(f"the {has} part has weights and the {lacks} part has none; give both or neither")
    _, y, w = test
    events = []
    for index, name in enumerate(names):
        own = w[y == index]
        negative = own[own < 0]
        share = float(-negative.sum() / np.abs(own).sum())
        total = float(own.sum())
        events.append(ClassEvents(name, len(own), effective_events(own), total, len(negative), share))
    unweighted = _performance(_without_weights(test), _without_weights(other), names, efficiencies)
    weighted = None if weights is None else _performance(test, other, names, efficiencies)
    notes = _notes("unweighted", unweighted)
    if weighted is not None:
        notes += _notes("weighted", weighted)
    return Evaluation(names, tuple(events), unweighted, weighted, tuple(notes))


_Part = tuple[Floats, NDArray[np.int64], Floats]


def _performance(
    test: _Part, train: _Part | None, names: tuple[str, ...], efficiencies: Sequence[float]
) -> Performance:
    p, y, w = test
    classes = []
    influences = []
    for index in [1] if len(names) == 2 else range(len(names)):
        scores, own = p[:, index], y == index
        area, influence = auc_and_influence(scores, own, w)
        influences.append(influence)
        curve = roc_curve(scores, own, w)
        n_background = effective_events(w[~own])
        rejections = tuple(rejection_on_curve(curve, e, n_background) for e in efficiencies)
        train_auc = train_auc_uncertainty = None
        tests: tuple[KSTest, ...] = ()
        if train is not None:
            q, x, v = train
            train_auc, train_influence = auc_and_influence(q[:, index], x == index, v)
            train_auc_uncertainty = root_sum_square(train_influence)
            masks = ((names[index], x == index, own), (names[0] if len(names) == 2 else "rest", x != index, ~own))
            tests = tuple(
                _ks_test(name, q[before, index], v[before], scores[now], w[now]) for name, before, now in masks
            )
        n_signal = effective_events(w[own])
        spread = root_sum_square(influence)
        classes.append(
            ClassPerformance(
                names[index],
                area,
                spread,
                rejections,
                curve.monotonic,
                n_signal,
                n_background,
                train_auc,
                train_auc_uncertainty,
                tests,
            )
        )
    # an event influences the AUC of every class, so the influences are averaged before they are squared
    mean_spread = root_sum_square(np.mean(influences, axis=0))
    guess = np.argmax(p, axis=1)
    confusion = np.zeros((len(names), len(names)))
    np.add.at(confusion, (y, guess), w)
    right, total = float(np.trace(confusion)), float(w.sum())
    accuracy = right / total
    accuracy_uncertainty = root_sum_square(w * ((guess == y) - accuracy)) / total
    return Performance(
        float(np.mean([c.auc for c in classes])),
        mean_spread,
        accuracy,
        accuracy_uncertainty,
        tuple(tuple(float(x) for x in row) for row in confusion),
        tuple(classes),
    )


def _notes(title: str, performance: Performance) -> list[str]:
    found: dict[str, list[str]] = {}
    for c in performance.classes:
        texts = []
        if not c.monotonic:
            texts.append(
                "negative weights make the ROC curve not monotonic; where it crosses a signal efficiency more than "
                "once, the rejection at the tightest cut is given"
            )
        if math.isnan(c.auc_uncertainty):
            texts.append("the uncertainty of the AUC is not defined with a single event in a class")
        elif c.auc_uncertainty < ROUNDING:
            texts.append(
                "the scores of the two classes do not overlap, so the AUC shows no spread and its true uncertainty is "
                "not known from these events"
            )
        texts += [
            f"the background that passes at {r.signal_efficiency:.3g} signal efficiency is not above zero, so the "
            "rejection is infinite and its lower limit is given"
            for r in c.rejections
            if r.lower_limit is not None
        ]
        for text in texts:
            found.setdefault(text, []).append(c.name)
    return [f"{title}, {', '.join(names)}: {text}" for text, names in found.items()]


def _ks_test(name: str, train: Floats, train_weights: Floats, test: Floats, test_weights: Floats) -> KSTest:
    distance = ks_distance(train, test, train_weights, test_weights)
    n_train, n_test = effective_events(train_weights), effective_events(test_weights)
    return KSTest(name, distance, ks_probability(distance, n_train, n_test), n_train, n_test)


def _part(
    where: str, probabilities: ArrayLike, labels: ArrayLike, weights: ArrayLike | None, names: tuple[str, ...]
) -> _Part:
    p = checked_array(probabilities, f"{where}: probabilities").astype(np.float64)
    if p.ndim != 2 or p.shape[1] != len(names) or len(names) < 2:
        raise InputError(
            f"{where}: probabilities have shape {p.shape}, expected (events, {len(names)}) for the {len(names)} "
            f"class(es) {', '.join(names)}, of which there must be at least two"
        )
    check_finite(p, f"{where}: probabilities")
    raw = checked_array(labels, f"{where}: labels")
    if raw.shape != (len(p),):
        raise InputError(f"{where}: labels have shape {raw.shape} for {len(p)} events, expected one label an event")
    bad = np.flatnonzero(~np.isin(raw, np.arange(len(names))))
    if len(bad):
        raise InputError(
            f"{where}: label {raw[bad[0]]} of event {bad[0]} is out of range, expected 0 to {len(names) - 1} for the "
            f"classes {', '.join(names)}; {len(bad)} event(s) are affected"
        )
    y = raw.astype(np.int64)
    w = np.ones(len(p)) if weights is None else checked_numbers(weights, f"{where}: weights", len(p))
    for index, name in enumerate(names):
        check_positive_sum(w[y == index], f"class '{name}'", f"{where}: ")
    return p, y, w


def _without_weights(part: Any) -> Any:
    return None if part is None else (part[0], part[1], np.ones_like(part[2]))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(x) for key, x in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(x) for x in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _count(x: float) -> str:
    return f"{x:.0f}" if float(x).is_integer() else f"{x:.1f}"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
