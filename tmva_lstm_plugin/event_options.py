"""What a training makes of the events' labels, targets and weights, as options.

:data:`EVENTS` is the table of these options; see :mod:`tmva_lstm_plugin.model_options` for how they are given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .option_table import POSITIVE, Option, positive, words

__all__ = ["EVENTS", "LOSSES", "contradictions", "task_contradictions"]

#: What each loss is called in the core, and in a model file.
LOSSES = {
    "cross_entropy": "cross entropy",
    "sigmoid_cross_entropy": "sigmoid cross entropy",
    "mse": "mean squared error",
    "mae": "mean absolute error",
    "huber": "huber",
}
_OF_CLASSES, _OF_TARGETS = ("cross_entropy", "sigmoid_cross_entropy", "mse"), ("mse", "mae", "huber")

_TABLE = (
    Option("loss", tuple(LOSSES), bool, "",
           "What is minimised: of classes cross_entropy, sigmoid_cross_entropy (each class against the others) or mse, of "
           "targets mse, mae or huber.", "ErrorStrategy", default_text="cross_entropy for classes, mse for targets", core=False),
    Option("huber_delta", float, positive, POSITIVE,
           "Deviations above so many standard deviations of a target count linearly with loss huber, smaller ones squared.",
           "HuberDelta", default_text="1 with loss huber"),
    Option("use_weights", bool, bool, "", "Train with the event weights, if there are any; see negative_weights.", "",
           default=True, optional=False, core=False),
    Option("negative_weights", ("keep", "ignore", "absolute"), bool, "",
           "Negative event weights: they enter with their sign, or their events are left out, or their absolute values count.",
           "IgnoreNegWeightsInTraining", default="keep", optional=False, core=False),
    Option("class_balance", ("none", "events", "equal"), bool, "",
           "Scale of each class's weights: none, a mean of 1 (events), or such that all classes have equal sums (equal).",
           "NormMode", default="none", optional=False, core=False),
)  # fmt: skip

#: The options by name.
EVENTS: dict[str, Option] = {option.name: option for option in _TABLE}


def contradictions(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Say which of these options contradict each other; as :func:`tmva_lstm_plugin.model_options.contradictions`."""
    if values.get("huber_delta") is not None and values.get("loss") != "huber":
        yield "huber_delta", "it belongs to loss='huber'; set that, or drop it"
    if values.get("use_weights") is False and values.get("negative_weights", "keep") != "keep":
        yield "negative_weights", "there are no weights to change with use_weights=False; drop one of them"
    if values.get("every_step") and values.get("class_balance", "none") != "none":
        yield (
            "class_balance",
            "a weight is an event's, and with every_step classes are those of steps; drop one of them",
        )


def task_contradictions(values: Mapping[str, Any], *, regression: bool) -> Iterator[tuple[str, str]]:
    """Say which of these options have no meaning for what is to be learnt.

    Parameters
    ----------
    values : mapping of str to object
        Options by name; None was not given.
    regression : bool
        Whether targets are learnt, not classes.

    Yields
    ------
    tuple of str
        The option, and what is wrong with it.
    """
    loss, known = values.get("loss"), _OF_TARGETS if regression else _OF_CLASSES
    if loss in LOSSES and loss not in known:
        task, other = ("a regression", "classes") if regression else ("classes", "a regression")
        yield "loss", f"{loss!r} is for {other}; for {task} expected {words(known)}"
    if regression and values.get("class_balance", "none") != "none":
        yield "class_balance", "a regression has no classes to balance; drop it"
