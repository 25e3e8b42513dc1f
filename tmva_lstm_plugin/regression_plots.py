"""Plots of a regression: deviations against the truth, and their distribution, as matplotlib figures.

As in :mod:`tmva_lstm_plugin.plots`, matplotlib is an extra and imported when a plot is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .deviations import evaluate_regression
from .plots import _BACKGROUND, _GREY, _SIGNAL, _figure, _finish, plot_loss, save_figures
from .separation import plus_minus

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_deviation", "plot_residuals", "save_regression_plots"]

Part = tuple[ArrayLike, ArrayLike, "ArrayLike | None"]


def plot_deviation(
    predictions: ArrayLike, targets: ArrayLike, target_names: Sequence[str], weights: ArrayLike | None = None
) -> Figure:
    """Draw estimate - truth against the truth: every event, and median and central 68 % in ten bins of equally many events.

    Parameters
    ----------
    predictions, targets, target_names, weights
        As in :func:`tmva_lstm_plugin.deviations.evaluate_regression`.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a target; bins count events, whatever their weight.

    Raises
    ------
    InputError
        As :func:`~tmva_lstm_plugin.deviations.evaluate_regression`.
    OptionError
        matplotlib is not installed.
    """
    figure = _figure(6.4, 4.4 * len(target_names))
    result = evaluate_regression(predictions, targets, target_names, weights)
    panels = np.atleast_1d(figure.subplots(len(target_names), 1)).ravel()
    p, y = np.asarray(predictions, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    for k, axes in enumerate(panels):
        truth, deviation = y[:, k], p[:, k] - y[:, k]
        axes.plot(truth, deviation, ".", color=_SIGNAL, markersize=2, alpha=0.4, label="events", rasterized=True)
        bins = np.array_split(np.argsort(truth, kind="stable"), min(10, len(truth)))
        centres = [float(np.median(truth[b])) for b in bins]
        low, middle, high = (
            np.array([float(np.quantile(deviation[b], q)) for b in bins]) for q in (0.1587, 0.5, 0.8413)
        )
        axes.errorbar(
            centres,
            middle,
            [middle - low, high - middle],
            color=_BACKGROUND,
            marker="s",
            markersize=4,
            label="median, 68 %",
        )
        axes.axhline(0, color=_GREY, linestyle="--", linewidth=1)
        axes.set_xlabel(f"true {result.unweighted[k].name}")
        axes.set_ylabel("estimate - truth")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    _finish(*panels)
    return figure


def plot_residuals(
    predictions: ArrayLike,
    targets: ArrayLike,
    target_names: Sequence[str],
    weights: ArrayLike | None = None,
    train: Part | None = None,
    *,
    bins: int = 50,
) -> Figure:
    """Draw how estimate - truth is distributed in the test part, and in the training part where it is given.

    Parameters
    ----------
    predictions, targets, target_names, weights, train
        As in :func:`tmva_lstm_plugin.deviations.evaluate_regression`.
    bins : int
        Number of bins over five resolutions to either side of the median; what lies beyond is in the outermost ones.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a target, each histogram normalised to unit area.

    Raises
    ------
    InputError
        As :func:`~tmva_lstm_plugin.deviations.evaluate_regression`.
    OptionError
        matplotlib is not installed.
    """
    figure = _figure(6.4, 4.4 * len(target_names))
    result = evaluate_regression(predictions, targets, target_names, weights, train)
    panels = np.atleast_1d(figure.subplots(len(target_names), 1)).ravel()
    parts: list[tuple[str, Any, str]] = [("test", (predictions, targets, weights), _SIGNAL)]
    if train is not None:
        parts.append(("training", train, _BACKGROUND))
    for k, axes in enumerate(panels):
        shown = (result.weighted or result.unweighted)[k]
        middle = float(np.median(np.asarray(predictions)[:, k] - np.asarray(targets)[:, k]))
        edges = middle + np.linspace(-5, 5, bins + 1) * (shown.resolution or 1.0)
        for title, (found, truth, w), colour in parts:
            deviation = np.asarray(found, dtype=np.float64)[:, k] - np.asarray(truth, dtype=np.float64)[:, k]
            inside = np.clip(deviation, edges[0], np.nextafter(edges[-1], edges[0]))
            heights, _ = np.histogram(inside, edges, weights=None if w is None else np.asarray(w))
            heights = heights / (heights.sum() * (edges[1] - edges[0]))
            label = (
                title
                if title == "training"
                else f"test: resolution {plus_minus(shown.resolution, shown.resolution_uncertainty, '±')}"
            )
            axes.stairs(heights, edges, color=colour, label=label)
        axes.axvline(0, color=_GREY, linestyle="--", linewidth=1)
        axes.set_xlabel(f"estimate - truth of {shown.name}")
        axes.set_ylabel("events, normalised to unit area")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    _finish(*panels)
    return figure


def save_regression_plots(
    folder: str | os.PathLike[str],
    predictions: ArrayLike,
    targets: ArrayLike,
    target_names: Sequence[str],
    weights: ArrayLike | None = None,
    train: Part | None = None,
    history: Any = None,
) -> list[Path]:
    """Write ``deviation``, ``residuals`` and, with a history, ``loss``, each as PNG and PDF.

    Parameters
    ----------
    folder : path
        Where to write; made if need be.
    predictions, targets, target_names, weights, train
        As in :func:`tmva_lstm_plugin.deviations.evaluate_regression`.
    history : History or mapping, optional
        For ``loss``.

    Returns
    -------
    list of pathlib.Path
        The files written.

    Raises
    ------
    InputError, OptionError
        As the single plots.
    OutputError
        A file cannot be written.
    """
    figures = {"deviation": plot_deviation(predictions, targets, target_names, weights)}
    figures["residuals"] = plot_residuals(predictions, targets, target_names, weights, train)
    if history is not None:
        figures["loss"] = plot_loss(history)
    return save_figures(folder, figures)
