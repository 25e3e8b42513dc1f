"""What :mod:`tmva_lstm_plugin.explain` finds: arrays with their names.

Shapes as in :class:`~tmva_lstm_plugin.sequences.Sequences`: ``N`` events, ``S`` steps of all of them, ``D`` features, ``E`` event
features; ``array[offsets[n]:offsets[n + 1]]`` are the steps of event ``n``, first to last, in all arrays of a step and for both
directions of time.  A layer has ``H`` units and ``G`` gates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FeatureGradients",
    "IntegratedGradients",
    "LayerActivations",
    "LayerGradients",
    "PermutationRanking",
    "StepActivations",
    "StepGradients",
]

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class LayerActivations:
    """One layer in one direction of time.

    Attributes
    ----------
    name : str
        As its parameters are called: ``lstm``, ``lstm.reverse``, ``lstm2``, ...
    backward_in_time : bool
        Whether it goes from the last step to the first.
    gate_names : tuple of str
        The G gates: ``input``, ``forget``, ``candidate``, ``output`` for an LSTM.
    gates : ndarray of float32, shape (S, G, H)
        Activations: between 0 and 1, the candidate between -1 and 1.
    hidden : ndarray of float32, shape (S, H)
        The state h after each step.
    cell : ndarray of float32, shape (S, H), or None
        The state c after each step, for cells that have one.
    """

    name: str
    backward_in_time: bool
    gate_names: tuple[str, ...]
    gates: Floats
    hidden: Floats
    cell: Floats | None


@dataclass(frozen=True)
class StepActivations:
    """Activations of all layers: `offsets` (N + 1,), `layers`, the lowest first, each forward before backward."""

    offsets: NDArray[np.int64]
    layers: tuple[LayerActivations, ...]


@dataclass(frozen=True)
class LayerGradients:
    """What reaches one layer in one direction of time on the way back.

    Attributes
    ----------
    name, backward_in_time, gate_names
        As in :class:`LayerActivations`.
    gates : ndarray of float32, shape (S, G, H)
        Gradient with respect to the pre-activation of each gate.
    hidden : ndarray of float32, shape (S, H)
        All that reaches h of a step: from the layer above, or the loss, and from later steps.
    cell : ndarray of float32, shape (S, H), or None
        All that reaches c of a step, by h and by the step after.
    """

    name: str
    backward_in_time: bool
    gate_names: tuple[str, ...]
    gates: Floats
    hidden: Floats
    cell: Floats | None


@dataclass(frozen=True)
class StepGradients:
    """Gradients of one number of each event in all layers.

    Attributes
    ----------
    quantity : str
        What was differentiated, such as ``logit of DIS``, or ``estimate of E``, in units of the target.
    offsets : ndarray of int64, shape (N + 1,)
    values : ndarray of float32, shape (N,)
        That number.
    layers : tuple of LayerGradients
    """

    quantity: str
    offsets: NDArray[np.int64]
    values: Floats
    layers: tuple[LayerGradients, ...]


@dataclass(frozen=True)
class FeatureGradients:
    """Gradient of one number of each event with respect to what the model was given.

    Attributes
    ----------
    quantity, offsets, values
        As in :class:`StepGradients`.
    feature_names, event_feature_names : tuple of str
    standardised : ndarray of float32, shape (S, D)
        Per standard deviation of the feature: these can be compared between features.
    original : ndarray of float32, shape (S, D)
        Per unit of the feature as it was read.
    event_standardised, event_original : ndarray of float32, shape (N, E)
        The same of the event features.
    """

    quantity: str
    offsets: NDArray[np.int64]
    values: Floats
    feature_names: tuple[str, ...]
    event_feature_names: tuple[str, ...]
    standardised: Floats
    original: Floats
    event_standardised: Floats
    event_original: Floats


@dataclass(frozen=True)
class IntegratedGradients:
    """What each feature of each step adds to one number of an event, against a baseline.

    Attributes
    ----------
    quantity, offsets, values, feature_names, event_feature_names
        As in :class:`FeatureGradients`.
    attributions : ndarray of float64, shape (S, D)
    event_attributions : ndarray of float64, shape (N, E)
    baseline : ndarray of float64, shape (D,)
        In units of the features; `event_baseline`, shape (E,), likewise.
    baseline_values : ndarray of float32, shape (N,)
        The number of an event as long as this one, all of whose steps are the baseline.
    changes : ndarray of float64, shape (N,)
        ``values - baseline_values``, taken before a target's mean is added, which would cost digits.
    residuals : ndarray of float64, shape (N,)
        Completeness: the sum of an event's attributions minus `changes`.  0 but for the error of the integral.
    """

    quantity: str
    offsets: NDArray[np.int64]
    values: Floats
    feature_names: tuple[str, ...]
    event_feature_names: tuple[str, ...]
    attributions: NDArray[np.float64]
    event_attributions: NDArray[np.float64]
    baseline: NDArray[np.float64]
    event_baseline: NDArray[np.float64]
    baseline_values: Floats
    changes: NDArray[np.float64]
    residuals: NDArray[np.float64]

    @property
    def largest_residual(self) -> float:
        """The largest residual of an event, in units of the largest change from the baseline."""
        change = np.abs(self.changes).max(initial=0)
        return float(np.abs(self.residuals).max(initial=0) / change) if change > 0 else 0.0

    def shares(self) -> dict[str, float]:
        """Return the mean over events of the sum over steps of the absolute attribution, by feature and event feature."""
        n = max(1, len(self.values))
        found = dict(zip(self.feature_names, np.abs(self.attributions).sum(axis=0) / n, strict=True))
        found |= dict(zip(self.event_feature_names, np.abs(self.event_attributions).sum(axis=0) / n, strict=True))
        return {name: float(value) for name, value in found.items()}


@dataclass(frozen=True)
class PermutationRanking:
    """How much worse the model gets when one thing is taken from other events.

    Attributes
    ----------
    reference : float
        Mean loss of the events as they are; of a regression the squared deviation of standardised targets.
    names : tuple of str
        The features, the event features, and ``step 0``, ``step 1``, ...
    kinds : tuple of str
        ``feature``, ``event feature`` or ``step``, of each.
    increases : ndarray of float64, shape (names, repeats)
        Growth of the mean loss, of each permutation.
    """

    reference: float
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    increases: NDArray[np.float64]

    @property
    def means(self) -> NDArray[np.float64]:
        """Mean over the repeats, shape (names,)."""
        return np.asarray(self.increases.mean(axis=1))

    @property
    def deviations(self) -> NDArray[np.float64]:
        """Standard deviation between repeats, shape (names,); NaN for one repeat."""
        if self.increases.shape[1] < 2:
            return np.full(len(self.names), np.nan)
        return np.asarray(self.increases.std(axis=1, ddof=1))

    def order(self, kind: str | None = None) -> list[int]:
        """Return the positions, the most important first; of one kind only, if one is given."""
        chosen = [n for n, each in enumerate(self.kinds) if kind is None or each == kind]
        means = self.means
        return sorted(chosen, key=lambda n: -means[n])
