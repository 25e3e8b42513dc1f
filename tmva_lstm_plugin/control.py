"""How a training is run: how long, on which events, with how many threads, and when it stops, as options.

:data:`CONTROL` is the table of these options; see :mod:`tmva_lstm_plugin.model_options` for how they are given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .errors import OptionError
from .option_table import COUNT, PART, POSITIVE, Option, count, part, positive
from .recipe import parse_bytes

__all__ = ["CONTROL", "contradictions"]


def _is_size(value: Any) -> bool:
    try:
        return parse_bytes(value) is not None
    except OptionError:
        return False


_TABLE = (
    Option("epochs", int, count, COUNT, "How often all training events are gone through.", "MaxEpochs", default=15,
           optional=False),
    Option("batch_size", int, count, COUNT, "Events in one step of the optimiser.", "BatchSize", default=64, optional=False),
    Option("learning_rate", float, positive, POSITIVE, "Step size of the optimiser.", "LearningRate", default=3e-3,
           optional=False),
    Option("seed", int, lambda v: 0 <= v < 2**63, "a whole number from 0 to 2^63 - 1",
           "Seed of the initial weights, the validation part and the order of events.", "RandomSeed", default=1,
           optional=False),
    Option("n_threads", int, lambda v: 1 <= v < 4096, "a whole number from 1 to 4095", "Threads.", "NumThreads",
           default_text="all processors the process may use", core=False),
    Option("validation_fraction", float, part, PART, "Part of the training events that watches the training.",
           "ValidationSize", default=0.1, optional=False, core=False),
    Option("patience", int, count, COUNT, "Stop when the validation loss has not improved for so many epochs.",
           "ConvergenceSteps", default_text="never"),
    Option("shuffle", bool, bool, "", "Draw the events in a new order each epoch.", "", default=True, optional=False,
           core=False),
    Option("memory_limit", object, _is_size, "a size such as '1 GB', or bytes",
           "Memory that the activations of a block of sequences may take in each thread.", "", default="1 GB",
           optional=False, core=False),
)  # fmt: skip

#: The options by name.
CONTROL: dict[str, Option] = {option.name: option for option in _TABLE}


def contradictions(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Say which of these options contradict each other; as :func:`tmva_lstm_plugin.model_options.contradictions`."""
    if values.get("patience") is not None and values.get("validation_fraction") == 0:
        yield (
            "patience",
            "stopping early needs validation events, and validation_fraction is 0; raise it, or drop patience",
        )
