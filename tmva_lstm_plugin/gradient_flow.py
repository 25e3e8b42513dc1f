"""How gradients travel back through the gates: what reaches h, c and each gate, against the steps gone back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .explain import Quantity, gate_gradients

if TYPE_CHECKING:
    from .sequence_model import SequenceModel
    from .sequences import Sequences

__all__ = ["QUANTILES", "Flow", "GradientFlow", "LayerFlow", "gradient_flow"]

QUANTILES = (0.05, 0.16, 0.5, 0.84, 0.95)
"""Quantiles over events that a flow holds."""

_BYTES = 64_000_000  # of the gradients held at one time


@dataclass(frozen=True)
class Flow:
    """Euclidean norm over the units, against the steps gone back: `mean` (K,) and `quantiles` (5, K), see `QUANTILES`.

    NaN where there is no event.
    """

    mean: NDArray[np.float64]
    quantiles: NDArray[np.float64]


@dataclass(frozen=True)
class LayerFlow:
    """One layer in one direction of time.

    Attributes
    ----------
    name : str
    backward_in_time : bool
    hidden, cell : Flow (`cell` may be None)
        Of all that reaches h and c of a step.
    gates : dict of str to Flow
        Of the gradient with respect to the pre-activations of each gate.  Where that is exactly 0 in the first step of every
        event, since the gate finds no cell state there (the forget gate), first steps are left out.
    """

    name: str
    backward_in_time: bool
    hidden: Flow
    cell: Flow | None
    gates: dict[str, Flow]


@dataclass(frozen=True)
class GradientFlow:
    """Gradient norms over events, against the K steps gone back.

    Attributes
    ----------
    quantity : str
        What was differentiated.
    events : ndarray of int64, shape (K,)
        Events that have so many steps: at k, those of more than k.  All else is over these.
    layers : tuple of LayerFlow
    """

    quantity: str
    events: NDArray[np.int64]
    layers: tuple[LayerFlow, ...]


def gradient_flow(
    model: SequenceModel, events: Sequences, output: str | int | None = None, *, of: Quantity = "loss"
) -> GradientFlow:
    """Follow the gradient back in time: its norm at h, c and each gate, against the steps it has gone back.

    Step 0 is the one a direction comes to last: the last true step, or, for the direction backward in time, the first.  There the
    gradient enters a network whose head sees the last state; each further number is one more passage through the gates.

    Parameters
    ----------
    model, events, output, of
        As in :func:`~tmva_lstm_plugin.explain.gate_gradients`; by default the loss that the training lowers,
        without event weights.

    Returns
    -------
    GradientFlow

    Raises
    ------
    OptionError, InputError, LSTMError, MemoryLimitError
        As :func:`~tmva_lstm_plugin.explain.gate_gradients`.
    """
    norms: list[dict[str, list[NDArray[np.float32]]]] = []
    names: list[tuple[str, bool]] = []
    backs: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    quantity = ""
    for first, last in _portions(events, model._trainer.parameters.size):
        found = gate_gradients(model, events[first:last], output, of=of)
        quantity = found.quantity
        lengths = np.diff(found.offsets)
        step = np.arange(found.offsets[-1]) - np.repeat(found.offsets[:-1], lengths)
        backs.append((np.repeat(lengths, lengths) - 1 - step, step))
        if not norms:
            names = [(layer.name, layer.backward_in_time) for layer in found.layers]
            norms = [{} for _ in names]
        for layer, of_layer in zip(found.layers, norms, strict=True):
            arrays = {"hidden": layer.hidden} | ({} if layer.cell is None else {"cell": layer.cell})
            arrays |= {f"gate {name}": layer.gates[:, g] for g, name in enumerate(layer.gate_names)}
            for name, array in arrays.items():
                of_layer.setdefault(name, []).append(np.linalg.norm(array, axis=1))
    lengths = events.lengths
    longest = int(lengths.max(initial=0))
    count = np.array([np.count_nonzero(lengths > k) for k in range(longest)], dtype=np.int64)
    layers = []
    for (name, backward), of_layer in zip(names, norms, strict=True):
        back = np.concatenate([pair[backward] for pair in backs])
        first = np.concatenate([pair[not backward] for pair in backs]) == 0
        flows = {}
        for key, pieces in of_layer.items():
            array = np.concatenate(pieces)
            empty = key.startswith("gate ") and not array[first].any()
            flows[key] = _flow(array[~first], back[~first], longest) if empty else _flow(array, back, longest)
        gates = {key[5:]: flow for key, flow in flows.items() if key.startswith("gate ")}
        layers.append(LayerFlow(name, backward, flows["hidden"], flows.get("cell"), gates))
    return GradientFlow(quantity, count, tuple(layers))


def _portions(events: Sequences, n_parameters: int) -> list[tuple[int, int]]:
    """Cut the events so that the gradients of a portion stay small; a network has fewer units than parameters' square root."""
    steps = max(1, int(_BYTES / (4 * 8 * max(1.0, np.sqrt(n_parameters)))))
    cuts, first = [], 0
    while first < len(events):
        last = int(np.searchsorted(events.offsets, events.offsets[first] + steps, side="right")) - 1
        last = min(max(last, first + 1), len(events))
        cuts.append((first, last))
        first = last
    return cuts or [(0, 0)]


def _flow(norms: NDArray[np.float32], back: NDArray[np.int64], longest: int) -> Flow:
    """Sum up the norms of each number of steps gone back."""
    order = np.argsort(back, kind="stable")
    cuts = np.searchsorted(back[order], np.arange(1, longest))
    mean, quantiles = np.full(longest, np.nan), np.full((len(QUANTILES), longest), np.nan)
    for k, group in enumerate(np.split(norms[order].astype(np.float64), cuts)):
        if len(group):
            mean[k], quantiles[:, k] = group.mean(), np.quantile(group, QUANTILES)
    return Flow(mean, quantiles)
