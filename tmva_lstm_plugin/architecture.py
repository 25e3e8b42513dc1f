"""What the network is made of, as options.

:data:`ARCHITECTURE` is the table of these options; see :mod:`tmva_lstm_plugin.model_options` for how they are given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .option_table import Option

__all__ = ["ARCHITECTURE", "contradictions", "layer_widths"]


def _is_width(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and bool(1 <= value < 2**16)


def _is_width_or_widths(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return len(value) > 0 and all(map(_is_width, value))
    return _is_width(value)


_TABLE = (
    Option("hidden", object, _is_width_or_widths, "a whole number from 1 to 65535, or several, one for each layer",
           "Hidden units; several numbers are layers on top of each other, the lowest first.", "Layout", default=32,
           optional=False, core=False),
    Option("bidirectional", bool, bool, "", "All layers in both directions of time.", "Layout with BILSTM", default=False,
           optional=False),
    Option("forget_bias", float, lambda v: True, "a number", "Initial bias of the forget gate.", "ForgetBias", default=1.0,
           optional=False),
)  # fmt: skip

#: The options by name.
ARCHITECTURE: dict[str, Option] = {option.name: option for option in _TABLE}


def layer_widths(hidden: Any) -> list[int]:
    """Return the hidden units of each layer, the lowest first, of an option `hidden`."""
    return [int(H) for H in (hidden if isinstance(hidden, (list, tuple)) else [hidden])]


def contradictions(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Say which of these options contradict each other; as :func:`tmva_lstm_plugin.model_options.contradictions`."""
    return iter(())
