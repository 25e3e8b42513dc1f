"""ROC, loss and overtraining plots, as matplotlib figures.

matplotlib is an extra (``pip install 'tmva-lstm-plugin[plots]'``) and only imported when a plot is asked for.  The
figures are built without pyplot, on a canvas of their own: no display is needed, and the backend, the open figures
and the settings of the calling program stay as they are.  A figure shows itself in a notebook.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError, OptionError, near_miss
from .evaluation import Performance, RocCurve, evaluate, plus_minus, roc_curve
from .files import check_writable_folder, replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_loss", "plot_overtraining", "plot_roc", "save_figures", "save_plots"]

Train = tuple[ArrayLike, ArrayLike, "ArrayLike | None"]

# Told apart by colour-blind readers and in greyscale; M. Petroff, arXiv:2107.02270, ten-colour cycle.
_COLOURS = (
    "#3f90da",
    "#bd1f01",
    "#ffa90e",
    "#832db6",
    "#94a4a2",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)
_BACKGROUND, _SIGNAL = _COLOURS[1], _COLOURS[0]
_GREY = "#555555"


def plot_roc(
    probabilities: ArrayLike,
    labels: ArrayLike,
    class_names: Sequence[str],
    weights: ArrayLike | None = None,
) -> Figure:
    """Draw background rejection against signal efficiency, on a linear and on a logarithmic scale.

    Left, as TMVA draws it, the rejected fraction ``1 - e_B``; right the rejection ``1 / e_B`` with a band of one
    standard deviation.  More than two classes: one curve a class, each against the rest.  The legend gives the AUC.

    Parameters
    ----------
    probabilities, labels, class_names, weights
        As in :func:`tmva_lstm_plugin.evaluation.evaluate`.

    Returns
    -------
    matplotlib.figure.Figure
        With weights, solid lines are weighted and dotted ones unweighted.

    Raises
    ------
    InputError
        As :func:`~tmva_lstm_plugin.evaluation.evaluate`.
    OptionError
        matplotlib is not installed.
    """
    figure = _figure(10.0, 5.2)
    result = evaluate(probabilities, labels, class_names, weights)
    p, y, w = _arrays(probabilities, labels, weights)
    binary = len(result.class_names) == 2
    left, right = figure.subplots(1, 2)
    shown: list[tuple[str, Performance, NDArray[np.float64] | None, str]] = []
    if result.weighted is None:
        shown.append(("", result.unweighted, None, "-"))
    else:
        shown += [("weighted", result.weighted, w, "-"), ("unweighted", result.unweighted, None, ":")]
    top = 10.0
    for title, performance, event_weights, line in shown:
        for number, c in enumerate(performance.classes):
            index = result.class_names.index(c.name)
            curve = roc_curve(p[:, index], y == index, event_weights)
            style: dict[str, Any] = {"color": _COLOURS[number % len(_COLOURS)], "linestyle": line}
            head = ", ".join(part for part in ("" if binary else c.name, title) if part)
            label = f"{head}: " * bool(head) + f"AUC = {plus_minus(c.auc, c.auc_uncertainty, '±')}"
            label += "" if c.monotonic else " (not monotonic)"
            left.plot(*_thin(curve.signal_efficiency, 1 - curve.background_efficiency), label=label, **style)
            top = max(top, _draw_rejection(right, curve, style, band=line == "-"))
        if line == "-":
            left.plot([0, 1], [1, 0], color=_GREY, linestyle="--", linewidth=1, label="no separation")
    grid = np.linspace(0.01, 1, 200)
    right.plot(grid, 1 / grid, color=_GREY, linestyle="--", linewidth=1)
    signal, background = result.class_names[::-1] if binary else ("the class", "the rest")
    for axes in (left, right):
        axes.set_xlabel(f"efficiency of {signal}")
        axes.set_xlim(0, 1)
    left.set_ylim(0, 1.02)
    left.set_ylabel(rf"rejected fraction of {background}, $1 - \varepsilon_{{B}}$")
    right.set_ylabel(rf"rejection of {background}, $1 / \varepsilon_{{B}}$")
    right.set_yscale("log")
    right.set_ylim(1, top * 1.5)
    handles, texts = left.get_legend_handles_labels()
    # columns fill downwards: weighted curves in the first, unweighted ones in the second
    columns = len(texts) if len(texts) <= 2 else 2
    figure.legend(handles, texts, loc="outside upper center", ncols=columns, frameon=False)
    _finish(left, right)
    return figure


def plot_loss(history: Any) -> Figure:
    """Draw the loss of the training and the validation part against the epoch.

    Parameters
    ----------
    history : History or mapping
        Columns ``epoch``, ``loss`` and ``validation_loss`` (which may be absent or hold None), as the attribute
        `columns` of a history or as a mapping.

    Returns
    -------
    matplotlib.figure.Figure
        The epoch with the least validation loss is marked.

    Raises
    ------
    InputError
        The columns are absent, empty, or of different lengths.
    OptionError
        matplotlib is not installed.
    """
    figure = _figure(6.4, 4.8)
    epoch, loss, validation = _history(history)
    from matplotlib.ticker import MaxNLocator

    axes = figure.subplots()
    size = 4 if len(epoch) <= 40 else 0
    axes.plot(epoch, loss, color=_SIGNAL, label="training", marker="o", markersize=size)
    known = np.isfinite(validation)
    if known.any():
        axes.plot(epoch[known], validation[known], color=_BACKGROUND, label="validation", marker="s", markersize=size)
        # of a history that monitors something else, the epoch whose weights were kept
        kept = getattr(history, "best_epoch", None)
        best = int(np.nanargmin(np.where(known, validation, np.nan)))
        best = int(np.flatnonzero(epoch == kept)[0]) if kept in epoch else best
        label = f"best epoch {epoch[best]:.0f}: {validation[best]:.4g}"
        axes.axvline(epoch[best], color=_GREY, linestyle="--", linewidth=1, zorder=0, label=label)
    axes.set_xlabel("epoch")
    axes.set_ylabel("mean loss per event")
    every = np.concatenate([loss, validation[known]])
    every = every[np.isfinite(every)]
    if len(every) and every.min() > 0 and every.max() > 20 * every.min():
        axes.set_yscale("log")
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    _finish(axes)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_minor_locator(MaxNLocator(integer=True, nbins=50))
    return figure


def plot_overtraining(
    probabilities: ArrayLike,
    labels: ArrayLike,
    class_names: Sequence[str],
    train: Train,
    weights: ArrayLike | None = None,
    *,
    bins: int = 30,
) -> Figure:
    """Draw the scores of the training part (filled) and of the test part (points) in one histogram each.

    Every histogram is normalised to unit area; the points carry ``sqrt(sum w^2)``.  The legend gives the unbinned
    Kolmogorov-Smirnov distance and probability of each pair.

    Parameters
    ----------
    probabilities, labels, class_names, weights
        The test part, as in :func:`tmva_lstm_plugin.evaluation.evaluate`.
    train : tuple (probabilities, labels, weights or None)
        The training part.
    bins : int
        Number of bins.

    Returns
    -------
    matplotlib.figure.Figure
        Two classes: one panel with the signal's score.  More: one panel a class, its own events against the rest.

    Raises
    ------
    InputError
        As :func:`~tmva_lstm_plugin.evaluation.evaluate`.
    OptionError
        matplotlib is not installed, or `bins` is not positive.
    """
    if bins < 1:
        raise OptionError(f"overtraining plot with {bins} bins: expected at least 1")
    names = tuple(str(name) for name in class_names)
    indices = [1] if len(names) == 2 else list(range(len(names)))
    columns = {1: 1, 2: 2, 4: 2}.get(len(indices), 3)
    rows = -(-len(indices) // columns)
    figure = _figure(6.4 if columns == 1 else 4.6 * columns, 5.0 if columns == 1 else 4.4 * rows)
    result = evaluate(probabilities, labels, names, weights, train)
    performance = result.weighted or result.unweighted
    test, training = _arrays(probabilities, labels, weights), _arrays(*train)
    panels = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for index, axes, c in zip(indices, panels, performance.classes, strict=False):
        edges = _edges(test[0][:, index], training[0][:, index], bins)
        centres, half = (edges[1:] + edges[:-1]) / 2, (edges[1] - edges[0]) / 2
        bottom = top = 0.0
        drawn = []
        for own, ks in zip((True, False), c.ks, strict=True):
            colour, marker = (_SIGNAL, "o") if own else (_BACKGROUND, "s")
            before = _density(training, index, own, edges)[0]
            axes.stairs(before, edges, color=colour, linewidth=1.2)
            look = {"fill": True, "linewidth": 0} if own else {"hatch": "////", "linewidth": 0}
            area = axes.stairs(before, edges, color=colour, alpha=0.35, **look)
            now, errors = _density(test, index, own, edges)
            some = errors > 0
            points = axes.errorbar(
                centres[some],
                now[some],
                errors[some],
                half,
                color=colour,
                marker=marker,
                linestyle="none",
                markersize=4,
                linewidth=1,
            )
            drawn.append((area, f"{ks.events}, training", points, f"{ks.events}, test: KS {ks}"))
            bottom = min(bottom, 1.2 * before.min(), 1.2 * now.min())
            top = max(top, before.max(), (now + errors).max())
        areas, names_before, points, names_now = zip(*drawn, strict=True)
        axes.set_ylim(bottom, 1.08 * top)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_xlabel(f"probability of {names[index]}")
        axes.set_ylabel("events, normalised to unit area")
        axes.legend(
            areas + points,
            names_before + names_now,
            loc="lower left",
            bbox_to_anchor=(0, 1.0),
            ncols=2 if columns == 1 else 1,
            frameon=False,
            fontsize="small",
        )
    for axes in panels[len(indices) :]:
        axes.remove()
    _finish(*panels[: len(indices)])
    return figure


def save_plots(
    folder: str | os.PathLike[str],
    probabilities: ArrayLike,
    labels: ArrayLike,
    class_names: Sequence[str],
    weights: ArrayLike | None = None,
    train: Train | None = None,
    history: Any = None,
    *,
    formats: Sequence[str] = ("png", "pdf"),
    style: str | None = None,
) -> list[Path]:
    """Write the plots that the given data allow; an earlier file is replaced only by a complete one.

    Parameters
    ----------
    folder : path
        Where to write; made if need be.
    probabilities, labels, class_names, weights
        The test part, for ``roc``.
    train : tuple (probabilities, labels, weights or None), optional
        The training part, for ``overtraining``.
    history : History or mapping, optional
        For ``loss``.
    formats : sequence of str
        File types, each a suffix that matplotlib can write.
    style : str, optional
        A style of mplhep, such as ``"ROOT"`` or ``"CMS"``, for fonts, ticks and frames.  While the plots are written
        it changes matplotlib's settings for the whole process, which is why it is not the default.

    Returns
    -------
    list of pathlib.Path
        The files written: ``roc``, ``loss`` and ``overtraining`` in this order, each in every format.

    Raises
    ------
    InputError
        As the single plots.
    OptionError
        matplotlib is not installed, or a format or the style does not exist.
    OutputError
        A file cannot be written.
    """
    _require_matplotlib()
    from matplotlib.backend_bases import FigureCanvasBase

    known = FigureCanvasBase.get_supported_filetypes()
    for suffix in formats:
        if suffix not in known:
            raise OptionError(f"plot format '{suffix}': matplotlib cannot write it; {near_miss(suffix, known)}")
    check_writable_folder(folder, purpose="plots")
    with _mplhep_style(style):
        figures = {"roc": plot_roc(probabilities, labels, class_names, weights)}
        if history is not None:
            figures["loss"] = plot_loss(history)
        if train is not None:
            figures["overtraining"] = plot_overtraining(probabilities, labels, class_names, train, weights)
        return save_figures(folder, figures, formats)


def save_figures(
    folder: str | os.PathLike[str], figures: Mapping[str, Figure], formats: Sequence[str] = ("png", "pdf")
) -> list[Path]:
    """Write figures by their names; an earlier file is replaced only by a complete one.

    Parameters
    ----------
    folder : path
        Where to write; made if need be.
    figures : mapping of str to matplotlib.figure.Figure
    formats : sequence of str
        File types, each a suffix that matplotlib can write.

    Returns
    -------
    list of pathlib.Path
        The files written, name by name, each in every format.

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    target = check_writable_folder(folder, purpose="plots")
    written = []
    for name, figure in figures.items():
        for suffix in formats:
            path = target / f"{name}.{suffix}"
            # without a date the same data give the same file
            dated = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(suffix)
            with replacing(path, purpose="plot") as aside:
                figure.savefig(aside, format=suffix, dpi=150, metadata=dated)
            written.append(path)
    return written


def _require_matplotlib() -> None:
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise OptionError(
            f"plots need matplotlib, which cannot be imported ({error}); run: pip install 'tmva-lstm-plugin[plots]'"
        ) from error


def _figure(width: float, height: float) -> Figure:
    _require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


@contextmanager
def _mplhep_style(style: str | None) -> Iterator[None]:
    if style is None:
        yield
        return
    try:
        import mplhep  # type: ignore[import-untyped]
    except ImportError as error:
        raise OptionError(
            f"plot style '{style}' needs mplhep, which cannot be imported ({error}); "
            "run: pip install 'tmva-lstm-plugin[plots]'"
        ) from error
    from matplotlib import rc_context

    styles = {name: value for name, value in vars(mplhep.style).items() if isinstance(value, dict) and name.isalnum()}
    if style not in styles:
        raise OptionError(f"plot style '{style}' is not in mplhep; {near_miss(style, styles)}")
    settings: dict[Any, Any] = {
        **styles[style],
        # mplhep's sizes are made for figures of 10 by 10 inches
        "font.size": 11,
        "axes.linewidth": 1,
        **{f"{axis}tick.{which}.size": size for axis in "xy" for which, size in (("major", 6), ("minor", 3))},
    }
    with rc_context(settings):
        yield


def _finish(*panels: Axes) -> None:
    """Give axes the field's look: ticks inward, on all four sides, with minor ones between."""
    for axes in panels:
        axes.minorticks_on()
        axes.tick_params(which="both", direction="in", top=True, right=True)


def _arrays(probabilities: ArrayLike, labels: ArrayLike, weights: ArrayLike | None) -> tuple[Any, Any, Any]:
    p = np.asarray(probabilities, dtype=np.float64)
    return p, np.asarray(labels), np.ones(len(p)) if weights is None else np.asarray(weights, dtype=np.float64)


def _draw_rejection(axes: Axes, curve: RocCurve, style: dict[str, Any], *, band: bool) -> float:
    """Draw ``1 / e_B`` where it is above zero; return the highest value known to better than a factor of two."""
    background, sigma = curve.background_efficiency, curve.background_uncertainty
    above = background > 1e-12
    x, y = _thin(curve.signal_efficiency[above], -np.log(background[above]))
    axes.plot(x, np.exp(y), **style)
    sure = background > 2 * sigma
    if band and sure.any():
        x, low = _thin(curve.signal_efficiency[sure], -np.log((background + sigma)[sure]))
        high = np.interp(x, curve.signal_efficiency[sure], 1 / (background - sigma)[sure])
        axes.fill_between(x, np.exp(low), high, color=style["color"], alpha=0.2, linewidth=0)
    return float(1 / background[sure].min()) if sure.any() else 1.0


def _thin(
    x: NDArray[np.float64], y: NDArray[np.float64], cells: int = 1500
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Keep the points where a curve enters or leaves a cell of a grid finer than a plot shows."""
    if len(x) <= 2 * cells:
        return x, y

    def cell(values: NDArray[np.float64]) -> NDArray[np.int64]:
        span = np.ptp(values)
        return np.floor((values - values.min()) * (cells / span if span > 0 else 0.0)).astype(np.int64)

    moved = (np.diff(cell(x)) != 0) | (np.diff(cell(y)) != 0)
    keep = np.concatenate([[True], moved]) | np.concatenate([moved, [True]])
    return x[keep], y[keep]


def _edges(a: NDArray[np.float64], b: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    low, high = float(min(a.min(), b.min())), float(max(a.max(), b.max()))
    if 0 <= low and high <= 1 and high - low > 0.5:
        low, high = 0.0, 1.0
    elif high - low < 1e-6:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, bins + 1)


def _density(
    part: tuple[Any, Any, Any], index: int, own: bool, edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Histogram one class's score for its own or for all other events, to unit area, with ``sqrt(sum w^2)``."""
    p, y, w = part
    mask = (y == index) == own
    content, _ = np.histogram(p[mask, index], edges, weights=w[mask])
    squares, _ = np.histogram(p[mask, index], edges, weights=w[mask] ** 2)
    scale = 1 / (w[mask].sum() * np.diff(edges))
    return content * scale, np.sqrt(squares) * scale


def _history(history: Any) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    columns = getattr(history, "columns", history)
    if not isinstance(columns, Mapping) or "loss" not in columns:
        found = ", ".join(map(str, columns)) if isinstance(columns, Mapping) else type(history).__name__
        raise InputError(f"loss plot: expected a history with the columns epoch, loss, validation_loss; found {found}")
    loss = np.array([np.nan if v is None else v for v in columns["loss"]], dtype=np.float64)
    epoch = np.asarray(columns.get("epoch", np.arange(1, len(loss) + 1)), dtype=np.float64)
    given = columns.get("validation_loss")
    validation = np.array([np.nan if v is None else v for v in ([None] * len(loss) if given is None else given)])
    validation = validation.astype(np.float64)
    if not len(loss) or len(epoch) != len(loss) or len(validation) != len(loss):
        raise InputError(
            f"loss plot: found {len(epoch)} epochs, {len(loss)} losses and {len(validation)} validation losses; "
            "expected the same number of each, at least 1"
        )
    return epoch, loss, validation
