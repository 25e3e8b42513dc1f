"""What is said of a trained model: against its scores, and on tasks where it is known which feature and step matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tmva_lstm_plugin import LSTMClassifier, Sequences, load_model
from tmva_lstm_plugin.errors import InputError, LSTMError, OptionError
from tmva_lstm_plugin.explain import (
    gate_activations,
    gate_gradients,
    input_gradients,
    integrated_gradients,
    permutation_ranking,
)
from tmva_lstm_plugin.gradient_flow import QUANTILES, gradient_flow
from tmva_lstm_plugin.testing import first_step_sign, gaussian_classes


@pytest.fixture(scope="module")
def planted():
    """A model that has learnt that the sign of `x` of the first step decides; the rest is noise."""
    events = first_step_sign(3000, lengths=(3, 8), flip=0.05, n_noise=1, seed=2).sequences
    model = LSTMClassifier(10, epochs=25, learning_rate=1e-2, batch_size=32, seed=3, n_threads=2).fit(events)
    assert np.mean(model.predict(events) == events.labels) > 0.9
    return model, events[:800]


@pytest.fixture(scope="module")
def three():
    events = gaussian_classes(400, lengths=(0, 6), seed=4).sequences
    rng = np.random.default_rng(1)
    events = Sequences.from_arrays(
        events.values,
        events.offsets,
        events.labels,
        event_values=rng.normal(size=(400, 2)),
        class_names=events.class_names,
    )
    return LSTMClassifier((5, 4), bidirectional=True, epochs=2, n_threads=2).fit(events), events


def test_the_planted_feature_and_step_stand_out(planted):
    model, events = planted
    ranking = permutation_ranking(model, events, repeats=3)
    assert [ranking.names[n] for n in ranking.order("feature")] == ["x", "noise0"]
    assert ranking.names[ranking.order("step")[0]] == "step 0"
    x, noise = ranking.means[:2]
    assert x > 20 * abs(noise)
    found = integrated_gradients(model, events)
    shares = found.shares()
    assert shares["x"] > 5 * shares["noise0"]
    first = np.zeros(len(found.attributions), bool)
    first[events.offsets[:-1]] = True
    size = np.abs(found.attributions[:, 0])
    assert size[first].mean() > 10 * size[~first].mean()
    # above the threshold for the signal, below for the background
    sign = np.sign(events.values[first, 0])
    assert np.mean(np.sign(found.attributions[first, 0]) == sign) > 0.95


def test_integrated_gradients_are_complete(planted, three):
    model, events = three
    for output, of in ((1, "probability"), (None, "logit")):
        found = integrated_gradients(model, events, output, of=of)
        # single-precision gradients; the integral itself Gauss and Legendre's rule has to far below 1e-6 for this smooth model
        assert found.largest_residual < 1e-5
        change = found.values.astype(np.float64) - found.baseline_values
        by_hand = [
            found.attributions[a:b].sum() + found.event_attributions[n].sum() - change[n]
            for n, (a, b) in enumerate(zip(found.offsets[:-1], found.offsets[1:], strict=True))
        ]
        np.testing.assert_allclose(found.residuals, by_hand, atol=1e-9)
        assert found.largest_residual == pytest.approx(np.abs(by_hand).max() / np.abs(change).max(), abs=1e-9)
    # the planted model jumps where its line begins: what too few points miss is seen, and more find it
    coarse, fine = (integrated_gradients(*planted, steps=n).largest_residual for n in (5, 400))
    assert coarse > 0.1
    assert fine < coarse / 10


def test_baselines(three):
    model, events = three
    zero = integrated_gradients(model, events, baseline="zero", steps=2)
    assert not zero.baseline.any()
    assert not zero.event_baseline.any()
    name = events.feature_names[0]
    some = integrated_gradients(model, events, baseline={name: 2.5, "e1": -1}, steps=2)
    mean = integrated_gradients(model, events, steps=2)
    np.testing.assert_allclose(mean.event_baseline, events.event_values.mean(axis=0), atol=0.1)
    assert (some.baseline[0], some.event_baseline[1]) == (2.5, -1)
    assert some.event_baseline[0] == mean.event_baseline[0]
    given = integrated_gradients(model, events, baseline=some.baseline, steps=2)
    assert given.baseline[0] == 2.5
    # an event that is the baseline gets nothing
    still = Sequences.from_arrays(
        np.tile(mean.baseline, (3, 1)), [0, 3], event_values=mean.event_baseline[None], class_names=events.class_names
    )
    nothing = integrated_gradients(model, still, 0, steps=2)
    assert np.abs(nothing.attributions).max() < 1e-6
    for wrong, message in (
        ("median", "baseline is 'median', expected 'mean', 'zero'"),
        ({"y": 1}, "baseline names 'y', which is no feature"),
        ([1, 2, 3, 4, 5, 6, 7], r"baseline has shape \(7,\), expected"),
    ):
        with pytest.raises(OptionError, match=message):
            integrated_gradients(model, events, baseline=wrong)
    with pytest.raises(OptionError, match="steps is 0, expected at least 1"):
        integrated_gradients(model, events, steps=0)


def test_input_gradients_are_slopes_of_the_scores(three):
    model, events = three
    found = input_gradients(model, events, 1, of="probability")
    np.testing.assert_array_equal(found.values, model.predict_proba(events)[:, 1])
    step = 1e-2
    for d in range(len(events.feature_names)):
        for t in (0, 2):
            long = events.lengths > t
            rows = events.offsets[:-1][long] + t
            scores = []
            for sign in (1, -1):
                values = events.values.copy()
                values[rows, d] += sign * step
                scores.append(model.predict_proba(replace(events, values=values))[long, 1].astype(np.float64))
            slope = (scores[0] - scores[1]) / (2 * step)
            # single-precision scores are good to 1e-7, over twice the step; and third derivatives times the step squared
            assert np.abs(found.original[rows, d] - slope).max() < 3e-5 + 1e-3 * np.abs(slope).max()
    ratio = np.median(found.standardised / found.original, axis=0)
    np.testing.assert_allclose(ratio, events.values.std(axis=0), rtol=0.1)


def test_gates_of_a_model(three, tmp_path):
    model, events = three
    found = gate_activations(model, events)
    assert [layer.name for layer in found.layers] == ["lstm", "lstm.reverse", "lstm2", "lstm2.reverse"]
    assert [layer.backward_in_time for layer in found.layers] == [False, True, False, True]
    S = len(events.values)
    for layer, H in zip(found.layers, (5, 5, 4, 4), strict=True):
        assert layer.gates.shape == (S, 4, H)
        assert layer.gate_names == ("input", "forget", "candidate", "output")
        assert layer.hidden.shape == layer.cell.shape == (S, H)
        gates = dict(zip(layer.gate_names, np.moveaxis(layer.gates, 1, 0), strict=True))
        np.testing.assert_allclose(layer.hidden, gates["output"] * np.tanh(layer.cell), atol=1e-6)
        begins = events.offsets[1:] - 1 if layer.backward_in_time else events.offsets[:-1]
        begins = begins[events.lengths > 0]
        np.testing.assert_allclose(layer.cell[begins], (gates["input"] * gates["candidate"])[begins], atol=1e-6)
    model.save(tmp_path / "model.weights.xml")
    again = gate_activations(load_model(tmp_path / "model.weights.xml", n_threads=1), events)
    assert all((a.gates == b.gates).all() for a, b in zip(found.layers, again.layers, strict=True))


def test_outputs_by_name_position_and_default(three, planted):
    model, events = three
    names = events.class_names
    by_name, by_place = gate_gradients(model, events, names[2]), gate_gradients(model, events, 2)
    assert by_name.quantity == f"logit of {names[2]}"
    assert (by_name.layers[1].gates == by_place.layers[1].gates).all()
    own = gate_gradients(model, events, of="probability")
    assert own.quantity == "probability of each event's most probable class"
    np.testing.assert_array_equal(own.values, model.predict_proba(events).max(axis=1))
    binary, its_events = planted
    assert gate_gradients(binary, its_events).quantity == "logit of signal"
    np.testing.assert_array_equal(
        gate_gradients(binary, its_events, 0).values, -gate_gradients(binary, its_events).values
    )
    with pytest.raises(OptionError, match="there is no output 'sgnal'; did you mean 'signal'"):
        gate_gradients(binary, its_events, "sgnal")
    with pytest.raises(OptionError, match="there is no output 2; there are 2: background, signal"):
        gate_gradients(binary, its_events, 2)
    with pytest.raises(OptionError, match="leave output out"):
        gate_gradients(binary, its_events, 1, of="loss")
    with pytest.raises(OptionError, match="of is 'score'"):
        gate_gradients(binary, its_events, of="score")


def test_ranking_by_hand(three):
    """The reference is the mean cross entropy; a permutation of what all events share changes nothing."""
    model, events = three
    ranking = permutation_ranking(model, events, repeats=2, seed=5, ranked_steps=3)
    p = model.predict_proba(events)[np.arange(len(events)), events.labels].astype(np.float64)
    assert ranking.reference == pytest.approx(-np.log(p).mean(), rel=1e-6)
    D = len(events.feature_names)
    assert ranking.kinds == (*["feature"] * D, "event feature", "event feature", "step", "step", "step")
    assert ranking.names[-3:] == ("step 0", "step 1", "step 2")
    assert ranking.increases.shape == (D + 5, 2)
    assert (ranking.increases[:, 0] != ranking.increases[:, 1]).all()
    again = permutation_ranking(model, events, repeats=1, seed=5, ranked_steps=3)
    np.testing.assert_array_equal(again.increases[:, 0], ranking.increases[:, 0])
    assert np.isnan(again.deviations).all()
    same = Sequences.from_arrays(
        np.ones_like(events.values),
        events.offsets,
        events.labels,
        event_values=np.ones((400, 2)),
        class_names=events.class_names,
    )
    assert not permutation_ranking(model, same, 1).increases.any()


def test_weights_count_in_the_ranking_and_not_in_the_flow(three):
    model, events = three
    weights = np.random.default_rng(7).normal(1, 1, len(events))
    weighted = replace(events, weights=weights)
    p = model.predict_proba(events)[np.arange(len(events)), events.labels].astype(np.float64)
    reference = permutation_ranking(model, weighted, 1).reference
    assert reference == pytest.approx((weights * -np.log(p)).sum() / weights.sum(), rel=1e-5)
    gradients = gate_gradients(model, weighted, of="loss")
    np.testing.assert_allclose(gradients.values, -np.log(p), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("of", ["loss", "logit"])
def test_flow_is_the_norm_of_what_reaches_the_states(three, of):
    model, events = three
    output = None if of == "loss" else 1
    flow = gradient_flow(model, events, output, of=of)
    gradients = gate_gradients(model, events, output, of=of)
    lengths = events.lengths
    assert list(flow.events) == [np.sum(lengths > k) for k in range(lengths.max())]
    for found, layer in zip(flow.layers, gradients.layers, strict=True):
        for k in range(lengths.max()):
            long = lengths > k
            rows = events.offsets[:-1][long] + (k if layer.backward_in_time else lengths[long] - 1 - k)
            compared = [(found.hidden, layer.hidden, rows), (found.cell, layer.cell, rows)]
            for g, name in enumerate(layer.gate_names):
                # a forget gate has nothing to forget in the first step: 0 there says nothing of the way back
                begins = events.offsets[1:][long] - 1 if layer.backward_in_time else events.offsets[:-1][long]
                if name == "forget":
                    assert not layer.gates[begins, g].any()
                compared.append(
                    (found.gates[name], layer.gates[:, g], rows[rows != begins] if name == "forget" else rows)
                )
            for summary, array, chosen in compared:
                norms = np.sqrt((array[chosen].astype(np.float64) ** 2).sum(axis=1))
                if len(norms) == 0:
                    assert np.isnan(summary.mean[k])
                    continue
                assert norms.min() > 0
                assert summary.mean[k] == pytest.approx(norms.mean(), rel=1e-5)
                np.testing.assert_allclose(summary.quantiles[:, k], np.quantile(norms, QUANTILES), rtol=1e-5)


def test_flow_does_not_depend_on_how_events_are_portioned(three, monkeypatch):
    from tmva_lstm_plugin import gradient_flow as module

    whole = gradient_flow(*three)
    monkeypatch.setattr(module, "_BYTES", 20_000)
    assert len(module._portions(three[1], three[0]._trainer.parameters.size)) > 3
    parts = gradient_flow(*three)
    for a, b in zip(whole.layers, parts.layers, strict=True):
        np.testing.assert_array_equal(a.hidden.quantiles, b.hidden.quantiles)
        np.testing.assert_array_equal(a.gates["forget"].mean, b.gates["forget"].mean)


def test_a_model_that_remembers_carries_the_gradient_further_back(planted):
    """What was trained to remember the first step still receives a gradient there; the same network untrained loses it."""
    model, events = planted
    fresh = LSTMClassifier(10, epochs=1, learning_rate=1e-8, seed=3, forget_bias=-1.0).fit(events)
    kept, lost = (gradient_flow(m, events, 1, of="logit").layers[0].cell.quantiles[2] for m in (model, fresh))
    assert kept[6] / kept[0] > 10 * lost[6] / lost[0]


def test_no_events_and_events_without_steps(three):
    model, events = three
    none = events[:0]
    assert gate_activations(model, none).layers[0].gates.shape == (0, 4, 5)
    assert gradient_flow(model, none).events.shape == (0,)
    assert integrated_gradients(model, none, 0).largest_residual == 0
    empty = events[np.flatnonzero(events.lengths == 0)]
    assert len(empty) > 3
    assert gate_gradients(model, empty).layers[0].hidden.shape == (0, 5)
    assert integrated_gradients(model, empty, 0).largest_residual < 1e-5


def test_what_is_refused(three):
    model, events = three
    with pytest.raises(LSTMError, match="the model is not trained yet"):
        gate_activations(LSTMClassifier(), events)
    with pytest.raises(InputError, match="found list, expected Sequences"):
        gate_gradients(model, [1])
    others = Sequences.from_lists([[[1.0, 2.0]]], feature_names=["a", "b"])
    with pytest.raises(InputError, match="the events have feature_names a, b, the model was trained on"):
        input_gradients(model, others)
    unlabelled = Sequences.from_arrays(events.values, events.offsets, event_values=events.event_values)
    for call in (lambda: permutation_ranking(model, unlabelled), lambda: gradient_flow(model, unlabelled)):
        with pytest.raises(InputError, match="the events have no labels, which a loss needs"):
            call()
    with pytest.raises(InputError, match="there are no events to rank with"):
        permutation_ranking(model, events[:0])
    with pytest.raises(OptionError, match="repeats is 0"):
        permutation_ranking(model, events, 0)
