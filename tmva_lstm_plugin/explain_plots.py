"""Plots of what a model does, as matplotlib figures; made as in :mod:`tmva_lstm_plugin.plots`, without pyplot.

A colour belongs to one thing in all of them: a gate has the same in every plot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import InputError
from .gradient_flow import Flow, GradientFlow
from .plots import _COLOURS, _GREY, _figure, _finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .explained import IntegratedGradients, PermutationRanking, StepActivations

__all__ = ["plot_attributions", "plot_gates", "plot_gradient_flow", "plot_ranking"]

_BARS = 25  # the most that a ranking shows


def plot_gradient_flow(flow: GradientFlow) -> Figure:
    """Draw how the gradient travels back: its norm against the steps gone back, one row for each layer and direction.

    Left what reaches h and c, right the gradients of the gates.  Lines are medians over events, bands reach from the
    16 % to the 84 %
    quantile (in the left panel paler ones from 5 % to 95 %).  Below, in grey, how many events have so many steps.

    Parameters
    ----------
    flow : GradientFlow

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        No event has a step.
    OptionError
        matplotlib is not installed.
    """
    steps = len(flow.events)
    if steps == 0:
        raise InputError("gradient flow plot: no event has a step")
    rows = len(flow.layers)
    figure = _figure(10.0, 1.4 + 3.2 * rows)
    heights = [*[4.0] * rows, 1.0]
    panels = figure.subplots(rows + 1, 2, squeeze=False, sharex=True, height_ratios=heights)
    for row, layer in enumerate(flow.layers):
        states, gates = panels[row]
        _draw_flow(states, "h", layer.hidden, _COLOURS[0], wide=True)
        if layer.cell is not None:
            _draw_flow(states, "c", layer.cell, _COLOURS[1], wide=True)
        for number, (name, gate) in enumerate(layer.gates.items()):
            _draw_flow(gates, name, gate, _COLOURS[2 + number])
        reached = [layer.hidden] if layer.cell is None else [layer.hidden, layer.cell]
        for axes, what, drawn in (
            (states, "gradient of h, c", reached),
            (gates, "gradient of gates", [*layer.gates.values()]),
        ):
            _log_scale(axes, drawn)
            axes.set_ylabel(f"{layer.name}: {what}")
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, frameon=False, fontsize="small")
    for axes in panels[-1]:
        edges = np.arange(steps + 1) - 0.5
        axes.stairs(flow.events, edges, fill=True, color=_GREY, alpha=0.4)
        axes.set_ylabel("events")
        axes.set_ylim(0, 1.1 * flow.events.max())
        axes.set_xlabel(f"steps gone back ({flow.quantity})")
        axes.set_xlim(-0.5, max(steps - 0.5, 0.5))
    _finish(*panels.ravel())
    return figure


def plot_gates(activations: StepActivations, *, from_end: bool = False) -> Figure:
    """Draw the activation of each gate against the step, and the norms of the states; lines are medians.

    Parameters
    ----------
    activations : StepActivations
    from_end : bool
        Whether steps are counted from the last true one back.

    Returns
    -------
    matplotlib.figure.Figure
        One row for each layer and direction.  Bands reach from the 16 % to the 84 % quantile, of the gates over units
        and events, of the norms over events.

    Raises
    ------
    InputError
        No event has a step.
    OptionError
        matplotlib is not installed.
    """
    lengths = np.diff(activations.offsets)
    longest = int(lengths.max(initial=0))
    if longest == 0:
        raise InputError("gate plot: no event has a step")
    step = np.arange(activations.offsets[-1]) - np.repeat(activations.offsets[:-1], lengths)
    if from_end:
        step = np.repeat(lengths, lengths) - 1 - step
    order = np.argsort(step, kind="stable")
    groups = np.split(order, np.searchsorted(step[order], np.arange(1, longest)))
    x = np.arange(longest)
    figure = _figure(10.0, 0.8 + 3.2 * len(activations.layers))
    panels = figure.subplots(len(activations.layers), 2, squeeze=False, sharex=True)
    for (gates, states), layer in zip(panels, activations.layers, strict=True):
        for number, name in enumerate(layer.gate_names):
            values = np.array([np.quantile(layer.gates[group, number], (0.16, 0.5, 0.84)) for group in groups]).T
            _draw_band(gates, x, values, name, _COLOURS[2 + number])
        gates.axhline(0, color=_GREY, linewidth=0.8, linestyle=":")
        gates.set_ylim(-1.05, 1.05)
        gates.set_ylabel(f"{layer.name}: activation")
        for number, (name, array) in enumerate((("h", layer.hidden), ("c", layer.cell))):
            if array is not None:
                norms = np.linalg.norm(array, axis=1)
                values = np.array([np.quantile(norms[group], (0.16, 0.5, 0.84)) for group in groups]).T
                _draw_band(states, x, values, name, _COLOURS[number])
        states.set_ylim(bottom=0)
        states.set_ylabel("norm of the state")
        for axes in (gates, states):
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, frameon=False, fontsize="small")
    for axes in panels[-1]:
        axes.set_xlabel("steps from the end" if from_end else "step")
        axes.set_xlim(-0.5, max(longest - 0.5, 0.5))
    _finish(*panels.ravel())
    return figure


def plot_attributions(found: IntegratedGradients, *, most_steps: int = 40) -> Figure:
    """Draw the mean absolute attribution of each feature and step as a map, and its sum over steps as bars.

    Parameters
    ----------
    found : IntegratedGradients
    most_steps : int
        Steps that are shown.

    Returns
    -------
    matplotlib.figure.Figure
        Of each step the mean over the events that have it.  Event features have a bar alone.

    Raises
    ------
    InputError
        No event has a step.
    OptionError
        matplotlib is not installed.
    """
    lengths = np.diff(found.offsets)
    longest = min(int(lengths.max(initial=0)), most_steps)
    if longest == 0:
        raise InputError("attribution plot: no event has a step")
    names = (*found.feature_names, *found.event_feature_names)
    size = np.abs(found.attributions)
    image = np.array([size[found.offsets[:-1][lengths > t] + t].mean(axis=0) for t in range(longest)]).T
    figure = _figure(10.0, 1.8 + 0.35 * len(names))
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    mesh = left.pcolormesh(np.arange(longest + 1) - 0.5, np.arange(len(image) + 1) - 0.5, image, cmap="Blues", vmin=0)
    figure.colorbar(mesh, ax=left, label="mean |attribution|")
    left.set_yticks(range(len(found.feature_names)), found.feature_names)
    left.invert_yaxis()
    left.set_xlabel("step")
    shares = found.shares()
    right.barh(range(len(names)), [shares[name] for name in names], color=_COLOURS[0])
    right.set_yticks(range(len(names)), names)
    right.invert_yaxis()
    right.set_xlabel(f"mean over events of the sum over steps\n({found.quantity})")
    _finish(left, right)
    for axes in (left, right):
        axes.tick_params(axis="y", which="minor", left=False, right=False)
    return figure


def plot_ranking(ranking: PermutationRanking) -> Figure:
    """Draw the growth of the mean loss when a feature, and when a step, is taken from other events.

    Parameters
    ----------
    ranking : PermutationRanking

    Returns
    -------
    matplotlib.figure.Figure
        Left the features, the most important at the top (25 at most), right the steps in their order.  Bars are
        means over repeats, with the standard deviation between repeats.

    Raises
    ------
    OptionError
        matplotlib is not installed.
    """
    features = [n for n in ranking.order() if ranking.kinds[n] != "step"][:_BARS]
    steps = [n for n, kind in enumerate(ranking.kinds) if kind == "step"]
    means, errors = ranking.means, np.nan_to_num(ranking.deviations)
    figure = _figure(10.0, max(3.6, 1.4 + 0.35 * len(features)))
    left, right = figure.subplots(1, 2)
    left.barh(range(len(features)), means[features], xerr=errors[features], color=_COLOURS[0], ecolor=_GREY)
    left.set_yticks(range(len(features)), [ranking.names[n] for n in features])
    left.invert_yaxis()
    left.set_xlabel("growth of the mean loss, feature permuted")
    look: dict[str, Any] = {"color": _COLOURS[1], "marker": "o", "markersize": 3, "linestyle": "none"}
    right.errorbar(range(len(steps)), means[steps], errors[steps], 0.5, **look)
    right.axhline(0, color=_GREY, linewidth=0.8)
    right.set_xlabel("step")
    right.set_ylabel("growth of the mean loss, step permuted")
    _finish(left, right)
    left.tick_params(axis="y", which="minor", left=False, right=False)
    return figure


def _draw_flow(axes: Axes, name: str, flow: Flow, colour: str, *, wide: bool = False) -> None:
    x = np.arange(len(flow.mean))
    if wide:
        axes.fill_between(x, flow.quantiles[0], flow.quantiles[4], color=colour, alpha=0.12, linewidth=0)
    _draw_band(axes, x, flow.quantiles[1:4], name, colour)


def _draw_band(axes: Axes, x: Any, quantiles: Any, name: str, colour: str) -> None:
    axes.fill_between(x, quantiles[0], quantiles[2], color=colour, alpha=0.25, linewidth=0)
    axes.plot(x, quantiles[1], color=colour, label=name, linewidth=1.5, marker="o", markersize=3 if len(x) <= 40 else 0)


def _log_scale(axes: Axes, flows: Sequence[Flow]) -> None:
    """Take a logarithmic axis that holds all medians, and the bands as far as two powers below the lowest median."""
    medians, low, high = (np.concatenate([flow.quantiles[n] for flow in flows]) for n in (2, 1, 3))
    above = medians[medians > 0]
    if len(above):
        axes.set_yscale("log")
        bottom = max(above.min() / 100, low[low > 0].min(initial=above.min()))
        axes.set_ylim(bottom / 2, 2 * np.nanmax(high))
