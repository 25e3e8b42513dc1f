"""The LSTM layer itself, on numpy arrays: forward, and backward with the gradients of all four gates.

This is the layer that training runs on, opened up for people who want to look at it or check it.  Letters: ``B``
sequences, ``T`` steps, ``D`` features, ``H`` hidden units; gates stacked in the order i, f, g, o (``g`` is the
candidate).  With ``z = W x_t + U h_{t-1} + b``, cut into the rows of the four gates::

    i, f, o = sigmoid(z_i), sigmoid(z_f), sigmoid(z_o)      g = tanh(z_g)
    c_t = f c_{t-1} + i g                                   h_t = o tanh(c_t)

(S. Hochreiter, J. Schmidhuber, Neural Computation 9 (1997) 1735; forget gate: F. A. Gers et al., Neural Computation 12
(2000) 2451.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _engine
from .errors import InputError

__all__ = ["LSTMBackward", "LSTMForward", "lstm_backward", "lstm_forward"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class LSTMForward:
    """What :func:`lstm_forward` computed, and what it computed it from.

    Attributes
    ----------
    h, c : ndarray, shape (B, T, H)
        Hidden and cell state after each step; 0 beyond a sequence's length.
    gates : ndarray, shape (B, T, 4, H)
        Gates i, f, g, o after their activations; 0 beyond a sequence's length.
    x, W, U, b, lengths, h0, c0 : ndarray
        The arguments, as they were used.
    """

    h: Array
    c: Array
    gates: Array
    x: Array
    W: Array
    U: Array
    b: Array
    lengths: NDArray[np.int64]
    h0: Array | None
    c0: Array | None

    def _last(self, states: Array, initial: Array | None) -> Array:
        if states.shape[1] == 0:
            picked = np.zeros(states.shape[::2], states.dtype)
        else:
            picked = states[np.arange(len(states)), np.maximum(self.lengths - 1, 0)]
        if initial is not None:
            picked = np.where((self.lengths == 0)[:, None], initial, picked)
        return picked

    @property
    def h_last(self) -> Array:
        """Hidden state after each sequence's last true step, shape (B, H)."""
        return self._last(self.h, self.h0)

    @property
    def c_last(self) -> Array:
        """Cell state after each sequence's last true step, shape (B, H)."""
        return self._last(self.c, self.c0)


@dataclass(frozen=True, eq=False)
class LSTMBackward:
    """Gradients of the loss from :func:`lstm_backward`.

    Attributes
    ----------
    dx : ndarray, shape (B, T, D)
        With respect to the input.
    dW, dU, db : ndarray, shapes (4H, D), (4H, H), (4H,)
        With respect to input weights, state weights and bias, summed over sequences and steps.
    dh0, dc0 : ndarray, shape (B, H)
        With respect to the initial state.
    dgates : ndarray, shape (B, T, 4, H)
        With respect to the pre-activations of the gates i, f, g, o.
    dh, dc : ndarray, shape (B, T, H)
        All that reaches the hidden and the cell state of a step, from the loss and from the later steps.
    """

    dx: Array
    dW: Array
    dU: Array
    db: Array
    dh0: Array
    dc0: Array
    dgates: Array
    dh: Array
    dc: Array


def lstm_forward(
    x: ArrayLike,
    W: ArrayLike,
    U: ArrayLike,
    b: ArrayLike,
    lengths: ArrayLike | None = None,
    h0: ArrayLike | None = None,
    c0: ArrayLike | None = None,
    *,
    n_threads: int | None = None,
) -> LSTMForward:
    """Run an LSTM layer over a batch of sequences.

    Parameters
    ----------
    x : array_like, shape (B, T, D)
        The sequences.  Computed in float64 unless every argument is float32 (then in float32).
    W, U, b : array_like, shapes (4H, D), (4H, H), (4H,)
        Input weights, state weights and bias, gates stacked i, f, g, o.
    lengths : array_like of int, shape (B,), optional
        True steps of each sequence, 0 to T; all T by default.  What stands in `x` beyond them is never looked at.
    h0, c0 : array_like, shape (B, H), optional
        Initial state; zeros by default.
    n_threads : int, optional
        Threads; all usable processors by default.  The result does not depend on it.

    Returns
    -------
    LSTMForward
        With ``.h``, ``.c`` (B, T, H) and ``.gates`` (B, T, 4, H).

    Raises
    ------
    InputError
        Shapes that do not fit together, or lengths out of range.
    """
    named = {"x": x, "W": W, "U": U, "b": b, "h0": h0, "c0": c0}
    given = {name: np.asarray(value) for name, value in named.items() if value is not None}
    single = all(array.dtype == np.float32 for array in given.values())
    dtype = np.float32 if single else np.float64
    arrays: dict[str, Array] = {}
    for name, array in given.items():
        if array.dtype.kind not in "fiub":
            raise InputError(f"lstm_forward: {name} has type {array.dtype}, expected numbers")
        arrays[name] = np.ascontiguousarray(array, dtype=dtype)
    ndims = {"x": 3, "W": 2, "U": 2, "b": 1, "h0": 2, "c0": 2}
    shapes_wanted = {"x": "(B, T, D)", "W": "(4H, D)", "U": "(4H, H)", "b": "(4H,)", "h0": "(B, H)", "c0": "(B, H)"}
    for name, array in arrays.items():
        if array.ndim != ndims[name]:
            raise InputError(f"lstm_forward: {name} has shape {array.shape}, expected {shapes_wanted[name]}")
    (n_sequences, n_steps, n_features), n_hidden = arrays["x"].shape, arrays["U"].shape[1]
    if n_features == 0 or n_hidden == 0:
        raise InputError(
            f"lstm_forward: x of shape {arrays['x'].shape} and U of shape {arrays['U'].shape} have no features or no "
            "hidden units; both need at least one"
        )
    expected = {
        "W": (4 * n_hidden, n_features),
        "U": (4 * n_hidden, n_hidden),
        "b": (4 * n_hidden,),
        "h0": (n_sequences, n_hidden),
        "c0": (n_sequences, n_hidden),
    }
    for name, shape in expected.items():
        if name in arrays and arrays[name].shape != shape:
            raise InputError(
                f"lstm_forward: {name} has shape {arrays[name].shape}, expected {shape} = {shapes_wanted[name]} for x of "
                f"shape {arrays['x'].shape} and U of shape {arrays['U'].shape}"
            )
    steps = _lengths(lengths, n_sequences, n_steps)
    x_, W_, U_, b_ = (arrays[name] for name in ("x", "W", "U", "b"))
    h0_, c0_ = arrays.get("h0"), arrays.get("c0")
    h, c, gates = _engine.layer_forward(x_, W_, U_, b_, steps, h0_, c0_, _threads(n_threads))
    return LSTMForward(h=h, c=c, gates=gates, x=x_, W=W_, U=U_, b=b_, lengths=steps, h0=h0_, c0=c0_)


def lstm_backward(forward: LSTMForward, dh: ArrayLike, *, n_threads: int | None = None) -> LSTMBackward:
    """Backpropagate through time, from the gradient of the loss with respect to every hidden state.

    The step from t to t-1, with ``d`` for the gradient of the loss and products taken element by element::

        dc  += dh o (1 - tanh(c_t)^2)
        do   = dh tanh(c_t) o (1 - o)     di = dc g i (1 - i)    df = dc c_{t-1} f (1 - f)    dg = dc i (1 - g^2)
        dx_t = W^T [di df dg do]          dh_{t-1} = U^T [di df dg do]                        dc_{t-1} = dc f
        dW  += [di df dg do] x_t^T        dU += [di df dg do] h_{t-1}^T                       db += [di df dg do]

    Parameters
    ----------
    forward : LSTMForward
        What :func:`lstm_forward` returned.
    dh : array_like, shape (B, T, H)
        Gradient of the loss with respect to ``forward.h``.  For a loss on the last state only, set the step
        ``lengths - 1`` of each sequence.  What stands beyond a sequence's length is never looked at.
    n_threads : int, optional
        Threads; all usable processors by default.  The result does not depend on it.

    Returns
    -------
    LSTMBackward

    Raises
    ------
    InputError
        `dh` does not have the shape of ``forward.h``.
    """
    gradient = np.ascontiguousarray(dh, dtype=forward.h.dtype)
    if gradient.shape != forward.h.shape:
        raise InputError(f"lstm_backward: dh has shape {gradient.shape}, expected that of forward.h, {forward.h.shape}")
    f = forward
    return LSTMBackward(
        **_engine.layer_backward(
            f.x, f.W, f.U, f.b, f.lengths, f.h0, f.c0, f.h, f.c, f.gates, gradient,
            _threads(n_threads),
        )
    )  # fmt: skip


def _lengths(lengths: ArrayLike | None, n_sequences: int, n_steps: int) -> NDArray[np.int64]:
    if lengths is None:
        return np.full(n_sequences, n_steps, dtype=np.int64)
    array = np.asarray(lengths)
    if array.shape != (n_sequences,) or array.dtype.kind not in "iu":
        raise InputError(
            f"lstm_forward: lengths has shape {array.shape} and type {array.dtype}, expected {n_sequences} integers, one a "
            "sequence"
        )
    steps = np.ascontiguousarray(array, dtype=np.int64)
    bad = np.flatnonzero((steps < 0) | (steps > n_steps))
    if len(bad):
        raise InputError(
            f"lstm_forward: length {steps[bad[0]]} of sequence {bad[0]} is out of range, expected 0 to T = {n_steps}"
        )
    return steps


def _threads(n_threads: int | None) -> int:
    if n_threads is None:
        return int(_engine.usable_processors())
    if n_threads < 1:
        raise InputError(f"n_threads is {n_threads}, expected at least 1 (or None for all usable processors)")
    return int(n_threads)
