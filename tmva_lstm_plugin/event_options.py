"""What a training makes of the events' labels and weights, as options.

:data:`EVENTS` is the table of these options; see :mod:`tmva_lstm_plugin.model_options` for how they are given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .option_table import Option

__all__ = ["EVENTS", "contradictions"]

_TABLE = (
    Option("use_weights", bool, bool, "", "Train with the event weights, if there are any; negative ones keep their sign.", "",
           default=True, optional=False, core=False),
)  # fmt: skip

#: The options by name.
EVENTS: dict[str, Option] = {option.name: option for option in _TABLE}


def contradictions(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Say which of these options contradict each other; as :func:`tmva_lstm_plugin.model_options.contradictions`."""
    return iter(())
