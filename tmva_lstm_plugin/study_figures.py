"""The figures by which trainings are compared, of events that none of them has seen.

Of classes: loss (cross entropy), AUC, accuracy.  Of targets: the loss that was trained, and two that do not depend on it,
the root mean square and the mean absolute deviation, each in standard deviations of the target and so the same for all targets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .deviations import RegressionEvaluation, evaluate_regression
from .errors import InputError, OptionError
from .evaluation import Evaluation, evaluate
from .regressor import LSTMRegressor

if TYPE_CHECKING:
    from .sequence_model import SequenceModel

__all__ = [
    "CLASS_FIGURES",
    "FIGURES",
    "TARGET_FIGURES",
    "check_one_answer",
    "evaluation_of",
    "figure_names",
    "figures_of",
    "mean_and_error",
    "mean_loss",
    "mean_target_loss",
    "target_spreads",
]

CLASS_FIGURES = ("loss", "auc", "accuracy")
TARGET_FIGURES = ("loss", "rms", "mae")
#: All figures and whether more of one is better.
FIGURES: dict[str, bool] = {"loss": False, "auc": True, "accuracy": True, "rms": False, "mae": False}


def check_one_answer(every_step: bool, purpose: str, where: str = "every_step") -> None:
    """Refuse a model that has an answer for each step, where events are judged.

    Parameters
    ----------
    every_step : bool
        Whether the model is one.
    purpose : str
        What judges, for the message.
    where : str
        Where the option stands, for the message.

    Raises
    ------
    OptionError
        It is one.
    """
    if every_step:
        raise OptionError(
            f"{where}: {purpose} judges one answer an event, and this model has one a step; fit models with every_step one by "
            "one (tmva-lstm train), on parts of the events, and compare their evaluations"
        )


def figure_names(*, regression: bool) -> tuple[str, ...]:
    """Return the names of the figures of a classification or a regression."""
    return TARGET_FIGURES if regression else CLASS_FIGURES


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


def mean_target_loss(
    model: LSTMRegressor,
    estimates: NDArray[np.float32],
    targets: NDArray[np.float32],
    weights: NDArray[np.float64] | None,
) -> float:
    """Return the mean of the loss that a regression was trained with: of deviations in units of its standardisation.

    Parameters
    ----------
    model : LSTMRegressor
        Its loss and the standardisation of its targets count.
    estimates, targets : ndarray of float32, shape (N, K)
        What it gives, and the truth.
    weights : ndarray of float64, shape (N,), or None
        Event weights.

    Returns
    -------
    float
        The mean over targets and events.
    """
    scale = model._target_scale[1].astype(np.float64)
    size = np.abs(estimates.astype(np.float64) - targets) / scale
    loss = model.loss or "mse"
    if loss == "mse":
        losses = size**2
    elif loss == "mae":
        losses = size
    else:
        delta = float(model.get_params()["huber_delta"] or 1.0)
        losses = np.where(size <= delta, size**2 / 2, delta * (size - delta / 2))
    of_events = losses.mean(axis=1)
    return float(of_events.mean() if weights is None else (weights * of_events).sum() / weights.sum())


def target_spreads(
    targets: NDArray[np.float32], names: Sequence[str], weights: NDArray[np.float64] | None, source: str
) -> NDArray[np.float64]:
    """Return the standard deviation of each target, by which deviations are measured, shape (K,).

    Parameters
    ----------
    targets : ndarray of float32, shape (N, K)
        The truth.
    names : sequence of str
        Their names.
    weights : ndarray of float64, shape (N,), or None
        Event weights.
    source : str
        What the events are, for messages.

    Raises
    ------
    InputError
        A target that is the same in all events, or weights that leave it no spread.
    """
    y = targets.astype(np.float64)
    w = np.ones(len(y)) if weights is None else weights
    if not len(y) or w.sum() <= 0:
        raise InputError(
            f"{source}: the weights of {len(y)} events sum to {w.sum():.6g}, expected more than 0; give other events"
        )
    mean = (w[:, None] * y).sum(axis=0) / w.sum()
    variances = (w[:, None] * (y - mean) ** 2).sum(axis=0) / w.sum()
    for name, variance, column in zip(names, variances, y.T, strict=True):
        if not variance > 0 or np.ptp(column) == 0:
            raise InputError(
                f"{source}: target '{name}' has a variance of {variance:.6g} in {len(y)} events, expected more than 0, since "
                "deviations are compared with it; check its expression, the selection and the weights"
            )
    return np.asarray(np.sqrt(variances))


def evaluation_of(
    model: SequenceModel, outputs: NDArray[np.float32], truth: NDArray[Any], weights: NDArray[np.float64] | None
) -> Evaluation | RegressionEvaluation:
    """Return the evaluation of a model's outputs, of a regression or a classification; arguments as :func:`figures_of`."""
    judge: Any = evaluate_regression if model.regression else evaluate
    found: Evaluation | RegressionEvaluation = judge(outputs, truth, model.output_names, weights)
    return found


def figures_of(
    model: SequenceModel,
    outputs: NDArray[np.float32],
    truth: NDArray[Any],
    weights: NDArray[np.float64] | None,
    spreads: NDArray[np.float64] | None = None,
) -> tuple[dict[str, float], Evaluation | RegressionEvaluation]:
    """Return the figures of some events, with the weights where there are any, and their whole evaluation.

    Parameters
    ----------
    model : LSTMClassifier or LSTMRegressor
        It has given the outputs.
    outputs : ndarray of float32, shape (N, C)
        A column a class or target.
    truth : ndarray of int32, shape (N,), or of float32, shape (N, C)
        The true classes, or targets.
    weights : ndarray of float64, shape (N,), or None
        Event weights.
    spreads : ndarray of float64, shape (C,), optional
        Of a regression: the standard deviation of each target, from :func:`target_spreads`.

    Returns
    -------
    figures : dict of str to float
        By the names of :func:`figure_names`.
    evaluation : Evaluation or RegressionEvaluation

    Raises
    ------
    InputError
        A class without events, or whose weights have no positive sum.
    """
    evaluation = evaluation_of(model, outputs, truth, weights)
    if isinstance(evaluation, RegressionEvaluation):
        assert isinstance(model, LSTMRegressor)
        if spreads is None:
            spreads = target_spreads(truth, model.output_names, weights, "the events that judge")
        w = np.ones(len(truth)) if weights is None else weights
        relative = (outputs.astype(np.float64) - truth) / spreads
        square = float((w[:, None] * relative**2).sum(axis=0).mean() / w.sum())
        size = float((w[:, None] * np.abs(relative)).sum(axis=0).mean() / w.sum())
        # negative weights may leave less than nothing of the squares
        rms = math.sqrt(square) if square >= 0 else math.nan
        return {"loss": mean_target_loss(model, outputs, truth, weights), "rms": rms, "mae": size}, evaluation
    performance = evaluation.unweighted if evaluation.weighted is None else evaluation.weighted
    loss = mean_loss(outputs, truth, weights)
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
