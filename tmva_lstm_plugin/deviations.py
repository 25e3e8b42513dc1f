"""Evaluation of a regression: how far estimates are from the truth, for each target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError
from .separation import check_finite, check_positive_sum, checked_array, checked_numbers, effective_events, plus_minus

__all__ = ["RegressionEvaluation", "TargetDeviations", "evaluate_regression"]

_CENTRAL = 0.682689492  # of a normal distribution within one standard deviation


@dataclass(frozen=True)
class TargetDeviations:
    """How far the estimates of one target are from the truth; a deviation is estimate - truth.

    Attributes
    ----------
    name : str
        The target.
    bias, bias_uncertainty : float
        Mean deviation.
    rms, rms_uncertainty : float
        Root of the mean squared deviation.
    resolution, resolution_uncertainty : float
        Half the width of the interval that holds the central 68.3 % of the deviations.
    correlation : float
        Linear correlation of estimate and truth; NaN where one of them is constant.
    spread : float
        Standard deviation of the truth: the `rms` of always saying its mean.
    """

    name: str
    bias: float
    bias_uncertainty: float
    rms: float
    rms_uncertainty: float
    resolution: float
    resolution_uncertainty: float
    correlation: float
    spread: float


@dataclass(frozen=True)
class RegressionEvaluation:
    """The result of :func:`evaluate_regression`.

    Attributes
    ----------
    n_events : int
        Events of the test part.
    n_effective : float
        Their effective number with weights.
    unweighted : tuple of TargetDeviations
        One a target; every event counts once.
    weighted : tuple of TargetDeviations or None
        With the weights, where there are any.
    train : tuple of TargetDeviations or None
        Of the training part where it was given, with its weights if there are any.
    """

    n_events: int
    n_effective: float
    unweighted: tuple[TargetDeviations, ...]
    weighted: tuple[TargetDeviations, ...] | None
    train: tuple[TargetDeviations, ...] | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, numbers and strings for JSON; a number that is not finite becomes None."""

        def plain(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: plain(x) for key, x in value.items()}
            if isinstance(value, (list, tuple)):
                return [plain(x) for x in value]
            return None if isinstance(value, float) and not math.isfinite(value) else value

        return dict(plain(asdict(self)))

    def table(self) -> str:
        """Return the figures as lines of text with aligned columns, for a terminal."""
        parts = [("unweighted", self.unweighted), ("weighted", self.weighted), ("training part", self.train)]
        rows = [["target", "", "bias", "RMS", "resolution (68 %)", "correlation", "spread of the truth"]]
        for index, first in enumerate(self.unweighted):
            for title, found in parts:
                if found is not None:
                    d = found[index]
                    pairs = [(d.bias, d.bias_uncertainty), (d.rms, d.rms_uncertainty)]
                    pairs.append((d.resolution, d.resolution_uncertainty))
                    name = first.name if title == "unweighted" else ""
                    rows.append(
                        [name, title, *(plus_minus(*p) for p in pairs), f"{d.correlation:.4f}", f"{d.spread:.4g}"]
                    )
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = [
            "  ".join(
                c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        effective = f", {self.n_effective:.1f} effective with weights" if self.weighted else ""
        return "\n".join([f"{self.n_events} events{effective}", *lines])

    def __str__(self) -> str:
        return self.table()


def evaluate_regression(
    predictions: ArrayLike,
    targets: ArrayLike,
    target_names: Sequence[str],
    weights: ArrayLike | None = None,
    train: tuple[ArrayLike, ArrayLike, ArrayLike | None] | None = None,
) -> RegressionEvaluation:
    """Evaluate a regression on a test part, and give the figures of the training part where there is one.

    Parameters
    ----------
    predictions, targets : array_like, shape (N, K)
        Estimate and truth of K targets.
    target_names : sequence of str, length K
        Their names.
    weights : array_like, shape (N,), optional
        Event weights.  With them every figure is given twice.
    train : tuple (predictions, targets, weights or None), optional
        The same for the training part.

    Returns
    -------
    RegressionEvaluation

    Raises
    ------
    InputError
        Shapes that do not fit, values that are not finite, or weights without a positive sum.
    """
    names = tuple(str(name) for name in target_names)
    found, truth, w = _part("test part", predictions, targets, weights, names)
    other = None
    if train is not None:
        other = _figures(*_part("training part", *train, names), names)
    plain = _figures(found, truth, np.ones(len(found)), names)
    weighted = None if weights is None else _figures(found, truth, w, names)
    return RegressionEvaluation(len(found), effective_events(w), plain, weighted, other)


def _figures(p: Any, y: Any, w: Any, names: tuple[str, ...]) -> tuple[TargetDeviations, ...]:
    return tuple(_of_target(name, p[:, k], y[:, k], w) for k, name in enumerate(names))


def _of_target(name: str, p: NDArray[Any], y: NDArray[Any], w: NDArray[Any]) -> TargetDeviations:
    total, d = w.sum(), p - y
    bias, square = float((w * d).sum() / total), float((w * d**2).sum() / total)
    # of a ratio of sums: each event's influence is w (x - mean) / total
    spread_of_bias = float(np.sqrt(((w * (d - bias)) ** 2).sum()) / total)
    spread_of_square = float(np.sqrt(((w * (d**2 - square)) ** 2).sum()) / total)
    rms = math.sqrt(max(square, 0.0))
    resolution, spread_of_resolution = _resolution(d, w)

    def mean(x: NDArray[Any]) -> float:
        return float((w * x).sum() / total)

    a, b = p - mean(p), y - mean(y)
    variances = mean(a * a), mean(b * b)
    correlation = mean(a * b) / math.sqrt(variances[0] * variances[1]) if min(variances) > 0 else math.nan
    return TargetDeviations(
        name, bias, spread_of_bias, rms, spread_of_square / (2 * rms) if rms > 0 else 0.0,
        resolution, spread_of_resolution, correlation, math.sqrt(max(variances[1], 0.0)),
    )  # fmt: skip


def _resolution(d: NDArray[Any], w: NDArray[Any]) -> tuple[float, float]:
    """Return half the width of the central interval, and its uncertainty from the deviations around its ends."""
    order = np.argsort(d, kind="stable")
    values, upto = d[order], np.cumsum(w[order])
    n = effective_events(w)

    def quantile(p: float) -> float:
        # negative weights make the sums fall in places: the first event at which they reach p
        reached = np.flatnonzero(upto >= min(max(p, 0.0), 1.0) * upto[-1])
        return float(values[reached[0]] if len(reached) else values[-1])

    low, high = (1 - _CENTRAL) / 2, (1 + _CENTRAL) / 2
    step = math.sqrt(low * high / n)
    ends = [(quantile(p + step) - quantile(p - step)) / 2 for p in (low, high)]
    shared = low / high  # correlation of the two quantiles of one sample: sqrt(low (1 - high) / (high (1 - low)))
    variance = ends[0] ** 2 + ends[1] ** 2 - 2 * shared * ends[0] * ends[1]
    return (quantile(high) - quantile(low)) / 2, math.sqrt(max(variance, 0.0)) / 2


def _part(where: str, predictions: Any, targets: Any, weights: Any, names: tuple[str, ...]) -> tuple[Any, Any, Any]:
    tables = []
    for what, given in (("predictions", predictions), ("targets", targets)):
        table = checked_array(given, f"{where}: {what}").astype(np.float64)
        if table.ndim != 2 or table.shape[1] != len(names) or not len(table):
            raise InputError(
                f"{where}: {what} have shape {table.shape}, expected (events, {len(names)}) for the target(s) {', '.join(names)}"
            )
        check_finite(table, f"{where}: {what}")
        tables.append(table)
    if len(tables[0]) != len(tables[1]):
        raise InputError(
            f"{where}: there are {len(tables[0])} predictions and {len(tables[1])} targets, expected one each"
        )
    w = np.ones(len(tables[0])) if weights is None else checked_numbers(weights, f"{where}: weights", len(tables[0]))
    check_positive_sum(w, "all events", f"{where}: ")
    return tables[0], tables[1], w
