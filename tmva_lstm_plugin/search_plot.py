"""The plot of a search: its figure against each option that was searched for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import InputError
from .plots import _COLOURS, _figure, _finish, save_figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_search", "save_search_plot"]


def plot_search(result: Any) -> Figure:
    """Draw the figure of all trials against each option that was searched for; the best trial has a ring.

    Parameters
    ----------
    result : SearchResult
        Trials with `options`, `figures` and `epochs`, and the name of the figure, `judge_by`.

    Returns
    -------
    matplotlib.figure.Figure
        A panel an option; the colour tells up to which epoch a trial was trained.

    Raises
    ------
    InputError
        No trial has a figure.
    OptionError
        matplotlib is not installed.
    """
    trials = [t for t in result.trials if t.figures]
    names = sorted({name for t in trials for name in t.options})
    if not trials or not names:
        raise InputError("plot of a search: no trial came to a figure, so there is nothing to draw")
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = _figure(4.2 * columns, 3.4 * rows + 0.5)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    epochs = sorted({t.epochs for t in trials})
    values = [t.figures[result.judge_by] for t in trials]
    for number, (axes, name) in enumerate(zip(panels, names, strict=False)):
        places = _places(axes, [t.options[name] for t in trials])
        for index, reached in enumerate(epochs):
            chosen = [i for i, t in enumerate(trials) if t.epochs == reached]
            axes.scatter(
                [places[i] for i in chosen],
                [values[i] for i in chosen],
                color=_COLOURS[index % len(_COLOURS)],
                s=22,
                label=f"{reached} epochs" if number == 0 else None,
            )
        axes.scatter([places[0]], [values[0]], s=110, facecolors="none", edgecolors="black", linewidths=1.2)
        axes.set_xlabel(name)
        if number % columns == 0:
            axes.set_ylabel(result.judge_by)
    figure.legend(loc="outside upper center", ncols=min(len(epochs), 5), frameon=False)
    for axes in panels[len(names) :]:
        axes.remove()
    _finish(*panels[: len(names)])
    for axes, name in zip(panels, names, strict=False):
        _label(axes, [t.options[name] for t in trials])
    return figure


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _words(values: Sequence[Any]) -> list[str] | None:
    """Return the distinct values as words, or None if they are numbers."""
    if all(_is_number(v) for v in values):
        return None
    numbers_first = sorted({str(v): v for v in values}.items(), key=lambda item: (not _is_number(item[1]), item[0]))
    return [word for word, _ in numbers_first]


def _places(axes: Axes, values: Sequence[Any]) -> list[float]:
    words = _words(values)
    if words is not None:
        return [float(words.index(str(v))) for v in values]
    low, high = min(values), max(values)
    if low > 0 and high > 20 * low:
        axes.set_xscale("log")
    return [float(v) for v in values]


def _label(axes: Axes, values: Sequence[Any]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    words = _words(values)
    if words is not None:
        axes.set_xticks(np.arange(len(words)), words)
        axes.set_xticks([], minor=True)
        axes.set_xlim(-0.5, len(words) - 0.5)
    elif axes.get_xscale() == "log":
        # matplotlib's own labels of the ticks between decades run into each other in a panel as narrow as this
        subs = (1.0,) if max(values) > 100 * min(values) else (1.0, 2.0, 5.0)
        axes.xaxis.set_major_locator(LogLocator(subs=subs))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())


def save_search_plot(result: Any, folder: Path, formats: Sequence[str] = ("png", "pdf")) -> list[Path]:
    """Write the plot as ``search.png`` and ``search.pdf``.

    Parameters
    ----------
    result : SearchResult
        See :func:`plot_search`.
    folder : Path
        Where to write.
    formats : sequence of str
        File types.

    Returns
    -------
    list of pathlib.Path
        The files written.

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    return save_figures(folder, {"search": plot_search(result)}, formats)
