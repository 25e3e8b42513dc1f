"""How well scores separate classes: ROC, AUC, rejection at an efficiency, overtraining check.

All of it takes event weights, counts equal scores (ties) exactly, and lets negative weights enter with their sign.
Letters: ``s`` scores, ``w`` weights, ``W`` the sum of the weights of one class, ``A`` the AUC.  An efficiency is a
fraction of ``W``, so with negative weights it need not grow steadily with a looser cut; such a curve is reported as
not monotonic and never repaired.

Sources
-------
- AUC as a rank statistic: Hanley & McNeil, Radiology 143 (1982) 29, doi:10.1148/radiology.143.1.7063747.
- Its variance: DeLong, DeLong & Clarke-Pearson, Biometrics 44 (1988) 837, doi:10.2307/2531595; in O(n log n): Sun &
  Xu, IEEE Signal Process. Lett. 21 (2014) 1389, doi:10.1109/LSP.2014.2337313.
- Kolmogorov-Smirnov: Eadie et al., Statistical Methods in Experimental Physics (1971), 11.4.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError, OptionError

__all__ = [
    "Rejection",
    "RocCurve",
    "auc",
    "auc_uncertainty",
    "effective_events",
    "ks_distance",
    "ks_probability",
    "plus_minus",
    "rejection_at_efficiency",
    "roc_curve",
]

Floats = NDArray[np.float64]

# Sums of weights that cancel exactly on paper leave some 1e-16 of their absolute sum in double precision.
ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class RocCurve:
    """Efficiencies of the cut ``score >= threshold``, from the tightest cut to the loosest.

    Attributes
    ----------
    signal_efficiency, background_efficiency : ndarray of float64, shape (K + 1,)
        One point for each of the K distinct scores, after the point (0, 0) where nothing passes; the last is (1, 1).
    thresholds : ndarray of float64, shape (K + 1,)
        Falling; the first is infinite.
    signal_uncertainty, background_uncertainty : ndarray of float64, shape (K + 1,)
        Of the efficiencies, for a fixed cut: ``sqrt((1 - e)^2 sum_pass w^2 + e^2 sum_fail w^2) / W``, which is the
        binomial ``sqrt(e (1 - e) / n)`` for unit weights.
    monotonic : bool
        False where negative weights make an efficiency fall while the cut is loosened.
    """

    signal_efficiency: Floats
    background_efficiency: Floats
    thresholds: Floats
    signal_uncertainty: Floats
    background_uncertainty: Floats
    monotonic: bool


@dataclass(frozen=True)
class Rejection:
    """Background rejection ``1 / background efficiency`` at one signal efficiency.

    Attributes
    ----------
    signal_efficiency : float
        As asked for.
    rejection : float
        Infinite where the background efficiency is not above zero.
    uncertainty : float
        One standard deviation; NaN where the rejection is infinite.
    threshold : float
        The tightest cut ``score >= threshold`` that keeps at least the signal efficiency asked for.
    background_efficiency, background_efficiency_uncertainty : float
        What the rejection was made from.
    lower_limit : float or None
        At 95 % confidence level, where the rejection is infinite.
    monotonic : bool
        As in `RocCurve`; where it is False the tightest of several possible cuts was taken.
    """

    signal_efficiency: float
    rejection: float
    uncertainty: float
    threshold: float
    background_efficiency: float
    background_efficiency_uncertainty: float
    lower_limit: float | None
    monotonic: bool

    def __str__(self) -> str:
        """Give value and uncertainty, or the limit."""
        if self.lower_limit is not None:
            return f"> {self.lower_limit:.3g} (95 % CL)"
        return plus_minus(self.rejection, self.uncertainty)


def effective_events(weights: ArrayLike) -> float:
    """Return ``(sum w)^2 / sum w^2``: how many unit weights have the same relative uncertainty.

    Parameters
    ----------
    weights : array_like, shape (N,)
        Event weights.

    Returns
    -------
    float
        N for equal weights, 0 for none.
    """
    w = np.asarray(weights, dtype=np.float64)
    squares = float(np.sum(w * w))
    return float(np.sum(w)) ** 2 / squares if squares > 0 else 0.0


def roc_curve(scores: ArrayLike, is_signal: ArrayLike, weights: ArrayLike | None = None) -> RocCurve:
    """Efficiencies of signal and background at every possible cut.

    Parameters
    ----------
    scores : array_like, shape (N,)
        The higher, the more like signal.
    is_signal : array_like of bool or of 0 and 1, shape (N,)
        Which events are signal.
    weights : array_like, shape (N,), optional
        Event weights, 1 by default.

    Returns
    -------
    RocCurve
        Straight lines between its points enclose exactly the area that :func:`auc` gives.

    Raises
    ------
    InputError
        Lengths differ, a value is not finite, or a class has no events or weights whose sum is not positive.
    """
    s, y, w = _binary(scores, is_signal, weights)
    values, inverse = np.unique(s, return_inverse=True)
    columns = []
    monotonic = True
    for mask in (y, ~y):
        weight, square, size = (
            np.bincount(inverse, np.where(mask, x, 0.0), minlength=len(values))[::-1] for x in (w, w * w, np.abs(w))
        )
        monotonic &= bool(np.all(weight >= -ROUNDING * size))
        passed = np.concatenate([[0.0], np.cumsum(weight)])
        passed_square = np.concatenate([[0.0], np.cumsum(square)])
        efficiency = passed / passed[-1]
        variance = (1 - efficiency) ** 2 * passed_square + efficiency**2 * (passed_square[-1] - passed_square)
        columns.append((efficiency, np.sqrt(np.maximum(variance, 0.0)) / passed[-1]))
    (signal, signal_error), (background, background_error) = columns
    thresholds = np.concatenate([[np.inf], values[::-1]])
    return RocCurve(signal, background, thresholds, signal_error, background_error, monotonic)


def auc(scores: ArrayLike, is_signal: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Area under the ROC curve: the probability that a signal event scores above a background event.

    ``A = sum_ij w_i w_j ([s_i > s_j] + [s_i = s_j] / 2) / (W_S W_B)`` over all pairs of a signal event i and a
    background event j (Hanley & McNeil 1982), taken in O(N log N) from the distinct scores in order.

    Parameters
    ----------
    scores, is_signal, weights
        As in :func:`roc_curve`.

    Returns
    -------
    float
        0.5 for scores without information; with negative weights it may lie outside 0 to 1.

    Raises
    ------
    InputError
        As :func:`roc_curve`.
    """
    return auc_and_influence(*_binary(scores, is_signal, weights))[0]


def auc_uncertainty(scores: ArrayLike, is_signal: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Statistical uncertainty of :func:`auc`, after DeLong et al. (1988), for weighted events.

    The placement value ``V_i`` of a signal event is the weighted fraction of background below it (ties half), that of
    a background event the fraction of signal above it; in both classes their weighted mean is ``A``.  Each class adds

        sum w_i^2 (V_i - A)^2 / W^2 / (1 - 2 sum w^3 / (W sum w^2) + sum w^2 / W^2).

    The first factor is the variance of a weighted mean; the second undoes its bias from using the mean of the same
    events.  For unit weights the second is ``n / (n - 1)`` and the result is DeLong's.

    Parameters
    ----------
    scores, is_signal, weights
        As in :func:`roc_curve`.

    Returns
    -------
    float
        One standard deviation.  0 where signal and background do not overlap, which says nothing about the true
        spread; NaN where a class has only one event.

    Raises
    ------
    InputError
        As :func:`roc_curve`.
    """
    return root_sum_square(auc_and_influence(*_binary(scores, is_signal, weights))[1])


def rejection_at_efficiency(
    scores: ArrayLike, is_signal: ArrayLike, efficiency: float, weights: ArrayLike | None = None
) -> Rejection:
    """Background rejection ``1 / e_B`` where the signal efficiency ``e_S`` is `efficiency`.

    The ROC curve is followed from (0, 0) along straight lines to where ``e_S`` first reaches `efficiency`; ``e_B`` is
    read there.  So equal scores share their events evenly, and of several cuts with the same ``e_S`` the one with
    the least background counts.

    The variance of ``e_B`` is the binomial one for a fixed cut, plus ``((e_B(e_S + d) - e_B(e_S - d)) / 2)^2``, with
    ``d`` the uncertainty of ``e_S``, since the cut itself was placed with the signal events at hand.

    Parameters
    ----------
    scores, is_signal, weights
        As in :func:`roc_curve`.
    efficiency : float
        Signal efficiency, above 0 and up to 1.

    Returns
    -------
    Rejection
        Where ``e_B`` is not above zero the rejection is infinite, and a lower limit stands in: ``1 / u`` with
        ``(1 - u)^n = 0.05`` for ``n`` effective background events, or ``1 / (1.645 sigma)`` where negative weights
        make that the weaker one.

    Raises
    ------
    InputError
        As :func:`roc_curve`.
    OptionError
        `efficiency` is out of range.
    """
    curve = roc_curve(scores, is_signal, weights)
    _, y, w = _binary(scores, is_signal, weights)
    return rejection_on_curve(curve, efficiency, effective_events(w[~y]))


def ks_distance(
    a: ArrayLike, b: ArrayLike, weights_a: ArrayLike | None = None, weights_b: ArrayLike | None = None
) -> float:
    """Kolmogorov-Smirnov distance: the largest gap between two weighted cumulative distributions.

    Parameters
    ----------
    a, b : array_like, shapes (N,) and (M,)
        Two samples of one variable.
    weights_a, weights_b : array_like, shapes (N,) and (M,), optional
        Event weights, 1 by default.

    Returns
    -------
    float
        ``max_x |F_a(x) - F_b(x)|``, unbinned; it may pass 1 only with negative weights.

    Raises
    ------
    InputError
        A sample is empty, a value is not finite, or a sum of weights is not positive.
    """
    x, w = _sample(a, weights_a, "the first sample")
    y, v = _sample(b, weights_b, "the second sample")
    values, inverse = np.unique(np.concatenate([x, y]), return_inverse=True)
    first = np.cumsum(np.bincount(inverse[: len(x)], w, minlength=len(values)))
    second = np.cumsum(np.bincount(inverse[len(x) :], v, minlength=len(values)))
    return float(np.max(np.abs(first / first[-1] - second / second[-1])))


def ks_probability(distance: float, n_eff_a: float, n_eff_b: float) -> float:
    """Probability of a Kolmogorov-Smirnov distance at least this large for samples of one distribution.

    ``Q(z) = 2 sum_{j >= 1} (-1)^(j-1) exp(-2 j^2 z^2)`` with ``z = D sqrt(n m / (n + m))``: the convention of ROOT's
    ``TMath::KolmogorovTest`` and ``TH1::KolmogorovTest``, which for weighted histograms also put effective event
    numbers for n and m.  It is the limit for large n and m, and cautious (too large) for small ones and for ties.
    Below ``z = 1.18`` the equal but there faster ``1 - sqrt(2 pi) / z sum_{j >= 1} exp(-(2 j - 1)^2 pi^2 / (8 z^2))``
    is summed.

    Parameters
    ----------
    distance : float
        From :func:`ks_distance`.
    n_eff_a, n_eff_b : float
        Effective event numbers of the two samples, from :func:`effective_events`.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    OptionError
        The distance is negative or not finite, or an event number is not positive.
    """
    if not (math.isfinite(distance) and distance >= 0 and n_eff_a > 0 and n_eff_b > 0):
        raise OptionError(
            f"Kolmogorov-Smirnov probability of distance {distance} for {n_eff_a} and {n_eff_b} effective events: "
            "expected a distance of at least 0 and positive event numbers"
        )
    z = distance * math.sqrt(n_eff_a * n_eff_b / (n_eff_a + n_eff_b))
    if z < 0.04:  # the sum below is exp(-770) or less, and dividing by z^2 may overflow
        return 1.0
    if z < 1.18:
        total = sum(math.exp(-(((2 * j - 1) * math.pi) ** 2) / (8 * z * z)) for j in range(1, 7))
        return 1.0 - math.sqrt(2 * math.pi) / z * total
    return 2.0 * sum(math.copysign(math.exp(-2 * (j * z) ** 2), j % 2 - 0.5) for j in range(1, 7))


def plus_minus(value: float, uncertainty: float, sign: str = "+-") -> str:
    """Write a value with its uncertainty: that one to two significant digits, the value to the same place.

    Parameters
    ----------
    value, uncertainty : float
        An uncertainty that is not finite is shown as ``?``.
    sign : str
        What stands between the two.

    Returns
    -------
    str
        For instance ``0.8697 +- 0.0099``.
    """
    if not math.isfinite(uncertainty):
        return f"{value:.4g} {sign} ?"
    if uncertainty <= ROUNDING * abs(value):
        return f"{value:.4f} {sign} 0"
    digits = max(0, 1 - int(f"{uncertainty:.1e}".split("e")[1]))
    return f"{value:.{digits}f} {sign} {uncertainty:.{digits}f}"


def auc_and_influence(s: Floats, y: NDArray[np.bool_], w: Floats) -> tuple[float, Floats]:
    """Return the AUC and each event's influence on it; the root of their summed squares is the uncertainty."""
    values, inverse = np.unique(s, return_inverse=True)
    ws = np.bincount(inverse, np.where(y, w, 0.0), minlength=len(values))
    wb = np.bincount(inverse, np.where(y, 0.0, w), minlength=len(values))
    below, above = np.cumsum(wb), np.cumsum(ws[::-1])[::-1]
    background, signal = below[-1], above[0]
    placement_of_signal = ((below - 0.5 * wb) / background)[inverse]
    placement_of_background = ((above - 0.5 * ws) / signal)[inverse]
    # by distinct score and not by event: with unit weights every sum is then exact
    area = float(np.sum(ws * (below - 0.5 * wb)) / (signal * background))
    influence = np.empty_like(w)
    for mask, placement, total in ((y, placement_of_signal, signal), (~y, placement_of_background, background)):
        own = w[mask] / total
        squares = float(np.sum(own**2))
        bias = squares - 2.0 * float(np.sum(own**3)) + squares**2  # equals squares (1 - 1 / n) for unit weights
        scale = math.sqrt(squares / bias) if bias > ROUNDING * squares else math.nan
        influence[mask] = scale * own * (placement[mask] - area)
    return area, influence


def rejection_on_curve(curve: RocCurve, efficiency: float, n_background: float) -> Rejection:
    e = float(efficiency)
    if not 0 < e <= 1:
        raise OptionError(
            f"signal efficiency {efficiency} to give the rejection at: expected a number above 0 and up to 1"
        )

    def reach(at: float) -> tuple[int, float]:
        point = int(np.argmax(curve.signal_efficiency >= at - ROUNDING))
        low, high = curve.signal_efficiency[point - 1 : point + 1] if point else (0.0, 0.0)
        return point, min(max((at - low) / (high - low), 0.0), 1.0) if high > low else 1.0

    def read(column: Floats, at: float) -> float:
        point, part = reach(at)
        return float(column[point] if point == 0 else (1 - part) * column[point - 1] + part * column[point])

    background = read(curve.background_efficiency, e)
    shift = read(curve.signal_uncertainty, e)
    low, high = max(e - shift, 0.0), min(e + shift, 1.0)
    slope = 0.0
    if high > low:
        rise = read(curve.background_efficiency, high) - read(curve.background_efficiency, low)
        slope = rise / (high - low)
    sigma = math.hypot(read(curve.background_uncertainty, e), slope * shift)
    threshold = float(curve.thresholds[reach(e)[0]])
    if background > ROUNDING:
        return Rejection(e, 1 / background, sigma / background**2, threshold, background, sigma, None, curve.monotonic)
    limit = max(1 - 0.05 ** (1 / n_background), 1.645 * sigma)
    return Rejection(e, math.inf, math.nan, threshold, background, sigma, 1 / limit, curve.monotonic)


def _binary(
    scores: ArrayLike, is_signal: ArrayLike, weights: ArrayLike | None
) -> tuple[Floats, NDArray[np.bool_], Floats]:
    s = checked_numbers(scores, "scores")
    raw = checked_array(is_signal, "is_signal")
    if raw.shape != s.shape:
        raise InputError(f"is_signal has shape {raw.shape} for {len(s)} scores, expected one value a score")
    y = raw.astype(bool)
    if not np.array_equal(y, raw):
        raise InputError(f"is_signal holds {raw.dtype} values such as {raw[:3]}, expected True/False or 1/0")
    w = np.ones_like(s) if weights is None else checked_numbers(weights, "weights", len(s))
    for name, mask in (("signal", y), ("background", ~y)):
        check_positive_sum(w[mask], name)
    return s, y, w


def _sample(values: ArrayLike, weights: ArrayLike | None, name: str) -> tuple[Floats, Floats]:
    x = checked_numbers(values, name)
    w = np.ones_like(x) if weights is None else checked_numbers(weights, f"the weights of {name}", len(x))
    check_positive_sum(w, name)
    return x, w


def checked_numbers(values: ArrayLike, what: str, count: int | None = None) -> Floats:
    array = checked_array(values, what)
    if array.ndim != 1 or (count is not None and len(array) != count):
        expected = "(events,)" if count is None else f"({count},), one an event"
        raise InputError(f"{what}: found shape {array.shape}, expected {expected}")
    check_finite(array, what)
    return array.astype(np.float64)


def checked_array(values: ArrayLike, what: str) -> NDArray[Any]:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(f"{what}: cannot be taken as an array of numbers: {error}") from error
    if array.size and array.dtype.kind not in "biuf":
        raise InputError(f"{what}: found values of type {array.dtype}, expected numbers")
    return array


def check_finite(array: NDArray[Any], what: str) -> None:
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        event = int(bad[0][0])
        raise InputError(
            f"{what}: {array[tuple(bad[0])]} for event {event} is not finite ({len(bad)} such value(s)); check how it "
            "was made, or drop the event"
        )


def check_positive_sum(w: Floats, name: str, where: str = "") -> None:
    if not len(w):
        raise InputError(f"{where}no events of {name}; an evaluation needs events of every class")
    total, size = float(w.sum()), float(np.abs(w).sum())
    if total <= ROUNDING * size:
        raise InputError(
            f"{where}the {len(w)} weight(s) of {name} sum to {total:.6g}, expected a positive sum, since efficiencies "
            f"are fractions of it; {int((w < 0).sum())} are negative: check the weights, or evaluate without them"
        )


def root_sum_square(x: Floats) -> float:
    return float(np.sqrt(np.sum(x * x)))
