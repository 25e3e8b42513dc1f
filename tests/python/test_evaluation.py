"""Scores of known separation: every figure against sums over all pairs, scipy, closed formulas or toys."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from tmva_lstm_plugin.errors import InputError, OptionError
from tmva_lstm_plugin.evaluation import (
    auc,
    auc_uncertainty,
    effective_events,
    evaluate,
    ks_distance,
    ks_probability,
    plus_minus,
    rejection_at_efficiency,
    roc_curve,
)

# few distinct scores, so that ties are the rule; quarters and thirds, so that sums of weights do and do not round
EVENTS = st.lists(
    st.tuples(st.integers(-3, 3), st.booleans(), st.sampled_from([1.0, 2.5, 0.25, 1 / 3, -0.5, -1 / 3, 0.0])),
    min_size=2,
    max_size=24,
)


def pair_sum(scores, is_signal, weights) -> Fraction:
    """The definition of the weighted AUC, in exact arithmetic."""
    signal = [(s, Fraction(w)) for s, y, w in zip(scores, is_signal, weights, strict=True) if y]
    background = [(s, Fraction(w)) for s, y, w in zip(scores, is_signal, weights, strict=True) if not y]
    total = sum(v * w * (Fraction(int(a > b)) + Fraction(int(a == b), 2)) for a, v in signal for b, w in background)
    return total / (sum(v for _, v in signal) * sum(w for _, w in background))


def delong(signal, background) -> float:
    """DeLong et al. (1988), equations for one curve, by loops over all pairs."""

    def psi(x, y):
        return 1.0 if x > y else 0.5 if x == y else 0.0

    v10 = np.array([np.mean([psi(x, y) for y in background]) for x in signal])
    v01 = np.array([np.mean([psi(x, y) for x in signal]) for y in background])
    return math.sqrt(v10.var(ddof=1) / len(signal) + v01.var(ddof=1) / len(background))


def gaussian_events(rng, n, distance=1.5, weights="signed"):
    """Signal around `distance`, background around 0, both of width 1; weighted as if so where drawn otherwise."""
    y = rng.random(n) < 0.4
    x = rng.normal(size=n) + np.where(y, distance, 0.0)
    if weights == "none":
        return x, y, None
    if weights == "signed":
        return x, y, rng.gamma(2.0, 0.5, n) * np.where(rng.random(n) < 0.1, -1.0, 1.0)
    # background drawn at 0.5 and weighted to 0, so that score and weight are correlated
    x[~y] += 0.5
    return x, y, np.where(y, 1.0, np.exp(0.125 - 0.5 * x))


def has_positive_sums(is_signal, weights) -> bool:
    y, w = np.array(is_signal), np.array(weights)
    return w[y].sum() > 0.05 and w[~y].sum() > 0.05


# --- ROC and AUC ------------------------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(EVENTS)
def test_auc_and_roc_area_are_the_sum_over_all_pairs(events):
    scores, is_signal, weights = zip(*events, strict=True)
    assume(has_positive_sums(is_signal, weights))
    expected = float(pair_sum(scores, is_signal, weights))
    assert auc(scores, is_signal, weights) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    curve = roc_curve(scores, is_signal, weights)
    area = np.trapezoid if hasattr(np, "trapezoid") else np.trapz
    found = area(curve.signal_efficiency, curve.background_efficiency)
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-11)


def test_auc_of_unit_weights_is_exact():
    rng = np.random.default_rng(5)
    scores, is_signal = rng.integers(0, 40, 700), rng.random(700) < 0.3
    expected = pair_sum(scores, is_signal, np.ones(700))
    assert auc(scores, is_signal) == float(expected)


def test_auc_against_mann_whitney():
    rng = np.random.default_rng(6)
    signal, background = rng.normal(1, 1, 300).round(1), rng.normal(0, 1, 500).round(1)
    u = stats.mannwhitneyu(signal, background).statistic
    found = auc(np.concatenate([signal, background]), np.repeat([1, 0], [300, 500]))
    assert found == pytest.approx(u / (300 * 500), rel=1e-14)


@pytest.mark.parametrize("distance", [0.0, 0.7, 2.0])
def test_auc_of_two_gaussians(distance):
    grid = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)
    found = auc(np.concatenate([grid + distance, grid]), np.repeat([True, False], 4000))
    assert found == pytest.approx(stats.norm.cdf(distance / math.sqrt(2)), abs=2e-4)


@settings(max_examples=200, deadline=None)
@given(EVENTS)
def test_roc_points_count_what_passes(events):
    scores, is_signal, weights = (np.array(x) for x in zip(*events, strict=True))
    assume(has_positive_sums(is_signal, weights))
    curve = roc_curve(scores, is_signal, weights)
    assert curve.thresholds.tolist() == [np.inf, *sorted(set(scores), reverse=True)]
    steps = []
    for mask, efficiency, sigma in (
        (is_signal, curve.signal_efficiency, curve.signal_uncertainty),
        (~is_signal, curve.background_efficiency, curve.background_uncertainty),
    ):
        s, w = scores[mask], weights[mask]
        passed = [w[s >= t].sum() / w.sum() for t in curve.thresholds]
        np.testing.assert_allclose(efficiency, passed, rtol=1e-12, atol=1e-12)
        pairs = zip(curve.thresholds, passed, strict=True)
        spread = [np.sqrt(np.sum((w * ((s >= t) - e)) ** 2)) / w.sum() for t, e in pairs]
        np.testing.assert_allclose(sigma, spread, rtol=1e-7, atol=1e-7)
        assert efficiency[-1] == 1.0
        steps.append(np.diff(passed).min())
    if min(steps) < -1e-9:
        assert not curve.monotonic
    if min(steps) >= 0:
        assert curve.monotonic


def test_roc_of_a_hand_case_with_ties_and_a_negative_weight():
    scores = [0.9, 0.7, 0.7, 0.7, 0.4, 0.2]
    is_signal = [1, 1, 0, 0, 1, 0]
    curve = roc_curve(scores, is_signal)
    np.testing.assert_allclose(curve.thresholds, [np.inf, 0.9, 0.7, 0.4, 0.2])
    np.testing.assert_allclose(curve.signal_efficiency, [0, 1 / 3, 2 / 3, 1, 1])
    np.testing.assert_allclose(curve.background_efficiency, [0, 0, 2 / 3, 2 / 3, 1])
    assert curve.monotonic
    # 0.9 beats 3, 0.7 ties 2 and beats 1, 0.4 beats 1
    assert auc(scores, is_signal) == pytest.approx((3 + 2 + 1) / 9)
    signed = roc_curve(scores, is_signal, [2, -1, 1, 1, 1, 1])
    np.testing.assert_allclose(signed.signal_efficiency, [0, 1, 0.5, 1, 1])
    assert not signed.monotonic


def test_weights_that_cancel_only_up_to_rounding_leave_the_curve_monotonic():
    curve = roc_curve([3, 2, 2, 2, 1, 1], [1, 1, 1, 1, 1, 0], [1, -0.3, 0.1, 0.2, 1, 1])
    assert curve.monotonic


# --- uncertainty of the AUC -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_uncertainty_of_unit_weights_is_delong(decimals):
    rng = np.random.default_rng(7)
    signal, background = rng.normal(1, 1, 37).round(decimals), rng.normal(0, 1, 61).round(decimals)
    scores, is_signal = np.concatenate([signal, background]), np.repeat([1, 0], [37, 61])
    expected = delong(signal, background)
    assert auc_uncertainty(scores, is_signal) == pytest.approx(expected, rel=1e-12)
    assert auc_uncertainty(scores, is_signal, np.full(98, 0.3)) == pytest.approx(expected, rel=1e-12)


def test_uncertainty_ignores_events_of_weight_zero():
    rng = np.random.default_rng(8)
    x, y, w = gaussian_events(rng, 300)
    w[::3] = 0
    kept = w != 0
    assert auc_uncertainty(x, y, w) == pytest.approx(auc_uncertainty(x[kept], y[kept], w[kept]), rel=1e-12)


@pytest.mark.parametrize("weights", ["none", "signed", "correlated"])
def test_uncertainty_against_bootstrap(weights):
    rng = np.random.default_rng(9)
    x, y, w = gaussian_events(rng, 900, weights=weights)
    draws = []
    for _ in range(1500):
        pick = rng.integers(0, 900, 900)
        draws.append(auc(x[pick], y[pick], None if w is None else w[pick]))
    # 1500 draws know their spread to 2 %
    assert auc_uncertainty(x, y, w) == pytest.approx(np.std(draws), rel=0.08)


@pytest.mark.parametrize("weights", ["none", "signed", "correlated"])
def test_pulls_of_the_auc(weights):
    rng = np.random.default_rng(10)
    truth = stats.norm.cdf(1.5 / math.sqrt(2))
    toys = (gaussian_events(rng, 600, weights=weights) for _ in range(1000))
    pulls = np.array([(auc(*toy) - truth) / auc_uncertainty(*toy) for toy in toys])
    assert abs(pulls.mean()) < 0.15
    assert pulls.std() == pytest.approx(1.0, abs=0.09)


def test_uncertainty_without_meaning():
    assert auc_uncertainty([3, 4, 1, 2], [1, 1, 0, 0]) == 0
    assert math.isnan(auc_uncertainty([3, 1, 2], [1, 0, 0]))


# --- rejection --------------------------------------------------------------------------------------------------------


def test_rejection_of_hand_cases():
    scores = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]
    is_signal = [1, 0, 1, 1, 0, 1, 0, 0]
    found = rejection_at_efficiency(scores, is_signal, 0.75)
    assert (found.rejection, found.threshold, found.background_efficiency) == (4.0, 0.6, 0.25)
    assert rejection_at_efficiency(scores, is_signal, 1.0).rejection == 2.0
    # at 0.5 the tightest cut counts, before the next background event
    assert rejection_at_efficiency(scores, is_signal, 0.5).rejection == 4.0
    # all equal: the curve is the diagonal
    for efficiency in (0.1, 0.5, 0.9):
        found = rejection_at_efficiency(np.ones(6), [1, 0, 1, 0, 1, 0], efficiency)
        assert found.rejection == pytest.approx(1 / efficiency)
    # halfway through a tie of 2 signal and 2 of 4 background events
    tied = rejection_at_efficiency([2, 2, 2, 2, 1, 1], [1, 1, 0, 0, 0, 0], 0.5)
    assert tied.rejection == pytest.approx(4.0)
    assert tied.threshold == 2


@pytest.mark.parametrize("efficiency", [0.5, 0.9])
@pytest.mark.parametrize("weights", ["none", "signed", "correlated"])
def test_pulls_of_the_background_efficiency(weights, efficiency):
    rng = np.random.default_rng(11)
    truth = stats.norm.sf(1.5 + stats.norm.isf(efficiency))
    toys = (gaussian_events(rng, 2000, weights=weights) for _ in range(500))
    found = [rejection_at_efficiency(x, y, efficiency, w) for x, y, w in toys]
    pulls = np.array([(r.background_efficiency - truth) / r.background_efficiency_uncertainty for r in found])
    assert abs(pulls.mean()) < 0.25
    assert pulls.std() == pytest.approx(1.0, abs=0.15)
    for r in found:
        assert r.rejection == pytest.approx(1 / r.background_efficiency)
        assert r.uncertainty == pytest.approx(r.background_efficiency_uncertainty / r.background_efficiency**2)


def test_rejection_without_passing_background_is_a_limit():
    found = rejection_at_efficiency([9, 8, 7, 1, 2, 3, 4, 5], [1, 1, 1, 0, 0, 0, 0, 0], 0.9)
    assert math.isinf(found.rejection)
    assert math.isnan(found.uncertainty)
    assert (1 - 1 / found.lower_limit) ** 5 == pytest.approx(0.05)
    assert str(found) == f"> {found.lower_limit:.3g} (95 % CL)"


def test_rejection_with_negative_background_efficiency_is_a_limit():
    scores, is_signal = [9, 8, 8, 1, 1, 1], [1, 1, 0, 0, 0, 0]
    found = rejection_at_efficiency(scores, is_signal, 0.9, [1, 1, -1, 2, 2, 2])
    assert found.background_efficiency == pytest.approx(0.8 * -1 / 5)
    assert math.isinf(found.rejection)
    assert found.lower_limit <= 1 / (1.645 * found.background_efficiency_uncertainty)
    assert not found.monotonic


@pytest.mark.parametrize("efficiency", [0, -0.1, 1.01, math.nan])
def test_rejection_refuses_an_efficiency_out_of_range(efficiency):
    with pytest.raises(OptionError, match=r"signal efficiency .* expected a number above 0 and up to 1"):
        rejection_at_efficiency([1, 0], [1, 0], efficiency)


def test_effective_events():
    assert effective_events([2.0] * 7) == pytest.approx(7)
    assert effective_events([3, 1]) == pytest.approx(1.6)
    assert effective_events([3, -1]) == pytest.approx(0.4)
    assert effective_events([]) == 0
    assert effective_events([0, 0]) == 0


# --- Kolmogorov-Smirnov -----------------------------------------------------------------------------------------------


def test_ks_distance_of_a_hand_case():
    # after x = 1: 1/4 against 0; 2: 3/4 against 1/5; 3: 1 against 2/5
    assert ks_distance([1, 2, 2, 3], [2, 3, 4, 5, 5]) == pytest.approx(1 - 0.4)
    assert ks_distance([1, 2], [2, 3], [3, 1], [1, 3]) == pytest.approx(0.75)
    assert ks_distance([1, 1], [1]) == 0
    assert ks_distance([0], [1]) == 1


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_ks_distance_against_scipy(decimals):
    rng = np.random.default_rng(12)
    for n, m in ((1, 5), (40, 63), (500, 300)):
        a, b = rng.normal(0.2, 1, n).round(decimals), rng.normal(0, 1.1, m).round(decimals)
        assert ks_distance(a, b) == pytest.approx(stats.ks_2samp(a, b, method="asymp").statistic, abs=1e-14)


def test_ks_distance_with_whole_weights_repeats_events():
    rng = np.random.default_rng(13)
    a, b = rng.integers(0, 9, 50), rng.integers(1, 9, 70)
    v, w = rng.integers(1, 5, 50), rng.integers(0, 4, 70)
    expected = stats.ks_2samp(np.repeat(a, v), np.repeat(b, w), method="asymp").statistic
    assert ks_distance(a, b, v, w) == pytest.approx(expected, abs=1e-14)


@settings(max_examples=200, deadline=None)
@given(EVENTS)
def test_ks_distance_is_the_largest_gap(events):
    x, first, w = (np.array(column) for column in zip(*events, strict=True))
    assume(has_positive_sums(first, w))

    def fraction_below(cut, mask):
        parts = [Fraction(v) for v in w[mask & (x <= cut)]]
        return sum(parts) / sum(Fraction(v) for v in w[mask])

    expected = max(abs(fraction_below(cut, first) - fraction_below(cut, ~first)) for cut in x)
    found = ks_distance(x[first], x[~first], w[first], w[~first])
    assert found == pytest.approx(float(expected), rel=1e-12, abs=1e-12)


def test_ks_probability_is_the_kolmogorov_function():
    z = np.concatenate([np.linspace(0, 1.3, 131), np.linspace(1.17, 1.19, 21), np.linspace(1.3, 8, 68)])
    n, m = 150.0, 75.0
    found = [ks_probability(x / math.sqrt(50.0), n, m) for x in z]
    np.testing.assert_allclose(found, stats.kstwobign.sf(z), rtol=1e-11, atol=1e-15)


def test_ks_probability_against_two_samples_in_scipy():
    rng = np.random.default_rng(14)
    a, b = rng.normal(size=20000), rng.normal(0.012, 1, 15000)
    expected = stats.ks_2samp(a, b, method="asymp")
    # scipy takes the distribution for finite n, which differs by about 1 / (6 sqrt n)
    assert ks_probability(ks_distance(a, b), 20000, 15000) == pytest.approx(expected.pvalue, rel=0.02)


def test_ks_probability_of_weighted_toys_is_flat():
    rng = np.random.default_rng(15)
    found = []
    for _ in range(600):
        v, w = rng.gamma(2.0, 0.5, 4000), rng.gamma(2.0, 0.5, 3000) * np.where(rng.random(3000) < 0.05, -1, 1)
        distance = ks_distance(rng.normal(size=4000), rng.normal(size=3000), v, w)
        found.append(ks_probability(distance, effective_events(v), effective_events(w)))
    below = [np.mean(np.array(found) < p) for p in (0.1, 0.5, 0.9)]
    np.testing.assert_allclose(below, [0.1, 0.5, 0.9], atol=0.07)


@pytest.mark.parametrize("arguments", [(-0.1, 5, 5), (math.nan, 5, 5), (0.1, 0, 5), (0.1, 5, -1)])
def test_ks_probability_refuses(arguments):
    with pytest.raises(OptionError, match="expected a distance of at least 0 and positive event numbers"):
        ks_probability(*arguments)


# --- evaluate ---------------------------------------------------------------------------------------------------------


def two_classes(seed, n, weighted=True):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.5).astype(int)
    score = np.where(y == 1, rng.beta(3, 1.6, n), rng.beta(1.4, 3, n))
    w = rng.gamma(2.0, 0.5, n) * np.where(rng.random(n) < 0.05, -1, 1) if weighted else None
    return np.column_stack([1 - score, score]).astype(np.float32), y, w


def three_classes(seed, n):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    z = rng.normal(size=(n, 3))
    z[np.arange(n), y] += 1.2
    p = np.exp(z)
    return p / p.sum(axis=1, keepdims=True), y, rng.gamma(2.0, 0.5, n)


def test_evaluate_two_classes():
    p, y, w = two_classes(1, 1200)
    train = two_classes(2, 3500)
    result = evaluate(p, y, ["background", "signal"], w, train)
    assert [c.n_events for c in result.events] == [np.sum(y == 0), np.sum(y == 1)]
    assert result.events[1].n_negative == np.sum(w[y == 1] < 0)
    share = -w[(y == 1) & (w < 0)].sum() / np.abs(w[y == 1]).sum()
    assert result.events[1].negative_share == pytest.approx(share)
    assert result.events[0].n_effective == pytest.approx(effective_events(w[y == 0]))
    for performance, v, x in ((result.unweighted, None, None), (result.weighted, w, train[2])):
        score, train_score = p[:, 1], train[0][:, 1]
        assert performance.auc == auc(score, y, v)
        assert performance.auc_uncertainty == pytest.approx(auc_uncertainty(score, y, v))
        (single,) = performance.classes
        assert single.name == "signal"
        assert single.rejections == tuple(rejection_at_efficiency(score, y, e, v) for e in (0.5, 0.9))
        assert single.train_auc == auc(train_score, train[1], x)
        assert single.monotonic == (v is None)
        for index, test in enumerate(single.ks):
            label = 1 - index
            assert test.events == ["background", "signal"][label]
            picks = train[1] == label, y == label
            ones = np.ones(len(train[1])) if x is None else x, np.ones(len(y)) if v is None else v
            weights = [one[pick] for one, pick in zip(ones, picks, strict=True)]
            distance = ks_distance(train_score[picks[0]], score[picks[1]], *weights)
            assert test.distance == pytest.approx(distance)
            assert test.probability == pytest.approx(ks_probability(distance, *map(effective_events, weights)))
        right = (score > 0.5) == (y == 1)
        assert performance.accuracy == pytest.approx(np.average(right, weights=v), abs=1e-12)
    n = len(y)
    a = result.unweighted.accuracy
    assert result.unweighted.accuracy_uncertainty == pytest.approx(math.sqrt(a * (1 - a) / n))
    assert any("weighted, signal: negative weights make the ROC curve not monotonic" in note for note in result.notes)


def test_evaluate_three_classes():
    p, y, w = three_classes(3, 900)
    result = evaluate(p, y, ["a", "b", "c"], w, three_classes(4, 500), efficiencies=(0.3,))
    guess = p.argmax(axis=1)
    for performance, v in ((result.unweighted, np.ones(900)), (result.weighted, w)):
        expected = [[v[(y == i) & (guess == j)].sum() for j in range(3)] for i in range(3)]
        np.testing.assert_allclose(performance.confusion, expected)
        assert performance.accuracy == pytest.approx(np.trace(expected) / v.sum())
        areas = [auc(p[:, k], y == k, v) for k in range(3)]
        assert [c.auc for c in performance.classes] == pytest.approx(areas)
        assert performance.auc == pytest.approx(np.mean(areas))
        assert [[t.events for t in c.ks] for c in performance.classes] == [["a", "rest"], ["b", "rest"], ["c", "rest"]]
        assert [len(c.rejections) for c in performance.classes] == [1, 1, 1]


def test_uncertainty_of_the_mean_auc_against_bootstrap():
    p, y, w = three_classes(5, 900)
    rng = np.random.default_rng(16)
    draws = []
    for _ in range(1000):
        pick = rng.integers(0, 900, 900)
        draws.append(np.mean([auc(p[pick, k], y[pick] == k, w[pick]) for k in range(3)]))
    found = evaluate(p, y, "abc", w).weighted.auc_uncertainty
    assert found == pytest.approx(np.std(draws), rel=0.1)


def test_evaluate_does_not_depend_on_the_order_of_events():
    p, y, w = two_classes(6, 400)
    order = np.random.default_rng(0).permutation(400)
    first = evaluate(p, y, ["b", "s"], w).weighted
    second = evaluate(p[order], y[order], ["b", "s"], w[order]).weighted
    assert first.auc == pytest.approx(second.auc, rel=1e-12)
    assert first.auc_uncertainty == pytest.approx(second.auc_uncertainty, rel=1e-9)


def test_to_dict_is_strict_json():
    separated = evaluate([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9]], [0, 0, 1, 1], ["b", "s"])
    text = json.dumps(separated.to_dict(), allow_nan=False)
    values = json.loads(text)
    assert values["weighted"] is None
    assert values["unweighted"]["auc"] == 1
    rejection = values["unweighted"]["classes"][0]["rejections"][0]
    assert rejection["rejection"] is None
    assert rejection["lower_limit"] > 1
    json.dumps(evaluate(*three_classes(7, 90)[:2], "abc", train=(*three_classes(8, 90)[:2], None)).to_dict())


def test_notes_say_what_the_numbers_cannot():
    separated = evaluate([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9]], [0, 0, 1, 1], ["b", "s"])
    text = " ".join(separated.notes)
    assert "the scores of the two classes do not overlap" in text
    assert "the background that passes at 0.9 signal efficiency is not above zero" in text
    single = evaluate([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8]], [0, 1, 1], ["b", "s"])
    assert any("not defined with a single event in a class" in note for note in single.notes)
    assert evaluate(*two_classes(9, 500, weighted=False)[:2], ["b", "s"]).notes == ()


def test_table_of_two_classes():
    p, y, w = two_classes(1, 1200)
    result = evaluate(p, y, ["ttbar", "higgs"], w, two_classes(2, 3500))
    lines = result.table().splitlines()
    assert str(result) == result.table()
    assert lines[0].split() == ["unweighted", "weighted"]
    row = next(line for line in lines if line.startswith("AUC "))
    both = result.unweighted, result.weighted
    assert row.split("AUC")[1].split() == " ".join(plus_minus(x.auc, x.auc_uncertainty) for x in both).split()
    starts = [line.split("  ")[0] for line in lines]
    for expected in (
        "effective events, ttbar",
        "effective events, higgs",
        "rejection of ttbar at 0.5 higgs efficiency",
        "rejection of ttbar at 0.9 higgs efficiency",
        "accuracy",
        "AUC of the training part",
        "train against test, higgs",
        "train against test, ttbar",
        "negative weights",
    ):
        assert expected in starts
    # every column of figures ends at one place
    assert len({len(line) for line in lines[:9]}) == 1
    assert max(map(len, lines)) <= 110
    plain = evaluate(p, y, ["ttbar", "higgs"]).table()
    assert "weighted" not in plain
    assert "negative" not in plain


def test_table_of_three_classes():
    p, y, w = three_classes(3, 900)
    text = evaluate(p, y, ["ww", "zz", "top"], w, three_classes(4, 500)).table()
    for expected in ("unweighted, each against the rest", "weighted, true class", "as top", "mean AUC", "accuracy"):
        assert expected in text


@pytest.mark.parametrize(
    ("value", "uncertainty", "expected"),
    [
        (0.86971, 0.00991, "0.8697 +- 0.0099"),
        (0.86971, 0.00999, "0.870 +- 0.010"),
        (43.21, 12.4, "43 +- 12"),
        (1234.5, 321.0, "1234 +- 321"),
        (1.0, 0.0, "1.0000 +- 0"),
        (0.25, math.nan, "0.25 +- ?"),
    ],
)
def test_plus_minus(value, uncertainty, expected):
    assert plus_minus(value, uncertainty) == expected


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2, 3], [1, 0]), r"is_signal has shape \(2,\) for 3 scores"),
        (([1, 2, 3], [1, 0, 2]), "is_signal holds int64 values .* expected True/False or 1/0"),
        (([1, math.nan], [1, 0]), r"scores: nan for event 1 is not finite \(1 such value"),
        (([[1, 2]], [1, 0]), r"scores: found shape \(1, 2\), expected \(events,\)"),
        ((["a", "b"], [1, 0]), "scores: found values of type <U1, expected numbers"),
        (([[1], [1, 2]], [1, 0]), "scores: cannot be taken as an array of numbers"),
        (([1, 2], [1, 0], [1]), r"weights: found shape \(1,\), expected \(2,\), one an event"),
        (([1, 2], [1, 0], [1, math.inf]), "weights: inf for event 1 is not finite"),
        (([1, 2], [1, 1]), "no events of background; an evaluation needs events of every class"),
        (([], []), "no events of signal"),
        (([1, 2, 3], [1, 1, 0], [1, -2, 1]), r"2 weight\(s\) of signal sum to -1, expected a positive sum, .* 1 are"),
        (([1, 2], [1, 0], [0, 1]), r"the 1 weight\(s\) of signal sum to 0, expected a positive sum"),
        (([1, 2, 2, 2], [1, 0, 0, 0], [1, 0.1, 0.2, -0.3]), "of background sum to .* expected a positive sum"),
    ],
)
@pytest.mark.parametrize("function", [auc, auc_uncertainty, roc_curve])
def test_bad_scores(function, arguments, message):
    with pytest.raises(InputError, match=message):
        function(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], [1]), "no events of the first sample"),
        (([1], [math.nan]), "the second sample: nan for event 0 is not finite"),
        (([1], [2], [1], [1, 1]), "the weights of the second sample: found shape"),
        (([1], [2], [-1], None), r"the 1 weight\(s\) of the first sample sum to -1"),
    ],
)
def test_bad_samples(arguments, message):
    with pytest.raises(InputError, match=message):
        ks_distance(*arguments)


P = [[0.7, 0.3], [0.2, 0.8], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((P, [0, 1, 0], ["a", "b", "c"]), r"test part: probabilities have shape \(3, 2\), expected \(events, 3\)"),
        (([[1.0]], [0], ["a"]), "of which there must be at least two"),
        ((P, [0, 1], ["a", "b"]), r"test part: labels have shape \(2,\) for 3 events, expected one label an event"),
        ((P, [0, 1, 2], ["a", "b"]), "test part: label 2 of event 2 is out of range, expected 0 to 1 .* a, b; 1 event"),
        ((P, [0, 1, 0.5], ["a", "b"]), "label 0.5 of event 2 is out of range"),
        ((P, ["0", "1", "0"], ["a", "b"]), "test part: labels: found values of type <U1"),
        (([[0.1, 0.9], [math.nan, 1], [1, 0]], [0, 1, 0], ["a", "b"]), "probabilities: nan for event 1 is not finite"),
        ((P, [0, 0, 0], ["a", "b"]), "test part: no events of class 'b'"),
        ((P, [0, 1, 0], ["a", "b"], [1, 1]), r"test part: weights: found shape \(2,\), expected \(3,\)"),
        ((P, [0, 1, 0], ["a", "b"], [0, 1, 0]), r"test part: the 2 weight\(s\) of class 'a' sum to 0, expected"),
        ((P, [0, 1, 0], ["a", "b"], [1, -1, 1]), r"weight\(s\) of class 'b' sum to -1, .* evaluate without them"),
        ((P, [0, 1, 0], ["a", "b"], None, (P, [0, 0, 0], None)), "training part: no events of class 'b'"),
        ((P, [0, 1, 0], ["a", "b"], [1, 1, 1], (P, [0, 1, 0], None)), "the test part has weights and the training"),
        ((P, [0, 1, 0], ["a", "b"], None, (P, [0, 1, 0], [1, 1, 1])), "the training part has weights and the test"),
        ((P, [0, 1, 0], ["a", "b"], None, (P, [0, 1, 0])), r"train has 2 item\(s\), expected three"),
    ],
)
def test_bad_evaluation(arguments, message):
    with pytest.raises(InputError, match=message):
        evaluate(*arguments)


def test_evaluate_refuses_an_efficiency_out_of_range():
    with pytest.raises(OptionError, match="signal efficiency 50 to give the rejection at"):
        evaluate(P, [0, 1, 0], ["a", "b"], efficiencies=(50,))
