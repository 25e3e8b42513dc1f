"""What the core draws from the seed (orders, validation parts) and the summary behind the standardisation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tmva_lstm_plugin import _engine


def same_bits(a, b):
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


# --- draws from the seed ---------------------------------------------------------------------------------------------


def philox_by_the_paper(counter, key):
    """J. K. Salmon et al., SC'11: Philox4x32 with ten rounds."""
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [  # the known answers that come with Random123, philox4x32 with 10 rounds
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_philox_known_answers(counter, key, expected):
    counter, key, expected = ([int(word, 16) for word in text.split()] for text in (counter, key, expected))
    assert _engine.philox(counter, key) == expected
    assert philox_by_the_paper(counter, key) == expected


def test_shuffling_is_that_of_fisher_and_yates():
    seed, epoch = 0x123456789ABCDEF, 7
    for purpose, number in (("shuffle", 2), ("chunks", 4)):
        expected = list(range(100, 150))
        for n in range(49, 0, -1):
            words = philox_by_the_paper([n, 0, number, epoch], [seed & 0xFFFFFFFF, seed >> 32])
            place = ((words[1] << 32 | words[0]) * (n + 1)) >> 64
            expected[n], expected[place] = expected[place], expected[n]
        assert list(_engine.shuffled(np.arange(100, 150), seed, purpose, epoch)) == expected
    assert list(_engine.shuffled(np.array([5]), 1, "shuffle", 1)) == [5]
    assert len(_engine.shuffled(np.empty(0, np.int64), 1, "shuffle", 1)) == 0


def test_every_order_is_as_likely():
    counts = {}
    for epoch in range(6000):
        order = tuple(_engine.shuffled(np.arange(3), 99, "shuffle", epoch))
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    chi2 = sum((n - 1000) ** 2 / 1000 for n in counts.values())
    assert chi2 < 20.5  # five degrees of freedom: once in 1000


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.25, 1 / 3, 0.5, 1.0])
def test_validation_holds_the_fraction_of_each_class(fraction):
    rng = np.random.default_rng(1)
    labels = rng.choice(4, 501, p=[0.6, 0.3, 0.08, 0.02]).astype(np.int32)
    mask = _engine.draw_validation(labels, 501, 4, fraction, 17)
    assert mask.dtype == np.uint8
    assert set(mask) <= {0, 1}
    for k in range(4):
        of_class = labels == k
        assert mask[of_class].sum() == math.floor(fraction * of_class.sum() + 0.5)
    assert same_bits(mask, _engine.draw_validation(labels, 501, 4, fraction, 17))
    assert _engine.draw_validation(None, 10, 1, fraction, 3).sum() == math.floor(10 * fraction + 0.5)
    if 0 < fraction < 1:
        assert not same_bits(mask, _engine.draw_validation(labels, 501, 4, fraction, 18))


def test_validation_takes_every_event_as_often():
    labels = np.repeat([0, 1], [30, 10]).astype(np.int32)
    drawn = sum(_engine.draw_validation(labels, 40, 2, 0.3, seed).astype(int) for seed in range(2000))
    assert np.abs(drawn - 600).max() < 5 * np.sqrt(2000 * 0.3 * 0.7)


# --- standardisation -------------------------------------------------------------------------------------------------


def summaries(fit):
    return np.array([(s.mean, s.deviation, s.minimum, s.maximum) for s in fit.summary()]).T


def test_summary_is_that_of_numpy():
    rng = np.random.default_rng(6)
    values = (rng.normal(size=(1000, 5)) * [1, 1e-3, 1e6, 3, 20] + [0, 1, 1e7, -5, 1e3]).astype(np.float32)
    offsets = np.array([0, 0, 300, 301, 500, 1000])
    use = np.array([1, 1, 0, 1, 1], np.uint8)
    fit = _engine.SummaryFit(5)
    fit.add_steps(values, offsets, use)
    used = np.delete(values, 300, axis=0).astype(np.float64)
    mean, deviation, minimum, maximum = summaries(fit)
    np.testing.assert_allclose(mean, used.mean(axis=0), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(deviation, used.std(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(minimum, used.min(axis=0))
    np.testing.assert_array_equal(maximum, used.max(axis=0))
    rows = _engine.SummaryFit(5)
    rows.add_rows(values, (np.arange(1000) != 300).astype(np.uint8))
    assert same_bits(summaries(rows), summaries(fit))


def test_summary_does_not_depend_on_chunks():
    rng = np.random.default_rng(7)
    values = rng.lognormal(size=(400, 2)).astype(np.float32)
    whole = _engine.SummaryFit(2)
    whole.add_steps(values, np.array([0, 400]), np.ones(1, np.uint8))
    for n_cuts in (1, 2, 7, 100):
        cuts = np.concatenate([[0], np.sort(rng.integers(0, 401, n_cuts)), [400]])
        fit = _engine.SummaryFit(2)
        for first, last in zip(cuts[:-1], cuts[1:], strict=True):
            fit.add_steps(values[first:last], np.array([0, last - first]), np.ones(1, np.uint8))
        assert same_bits(summaries(fit), summaries(whole))


def test_summary_of_little():
    assert summaries(_engine.SummaryFit(2)).T.tolist() == [[0, 1, 0, 0]] * 2
    constant = _engine.SummaryFit(1)
    constant.add_rows(np.full((7, 1), 0.1, np.float32), np.ones(7, np.uint8))
    assert summaries(constant).ravel().tolist() == [np.float32(0.1), 1, np.float32(0.1), np.float32(0.1)]
