"""How a training is run: how long, on which events, with how many threads, and when it stops, as options.

:data:`CONTROL` is the table of these options; see :mod:`tmva_lstm_plugin.model_options` for how they are given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .errors import OptionError
from .option_table import COUNT, PART, POSITIVE, Option, count, part, positive
from .recipe import parse_bytes

__all__ = ["CONTROL", "MONITORS", "contradictions", "parse_seconds"]

MONITORS = ("loss", "auc", "accuracy")
_SECONDS = {"": 1, "s": 1, "min": 60, "h": 3600, "d": 86400}


def _is_size(value: Any) -> bool:
    try:
        return parse_bytes(value) is not None
    except OptionError:
        return False


def parse_seconds(time: float | str) -> float:
    """Turn a time such as ``"90 min"`` or ``"2 h"`` into seconds.

    Parameters
    ----------
    time : float or str
        Seconds, or a number with a unit: s, min, h or d.

    Returns
    -------
    float

    Raises
    ------
    OptionError
        Not a positive time, or an unknown unit.
    """
    number = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([a-z]*)\s*", time) if isinstance(time, str) else None
    if isinstance(time, str) and (number is None or number[2] not in _SECONDS):
        raise OptionError(f"{time!r} is not a time; give seconds, or a number with one of the units s, min, h and d")
    seconds = float(time) if number is None else float(number[1]) * _SECONDS[number[2]]
    if not 0 < seconds < 1e10:
        raise OptionError(f"{time!r} is not a time that a training can take; expected a number above 0")
    return seconds


def _is_time(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return False
    try:
        return parse_seconds(value) > 0
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
    Option("patience", int, count, COUNT, "Stop when what is monitored has not improved for so many epochs.",
           "ConvergenceSteps", default_text="never"),
    Option("monitor", MONITORS, bool, "", "Figure of the validation part that decides which weights are the best, and about "
           "patience; auc: of several classes the mean over each against the rest.", "Monitor", default="loss", optional=False),
    Option("max_time", object, _is_time, "a time such as '2 h' or '90 min', or seconds",
           "Stop after the batch at which the training has taken so long; the best weights so far are kept.", "MaxTime",
           default_text="no limit", core=False),
    Option("checkpoint_epochs", int, count, COUNT, "Keep the state of the training in a file after every so many epochs.",
           "CheckpointEpochs", core=False),
    Option("checkpoint_minutes", float, positive, POSITIVE,
           "Keep the state of the training in a file whenever so many minutes have passed, within an epoch as well.",
           "CheckpointMinutes", default_text="10 where there is a file for it and no checkpoint_epochs", core=False),
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
    monitor = values.get("monitor", "loss")
    if monitor != "loss" and values.get("validation_fraction") == 0:
        yield (
            "monitor",
            f"'{monitor}' is of validation events, and validation_fraction is 0; raise it, or drop monitor",
        )
