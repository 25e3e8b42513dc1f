"""How the weights move in a training: optimiser, schedule of the learning rate, clipping, moving average, growing batches.

:data:`OPTIMISATION` is the table of these options, with what TMVA's ``TrainingStrategy`` calls them; see
:mod:`tmva_lstm_plugin.model_options` for how they are given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .option_table import (
    COUNT,
    INNER,
    NOT_NEGATIVE,
    PART,
    POSITIVE,
    Option,
    count,
    inner,
    not_negative,
    part,
    positive,
    words,
)

__all__ = ["OPTIMISATION", "OPTIMIZERS", "SCHEDULES", "contradictions"]

OPTIMIZERS = ("adam", "sgd", "adamw", "rmsprop", "adagrad", "adadelta")
SCHEDULES = ("constant", "step", "exponential", "cosine", "one_cycle", "plateau")


_ADAMS, _EPSILONS = ("adam", "adamw"), ("adam", "adamw", "rmsprop", "adagrad", "adadelta")

_TABLE = (
    Option("optimizer", OPTIMIZERS, bool, "", "The optimiser.", "Optimizer", default="adam", optional=False),
    Option("momentum", float, part, PART, "Momentum of the optimiser.", "Momentum", ("sgd", "rmsprop"),
           default_text="0.9 for sgd, 0 for rmsprop"),
    Option("nesterov", bool, bool, "", "Nesterov's momentum.", "Nesterov", ("sgd",), default_text="false"),
    Option("beta1", float, part, PART, "What the mean of the gradient keeps at a step.", "ADAM_beta1", _ADAMS,
           default_text="0.9"),
    Option("beta2", float, part, PART, "What the mean of the squared gradient keeps at a step.", "ADAM_beta2", _ADAMS,
           default_text="0.999"),
    Option("epsilon", float, positive, POSITIVE, "Added to the root of the mean square; for adadelta under the root.",
           "ADAM_eps, RMSPROP_eps, ADAGRAD_eps, ADADELTA_eps", _EPSILONS,
           default_text="1e-8; 1e-10 for adagrad, 1e-6 for adadelta"),
    Option("rho", float, part, PART, "What the mean of the squared gradient keeps at a step.", "RMSPROP_rho, ADADELTA_rho",
           ("rmsprop", "adadelta"), default_text="0.99 for rmsprop, 0.9 for adadelta"),
    Option("weight_decay", float, not_negative, NOT_NEGATIVE,
           "Decoupled decay: weights, not biases, lose learning_rate * weight_decay of themselves at a step.", "WeightDecay",
           ("adamw",), default_text="0.01"),
    Option("l1", float, not_negative, NOT_NEGATIVE, "Times the sum of |w| of all weights, not biases, is added to the loss.",
           "WeightDecay with Regularization=L1", default_text="0"),
    Option("l2", float, not_negative, NOT_NEGATIVE, "Times the sum of w^2 of all weights, not biases, is added to the loss.",
           "WeightDecay with Regularization=L2", default_text="0"),
    Option("clip_norm", float, positive, POSITIVE, "Largest norm of a gradient, longer ones are shortened.", "ClipNorm",
           default=1.0),
    Option("clip_value", float, positive, POSITIVE,
           "Largest component of a gradient; larger ones are cut, before the norm is looked at.", "ClipValue",
           default_text="no limit"),
    Option("schedule", SCHEDULES, bool, "", "How the learning rate goes over the training.", "Schedule", default="constant",
           optional=False),
    Option("decay_epochs", int, count, COUNT, "Epochs between two decays of the learning rate.", "DecayEpochs", (), ("step",),
           default_text="10"),
    Option("decay_factor", float, inner, INNER, "What a decay multiplies the learning rate with.", "DecayFactor", (),
           ("step", "exponential", "plateau"), default_text="0.1; 0.95 for exponential"),
    Option("min_learning_rate", float, not_negative, NOT_NEGATIVE, "Where the learning rate ends.", "MinLearningRate", (),
           ("cosine", "plateau"), default_text="0"),
    Option("plateau_patience", int, lambda v: 0 <= v < 2**31, "a whole number of at least 0",
           "Epochs without a better validation loss (training loss without validation) that are let pass before a decay.",
           "PlateauPatience", (), ("plateau",), default_text="5"),
    Option("rise_fraction", float, inner, INNER, "Part of the steps in which the learning rate rises.", "RiseFraction", (),
           ("one_cycle",), default_text="0.3"),
    Option("start_divisor", float, lambda v: v >= 1, "a number of at least 1", "It begins with learning_rate over this.",
           "StartDivisor", (), ("one_cycle",), default_text="25"),
    Option("end_divisor", float, lambda v: v >= 1, "a number of at least 1", "It ends with its first value over this.",
           "EndDivisor", (), ("one_cycle",), default_text="1e4"),
    Option("warmup_epochs", int, lambda v: 0 <= v < 2**31, "a whole number of at least 0",
           "Epochs in which the learning rate first rises, by the same at every batch; the schedule begins after them.",
           "WarmupEpochs", default_text="0"),
    Option("warmup_start", float, lambda v: 0 < v <= 1, "a number above 0, at most 1",
           "Part of the learning rate the warm-up begins with.", "WarmupStart", default_text="0.1"),
    Option("ema_decay", float, part, PART,
           "What a moving average of the weights keeps of itself at a step; it is validated and kept instead of the weights.",
           "EmaDecay", default_text="0, no average"),
    Option("batch_growth", float, lambda v: v >= 1, "a number of at least 1", "What batch_size is multiplied with now and then.",
           "BatchGrowth", default_text="1"),
    Option("batch_growth_epochs", int, count, COUNT, "Epochs between two growths of the batches.", "BatchGrowthEpochs",
           default_text="1"),
    Option("max_batch_size", int, count, COUNT, "The batches grow to no more events.", "MaxBatchSize"),
)  # fmt: skip

#: The options by name.
OPTIMISATION: dict[str, Option] = {option.name: option for option in _TABLE}


def contradictions(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Say which of these options contradict each other; as :func:`tmva_lstm_plugin.model_options.contradictions`."""

    def number(name: str, default: float) -> float:
        return float(given.get(name, default))

    optimizer = given.get("optimizer", "adam")
    schedule = given.get("schedule", "constant")
    for name in given:
        option = OPTIMISATION.get(name)
        if option is None:
            continue
        if option.optimizers and optimizer in OPTIMIZERS and optimizer not in option.optimizers:
            if name in ("momentum", "nesterov", "weight_decay") and not given[name]:
                continue
            use = "; use l2 for a penalty" if name == "weight_decay" else ""
            yield (
                name,
                f"the optimiser '{optimizer}' has none; set optimizer = {words(option.optimizers)}, or drop {name}{use}",
            )
        if option.schedules and schedule not in option.schedules:
            yield name, f"the schedule '{schedule}' has none; set schedule = {words(option.schedules)}, or drop {name}"
    yield from _momentum(given, optimizer)
    yield from _schedule(given, schedule, number)
    yield from _batches(given, number)


def _momentum(given: Mapping[str, Any], optimizer: str) -> Iterator[tuple[str, str]]:
    if optimizer == "sgd" and given.get("nesterov") and given.get("momentum") == 0:
        yield "nesterov", "it is a way to use momentum, and momentum is 0; raise momentum, or drop nesterov"


def _schedule(
    given: Mapping[str, Any], schedule: str, number: Callable[[str, float], float]
) -> Iterator[tuple[str, str]]:
    epochs, warmup = number("epochs", math.inf), number("warmup_epochs", 0)
    if warmup and schedule == "one_cycle":
        yield "warmup_epochs", "the schedule 'one_cycle' has its own way up, rise_fraction; drop warmup_epochs"
    elif warmup >= epochs:
        yield (
            "warmup_epochs",
            f"a warm-up of {warmup:.0f} epochs is as long as the training, epochs = {epochs:.0f}; shorten it",
        )
        return
    if "warmup_start" in given and not warmup:
        yield "warmup_start", "there is no warm-up; set warmup_epochs, or drop warmup_start"
    left = epochs - warmup
    every = number("decay_epochs", 10)
    if schedule == "step" and every >= left:
        yield (
            "decay_epochs",
            f"a decay every {every:.0f} epochs never comes in the {left:.0f} that the schedule has; lower decay_epochs",
        )
    if schedule == "exponential" and left < 2:
        yield "schedule", "'exponential' decays between epochs, and it has one only; raise epochs"
    if schedule in ("cosine", "plateau") and number("min_learning_rate", 0) >= number("learning_rate", 3e-3):
        yield (
            "min_learning_rate",
            f"{number('min_learning_rate', 0):g} is not below learning_rate = {number('learning_rate', 3e-3):g}; lower it",
        )
    if schedule == "plateau":
        wait = number("plateau_patience", 5)
        if wait + 2 >= left:
            yield (
                "plateau_patience",
                f"the learning rate falls after {wait + 2:.0f} epochs at the earliest, and the schedule has {left:.0f}; "
                "lower plateau_patience",
            )
        if number("patience", math.inf) <= wait + 1:
            yield (
                "plateau_patience",
                f"with patience = {number('patience', 0):.0f} the training stops before {wait:.0f} bad epochs have lowered "
                "the learning rate; lower plateau_patience, or raise patience",
            )


def _batches(given: Mapping[str, Any], number: Callable[[str, float], float]) -> Iterator[tuple[str, str]]:
    growth = number("batch_growth", 1)
    if growth <= 1:
        for name in ("batch_growth_epochs", "max_batch_size"):
            if name in given:
                yield name, f"the batches do not grow; set batch_growth above 1, or drop {name}"
        return
    epochs, every = number("epochs", math.inf), number("batch_growth_epochs", 1)
    if every >= epochs:
        yield (
            "batch_growth_epochs",
            f"batches that grow every {every:.0f} epochs never do in epochs = {epochs:.0f}; lower batch_growth_epochs",
        )
    if "max_batch_size" not in given:
        yield "max_batch_size", "it is missing; batch_growth needs a size at which it ends"
    elif number("max_batch_size", 0) <= number("batch_size", 64):
        yield (
            "max_batch_size",
            f"{number('max_batch_size', 0):.0f} is not above batch_size = {number('batch_size', 64):.0f}, so the batches do "
            "not grow; raise max_batch_size, or drop batch_growth",
        )
