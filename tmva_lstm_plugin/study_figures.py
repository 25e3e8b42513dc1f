"""The figures by which trainings are compared: loss, AUC, accuracy of events that none of them has seen."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .evaluation import Evaluation, evaluate

__all__ = ["FIGURES", "figures_of", "mean_and_error", "mean_loss"]

#: Figures and whether more of it is better.
FIGURES: dict[str, bool] = {"loss": False, "auc": True, "accuracy": True}

_TINY = float(np.finfo(np.float32).tiny)


def mean_loss(
    probabilities: NDArray[np.float32], labels: NDArray[np.int32], weights: NDArray[np.float64] | None
) -> float:
    """Return the mean cross entropy of events.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (N, C)
        What a model gives for each class.
    labels : ndarray of int32, shape (N,)
        The true classes.
    weights : ndarray of float64, shape (N,), or None
        Event weights.

    Returns
    -------
    float
    """
    of_truth = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    losses = -np.log(np.maximum(of_truth, _TINY))
    return float(losses.mean() if weights is None else (weights * losses).sum() / weights.sum())


def figures_of(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int32],
    class_names: Sequence[str],
    weights: NDArray[np.float64] | None,
) -> tuple[dict[str, float], Evaluation]:
    """Return the figures of some events, with the weights where there are any, and their whole evaluation.

    Parameters
    ----------
    probabilities, labels, class_names, weights
        As for :func:`tmva_lstm_plugin.evaluation.evaluate`.

    Returns
    -------
    figures : dict of str to float
        By the names in :data:`FIGURES`.
    evaluation : Evaluation

    Raises
    ------
    InputError
        A class without events, or whose weights have no positive sum.
    """
    evaluation = evaluate(probabilities, labels, class_names, weights)
    performance = evaluation.unweighted if evaluation.weighted is None else evaluation.weighted
    loss = mean_loss(probabilities, labels, weights)
    return {"loss": loss, "auc": performance.auc, "accuracy": performance.accuracy}, evaluation


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean of some values and its standard error, from their spread.

    Parameters
    ----------
    values : sequence of float
        At least two.

    Returns
    -------
    mean, standard_error : float
        The second is ``sqrt(sum (x - mean)^2 / (n - 1) / n)``.
    """
    array = np.asarray(values, dtype=np.float64)
    return float(array.mean()), float(array.std(ddof=1) / math.sqrt(len(array)))
