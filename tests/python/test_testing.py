"""The toy tasks: their stated optimum and posterior against Monte Carlo, quadrature and densities from scipy."""

from __future__ import annotations

import tracemalloc

import awkward as ak
import numpy as np
import pytest
import uproot
from scipy import integrate, special, stats

from tmva_lstm_plugin import testing
from tmva_lstm_plugin.errors import OptionError, OutputError
from tmva_lstm_plugin.testing import (
    TASKS,
    first_step_sign,
    gaussian_classes,
    gaussian_sum,
    make_task,
    order_task,
    signed_weights,
    write_toy_root,
)

LARGE = 200_000


def auc(score, signal, weights=None):
    """AUC and its standard error (DeLong 1988, with weights), from first principles."""
    w = np.ones(len(score)) if weights is None else weights

    def placement(points, others, other_weights):
        order = np.argsort(others)
        below = np.concatenate([[0], np.cumsum(other_weights[order])]) / other_weights.sum()
        left = below[np.searchsorted(others[order], points, "left")]
        return (left + below[np.searchsorted(others[order], points, "right")]) / 2

    s, b, ws, wb = score[signal], score[~signal], w[signal], w[~signal]
    v_s, v_b = placement(s, b, wb), 1 - placement(b, s, ws)
    area = (ws * v_s).sum() / ws.sum()
    variance = sum((u**2 * (v - area) ** 2).sum() / u.sum() ** 2 for u, v in ((ws, v_s), (wb, v_b)))
    return area, np.sqrt(variance)


def steps_of(task, event):
    low, high = task.sequences.offsets[[event, event + 1]]
    return task.sequences.values[low:high, 0].astype(float)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("gaussian_sum", {}),
        ("gaussian_sum", {"lengths": (0, 3), "shift": 0.8}),
        ("gaussian_classes", {}),
        ("gaussian_classes", {"lengths": (0, 6), "means": (-1.0, -0.2, 0.1, 0.9)}),
        ("order_task", {}),
        ("order_task", {"lengths": (0, 4), "rho": 0.3}),
        ("first_step_sign", {}),
        ("signed_weights", {}),
        ("signed_weights", {"lengths": 5, "negative_fraction": 0.05}),
    ],
)
def test_stated_optimum_agrees_with_a_large_sample(name, options):
    task = make_task(name, LARGE, seed=11, **options)
    labels, w = task.sequences.labels, task.sequences.weights
    classes = [1] if task.posterior.shape[1] == 2 else range(task.posterior.shape[1])
    areas, errors = zip(*(auc(task.posterior[:, k], labels == k, w) for k in classes), strict=True)
    # one-against-rest AUCs share their events, so their errors are at worst fully correlated
    assert np.mean(areas) == pytest.approx(task.optimal_auc, abs=4 * np.mean(errors))
    # events without steps give equal probabilities: any class is as good, so count the share a random choice would get
    best = task.posterior == task.posterior.max(axis=1, keepdims=True)
    right = best[np.arange(len(labels)), labels] / best.sum(axis=1)
    weight = np.ones(len(labels)) if w is None else w
    accuracy = np.average(right, weights=weight)
    error = np.sqrt((weight**2 * (right - accuracy) ** 2).sum()) / weight.sum()
    assert accuracy == pytest.approx(task.optimal_accuracy, abs=4 * error)
    assert max(errors) < 0.005


def test_gaussian_auc_of_one_length_is_the_textbook_one():
    # two normal distributions of the sum, 2 n mu apart, each of width sqrt(n)
    task = gaussian_sum(1, lengths=7, shift=0.25)
    assert task.optimal_auc == pytest.approx(stats.norm.cdf(0.25 * np.sqrt(14)), abs=1e-14)
    assert task.optimal_accuracy == pytest.approx(stats.norm.cdf(0.25 * np.sqrt(7)), abs=1e-14)


def test_gaussian_auc_mixes_all_pairs_of_lengths():
    n = np.arange(2, 6)
    pairs = stats.norm.cdf(0.4 * np.sqrt(n[:, None] + n))
    assert gaussian_sum(1, lengths=(2, 5), shift=0.4).optimal_auc == pytest.approx(pairs.mean(), abs=1e-14)


def test_gaussian_classes_with_two_classes_are_gaussian_sum():
    two, closed = gaussian_classes(1, means=(-0.3, 0.3)), gaussian_sum(1, shift=0.3)
    assert two.optimal_auc == pytest.approx(closed.optimal_auc, abs=1e-7)
    assert two.optimal_accuracy == pytest.approx(closed.optimal_accuracy, abs=1e-14)


def test_gaussian_classes_auc_of_one_length_by_quadrature():
    """For one length, the outer classes' posteriors rise or fall with the sum: AUC = P(sum of k > sum of another)."""
    n, means = 4, (-0.6, 0.1, 0.5)
    expected = []
    for k, others in ((0, (1, 2)), (2, (0, 1))):
        expected.append(np.mean([stats.norm.cdf(n * abs(means[k] - means[j]) / np.sqrt(2 * n)) for j in others]))

    def score(total):
        density = np.exp(np.outer(total, means) - n * np.square(means) / 2)
        return density[:, 1] / density.sum(axis=1)

    # the middle class's posterior rises and falls: P(score of 1 > score of another) by brute force on another grid
    total = np.linspace(-16, 16, 2501)
    density = stats.norm.pdf(total[:, None], n * np.array(means), np.sqrt(n))
    density /= density.sum(axis=0)
    s = score(total)
    above = (s[:, None] > s).astype(float) + 0.5 * (s[:, None] == s)
    expected.append(density[:, 1] @ above @ density[:, [0, 2]].mean(axis=1))
    task = gaussian_classes(1, lengths=n, means=means)
    assert task.optimal_auc == pytest.approx(np.mean(expected), abs=1e-4)


def test_order_of_two_steps_has_the_orthant_probability():
    # the best rule is the sign of x1 x2, and P(x1 x2 > 0) = 1/2 + arcsin(rho) / pi (Sheppard 1899)
    task = order_task(1, lengths=2, rho=0.6)
    assert task.optimal_accuracy == pytest.approx(0.5 + np.arcsin(0.6) / np.pi, abs=1e-10)


def test_order_auc_of_two_steps_by_quadrature():
    """The best score of two steps is the product p = x1 x2, whose density is known: exp(rho p / v) K0(|p| / v)."""
    rho = 0.6
    v = 1 - rho**2

    def density(p, sign):
        return special.k0e(np.abs(p) / v) * np.exp((sign * rho * p - np.abs(p)) / v) / (np.pi * np.sqrt(v))

    # p = +-exp(s) removes the logarithmic peak at 0
    s = np.linspace(-40, 5, 20001)
    p = np.concatenate([-np.exp(s)[::-1], np.exp(s)])
    measure = np.abs(p) * (s[1] - s[0])
    signal, background = density(p, 1) * measure, density(p, -1) * measure
    np.testing.assert_allclose([signal.sum(), background.sum()], 1, atol=1e-8)
    area = (signal * (np.cumsum(background) - background / 2)).sum()
    assert order_task(1, lengths=2, rho=rho).optimal_auc == pytest.approx(area, abs=1e-6)


@pytest.mark.parametrize(("n", "rho"), [(3, 0.9), (5, 0.4), (12, 0.2), (60, 0.1)])
def test_order_optimum_against_adaptive_quadrature(n, rho):
    """Imhof's integral for one length, with the eigenvalues of the form, integrated by scipy."""
    t = np.arange(n)
    covariance = rho ** np.abs(t[:, None] - t)
    form = (np.abs(t[:, None] - t) == 1) * rho / (1 - rho**2)
    values = np.linalg.eigvals(covariance @ form).real

    def integrand(u, copies):
        return copies * np.sum(np.arctan(2 * values * u)) / 2, np.prod(1 + (2 * values * u) ** 2) ** (copies / 4)

    def probability(copies):
        def f(u):
            angle, size = integrand(u, copies)
            return np.sin(angle) / (u * size)

        return 0.5 + integrate.quad(f, 0, np.inf, limit=500, epsabs=1e-11)[0] / np.pi

    task = order_task(1, lengths=n, rho=rho)
    assert task.optimal_accuracy == pytest.approx(probability(1), abs=1e-8)
    assert task.optimal_auc == pytest.approx(probability(2), abs=1e-8)


def test_events_too_short_to_have_an_order_cannot_be_told_apart():
    task = order_task(5000, lengths=(0, 1))
    assert task.optimal_auc == pytest.approx(0.5, abs=1e-12)
    np.testing.assert_array_equal(task.posterior, 0.5)


def test_first_step_optimum_is_exact():
    task = first_step_sign(LARGE, flip=0.2, seed=4)
    assert (task.optimal_auc, task.optimal_accuracy) == (0.8, 0.8)
    first = task.sequences.values[task.sequences.offsets[:-1], 0]
    agree = (first > 0) == (task.sequences.labels == 1)
    assert stats.binomtest(int(agree.sum()), LARGE, 0.8).pvalue > 1e-4
    np.testing.assert_array_equal(task.posterior[:, 1], np.where(first > 0, 0.8, 0.2))
    certain = first_step_sign(1000, flip=0.0)
    np.testing.assert_array_equal(certain.posterior.argmax(axis=1), certain.sequences.labels)


def brute_force(name, options, x):
    """Densities of one event in each class, from scipy's distributions."""
    n = len(x)
    if name in ("gaussian_sum", "signed_weights"):
        return [stats.norm.pdf(x, mean).prod() for mean in (-options["shift"], options["shift"])]
    if name == "gaussian_classes":
        return [stats.norm.pdf(x, mean).prod() for mean in options["means"]]
    if name == "order_task":
        t = np.arange(n)
        return [
            stats.multivariate_normal.pdf(x, np.zeros(n), np.power(r, np.abs(t[:, None] - t), dtype=float))
            for r in (-options["rho"], options["rho"])
        ]
    noise = stats.norm.pdf(x).prod()
    agree = x[0] > 0
    # P(label) = 1/2 and P(x1 > 0 | signal) = 1 - flip, spread over half a normal distribution
    return [2 * noise * abs((agree == k) - options["flip"]) for k in (0, 1)]


@pytest.mark.parametrize("name", TASKS)
def test_posterior_is_bayes_theorem(name):
    task = make_task(name, 300, seed=5, lengths=(1, 6), n_noise=1)
    for event in range(300):
        density = np.array(brute_force(name, task.options, steps_of(task, event)))
        np.testing.assert_allclose(task.posterior[event], density / density.sum(), rtol=1e-9)


@pytest.mark.parametrize("name", TASKS)
def test_posterior_is_calibrated(name):
    """Among events given probability p of a class, the (weighted) share p is of that class: labels match densities."""
    task = make_task(name, LARGE, seed=6, lengths=(2, 8))
    w = np.ones(LARGE) if task.sequences.weights is None else task.sequences.weights
    for k in range(task.posterior.shape[1]):
        p = task.posterior[:, k]
        place = np.minimum((p * 10).astype(int), 9)
        pull = w * ((task.sequences.labels == k) - p)
        total, error = np.bincount(place, pull, 10), np.sqrt(np.bincount(place, pull**2, 10))
        filled = np.bincount(place, minlength=10) > 50
        assert filled.sum() >= 2
        assert np.all(np.abs(total[filled]) < 4.5 * error[filled])


def test_single_steps_of_the_order_task_look_alike():
    task = order_task(100_000, lengths=(5, 10), rho=0.7, seed=7)
    signal = task.sequences.labels == 1
    for step in (0, 2, 4):
        x = task.sequences.values[task.sequences.offsets[:-1] + step, 0]
        assert stats.ks_2samp(x[signal], x[~signal]).pvalue > 1e-3
        assert stats.kstest(x, "norm").pvalue > 1e-3
    first = task.sequences.offsets[:-1]
    x, y = task.sequences.values[first, 0], task.sequences.values[first + 1, 0]
    assert np.corrcoef(x[signal], y[signal])[0, 1] == pytest.approx(0.7, abs=0.01)
    assert np.corrcoef(x[~signal], y[~signal])[0, 1] == pytest.approx(-0.7, abs=0.01)


def test_negative_weights_restore_the_density_they_cancel():
    task = signed_weights(LARGE, lengths=4, shift=0.5, negative_fraction=0.2, seed=8)
    w = task.sequences.weights
    assert set(np.unique(w)) == {-1 / 0.6, 1 / 0.6}
    assert stats.binomtest(int((w < 0).sum()), LARGE, 0.2).pvalue > 1e-4
    total = task.sequences.values[:, 0].reshape(-1, 4).sum(axis=1)
    for label, mean in ((0, -2.0), (1, 2.0)):
        m = task.sequences.labels == label
        edges = np.linspace(mean - 4, mean + 4, 9)
        content, _ = np.histogram(total[m], edges, weights=w[m])
        variance, _ = np.histogram(total[m], edges, weights=w[m] ** 2)
        expected = np.diff(stats.norm.cdf(edges, mean, 2)) * w[m].sum()
        assert np.all(np.abs(content - expected) < 4.5 * np.sqrt(variance))


def test_ignoring_the_sign_of_the_weights_costs_ranking():
    """The best score for the density without signs, known here too, ranks worse on the weighted events."""
    task = signed_weights(LARGE, lengths=8, shift=0.4, negative_fraction=0.2, seed=9)
    total = task.sequences.values[:, 0].reshape(-1, 8).astype(float).sum(axis=1)

    def unsigned(sign):
        right, wrong = (stats.norm.pdf(total, sign * factor * 0.4 * 8, np.sqrt(8)) for factor in (1, -3))
        return 0.6 * right + 0.4 * wrong

    score = unsigned(1) / (unsigned(1) + unsigned(-1))
    area, error = auc(score, task.sequences.labels == 1, task.sequences.weights)
    assert area < task.optimal_auc - 5 * error


@pytest.mark.parametrize("name", TASKS)
def test_seed_decides_the_events(name):
    one, again, other = (make_task(name, 6000, seed=s, n_noise=2, lengths=(1, 9)) for s in (1, 1, 2))
    longer = make_task(name, 9000, seed=1, n_noise=2, lengths=(1, 9))
    for attribute in ("values", "offsets", "labels", "weights"):
        first, second = getattr(one.sequences, attribute), getattr(again.sequences, attribute)
        assert (first is None) == (second is None)
        if first is not None:
            assert first.tobytes() == second.tobytes()
    assert not np.array_equal(one.sequences.labels, other.sequences.labels)
    head = longer.sequences[:6000]
    np.testing.assert_array_equal(head.values, one.sequences.values)
    np.testing.assert_array_equal(longer.posterior[:6000], one.posterior)


def test_events_follow_from_the_stated_streams():
    """The order task drawn again, by hand, from a generator seeded with the seed and the number of the block."""
    task = order_task(3, seed=42, lengths=(2, 3), n_noise=1)
    rng = np.random.default_rng([42, 0])
    n = rng.integers(2, 4, size=4096)
    labels = rng.integers(2, size=4096)
    e = rng.standard_normal((4096, 3))
    r = np.where(labels == 1, 0.5, -0.5)
    x1 = r * e[:, 0] + np.sqrt(0.75) * e[:, 1]
    x2 = r * x1 + np.sqrt(0.75) * e[:, 2]
    np.testing.assert_array_equal(task.sequences.lengths, n[:3])
    np.testing.assert_array_equal(task.sequences.labels, labels[:3])
    expected = [v for i in range(3) for v in (e[i, 0], x1[i], x2[i])[: n[i]]]
    np.testing.assert_allclose(task.sequences.values[:, 0], expected, rtol=1e-6)


def test_shapes_names_and_lengths():
    task = gaussian_classes(5000, lengths=(0, 4), n_noise=2)
    s = task.sequences
    assert s.feature_names == ("x", "noise0", "noise1")
    assert s.class_names == ("class0", "class1", "class2")
    assert (len(s), s.n_features, s.labels.max()) == (5000, 3, 2)
    assert set(np.unique(s.lengths)) == {0, 1, 2, 3, 4}
    assert task.posterior.shape == (5000, 3)
    np.testing.assert_allclose(task.posterior.sum(axis=1), 1)
    assert task.options == {"lengths": (0, 4), "n_noise": 2, "means": (-0.5, 0.0, 0.5)}
    noise = s.values[:, 1]
    assert stats.kstest(noise, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(noise, s.values[:, 0])[0, 1]) < 0.05
    assert order_task(10, lengths=3).sequences.class_names == ("background", "signal")
    assert order_task(10, lengths=3).sequences.lengths.tolist() == [3] * 10


@pytest.mark.parametrize("name", TASKS)
def test_each_task_is_a_function_with_the_same_defaults(name):
    direct, named = getattr(testing, name)(100), make_task(name, 100)
    assert direct.options == named.options
    np.testing.assert_array_equal(direct.sequences.values, named.sequences.values)


@pytest.mark.parametrize("chunk", [1, 5000, 10**9])
def test_root_file_holds_the_same_events(tmp_path, chunk):
    task = signed_weights(10_000, seed=3, n_noise=1, lengths=(0, 5))
    calls = []
    path = write_toy_root(tmp_path / "toys.root", task, chunk=chunk, progress=lambda *c: calls.append(c))
    with uproot.open(path) as file:
        assert file.classnames() == {"events;1": "TTree"}
        tree = file["events"]
        assert "signed_weights, seed 3" in tree.title
        got = tree.arrays()
    s = task.sequences
    np.testing.assert_array_equal(got.n_steps, s.lengths)
    np.testing.assert_array_equal(ak.num(got.x), s.lengths)
    np.testing.assert_array_equal(ak.flatten(got.x), s.values[:, 0])
    np.testing.assert_array_equal(ak.flatten(got.noise0), s.values[:, 1])
    np.testing.assert_array_equal(got.label, s.labels)
    np.testing.assert_array_equal(got.weight, s.weights)
    np.testing.assert_array_equal(got.posterior_background, task.posterior[:, 0])
    np.testing.assert_array_equal(got.posterior_signal, task.posterior[:, 1])
    np.testing.assert_array_equal(got.event, np.arange(10_000))
    assert calls[-1] == (10_000, 10_000)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_root_file_by_name_and_with_other_options(tmp_path):
    path = write_toy_root(tmp_path / "a.root", "gaussian_classes", 50, seed=2, tree="toys", means=(-1, 1, 2))
    got = uproot.open(path)["toys"].arrays()
    task = gaussian_classes(50, seed=2, means=(-1, 1, 2))
    np.testing.assert_array_equal(ak.flatten(got.x), task.sequences.values[:, 0])
    np.testing.assert_array_equal(got.posterior_class2, task.posterior[:, 2])
    np.testing.assert_array_equal(got.weight, 1)
    more = uproot.open(write_toy_root(tmp_path / "b.root", task, 80))["events"].arrays()
    np.testing.assert_array_equal(more.label[:50], task.sequences.labels)
    assert len(more) == 80


def test_writing_needs_little_memory(tmp_path):
    def peak(n_events):
        tracemalloc.start()
        try:
            write_toy_root(tmp_path / "big.root", "order_task", n_events, chunk=8192, lengths=(5, 20))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(8192)  # imports
    assert peak(12 * 8192) < 1.5 * peak(2 * 8192)


def test_a_failed_write_leaves_the_earlier_file(tmp_path):
    path = write_toy_root(tmp_path / "toys.root", "order_task", 10)
    before = path.read_bytes()

    def full(done, total):
        raise OSError(28, "No space left on device")

    with pytest.raises(
        OutputError, match=r"cannot write toy events '.*toys.root': No space left.*earlier file is untouched"
    ):
        write_toy_root(path, "order_task", 20, progress=full)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["toys.root"]
    with pytest.raises(OutputError, match="cannot write toy events"):
        write_toy_root(path / "below.root", "order_task", 10)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("ordr_task", {}, r"no toy task 'ordr_task'; did you mean 'order_task'"),
        ("order_task", {"roh": 0.5}, r"order_task has no option 'roh'; did you mean 'rho'"),
        ("order_task", {"rho": 1.0}, r"order_task: rho=1.0, expected a number between 0 and 1"),
        ("order_task", {"rho": "much"}, r"rho='much', expected a number between 0 and 1"),
        ("order_task", {"lengths": (5, 2)}, r"lengths=\(5, 2\), expected the smaller number first"),
        ("order_task", {"lengths": (1, 2, 3)}, r"lengths=\(1, 2, 3\), expected a whole number, at least 0"),
        ("order_task", {"lengths": 2.5}, r"lengths=2.5, expected a whole number, at least 0"),
        ("order_task", {"lengths": 0}, r"lengths=0, expected a whole number, at least 1"),
        ("first_step_sign", {"lengths": (0, 5)}, r"first_step_sign: lengths=0, expected a whole number, at least 1"),
        ("first_step_sign", {"flip": 0.5}, r"flip=0.5, expected at least 0 and below 0.5"),
        ("order_task", {"lengths": (5, 10**6)}, r"lengths=\(5, 1000000\), expected at most 10000 steps"),
        ("gaussian_sum", {"shift": 0}, r"shift=0, expected a positive number, at most 10"),
        ("gaussian_sum", {"shift": 1e39}, r"shift=1e\+39, expected a positive number, at most 10"),
        ("gaussian_sum", {"shift": float("nan")}, r"shift=nan, expected a positive number"),
        ("gaussian_sum", {"n_noise": -1}, r"n_noise=-1, expected a whole number, at least 0"),
        ("gaussian_sum", {"seed": -1}, r"seed=-1, expected a whole number, at least 0"),
        ("gaussian_classes", {"means": (0.0,)}, r"means=\(0.0,\), expected at least two numbers between -10 and 10"),
        ("gaussian_classes", {"means": (0, np.inf)}, r"means=\(0, inf\), expected at least two numbers"),
        ("gaussian_classes", {"means": (1, 0)}, r"means=\(1, 0\), .* each larger than the one before"),
        ("gaussian_classes", {"means": "wide"}, r"means='wide', expected at least two numbers"),
        ("signed_weights", {"negative_fraction": 0.5}, r"negative_fraction=0.5, expected at least 0 and below 0.5"),
    ],
)
def test_wrong_options_are_explained(name, options, message):
    with pytest.raises(OptionError, match=message):
        make_task(name, 10, **options)


@pytest.mark.parametrize("n_events", [0, -3, 2.0, True, None])
def test_number_of_events_must_be_one(n_events):
    with pytest.raises(OptionError, match=rf"order_task: n_events={n_events}, expected a whole number, at least 1"):
        order_task(n_events)


def test_wrong_writing_options_are_explained(tmp_path):
    with pytest.raises(OptionError, match="n_events=None, expected a whole number, at least 1"):
        write_toy_root(tmp_path / "t.root", "order_task")
    with pytest.raises(OptionError, match="chunk=0, expected a whole number, at least 1"):
        write_toy_root(tmp_path / "t.root", "order_task", 10, chunk=0)
    with pytest.raises(OptionError, match="the name of the tree is empty; give one"):
        write_toy_root(tmp_path / "t.root", "order_task", 10, tree="")
    assert not list(tmp_path.iterdir())
