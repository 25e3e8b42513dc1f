"""What the weights of events become in a training: which sign counts, and how classes are balanced."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

__all__ = ["EventWeights"]

_log = logging.getLogger("tmva_lstm_plugin")
_SAID = {
    "keep": "they are kept with their sign",
    "ignore": "these are left out of the training",
    "absolute": "their absolute values are used",
}


class EventWeights:
    """The rule by which weights of events enter a training.

    First `use` and `negative` decide what a weight is: that of the event or 1, with its sign, 0, or its absolute value.  Then
    `balance` scales those of each class by one factor, found over all events a training is given, validation part included:

    * ``"none"``: 1;
    * ``"events"``: number of its events / sum of its weights, so that its mean weight is 1 (TMVA's ``NormMode=NumEvents``);
    * ``"equal"``: the same number for every class / sum of its weights, so that all sums are equal (``EqualNumEvents``).  The
      number is that of the events of the first class as TMVA counts them, which is the second one, the signal, of two.

    Parameters
    ----------
    use : bool
        Whether the events' own weights count.
    negative : {"keep", "ignore", "absolute"}
        What becomes of weights below 0.
    balance : {"none", "events", "equal"}
        How classes are scaled.
    """

    def __init__(self, *, use: bool = True, negative: str = "keep", balance: str = "none") -> None:
        self.use, self.negative, self.balance = use, negative, balance
        self._factors: NDArray[np.float64] | None = None

    def fit(
        self,
        weights: NDArray[np.float64] | None,
        labels: NDArray[np.int32] | None,
        class_names: tuple[str, ...],
        source: str,
        figures: dict[str, Any],
    ) -> NDArray[np.float64] | None:
        """Learn the factors of the classes from all events, and say what was found.

        Parameters
        ----------
        weights : ndarray of float64, shape (N,), or None
            As the events have them.
        labels : ndarray of int32, shape (N,), or None
            Classes; None in a regression.
        class_names : tuple of str
            Their names.
        source : str
            Where the events came from, for messages.
        figures : dict
            Gets the figures for the summary of the training.

        Returns
        -------
        ndarray of float64, shape (N,), or None
            The weights that count; None where all are 1.

        Raises
        ------
        InputError
            The weights of a class that is to be scaled do not have a sum above 0.
        """
        self._factors = None
        if self.use and weights is not None:
            self._count(weights, source, figures)
        own = self._own(weights)
        if self.balance == "none" or labels is None:
            return own
        own = np.ones(len(labels)) if own is None else own
        counts = np.bincount(labels, minlength=len(class_names))
        order = [1, 0] if len(class_names) == 2 else range(len(class_names))
        first = next(index for index in order if counts[index])
        factors = np.ones(len(class_names))
        for index, name in enumerate(class_names):
            if not counts[index]:
                continue
            # one event after the other, as TMVA sums
            total = float(np.cumsum(own[labels == index])[-1])
            if not total > 0:
                raise InputError(
                    f"{source}: the weights of class '{name}' sum to {total:.6g} over {counts[index]} events, which "
                    f"class_balance='{self.balance}' cannot scale, expected a sum above 0; check the weight, or do without"
                )
            wanted = counts[first if self.balance == "equal" else index]
            # TMVA holds the number in single precision
            factors[index] = float(np.float32(wanted)) / total
        self._factors = factors
        figures["class_weight_factors"] = {n: float(f) for n, f in zip(class_names, factors, strict=True)}
        return own * factors[labels]

    def apply(
        self, weights: NDArray[np.float64] | None, labels: NDArray[np.int32] | None
    ) -> NDArray[np.float64] | None:
        """Return the weights that count of some of the events that :meth:`fit` has seen, shape (N,), or None if all are 1."""
        own = self._own(weights)
        if self._factors is None or labels is None:
            return own
        return self._factors[labels] if own is None else own * self._factors[labels]

    def _own(self, weights: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
        if weights is None or not self.use:
            return None
        if self.negative == "keep":
            return weights
        return np.abs(weights) if self.negative == "absolute" else np.maximum(weights, 0.0)

    def _count(self, weights: NDArray[np.float64], source: str, figures: dict[str, Any]) -> None:
        unused, negative = int((weights == 0).sum()), weights < 0
        whole = float(np.abs(weights).sum())
        share = float(np.abs(weights[negative]).sum() / whole) if whole > 0 else 0.0
        figures |= {
            "weight_zero_events": unused,
            "weight_negative_events": int(negative.sum()),
            "weight_negative_share": share,
        }
        if negative.any():
            figures["negative_weights"] = self.negative
            _log.warning(
                "%s: %d of %d events have a negative weight, %.3g %% of the sum of |weight|; %s",
                source, int(negative.sum()), len(weights), 100 * share, _SAID[self.negative],
            )  # fmt: skip
        if unused:
            _log.warning("%s: %d of %d events have weight 0 and are left out", source, unused, len(weights))
