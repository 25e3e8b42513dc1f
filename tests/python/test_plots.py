"""What the figures show, read back from their artists, and what lands on disk."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from tmva_lstm_plugin.errors import InputError, OptionError, OutputError
from tmva_lstm_plugin.evaluation import auc, evaluate, plus_minus, roc_curve
from tmva_lstm_plugin.plots import _thin, plot_loss, plot_overtraining, plot_roc, save_plots

NAMES = ("background", "signal")
HISTORY = {"epoch": [1, 2, 3, 4], "loss": [0.7, 0.5, 0.4, 0.35], "validation_loss": [0.72, 0.6, 0.58, 0.61]}


def two_classes(seed, n, negative=0.05):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.5).astype(int)
    score = np.where(y == 1, rng.beta(3, 1.6, n), rng.beta(1.4, 3, n))
    w = rng.gamma(2.0, 0.5, n) * np.where(rng.random(n) < negative, -1, 1)
    return np.column_stack([1 - score, score]), y, w


def classes(seed, n, count):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % count
    z = rng.normal(size=(n, count))
    z[np.arange(n), y] += 1.2
    p = np.exp(z)
    return p / p.sum(axis=1, keepdims=True), y, rng.gamma(2.0, 0.5, n)


def legend_texts(owner):
    legends = owner.legends if isinstance(owner, Figure) else [owner.get_legend()]
    return [text.get_text() for legend in legends for text in legend.get_texts()]


def assert_legends_beside_the_data(figure):
    figure.canvas.draw()
    legends = figure.legends + [axes.get_legend() for axes in figure.axes if axes.get_legend()]
    assert legends
    for legend in legends:
        box = legend.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1
        for axes in figure.axes:
            inner = axes.get_window_extent()
            assert box.y0 >= inner.y1 or box.y1 <= inner.y0 or box.x0 >= inner.x1 or box.x1 <= inner.x0


def test_roc_of_two_classes():
    p, y, _ = two_classes(1, 400)
    figure = plot_roc(p, y, NAMES)
    left, right = figure.axes
    curve = roc_curve(p[:, 1], y)
    np.testing.assert_array_equal(left.lines[0].get_xdata(), curve.signal_efficiency)
    np.testing.assert_array_equal(left.lines[0].get_ydata(), 1 - curve.background_efficiency)
    above = curve.background_efficiency > 0
    np.testing.assert_array_equal(right.lines[0].get_xdata(), curve.signal_efficiency[above])
    np.testing.assert_allclose(right.lines[0].get_ydata(), 1 / curve.background_efficiency[above])
    assert right.get_yscale() == "log"
    single = evaluate(p, y, NAMES).unweighted
    assert legend_texts(figure) == [f"AUC = {plus_minus(single.auc, single.auc_uncertainty, '±')}", "no separation"]
    assert left.get_xlabel() == "efficiency of signal"
    assert left.get_ylabel().startswith("rejected fraction of background")
    assert right.get_ylabel().startswith("rejection of background")
    assert_legends_beside_the_data(figure)


def test_roc_with_weights_shows_both_and_says_what_is_not_monotonic():
    p, y, w = two_classes(1, 400)
    figure = plot_roc(p, y, NAMES, w)
    weighted, line, unweighted = legend_texts(figure)
    assert weighted.startswith(f"weighted: AUC = {auc(p[:, 1], y, w):.2f}"[:20])
    assert weighted.endswith("(not monotonic)")
    assert line == "no separation"
    assert unweighted.startswith("unweighted: AUC = ")
    assert "monotonic" not in unweighted
    solid, _, dotted = figure.axes[0].lines
    assert (solid.get_linestyle(), dotted.get_linestyle()) == ("-", ":")
    expected = roc_curve(p[:, 1], y, w)
    np.testing.assert_array_equal(solid.get_xdata(), expected.signal_efficiency)
    assert_legends_beside_the_data(figure)


@pytest.mark.parametrize("count", [3, 5])
def test_roc_of_more_classes(count):
    names = [f"process {i}" for i in range(count)]
    p, y, w = classes(2, 300, count)
    figure = plot_roc(p, y, names, w)
    assert len(figure.axes[0].lines) == 2 * count + 1
    assert legend_texts(figure)[:count] == [
        f"process {i}, weighted: AUC = {plus_minus(c.auc, c.auc_uncertainty, '±')}"
        for i, c in enumerate(evaluate(p, y, names, w).weighted.classes)
    ]
    assert_legends_beside_the_data(figure)


def test_roc_of_separated_classes_has_no_rejection_to_draw_at_low_efficiency():
    figure = plot_roc([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9]], [0, 0, 1, 1], NAMES)
    figure.canvas.draw()
    np.testing.assert_array_equal(figure.axes[1].lines[0].get_xdata(), [1, 1])


def test_thinning_keeps_the_curve():
    rng = np.random.default_rng(3)
    x = np.sort(rng.random(200_000))
    y = np.cumsum(rng.random(200_000)) / 100_000
    few_x, few_y = _thin(x, y)
    assert len(few_x) < 10_000
    assert (few_x[0], few_x[-1], few_y[0], few_y[-1]) == (x[0], x[-1], y[0], y[-1])
    assert np.max(np.abs(np.interp(x, few_x, few_y) - y)) < np.ptp(y) / 1000
    step = np.repeat([0.0, 1.0], 10_000)
    along, up = _thin(np.linspace(0, 1, 20_000), step)
    jump = along[np.flatnonzero(np.diff(up))[0]]
    assert jump == pytest.approx(0.5, abs=1e-4)
    assert _thin(np.zeros(5000), np.zeros(5000))[0].tolist() == [0.0, 0.0]


def test_loss():
    figure = plot_loss(SimpleNamespace(columns=HISTORY))
    (axes,) = figure.axes
    training, validation, best = axes.lines
    np.testing.assert_array_equal(training.get_ydata(), HISTORY["loss"])
    np.testing.assert_array_equal(validation.get_xdata(), HISTORY["epoch"])
    assert list(best.get_xdata()) == [3, 3]
    assert legend_texts(figure) == ["training", "validation", "best epoch 3: 0.58"]
    assert axes.get_xlabel() == "epoch"
    assert_legends_beside_the_data(figure)


@pytest.mark.parametrize("column", [None, [None] * 4, [np.nan] * 4])
def test_loss_without_validation(column):
    figure = plot_loss({**HISTORY, "validation_loss": column})
    assert legend_texts(figure) == ["training"]


def test_loss_with_some_validation():
    figure = plot_loss({"loss": [3.0, 0.2, 0.1], "validation_loss": [None, 0.4, 0.3]})
    np.testing.assert_array_equal(figure.axes[0].lines[1].get_xdata(), [2, 3])
    assert figure.axes[0].get_yscale() == "log"


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ({"epoch": [1]}, "expected a history with the columns epoch, loss, validation_loss; found epoch"),
        (7, "expected a history with .* found int"),
        ({"loss": []}, "found 0 epochs, 0 losses and 0 validation losses; expected the same number of each"),
        ({"epoch": [1], "loss": [1, 2]}, "found 1 epochs, 2 losses and 2 validation losses"),
    ],
)
def test_loss_refuses(history, message):
    with pytest.raises(InputError, match=message):
        plot_loss(history)


@pytest.mark.parametrize("weighted", [False, True])
def test_overtraining_of_two_classes(weighted):
    p, y, w = two_classes(4, 1200)
    q, x, v = two_classes(5, 3500)
    if not weighted:
        w, v = None, None
    figure = plot_overtraining(p, y, NAMES, (q, x, v), w, bins=20)
    (axes,) = figure.axes
    edges = np.linspace(0, 1, 21)
    outlines = [patch for patch in axes.patches if hasattr(patch, "get_data")]
    for number, label in enumerate((1, 0)):
        picked = x == label
        expected, _ = np.histogram(q[picked, 1], edges, density=True, weights=None if v is None else v[picked])
        for artist in outlines[2 * number : 2 * number + 2]:
            np.testing.assert_allclose(artist.get_data().values, expected, atol=1e-12)
        picked = y == label
        weights = np.ones(picked.sum()) if w is None else w[picked]
        bin_of = np.digitize(p[picked, 1], edges) - 1
        heights = np.array([weights[bin_of == i].sum() for i in range(20)]) / weights.sum() * 20
        errors = np.array([np.sqrt((weights[bin_of == i] ** 2).sum()) for i in range(20)]) / weights.sum() * 20
        line, _, (across, upright) = axes.containers[number]
        some = errors > 0
        np.testing.assert_allclose(line.get_ydata(), heights[some])
        ends = np.array([segment[:, 1] for segment in upright.get_segments()])
        np.testing.assert_allclose(ends, np.column_stack([heights - errors, heights + errors])[some])
        assert len(across.get_segments()) == some.sum()
    result = evaluate(p, y, NAMES, w, (q, x, v))
    tests = (result.weighted or result.unweighted).classes[0].ks
    assert legend_texts(axes) == [
        "signal, training",
        "background, training",
        f"signal, test: KS D = {tests[0].distance:.3f}, p = {tests[0].probability:.2f}",
        f"background, test: KS D = {tests[1].distance:.3f}, p = {tests[1].probability:.2f}",
    ]
    assert axes.get_ylim()[1] > max(artist.get_data().values.max() for artist in outlines)
    assert_legends_beside_the_data(figure)


@pytest.mark.parametrize("count", [3, 4, 5])
def test_overtraining_of_more_classes_has_a_panel_for_each(count):
    names = [f"process {i}" for i in range(count)]
    p, y, w = classes(6, 200, count)
    figure = plot_overtraining(p, y, names, classes(7, 300, count), w)
    assert [axes.get_xlabel() for axes in figure.axes] == [f"probability of {name}" for name in names]
    assert legend_texts(figure.axes[1])[:2] == ["process 1, training", "rest, training"]
    assert_legends_beside_the_data(figure)


def test_overtraining_of_equal_and_of_narrow_scores():
    y = np.array([0, 1, 0, 1])
    flat = np.full((4, 2), 0.5)
    assert plot_overtraining(flat, y, NAMES, (flat, y, None)).axes[0].get_xlim() == (0.0, 1.0)
    narrow = np.column_stack([1 - 0.4 - 0.05 * y, 0.4 + 0.05 * y])
    assert plot_overtraining(narrow, y, NAMES, (narrow, y, None)).axes[0].get_xlim() == pytest.approx((0.4, 0.45))


def test_overtraining_refuses():
    p, y, _ = two_classes(8, 50)
    with pytest.raises(OptionError, match="overtraining plot with 0 bins: expected at least 1"):
        plot_overtraining(p, y, NAMES, (p, y, None), bins=0)
    with pytest.raises(InputError, match="training part: labels have shape"):
        plot_overtraining(p, y, NAMES, (p, y[:3], None))


def test_save_plots(tmp_path):
    p, y, w = two_classes(9, 200)
    train = two_classes(10, 300)
    folder = tmp_path / "new" / "plots"
    written = save_plots(folder, p, y, NAMES, w, train, HISTORY)
    names = [f"{stem}.{suffix}" for stem in ("roc", "loss", "overtraining") for suffix in ("png", "pdf")]
    assert written == [folder / name for name in names]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    for path in written:
        assert path.read_bytes().startswith(b"\x89PNG" if path.suffix == ".png" else b"%PDF")
    before = [path.read_bytes() for path in written]
    assert [path.read_bytes() for path in save_plots(folder, p, y, NAMES, w, train, HISTORY)] == before


def test_save_plots_writes_what_the_data_allow(tmp_path):
    p, y, _ = two_classes(9, 200)
    assert save_plots(tmp_path, p, y, NAMES, formats=["svg"]) == [tmp_path / "roc.svg"]


@pytest.mark.parametrize("style", ["ROOT", "CMS"])
def test_save_plots_in_a_style_leaves_the_settings(tmp_path, style):
    p, y, _ = two_classes(9, 200)
    settings = dict(matplotlib.rcParams)
    (plain,) = save_plots(tmp_path, p, y, NAMES, formats=["png"])
    before = plain.read_bytes()
    (styled,) = save_plots(tmp_path, p, y, NAMES, formats=["png"], style=style)
    assert styled.read_bytes() != before
    assert dict(matplotlib.rcParams) == settings


def test_save_plots_refuses_options(tmp_path):
    p, y, _ = two_classes(9, 200)
    with pytest.raises(OptionError, match=r"plot format 'pgn': matplotlib cannot write it; did you mean .*'png'"):
        save_plots(tmp_path, p, y, NAMES, formats=["pgn"])
    with pytest.raises(OptionError, match=r"plot style 'ROOTS' is not in mplhep; did you mean 'ROOT'"):
        save_plots(tmp_path, p, y, NAMES, style="ROOTS")
    assert list(tmp_path.iterdir()) == []


def test_save_plots_keeps_the_earlier_file_when_the_disk_is_full(tmp_path, monkeypatch):
    p, y, _ = two_classes(9, 200)
    (path,) = save_plots(tmp_path, p, y, NAMES, formats=["png"])
    before = path.read_bytes()

    def full(self, target, **kwargs):
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    with pytest.raises(OutputError, match=r"cannot write plot .*roc.png': No space left on device; the earlier file"):
        save_plots(tmp_path, p, y, NAMES, formats=["png"])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_save_plots_refuses_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    p, y, _ = two_classes(9, 200)
    with pytest.raises(OutputError, match="cannot write plots into folder"):
        save_plots(tmp_path / "file", p, y, NAMES)


def test_without_matplotlib_or_mplhep(tmp_path, monkeypatch):
    p, y, _ = two_classes(9, 200)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "mplhep", None)
        with pytest.raises(OptionError, match=r"style 'ROOT' needs mplhep.*pip install 'tmva-lstm-plugin\[plots\]'"):
            save_plots(tmp_path, p, y, NAMES, style="ROOT")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    calls = [
        lambda: plot_roc(p, y, NAMES),
        lambda: plot_loss(HISTORY),
        lambda: plot_overtraining(p, y, NAMES, (p, y, None)),
        lambda: save_plots(tmp_path, p, y, NAMES),
    ]
    for call in calls:
        with pytest.raises(OptionError, match=r"plots need matplotlib.*pip install 'tmva-lstm-plugin\[plots\]'"):
            call()


def test_neither_import_nor_plots_touch_pyplot_or_the_settings():
    # in a process of its own, since other tests may have imported pyplot
    program = """
import sys
import tmva_lstm_plugin.plots as plots
assert "matplotlib" not in sys.modules
import matplotlib
# asking for the backend would choose one, and import pyplot
settings = {key: matplotlib.rcParams[key] for key in matplotlib.rcParams if key != "backend"}
p = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.1, 0.9]]
plots.plot_roc(p, [0, 0, 1, 1], ["b", "s"]).canvas.draw()
plots.plot_overtraining(p, [0, 0, 1, 1], ["b", "s"], (p, [0, 0, 1, 1], None)).canvas.draw()
plots.plot_loss({"loss": [2.0, 1.0]}).canvas.draw()
assert "matplotlib.pyplot" not in sys.modules
assert {key: matplotlib.rcParams[key] for key in settings} == settings
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
