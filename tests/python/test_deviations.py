"""Figures and plots of a regression, and the commands that print and write them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import uproot
from click.testing import CliRunner

from tmva_lstm_plugin import load_model, read_sequences
from tmva_lstm_plugin.cli import main
from tmva_lstm_plugin.deviations import evaluate_regression
from tmva_lstm_plugin.errors import InputError
from tmva_lstm_plugin.regression_plots import plot_deviation, plot_residuals


def gaussian(n, seed=0, *, bias=0.5, width=2.0):
    rng = np.random.default_rng(seed)
    truth = rng.normal(10, 5, (n, 1))
    return truth + rng.normal(bias, width, (n, 1)), truth


def test_figures_of_known_deviations():
    estimate, truth = gaussian(20000)
    found = evaluate_regression(estimate, truth, ["E"]).unweighted[0]
    d = (estimate - truth)[:, 0]
    assert found.bias == pytest.approx(d.mean())
    assert found.rms == pytest.approx(np.sqrt((d**2).mean()))
    assert found.correlation == pytest.approx(np.corrcoef(estimate[:, 0], truth[:, 0])[0, 1])
    assert found.spread == pytest.approx(truth.std())
    low, high = np.quantile(d, [0.158655254, 0.841344746])
    assert found.resolution == pytest.approx((high - low) / 2, rel=1e-3)  # of neighbouring events
    assert found.resolution == pytest.approx(2.0, abs=5 * found.resolution_uncertainty)


def test_uncertainties_are_the_spread_between_samples():
    samples = [evaluate_regression(*gaussian(400, seed), ["E"]).unweighted[0] for seed in range(400)]
    for figure in ("bias", "rms", "resolution"):
        values = np.array([getattr(s, figure) for s in samples])
        said = np.mean([getattr(s, f"{figure}_uncertainty") for s in samples])
        # a spread of 400 is known to 3.5 %; that of quantiles is estimated from spacings, which are too wide by a few %
        assert values.std() == pytest.approx(said, rel=0.15), figure


def test_integer_weights_are_repetitions():
    estimate, truth = gaussian(300)
    times = np.random.default_rng(3).integers(1, 4, 300)
    weighted = evaluate_regression(estimate, truth, ["E"], times.astype(float))
    repeated = evaluate_regression(np.repeat(estimate, times, axis=0), np.repeat(truth, times, axis=0), ["E"])
    for figure in ("bias", "rms", "resolution", "correlation", "spread"):
        assert getattr(weighted.weighted[0], figure) == pytest.approx(getattr(repeated.unweighted[0], figure)), figure
    assert weighted.unweighted[0].bias != pytest.approx(weighted.weighted[0].bias)
    assert "effective with weights" in weighted.table()
    assert "effective" not in repeated.table()


def test_what_cannot_be_evaluated():
    estimate, truth = gaussian(10)
    with pytest.raises(InputError, match=r"test part: predictions have shape \(10, 1\), expected \(events, 2\)"):
        evaluate_regression(estimate, truth, ["E", "n"])
    with pytest.raises(InputError, match="there are 10 predictions and 9 targets"):
        evaluate_regression(estimate, truth[:9], ["E"])
    with pytest.raises(InputError, match="sum to -10"):
        evaluate_regression(estimate, truth, ["E"], -np.ones(10))
    constant = evaluate_regression(np.ones((10, 1)), truth, ["E"])
    assert np.isnan(constant.unweighted[0].correlation)
    assert constant.to_dict()["unweighted"][0]["correlation"] is None


def test_plots_show_the_events():
    pytest.importorskip("matplotlib")
    estimate, truth = (np.hstack([a, -a]) for a in gaussian(500))
    axes = plot_deviation(estimate, truth, ["E", "F"]).axes
    assert [a.get_xlabel() for a in axes] == ["true E", "true F"]
    drawn = axes[0].get_lines()[0].get_xydata()
    assert np.allclose(drawn, np.stack([truth[:, 0], (estimate - truth)[:, 0]], axis=1))
    histogram = plot_residuals(estimate, truth, ["E", "F"], train=(estimate[:100], truth[:100], None)).axes[1]
    test, training = histogram.patches
    for patch in (test, training):
        values, edges, _ = patch.get_data()
        assert (values * np.diff(edges)).sum() == pytest.approx(1)
    assert not np.array_equal(test.get_data()[0], training.get_data()[0])


@pytest.fixture
def file(tmp_path):
    rng = np.random.default_rng(4)
    n = 800
    with uproot.recreate(tmp_path / "toys.root") as out:
        out.mktree("t", {"x": ("float32", (4,)), "w": "float64", "s": "float64"})
        x = rng.exponential(size=(n, 4)).astype(np.float32)
        out["t"].extend({"x": x, "w": np.where(rng.random(n) < 0.1, -0.2, 1.0), "s": 100 * x.sum(axis=1)})
    return tmp_path / "toys.root"


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_the_commands(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("train", file, "--feature", "x", "--target", "sum=s", "--target", "half=s/2", "--weight", "w", "--loss", "huber",
               "--huber-delta", 2, "--epochs", 10, "--negative-weights", "ignore", "--output", "out", "--scored-file", "s.root",
               "--json", "train.json")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "resolution (68 %)" in done.output
    figures = json.loads((tmp_path / "train.json").read_text())
    assert figures["summary"]["negative_weights"] == "ignore"
    assert [t["name"] for t in figures["evaluation"]["weighted"]] == ["sum", "half"]
    assert figures["evaluation"]["unweighted"][0]["correlation"] > 0.8
    for name in ("deviation", "residuals", "loss"):
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > 5000
    weights = tmp_path / "out" / "lstm.weights.xml"
    model = load_model(weights)
    events = read_sequences(file, recipe=model.recipe)
    scores = uproot.open(tmp_path / "out" / "s.root")["scores"].arrays(library="np")
    assert np.array_equal(np.stack([scores["lstm_sum"], scores["lstm_half"]], axis=1), model.predict(events))

    inspected = run("inspect", weights, "--json", "inspect.json")
    assert inspected.exit_code == 0, inspected.output
    assert "targets    sum, half" in inspected.output
    assert json.loads((tmp_path / "inspect.json").read_text())["loss"] == "huber"
    checked = run("check", weights)
    assert checked.exit_code == 0, checked.output
    evaluated = run("evaluate", weights, file, "--json", "evaluate.json")
    assert evaluated.exit_code == 0, evaluated.output
    expected = evaluate_regression(model.predict(events), events.targets, model.target_names, events.weights)
    found = json.loads((tmp_path / "evaluate.json").read_text())
    assert found["unweighted"] == expected.to_dict()["unweighted"]
    refused = run("evaluate", weights, file, "--label", "s > 1")
    assert refused.exit_code == 2
    assert "is a regression of sum, half; it has no classes" in refused.output


def test_a_configuration_that_asks_for_both(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused = run("train", file, "--feature", "x", "--target", "s", "--label", "s > 100", "--loss", "cross_entropy",
                  "--class-balance", "equal")  # fmt: skip
    assert refused.exit_code == 2
    for part in ("--label: it is for classes, and input.targets is given", "--loss: 'cross_entropy' is for classes",
                 "--class-balance: a regression has no classes"):  # fmt: skip
        assert part in refused.output, refused.output
