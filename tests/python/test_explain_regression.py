"""What is said of a trained regression: in the targets' units, against its estimates, and on a sum whose terms are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tmva_lstm_plugin import LSTMClassifier, LSTMRegressor, Sequences, load_model
from tmva_lstm_plugin.cli import main
from tmva_lstm_plugin.errors import InputError, OptionError
from tmva_lstm_plugin.explain import (
    gate_activations,
    gate_gradients,
    input_gradients,
    integrated_gradients,
    permutation_ranking,
)
from tmva_lstm_plugin.gradient_flow import gradient_flow
from tmva_lstm_plugin.testing import order_task

DATA = Path(__file__).resolve().parents[2] / "data" / "gibuu_neutrino.root"


def sums(n=600, seed=1, *, scale=20.0, shift=50.0, both=True, weights=False):
    """`x` of all steps and half of `e` add up to the first target; the second is -x of the last step; `noise` is of no use."""
    rng = np.random.default_rng(seed)
    steps = [rng.normal(size=(length, 2)) for length in rng.integers(1, 6, n)]
    e = rng.normal(size=n)
    targets = [[scale * (s[:, 0].sum() + e[i] / 2) + shift, -s[-1, 0]] for i, s in enumerate(steps)]
    return Sequences.from_lists(
        steps,
        feature_names=["x", "noise"],
        event_values=e[:, None],
        event_feature_names=["e"],
        targets=np.array(targets) if both else np.array(targets)[:, :1],
        target_names=["sum", "last"] if both else ["sum"],
        weights=np.where(rng.random(n) < 0.2, -0.5, 1.5) if weights else None,
    )


@pytest.fixture(scope="module")
def two():
    events = sums()
    model = LSTMRegressor((6, 5), bidirectional=True, epochs=12, learning_rate=0.02, n_threads=2).fit(events)
    return model, events[:200]


@pytest.fixture(scope="module")
def one():
    events = sums(both=False, weights=True)
    model = LSTMRegressor(8, epochs=30, learning_rate=0.02, loss="huber", huber_delta=0.7, n_threads=2).fit(events)
    assert model.history.columns["validation_loss"][-1] < 0.02
    return model, events[:200]


def test_values_are_the_estimates_to_the_bit(two, one):
    for (model, events), output, k in ((two, "sum", 0), (two, 1, 1), (one, None, 0)):
        expected = model.predict(events)[:, k]
        for found in (input_gradients(model, events, output), gate_gradients(model, events, output)):
            assert found.quantity == f"estimate of {model.target_names[k]}"
            assert np.array_equal(found.values, expected)
        assert np.array_equal(integrated_gradients(model, events, output, steps=1).values, expected)


def central(function, events, rows, d, step):
    ends = []
    for sign in (1, -1):
        values = events.values.copy()
        values[rows, d] += sign * step
        ends.append(function(replace(events, values=values)))
    return (ends[0] - ends[1]) / (2 * step)


@pytest.mark.parametrize("output", ["sum", "last"])
def test_input_gradients_are_slopes_of_the_estimates(two, output):
    model, events = two
    k = model.target_names.index(output)
    found = input_gradients(model, events, output)

    def estimate(of):
        return model.predict(of)[:, k].astype(np.float64)

    for d in range(2):
        for t in (0, 2):
            long = events.lengths > t
            rows = events.offsets[:-1][long] + t
            slope = central(estimate, events, rows, d, 1e-2)[long]
            # estimates of up to some hundred are good to 1e-5 in single precision, over twice the step; and third derivatives
            assert np.abs(found.original[rows, d] - slope).max() < 3e-3 * np.abs(slope).max()
    ends = [estimate(replace(events, event_values=events.event_values + sign * np.float32(1e-2))) for sign in (1, -1)]
    slope = (ends[0] - ends[1]) / 2e-2
    assert np.abs(found.event_original[:, 0] - slope).max() < 3e-3 * np.abs(slope).max()


def test_gate_gradients_are_in_the_targets_units_too(one):
    """What reaches the gates, through the weights of the input, is what reaches the features."""
    model, events = one
    gates = gate_gradients(model, events).layers[0]
    found = input_gradients(model, events)
    W = model._trainer.parameters[: 4 * 8 * 2].reshape(4, 8, 2)
    expected = np.einsum("sgh,ghd->sd", gates.gates, W)
    assert np.abs(found.standardised - expected).max() < 1e-5 * np.abs(expected).max()
    # x adds 20 a unit to the sum, as the model has learnt, and noise nothing
    assert np.median(found.original[:, 0]) == pytest.approx(20, rel=0.1)
    assert np.abs(np.median(found.original[:, 1])) < 1
    # half of 20 a unit of e
    assert np.median(found.event_original[:, 0]) == pytest.approx(10, rel=0.1)
    # the gradient of h of the last step is the head's, times the scale of the target
    head = model._trainer.parameters[-10:-2]
    ends = events.offsets[1:] - 1
    np.testing.assert_allclose(gates.hidden[ends], np.tile(head * model._target_scale[1], (len(ends), 1)), rtol=1e-5)


def test_the_loss_is_the_trained_one(one, two):
    for (model, events), delta in ((one, 0.7), (two, None)):

        def loss(of, model=model, delta=delta):
            z = np.abs((model.predict(of).astype(np.float64) - of.targets) / model._target_scale[1])
            each = z**2 if delta is None else np.where(z < delta, z**2 / 2, delta * (z - delta / 2))
            return each.mean(axis=1)

        found = input_gradients(model, events, of="loss")
        assert found.quantity == "loss"
        np.testing.assert_allclose(found.values, loss(events), rtol=1e-3, atol=1e-6)
        rows = events.offsets[:-1]
        slope = central(loss, events, rows, 0, 1e-2)
        assert np.abs(found.original[rows, 0] - slope).max() < 1e-2 * np.abs(slope).max()


@pytest.mark.parametrize("shift", [50.0, 1e5])
def test_integrated_gradients_are_complete_in_the_targets_units(shift):
    """Of a target far from 0, too, whose estimates have few digits left for what changes."""
    events = sums(shift=shift)
    model = LSTMRegressor(6, epochs=8, learning_rate=0.02, n_threads=2).fit(events)
    events = events[:100]
    found = integrated_gradients(model, events, "sum")
    baseline = replace(
        events,
        values=np.tile(found.baseline, (len(events.values), 1)).astype(np.float32),
        event_values=np.tile(found.event_baseline, (len(events), 1)).astype(np.float32),
    )
    change = model.predict(events)[:, 0].astype(np.float64) - model.predict(baseline)[:, 0]
    assert np.abs(change).max() > 20
    sums_of_events = (
        np.add.reduceat(found.attributions.sum(axis=1), events.offsets[:-1]) + found.event_attributions[:, 0]
    )
    # a unit in the last place of the estimate at either end; single-precision gradients
    bound = 2 * np.spacing(np.float32(2 * shift)) + 1e-5 * np.abs(change).max()
    assert np.abs(sums_of_events - change).max() < bound
    np.testing.assert_allclose(found.changes, change, atol=bound)
    np.testing.assert_allclose(found.residuals, sums_of_events - found.changes, atol=1e-9)
    assert found.largest_residual < 1e-5
    assert found.shares()["x"] > 5 * found.shares()["noise"]


def test_the_ranking_is_of_the_squared_deviation(one):
    model, events = one
    ranking = permutation_ranking(model, events, repeats=3)
    z = (model.predict(events).astype(np.float64) - events.targets) / model._target_scale[1]
    assert ranking.reference == pytest.approx(np.average((z**2).mean(axis=1), weights=events.weights), rel=1e-4)
    assert ranking.names[:3] == ("x", "noise", "e")
    assert [ranking.names[n] for n in ranking.order() if ranking.kinds[n] != "step"] == ["x", "e", "noise"]
    x, noise, e = ranking.means[:3]
    assert x > 3 * e > 30 * abs(noise)
    # permuting e by hand: the variance of a difference of two, as far as the model has learnt its slope
    assert e == pytest.approx(2 * (10 / float(model._target_scale[1][0])) ** 2, rel=0.4)


def test_flow_gates_and_files(two, tmp_path):
    model, events = two
    flow = gradient_flow(model, events)
    assert flow.quantity == "loss"
    assert [layer.name for layer in flow.layers] == ["lstm", "lstm.reverse", "lstm2", "lstm2.reverse"]
    assert gradient_flow(model, events, "last", of="estimate").quantity == "estimate of last"
    assert all((layer.gates[:, 0] > 0).all() for layer in gate_activations(model, events).layers)
    model.save(tmp_path / "m.xml")
    again = load_model(tmp_path / "m.xml")
    for output in ("sum", "last"):
        a, b = (input_gradients(m, events, output) for m in (model, again))
        assert np.array_equal(a.values, b.values)
        assert np.array_equal(a.original, b.original)
    assert permutation_ranking(again, events).reference == permutation_ranking(model, events).reference


def test_what_makes_no_sense_is_refused(two, one):
    model, events = two
    with pytest.raises(
        OptionError, match="the model estimates sum, last; say which of them is looked at, such as output='sum'"
    ):
        input_gradients(model, events)
    with pytest.raises(OptionError, match="there is no output 'sun'; did you mean 'sum'"):
        integrated_gradients(model, events, "sun")
    with pytest.raises(OptionError, match="there is no output 2; there are 2: sum, last"):
        integrated_gradients(model, events, 2)
    with pytest.raises(OptionError, match="of is 'logit', for a regression expected 'estimate' or 'loss'"):
        gate_gradients(model, events, "sum", of="logit")
    task = order_task(100).sequences
    classes = LSTMClassifier(2, epochs=1).fit(task)
    with pytest.raises(OptionError, match="of is 'estimate', for classes expected 'logit', 'probability' or 'loss'"):
        input_gradients(classes, task, of="estimate")
    blind = replace(events, targets=None, target_names=())
    for call in (permutation_ranking, gradient_flow):
        with pytest.raises(InputError, match="the events have no targets, which a loss needs"):
            call(model, blind)
    assert len(input_gradients(model, blind, "sum").values) == len(events)
    with pytest.raises(
        InputError, match="the events have the targets sum, the model was trained on sum, last; read those"
    ):
        permutation_ranking(model, one[1])


def test_the_command_explains_a_regression(tmp_path):
    def run(*arguments, code=0):
        outcome = CliRunner().invoke(main, [str(a) for a in arguments])
        assert outcome.exit_code == code, outcome.output
        return outcome.output

    reading = [DATA, "--feature", "E=E", "--feature", "Pz", "--order-by", "E"]
    small = ["--hidden", 4, "--epochs", 3, "--no-plots", "-o", tmp_path]
    run("train", *reading, "--target", "nu=lepIn_E", *small)
    weights = tmp_path / "lstm.weights.xml"
    folder = tmp_path / "explain"
    output = run("explain", weights, DATA, "-o", folder, "--events", 300, "--json", tmp_path / "e.json")
    assert "attributions to the estimate of nu, in its units" in output
    assert "growth of squared deviation, permuted" in output
    assert "300 of 4755 events, mean squared deviation" in output
    assert {f"{name}.png" for name in ("gradient_flow", "gates", "attributions", "ranking")} <= {
        path.name for path in folder.iterdir()
    }
    facts = json.loads((tmp_path / "e.json").read_text())
    assert facts["quantity"] == "estimate of nu"
    assert facts["mean_absolute_attribution"]["E"] > 0
    with np.load(folder / "arrays.npz") as arrays:
        assert np.isfinite(arrays["attributions"]).all()
        assert np.abs(arrays["attributions"]).max() > 1  # GeV
    assert "--label: it tells classes apart" in run("explain", weights, DATA, "--label", "evType", code=2)
    run("train", *reading, "--target", "nu=lepIn_E", "--target", "mu=lepOut_E", *small)
    assert "the model estimates nu, mu; say which" in run("explain", weights, DATA, "-o", folder, code=2)
    chosen = run("explain", weights, DATA, "-o", folder, "--events", 50, "--output-target", "mu")
    assert "attributions to the estimate of mu" in chosen
