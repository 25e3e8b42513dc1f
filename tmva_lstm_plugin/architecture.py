"""What the network is made of, as options.

:data:`ARCHITECTURE` is the table of these options; see :mod:`tmva_lstm_plugin.model_options` for how they are given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .option_table import PART, Option, part, words

__all__ = ["ARCHITECTURE", "contradictions", "core_shape", "dense_layers", "dense_texts", "layer_widths"]


def _is_width(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and bool(1 <= value < 2**16)


def _is_width_or_widths(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return len(value) > 0 and all(map(_is_width, value))
    return _is_width(value)


CELLS = ("lstm", "gru", "rnn")
RESET_GATES = ("after", "before")
POOLINGS = ("last", "mean", "max", "attention", "flat")
ACTIVATIONS = ("linear", "relu", "tanh", "ftanh", "symmrelu", "softsign", "sigmoid", "gauss")
INITIALISATIONS = ("xavier uniform", "xavier", "gauss", "uniform", "identity", "zero", "orthogonal")


def _is_dense(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(
        isinstance(text, str)
        and re.fullmatch(r"\d+ \w+", text) is not None
        and _is_width(int(text.split()[0]))
        and text.split()[1] in ACTIVATIONS
        for text in value
    )


_TABLE = (
    Option("hidden", object, _is_width_or_widths, "a whole number from 1 to 65535, or several, one for each layer",
           "Hidden units; several numbers are layers on top of each other, the lowest first.", "Layout", default=32,
           optional=False, core=False),
    Option("cell", CELLS, bool, "", "Cell of the recurrent layers.", "Layout with GRU, RNN", default="lstm", optional=False),
    Option("bidirectional", bool, bool, "", "All layers in both directions of time.", "Layout with BILSTM", default=False,
           optional=False),
    Option("peepholes", bool, bool, "", "The LSTM's gates also see the cell state.", "Layout with LSTM|...|PEEPHOLES",
           default=False, optional=False),
    Option("coupled_gates", bool, bool, "", "The LSTM's forget gate is one minus its input gate.",
           "Layout with LSTM|...|COUPLED", default=False, optional=False),
    Option("reset_gate", RESET_GATES, bool, "", "The GRU's reset gate acts after the product with the state, as in PyTorch and "
           "cuDNN, or before it, as in Cho et al. (2014).", "Layout with GRU|...|0", default="after", optional=False),
    Option("layer_norm", bool, bool, "", "Normalise what each recurrent layer gives at a step.", "Layout with LSTM|...|LNORM",
           default=False, optional=False),
    Option("pooling", POOLINGS, bool, "", "What goes on of the states of the last recurrent layer: that of the last true step, "
           "their mean, maximum or weighted mean with learnt weights, or all of them, as many as the longest sequence has.",
           "Layout with POOL|MEAN, POOL|MAX, POOL|ATTENTION, RESHAPE|FLAT", default="last", optional=False, core=False),
    Option("every_step", bool, bool, "", "Outputs for every step, of its own state, instead of one for the event: labels or "
           "targets are those of steps.", "", default=False, optional=False),
    Option("dense", object, _is_dense, "a list of layers such as '64 tanh', with " + words(ACTIVATIONS),
           "Hidden dense layers between the recurrent layers and the outputs.", "Layout with DENSE|64|TANH", default=(),
           optional=False, core=False),
    Option("input_dropout", float, part, PART, "Part of the features that a training sets to zero, the same at all steps of an "
           "event.", "DropConfig, first number", default=0.0, optional=False),
    Option("dropout", float, part, PART, "The same for what each recurrent layer gives to what is above it.",
           "DropConfig, second number", default=0.0, optional=False),
    Option("recurrent_dropout", float, part, PART, "The same for the state on its way to the next step.", "RecurrentDropout",
           default=0.0, optional=False),
    Option("initialisation", INITIALISATIONS, bool, "", "How the weights are drawn.", "WeightInitialization",
           default="xavier uniform", optional=False),
    Option("forget_bias", float, lambda v: True, "a number", "Initial bias of the LSTM's forget gate.", "ForgetBias", default=1.0,
           optional=False),
)  # fmt: skip

#: The options by name.
ARCHITECTURE: dict[str, Option] = {option.name: option for option in _TABLE}


def layer_widths(hidden: Any) -> list[int]:
    """Return the hidden units of each layer, the lowest first, of an option `hidden`."""
    return [int(H) for H in (hidden if isinstance(hidden, (list, tuple)) else [hidden])]


def dense_layers(dense: Any) -> list[tuple[int, str]]:
    """Return width and activation of each dense layer, as the core names them."""
    return [(int(text.split()[0]), text.split()[1].upper()) for text in dense]


def dense_texts(layers: Any) -> tuple[str, ...]:
    """Return the option `dense` that gives these layers."""
    return tuple(f"{width} {activation.lower()}" for width, activation in layers)


def core_shape(values: Mapping[str, Any], flat_steps: int) -> dict[str, Any]:
    """Return what the core is told of the network beside the width of its last recurrent layer.

    Parameters
    ----------
    values : mapping of str to object
        Options by name.
    flat_steps : int
        Steps whose states are joined; of interest with ``pooling="flat"`` alone.
    """
    flat = values["pooling"] == "flat"
    shape = {name: values[name] for name, option in ARCHITECTURE.items() if option.core}
    del shape["initialisation"], shape["forget_bias"]
    return shape | {
        "lower": layer_widths(values["hidden"])[:-1],
        "pooling": "last" if flat else values["pooling"],
        "flat_steps": flat_steps if flat else 0,
        "dense": dense_layers(values["dense"]),
    }


def contradictions(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Say which of these options contradict each other; as :func:`tmva_lstm_plugin.model_options.contradictions`."""
    cell = given.get("cell", "lstm")
    for name in ("peepholes", "coupled_gates"):
        if given.get(name) and cell != "lstm":
            yield name, f"it belongs to the cell 'lstm', and cell is '{cell}'; drop {name}"
    if given.get("reset_gate", "after") != "after" and cell != "gru":
        yield "reset_gate", f"it belongs to the cell 'gru', and cell is '{cell}'; drop reset_gate"
    if "forget_bias" in given and given["forget_bias"] != ARCHITECTURE["forget_bias"].default and cell != "lstm":
        yield "forget_bias", f"the cell '{cell}' has no forget gate; drop forget_bias"
    if given.get("every_step") and given.get("pooling", "last") != "last":
        yield "pooling", "there is nothing to pool where every step has outputs (every_step); drop one of them"
