"""Standardisation of features and targets: a thin face of the core's ``preprocess``.

``(value - mean) / deviation`` enters the network, with mean and deviation of the training part over all its steps
(event-level features and targets of a regression: over its events).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import _engine
from .sequences import Sequences

__all__ = ["FeatureSummary", "StandardisationFit"]


@dataclass(frozen=True)
class FeatureSummary:
    """What the features of the training part look like, in single precision as the network uses it.

    Attributes
    ----------
    mean, scale, minimum, maximum : ndarray of float32, shape (features,)
        Mean, root mean square deviation (1 for a constant feature), and range.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    minimum: NDArray[np.float32]
    maximum: NDArray[np.float32]


class StandardisationFit:
    """Gathers mean, deviation and range of all features over any number of portions of events.

    The sums run step by step in double precision, so the result depends on the order of the events only, not on how they
    are cut into portions.

    Parameters
    ----------
    n_features, n_event_features, n_targets : int
        D, E and the targets of a regression.
    """

    def __init__(self, n_features: int, n_event_features: int, n_targets: int = 0) -> None:
        self._steps = _engine.SummaryFit(n_features)
        self._events = _engine.SummaryFit(n_event_features)
        self._targets = _engine.SummaryFit(n_targets)
        self._n_targets = n_targets

    def add(self, events: Sequences, use: NDArray[np.bool_], targets: NDArray[np.float32] | None = None) -> None:
        """Add the events that `use` marks.

        Parameters
        ----------
        events : Sequences
            A portion.
        use : ndarray of bool, shape (N,)
            Which of its events count.
        targets : ndarray of float32, shape (N, K) or (S, K), optional
            What is learnt of each event, or of each step; NaN where a step is masked.
        """
        mask = np.ascontiguousarray(use, dtype=np.uint8)
        self._steps.add_steps(events.values, events.offsets, mask)
        if events.event_values is not None:
            self._events.add_rows(events.event_values, mask)
        if self._n_targets and targets is not None:
            if targets is events.step_targets:
                mask = np.repeat(mask, events.lengths)
                mask &= np.isfinite(targets[:, 0])
            self._targets.add_rows(targets, mask)

    def result(self) -> tuple[FeatureSummary, FeatureSummary, FeatureSummary]:
        """Return the summaries of the sequence features, of the event-level features and of the targets."""
        return _summary(self._steps), _summary(self._events), _summary(self._targets)


def _summary(fit: _engine.SummaryFit) -> FeatureSummary:
    columns = fit.summary()

    def collect(name: str) -> NDArray[np.float32]:
        return np.array([getattr(column, name) for column in columns], dtype=np.float32)

    return FeatureSummary(collect("mean"), collect("deviation"), collect("minimum"), collect("maximum"))
