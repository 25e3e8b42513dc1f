"""The layer: a published example, the written formula, finite differences, and what must not change a result."""

from __future__ import annotations

import functools
import os

import numpy as np
import pytest

from tmva_lstm_plugin import _engine, lstm_backward, lstm_forward
from tmva_lstm_plugin.errors import InputError

INSTRUCTION_SETS = _engine.instruction_sets()

# (B, T, D, H): all different, none a multiple of a vector register, with lengths 0 and 1 among them (see make_case).
# Blocks hold 16 (float64) or 32 (float32) sequences and weight gradients are taken 8 or 4 steps at a time: the last
# three shapes need several of either.
SHAPES = [
    (1, 2, 3, 5),
    (2, 1, 5, 3),
    (3, 7, 1, 2),
    (5, 4, 2, 1),
    (7, 3, 9, 6),
    (4, 19, 3, 7),
    (35, 5, 2, 3),
    (71, 2, 1, 3),
]

# Differences are quotients by the largest number of the tensor.
TOLERANCE = {
    # the vector kernels' exp and tanh are good to a few units in the last place, 1e-16 and 6e-8; a few steps add them
    ("formula", np.float64): 3e-15,
    ("formula", np.float32): 1e-6,
    # central difference of fourth order with step 1e-3: truncation step^4 / 30 times a fifth derivative of order 1 to 10,
    # rounding 1e-16 * loss / step
    ("finite difference", np.float64): 3e-10,
    # the same errors, carried back through the steps
    ("derivative", np.float64): 5e-15,
    ("derivative", np.float32): 2e-6,
    # sums over sequences in another order
    ("regrouped", np.float64): 1e-12,
    ("regrouped", np.float32): 1e-6,
}


def difference(found, expected):
    """Largest difference over the largest number expected."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape
    if expected.size == 0:
        return 0.0
    assert np.isfinite(found).all()
    return np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-300)


def same_bits(a, b):
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def make_case(shape, dtype=np.float64, seed=0):
    """Random arguments of the layer and a gradient of the loss for every state; the same numbers in both precisions."""
    n, steps, n_features, n_hidden = shape
    rng = np.random.default_rng((seed, *shape))
    lengths = rng.integers(0, steps + 1, n)
    lengths[0] = steps
    if n > 2:
        lengths[1:3] = 0, 1
    arguments = {
        "x": rng.normal(size=(n, steps, n_features)),
        "W": rng.normal(size=(4 * n_hidden, n_features)) * 0.7,
        "U": rng.normal(size=(4 * n_hidden, n_hidden)) * 0.7,
        "b": rng.normal(size=4 * n_hidden) * 0.5,
        "h0": rng.normal(size=(n, n_hidden)) * 0.5,
        "c0": rng.normal(size=(n, n_hidden)),
    }
    arguments = {name: array.astype(np.float32).astype(dtype) for name, array in arguments.items()}
    dh = rng.normal(size=(n, steps, n_hidden)).astype(np.float32).astype(dtype)
    return arguments, lengths, dh


def formula(x, W, U, b, h0, c0, lengths, *, shift_gates=None, shift_h=None, shift_c=None):
    """Follow the equations of the layer, one sequence and one step after the other, in float64 or complex128.

    The shifts are added to pre-activations, h and c of each step: derivatives with respect to them are what the engine
    calls dgates, dh and dc.
    """
    n, steps, _ = x.shape
    n_hidden = U.shape[1]
    kind = np.result_type(x, W, U, b, h0, c0, *[s for s in (shift_gates, shift_h, shift_c) if s is not None])
    h, c, gates = (np.zeros((n, steps, *tail), kind) for tail in ((n_hidden,), (n_hidden,), (4, n_hidden)))
    for sequence in range(n):
        h_t, c_t = h0[sequence].astype(kind), c0[sequence].astype(kind)
        for t in range(lengths[sequence]):
            z = (W @ x[sequence, t] + U @ h_t + b).reshape(4, n_hidden)
            if shift_gates is not None:
                z = z + shift_gates[sequence, t]
            i, f, o = (1 / (1 + np.exp(-z[k])) for k in (0, 1, 3))
            g = np.tanh(z[2])
            c_t = f * c_t + i * g
            if shift_c is not None:
                c_t = c_t + shift_c[sequence, t]
            h_t = o * np.tanh(c_t)
            if shift_h is not None:
                h_t = h_t + shift_h[sequence, t]
            h[sequence, t], c[sequence, t], gates[sequence, t] = h_t, c_t, (i, f, g, o)
    return h, c, gates


# --- A. N. Gomez, Backpropogating an LSTM: A Numerical Example (2016) ------------------------------------------------
# https://blog.aidangomez.ca/2016/04/17/Backpropogating-an-LSTM-A-Numerical-Example/; further digits from a recomputation
# in float64. One cell, two features, two steps, loss (out - label)^2 / 2 at each step, learning rate 0.1.

GOMEZ_ORDER = "aifo"  # the candidate is called a there and comes first
GOMEZ_W = {"a": [0.45, 0.25], "i": [0.95, 0.80], "f": [0.70, 0.45], "o": [0.60, 0.40]}
GOMEZ_U = {"a": [0.15], "i": [0.80], "f": [0.10], "o": [0.25]}
GOMEZ_B = {"a": 0.2, "i": 0.65, "f": 0.15, "o": 0.1}


def stack(by_letter):
    """Put numbers given by the example's letters into the order i, f, g, o."""
    return np.array([by_letter[letter] for letter in "ifao"])


def by_letters(stacked):
    """Put an array whose first axis is i, f, g, o into the example's order a, i, f, o."""
    return np.asarray(stacked)[["ifao".index(letter) for letter in GOMEZ_ORDER]]


@pytest.fixture
def gomez(instruction_set):
    x = np.array([[[1.0, 2.0], [0.5, 3.0]]])
    labels = np.array([0.5, 1.25])
    forward = lstm_forward(x, stack(GOMEZ_W), stack(GOMEZ_U), stack(GOMEZ_B))
    delta = forward.h[:, :, 0] - labels
    return forward, delta, lstm_backward(forward, delta[:, :, None])


def test_gomez_forward(gomez):
    forward, delta, _ = gomez
    expected = {
        "a": [0.8177540779702877, 0.8498040223194213],
        "i": [0.9608342772032357, 0.9811839683254171],
        "f": [0.8519528019683106, 0.8703019698552491],
        "o": [0.8175744761936437, 0.8499333428022842],
    }
    np.testing.assert_allclose(
        by_letters(forward.gates[0, :, :, 0].T), [expected[letter] for letter in GOMEZ_ORDER], rtol=0, atol=1e-10
    )
    np.testing.assert_allclose(forward.c[0, :, 0], [0.7857261484365797, 1.5176330976694041], rtol=0, atol=1e-10)
    np.testing.assert_allclose(forward.h[0, :, 0], [0.5363133978820118, 0.7719811057588907], rtol=0, atol=1e-10)
    np.testing.assert_allclose(forward.c[0, :, 0], [0.78572, 1.5176], rtol=0, atol=1e-4)  # as the author prints them
    np.testing.assert_allclose(forward.h[0, :, 0], [0.53631, 0.77198], rtol=0, atol=1e-4)
    np.testing.assert_allclose(0.5 * (delta**2).sum(), 0.11491036305861509, rtol=0, atol=1e-10)
    np.testing.assert_array_equal(forward.h_last, forward.h[:, 1])
    np.testing.assert_array_equal(forward.c_last, forward.c[:, 1])


def test_gomez_preactivations(gomez):
    i, f, g, o = gomez[0].gates[0, :, :, 0].T
    logit = [np.log(gate / (1 - gate)) for gate in (i, f, o)]
    found = by_letters([logit[0], logit[1], np.arctanh(g), logit[2]])
    expected = [
        [1.15, 3.2, 1.75, 1.5],
        [1.255447009682, 3.954050718306, 1.903631339788, 1.734078349471],
    ]
    np.testing.assert_allclose(found.T, expected, rtol=0, atol=1e-10)


def test_gomez_backward(gomez):
    _, delta, gradient = gomez
    close = {"rtol": 0, "atol": 1e-10}
    # columns: t = 0, t = 1
    np.testing.assert_allclose(delta[0], [0.03631339788201182, -0.4780188942411093], **close)
    np.testing.assert_allclose(gradient.dh[0, :, 0] - delta[0], [-0.018275255338020473, 0], **close)
    np.testing.assert_allclose(gradient.dh[0, :, 0], [0.01803814254399135, -0.4780188942411093], **close)
    np.testing.assert_allclose(gradient.dc[0, :, 0], [-0.05348368434062696, -0.07110771475756385], **close)
    np.testing.assert_allclose(
        by_letters(gradient.dgates[0, :, :, 0].T),
        [
            [-0.017024044729, -0.019384347508],
            [-0.001645881900, -0.001115614070],
            [0, -0.006306541742],
            [0.001764802307, -0.055377831125],
        ],
        **close,
    )
    np.testing.assert_allclose(
        gradient.dx[0], [[-0.008165526548, -0.004866795779], [-0.047424067640, -0.030727654367]], **close
    )
    np.testing.assert_allclose(gradient.dh0[0, 0], -0.003429111652, **close)
    np.testing.assert_allclose(gradient.dh[0, 0, 0] - delta[0, 0], -0.01827, rtol=0, atol=1e-4)  # as printed
    np.testing.assert_allclose(gradient.dh0[0, 0], -0.00343, rtol=0, atol=1e-4)


def test_gomez_parameters(gomez):
    forward, _, gradient = gomez
    dW = [
        [-0.026716218483, -0.092201131981],
        [-0.002203688935, -0.006638606010],
        [-0.003153270871, -0.018919625226],
        [-0.025924113255, -0.162603888761],
    ]
    dU = [[-0.010396085278], [-0.000598318773], [-0.003382282831], [-0.029699872778]]
    db = [-0.036408392237, -0.002761495970, -0.006306541742, -0.053613028818]
    W_after = [
        [0.452671621848, 0.259220113198],
        [0.950220368893, 0.800663860601],
        [0.700315327087, 0.451891962523],
        [0.602592411326, 0.416260388876],
    ]
    U_after = [[0.151039608528], [0.800059831877], [0.100338228283], [0.252969987278]]
    b_after = [0.203640839224, 0.650276149597, 0.150630654174, 0.105361302882]
    printed_W = [[0.45267, 0.25922], [0.95022, 0.80067], [0.70031, 0.45189], [0.60259, 0.41626]]
    printed_U = [[0.15104], [0.80006], [0.10034], [0.25297]]
    printed_b = [0.20364, 0.65028, 0.15063, 0.10536]
    for name, expected, after, printed in (
        ("W", dW, W_after, printed_W),
        ("U", dU, U_after, printed_U),
        ("b", db, b_after, printed_b),
    ):
        derivative = getattr(gradient, "d" + name)
        np.testing.assert_allclose(by_letters(derivative), expected, rtol=0, atol=1e-10)
        updated = by_letters(getattr(forward, name) - 0.1 * derivative)
        np.testing.assert_allclose(updated, after, rtol=0, atol=1e-10)
        np.testing.assert_allclose(updated, printed, rtol=0, atol=1e-4)


# --- the formula, step by step ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_forward_follows_the_formula(shape, dtype, instruction_set):
    arguments, lengths, _ = make_case(shape, dtype)
    found = lstm_forward(**arguments, lengths=lengths)
    in_double = {name: array.astype(np.float64) for name, array in arguments.items()}
    for name, expected in zip(("h", "c", "gates"), formula(**in_double, lengths=lengths), strict=True):
        assert getattr(found, name).dtype == dtype
        assert difference(getattr(found, name), expected) < TOLERANCE["formula", dtype], name
    rows = np.arange(shape[0])
    last = np.maximum(lengths - 1, 0)
    started = (lengths > 0)[:, None]
    np.testing.assert_array_equal(found.h_last, np.where(started, found.h[rows, last], arguments["h0"]))
    np.testing.assert_array_equal(found.c_last, np.where(started, found.c[rows, last], arguments["c0"]))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_one_step_by_hand(dtype, instruction_set):
    arguments, lengths, dh = make_case((1, 1, 3, 2), dtype)
    forward = lstm_forward(**arguments)
    gradient = lstm_backward(forward, dh)
    x, W, U, b, h0, c0, d = (np.asarray(a, np.float64) for a in (*arguments.values(), dh[0, 0]))
    i, f, g, o = formula(**{k: v.astype(np.float64) for k, v in arguments.items()}, lengths=lengths)[2][0, 0]
    c = f * c0[0] + i * g
    dc = d * o * (1 - np.tanh(c) ** 2)
    z = np.concatenate(
        [dc * g * i * (1 - i), dc * c0[0] * f * (1 - f), dc * i * (1 - g**2), d * np.tanh(c) * o * (1 - o)]
    )
    expected = {
        "dgates": z.reshape(1, 1, 4, 2),
        "dx": (W.T @ z).reshape(1, 1, 3),
        "dW": np.outer(z, x[0, 0]),
        "dU": np.outer(z, h0[0]),
        "db": z,
        "dh0": (U.T @ z)[None],
        "dc0": (dc * f)[None],
        "dh": d.reshape(1, 1, 2),
        "dc": dc.reshape(1, 1, 2),
    }
    for name, value in expected.items():
        assert difference(getattr(gradient, name), value) < TOLERANCE["formula", dtype], name


# --- derivatives -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_finite_differences_of_every_entry(shape, instruction_set):
    arguments, lengths, dh = make_case(shape)
    gradient = lstm_backward(lstm_forward(**arguments, lengths=lengths), dh)

    def loss():
        return float((dh * lstm_forward(**arguments, lengths=lengths, n_threads=1).h).sum())

    step = 1e-3
    for name, array in arguments.items():
        expected = np.empty(array.size)
        flat = array.reshape(-1)
        for entry in range(array.size):
            value = flat[entry]
            ladder = []
            for shift in (2 * step, step, -step, -2 * step):
                flat[entry] = value + shift
                ladder.append(loss())
            flat[entry] = value
            expected[entry] = (8 * (ladder[1] - ladder[2]) - (ladder[0] - ladder[3])) / (12 * step)
        scale = max(1.0, np.abs(expected).max())
        error = np.abs(getattr(gradient, "d" + name).reshape(-1) - expected).max() / scale
        assert error < TOLERANCE["finite difference", np.float64], name


@functools.cache
def complex_step_derivatives(shape):
    """Derivatives of the written formula, exact to rounding: df/dx = Im f(x + i 1e-30) / 1e-30."""
    arguments, lengths, dh = make_case(shape)
    n, steps, _, n_hidden = shape
    points = dict(arguments)
    for name, tail in (("shift_gates", (4, n_hidden)), ("shift_h", (n_hidden,)), ("shift_c", (n_hidden,))):
        points[name] = np.zeros((n, steps, *tail))
    derivatives = {}
    for name, array in points.items():
        derivatives[name] = np.zeros(array.shape)
        for entry in np.ndindex(array.shape):
            shifted = array.astype(np.complex128)
            shifted[entry] += 1e-30j
            h = formula(**{**points, name: shifted}, lengths=lengths)[0]
            derivatives[name][entry] = (dh * h.imag).sum() / 1e-30
    names = {"shift_gates": "dgates", "shift_h": "dh", "shift_c": "dc"}
    return {names.get(name, "d" + name): value for name, value in derivatives.items()}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "shape", [*(s for s in SHAPES if s[0] < 6 and s[1] < 9), (2, 19, 2, 3), (18, 2, 1, 2)], ids=str
)
def test_derivatives_of_the_formula(shape, dtype, instruction_set):
    arguments, lengths, dh = make_case(shape, dtype)
    gradient = lstm_backward(lstm_forward(**arguments, lengths=lengths), dh)
    for name, expected in complex_step_derivatives(shape).items():
        assert difference(getattr(gradient, name), expected) < TOLERANCE["derivative", dtype], name


# --- what must change nothing ----------------------------------------------------------------------------------------

PER_SEQUENCE_FORWARD = ("h", "c", "gates")
PER_SEQUENCE_BACKWARD = ("dx", "dh0", "dc0", "dgates", "dh", "dc")
SUMMED = ("dW", "dU", "db")


@pytest.fixture(params=[np.float64, np.float32], ids=["float64", "float32"])
def pool(request, instruction_set):
    """Seventy sequences, and what each gives alone."""
    arguments, lengths, dh = make_case((70, 6, 3, 5), request.param, seed=3)
    alone = []
    for n in range(70):
        forward = lstm_forward(
            arguments["x"][n : n + 1, : lengths[n]], *(arguments[k] for k in "WUb"),
            h0=arguments["h0"][n : n + 1], c0=arguments["c0"][n : n + 1],
        )  # fmt: skip
        alone.append((forward, lstm_backward(forward, dh[n : n + 1, : lengths[n]])))
    return arguments, lengths, dh, alone


def test_company_position_and_padding_change_no_bit(pool):
    arguments, lengths, dh, alone = pool
    dtype = arguments["x"].dtype.type
    rng = np.random.default_rng(5)
    for size in range(1, 71):
        chosen = rng.permutation(70)[:size]
        padding = size % 4
        x = np.full((size, 6 + padding, 3), np.nan, dtype)
        d = np.full((size, 6 + padding, 5), np.nan, dtype)
        x[::2], d[::2] = 1e30, -1e30
        for row, n in enumerate(chosen):
            x[row, : lengths[n]], d[row, : lengths[n]] = arguments["x"][n, : lengths[n]], dh[n, : lengths[n]]
        forward = lstm_forward(
            x, *(arguments[k] for k in "WUb"), lengths[chosen], arguments["h0"][chosen], arguments["c0"][chosen]
        )
        gradient = lstm_backward(forward, d)
        for row, n in enumerate(chosen):
            for names, together, single in (
                (PER_SEQUENCE_FORWARD, forward, alone[n][0]),
                (PER_SEQUENCE_BACKWARD, gradient, alone[n][1]),
            ):
                for name in names:
                    found, expected = getattr(together, name)[row], getattr(single, name)[0]
                    if name not in ("dh0", "dc0"):
                        assert not found[lengths[n] :].any(), f"{name} beyond the sequence's length"
                        found = found[: lengths[n]]
                    assert same_bits(found, expected), (name, size, row)
        for name in SUMMED:
            expected = np.sum([getattr(alone[n][1], name).astype(np.float64) for n in chosen], axis=0)
            assert difference(getattr(gradient, name), expected) < TOLERANCE["regrouped", dtype], (name, size)


def test_beyond_a_sequence_everything_is_zero(instruction_set):
    arguments, lengths, dh = make_case((9, 5, 3, 6))
    forward = lstm_forward(**arguments, lengths=lengths)
    gradient = lstm_backward(forward, dh)
    beyond = np.arange(5) >= lengths[:, None]
    assert beyond.any()
    for name in ("h", "c", "gates"):
        assert not getattr(forward, name)[beyond].any()
    for name in ("dx", "dgates", "dh", "dc"):
        assert not getattr(gradient, name)[beyond].any()
    empty = lengths == 0
    assert empty.any()
    assert not gradient.dh0[empty].any()
    assert not gradient.dc0[empty].any()


def test_leaving_out_the_initial_state_means_zeros(instruction_set):
    arguments, lengths, dh = make_case((5, 4, 3, 2))
    for name in ("h0", "c0"):
        zeros = lstm_forward(**{**arguments, name: np.zeros_like(arguments[name])}, lengths=lengths)
        without = lstm_forward(**{k: v for k, v in arguments.items() if k != name}, lengths=lengths)
        for tensor in ("h", "c", "gates", "h_last", "c_last"):
            assert same_bits(getattr(zeros, tensor), getattr(without, tensor))
        for tensor in (*PER_SEQUENCE_BACKWARD, *SUMMED):
            found, expected = (getattr(lstm_backward(f, dh), tensor) for f in (without, zeros))
            assert same_bits(found, expected)


@pytest.mark.parametrize(("n", "steps"), [(0, 4), (3, 0), (0, 0)])
def test_nothing_to_do(n, steps, instruction_set):
    forward = lstm_forward(np.zeros((n, steps, 2)), np.ones((12, 2)), np.ones((12, 3)), np.ones(12))
    gradient = lstm_backward(forward, np.zeros((n, steps, 3)))
    assert forward.h.shape == (n, steps, 3)
    assert forward.gates.shape == (n, steps, 4, 3)
    np.testing.assert_array_equal(forward.h_last, np.zeros((n, 3)))
    assert gradient.dx.shape == (n, steps, 2)
    for name in SUMMED:
        assert not getattr(gradient, name).any()


def test_nan_reaches_its_own_sequence_only(instruction_set):
    arguments, lengths, _ = make_case((20, 4, 3, 5))
    lengths[:] = 4
    clean = lstm_forward(**arguments, lengths=lengths)
    arguments["x"][7, 2, 1] = np.nan
    found = lstm_forward(**arguments, lengths=lengths)
    assert np.isnan(found.h[7, 2:]).all()
    assert np.isnan(found.gates[7, 2:]).all()
    assert same_bits(found.h[7, :2], clean.h[7, :2])
    others = np.arange(20) != 7
    assert same_bits(found.h[others], clean.h[others])


def test_saturated_gates(instruction_set):
    big = lstm_forward(np.ones((1, 3, 1)), np.full((4, 1), 1e6), np.zeros((4, 1)), np.zeros(4))
    np.testing.assert_allclose(big.c[0, :, 0], [1, 2, 3], rtol=1e-15)
    np.testing.assert_allclose(big.h[0, :, 0], np.tanh([1, 2, 3]), rtol=1e-15)
    shut = lstm_forward(-np.ones((1, 3, 1)), np.full((4, 1), 1e6), np.zeros((4, 1)), np.zeros(4))
    assert np.abs(shut.h).max() < 1e-300
    gradient = lstm_backward(big, np.ones((1, 3, 1)))
    assert all(np.isfinite(getattr(gradient, name)).all() for name in (*PER_SEQUENCE_BACKWARD, *SUMMED))


# --- arguments -------------------------------------------------------------------------------------------------------


def test_precision_is_single_only_if_all_is_single():
    arguments, lengths, _ = make_case((3, 2, 2, 3), np.float32)
    assert lstm_forward(**arguments, lengths=lengths).h.dtype == np.float32
    mixed = lstm_forward(**{**arguments, "b": arguments["b"].astype(np.float64)}, lengths=lengths)
    assert mixed.h.dtype == np.float64
    whole = lstm_forward(np.ones((1, 1, 1), int), np.ones((4, 1), int), np.ones((4, 1), int), [1, 1, 1, 1])
    assert whole.h.dtype == np.float64


def test_strided_arguments_are_taken_as_they_look():
    arguments, lengths, dh = make_case((5, 4, 3, 2))
    strided = {name: np.repeat(array, 2, axis=-1)[..., ::2] for name, array in arguments.items()}
    assert not strided["x"].flags.c_contiguous
    forward = lstm_forward(**strided, lengths=np.repeat(lengths, 2)[::2].astype(np.int32))
    assert same_bits(forward.h, lstm_forward(**arguments, lengths=lengths).h)
    found = lstm_backward(forward, np.asfortranarray(dh)).dx
    assert same_bits(found, lstm_backward(forward, dh).dx)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros((2, 3))}, r"x has shape \(2, 3\), expected \(B, T, D\)"),
        ({"b": np.zeros((8, 1))}, r"b has shape \(8, 1\), expected \(4H,\)"),
        ({"x": np.array([[["a"]]])}, "x has type <U1, expected numbers"),
        ({"W": np.zeros((7, 3))}, r"W has shape \(7, 3\), expected \(8, 3\) = \(4H, D\) for x of shape \(5, 4, 3\)"),
        ({"U": np.zeros((9, 2))}, r"U has shape \(9, 2\), expected \(8, 2\) = \(4H, H\)"),
        ({"h0": np.zeros((4, 2))}, r"h0 has shape \(4, 2\), expected \(5, 2\) = \(B, H\)"),
        ({"c0": np.zeros((5, 3))}, r"c0 has shape \(5, 3\), expected \(5, 2\) = \(B, H\)"),
        ({"x": np.zeros((5, 4, 0))}, r"x of shape \(5, 4, 0\) and U of shape \(8, 2\) have no features"),
        ({"lengths": [1, 2]}, r"lengths has shape \(2,\) and type int64, expected 5 integers"),
        ({"lengths": np.ones(5)}, r"lengths has shape \(5,\) and type float64, expected 5 integers"),
        ({"lengths": [0, 1, 5, 2, 2]}, "length 5 of sequence 2 is out of range, expected 0 to T = 4"),
        ({"lengths": [0, -1, 3, 2, 2]}, "length -1 of sequence 1 is out of range"),
        ({"n_threads": 0}, "n_threads is 0, expected at least 1"),
    ],
)
def test_arguments_that_do_not_fit(change, message):
    arguments, lengths, _ = make_case((5, 4, 3, 2))
    with pytest.raises(InputError, match=message):
        lstm_forward(**{**arguments, "lengths": lengths, **change})


def test_gradient_of_another_shape():
    arguments, lengths, dh = make_case((5, 4, 3, 2))
    forward = lstm_forward(**arguments, lengths=lengths)
    with pytest.raises(InputError, match=r"dh has shape \(5, 4, 1\), expected that of forward.h, \(5, 4, 2\)"):
        lstm_backward(forward, dh[:, :, :1])
    with pytest.raises(InputError, match="n_threads is -3"):
        lstm_backward(forward, dh, n_threads=-3)


def test_unknown_instruction_set(monkeypatch):
    monkeypatch.setitem(os.environ, "TMVA_LSTM_ISA", "quantum")
    with pytest.raises(InputError, match="TMVA_LSTM_ISA is 'quantum'.*can be one of: plain, baseline"):
        lstm_forward(np.ones((1, 1, 1)), np.ones((4, 1)), np.ones((4, 1)), np.ones(4))
