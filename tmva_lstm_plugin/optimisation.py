"""How the weights move in a training: optimiser, schedule of the learning rate, clipping, moving average, growing batches.

:data:`OPTIMISATION` is the table of these options.  :class:`LSTMClassifier` takes them as keywords, section ``[model]`` of a
configuration as keys, ``tmva-lstm train`` as options; in the last column is what TMVA's ``TrainingStrategy`` calls them.  An
option that is None was not asked for, and has the default of the optimiser or schedule it belongs to.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from .errors import near_miss

__all__ = [
    "OPTIMISATION",
    "OPTIMIZERS",
    "SCHEDULES",
    "Option",
    "contradictions",
    "engine_options",
    "expected_text",
    "takes_options",
    "unknown_names",
    "values_out_of_range",
]

_Class = TypeVar("_Class", bound=type)

OPTIMIZERS = ("adam", "sgd", "adamw", "rmsprop", "adagrad", "adadelta")
SCHEDULES = ("constant", "step", "exponential", "cosine", "one_cycle", "plateau")


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes
    ----------
    name : str
        Name in Python, TOML and, with dashes, on the command line.
    kind : type or tuple of str
        int, float or bool, or the words to choose from.
    fits : callable
        Whether a number is in range.
    expected : str
        The range in words.
    meaning : str
        What it does.
    tmva : str
        Key of TMVA's ``TrainingStrategy``.
    optimizers, schedules : tuple of str
        What it belongs to; empty if to any.
    default : object
        Value where none is given; None: that of the optimiser or schedule, or off.
    default_text : str
        The default in words.
    """

    name: str
    kind: Any
    fits: Callable[[Any], bool]
    expected: str
    meaning: str
    tmva: str
    optimizers: tuple[str, ...] = ()
    schedules: tuple[str, ...] = ()
    default: Any = None
    default_text: str = ""

    def accepts(self, value: Any) -> bool:
        """Return whether `value` has the type and the range of the option."""
        if isinstance(self.kind, tuple):
            return isinstance(value, str) and value in self.kind
        if self.kind is bool or isinstance(value, (bool, np.bool_)):
            return self.kind is bool and isinstance(value, bool)
        types = (int, np.integer) if self.kind is int else (int, float, np.integer, np.floating)
        return isinstance(value, types) and math.isfinite(value) and bool(self.fits(value))


def _part(value: float) -> bool:
    return 0 <= value < 1


def _inner(value: float) -> bool:
    return 0 < value < 1


def _positive(value: float) -> bool:
    return value > 0


def _not_negative(value: float) -> bool:
    return value >= 0


def _count(value: float) -> bool:
    return 1 <= value < 2**31


_PART, _INNER = "a number from 0 to less than 1", "a number between 0 and 1"
_POSITIVE, _NOT_NEGATIVE, _COUNT = "a number above 0", "a number of at least 0", "a whole number of at least 1"
_ADAMS, _EPSILONS = ("adam", "adamw"), ("adam", "adamw", "rmsprop", "adagrad", "adadelta")

_TABLE = (
    Option("optimizer", OPTIMIZERS, bool, "", "The optimiser.", "Optimizer", default="adam"),
    Option("momentum", float, _part, _PART, "Momentum of the optimiser.", "Momentum", ("sgd", "rmsprop"),
           default_text="0.9 for sgd, 0 for rmsprop"),
    Option("nesterov", bool, bool, "", "Nesterov's momentum.", "Nesterov", ("sgd",), default_text="false"),
    Option("beta1", float, _part, _PART, "What the mean of the gradient keeps at a step.", "ADAM_beta1", _ADAMS,
           default_text="0.9"),
    Option("beta2", float, _part, _PART, "What the mean of the squared gradient keeps at a step.", "ADAM_beta2", _ADAMS,
           default_text="0.999"),
    Option("epsilon", float, _positive, _POSITIVE, "Added to the root of the mean square; for adadelta under the root.",
           "ADAM_eps, RMSPROP_eps, ADAGRAD_eps, ADADELTA_eps", _EPSILONS,
           default_text="1e-8; 1e-10 for adagrad, 1e-6 for adadelta"),
    Option("rho", float, _part, _PART, "What the mean of the squared gradient keeps at a step.", "RMSPROP_rho, ADADELTA_rho",
           ("rmsprop", "adadelta"), default_text="0.99 for rmsprop, 0.9 for adadelta"),
    Option("weight_decay", float, _not_negative, _NOT_NEGATIVE,
           "Decoupled decay: weights, not biases, lose learning_rate * weight_decay of themselves at a step.", "WeightDecay",
           ("adamw",), default_text="0.01"),
    Option("l1", float, _not_negative, _NOT_NEGATIVE, "Times the sum of |w| of all weights, not biases, is added to the loss.",
           "WeightDecay with Regularization=L1", default_text="0"),
    Option("l2", float, _not_negative, _NOT_NEGATIVE, "Times the sum of w^2 of all weights, not biases, is added to the loss.",
           "WeightDecay with Regularization=L2", default_text="0"),
    Option("clip_norm", float, _positive, _POSITIVE, "Largest norm of a gradient, longer ones are shortened.", "ClipNorm",
           default=1.0),
    Option("clip_value", float, _positive, _POSITIVE,
           "Largest component of a gradient; larger ones are cut, before the norm is looked at.", "ClipValue",
           default_text="no limit"),
    Option("schedule", SCHEDULES, bool, "", "How the learning rate goes over the training.", "Schedule", default="constant"),
    Option("decay_epochs", int, _count, _COUNT, "Epochs between two decays of the learning rate.", "DecayEpochs", (), ("step",),
           default_text="10"),
    Option("decay_factor", float, _inner, _INNER, "What a decay multiplies the learning rate with.", "DecayFactor", (),
           ("step", "exponential", "plateau"), default_text="0.1; 0.95 for exponential"),
    Option("min_learning_rate", float, _not_negative, _NOT_NEGATIVE, "Where the learning rate ends.", "MinLearningRate", (),
           ("cosine", "plateau"), default_text="0"),
    Option("plateau_patience", int, lambda v: 0 <= v < 2**31, "a whole number of at least 0",
           "Epochs without a better validation loss (training loss without validation) that are let pass before a decay.",
           "PlateauPatience", (), ("plateau",), default_text="5"),
    Option("rise_fraction", float, _inner, _INNER, "Part of the steps in which the learning rate rises.", "RiseFraction", (),
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
    Option("ema_decay", float, _part, _PART,
           "What a moving average of the weights keeps of itself at a step; it is validated and kept instead of the weights.",
           "EmaDecay", default_text="0, no average"),
    Option("batch_growth", float, lambda v: v >= 1, "a number of at least 1", "What batch_size is multiplied with now and then.",
           "BatchGrowth", default_text="1"),
    Option("batch_growth_epochs", int, _count, _COUNT, "Epochs between two growths of the batches.", "BatchGrowthEpochs",
           default_text="1"),
    Option("max_batch_size", int, _count, _COUNT, "The batches grow to no more events.", "MaxBatchSize"),
)  # fmt: skip

#: The options by name.
OPTIMISATION: dict[str, Option] = {option.name: option for option in _TABLE}


def _words(names: tuple[str, ...]) -> str:
    quoted = [repr(name) for name in names]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 2 else quoted)


def expected_text(option: Option) -> str:
    """Return what values an option takes, in words."""
    if isinstance(option.kind, tuple):
        return _words(option.kind)
    return "True or False" if option.kind is bool else option.expected


def values_out_of_range(values: Mapping[str, Any]) -> Iterator[str]:
    """Say which values an option cannot have.

    Parameters
    ----------
    values : mapping of str to object
        Options by name; None is left out, but for those that always have a value.

    Yields
    ------
    str
        One line for each wrong value.
    """
    for name, option in OPTIMISATION.items():
        value = values.get(name)
        if value is None and not isinstance(option.default, str):
            continue
        if not option.accepts(value):
            text = expected_text(option)
            yield f"{name} is {value!r}, expected {text}" + ("" if isinstance(option.default, str) else ", or None")


def unknown_names(names: Iterable[str], others: Iterable[str]) -> Iterator[str]:
    """Say which names are none of an option, with the nearest that is.

    Parameters
    ----------
    names : iterable of str
        What was given.
    others : iterable of str
        Names that are known beside the options.

    Yields
    ------
    str
        One line for each unknown name.
    """
    known = [*others, *OPTIMISATION]
    for name in names:
        if name not in OPTIMISATION:
            yield f"there is no parameter {name!r}; {near_miss(name, known)}"


def contradictions(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Say which options contradict each other, or have no meaning beside the others.

    Parameters
    ----------
    values : mapping of str to object
        The options that were given, with ``epochs``, ``batch_size``, ``learning_rate`` and ``patience``; None was not given.
        Values out of range are passed over: they are told elsewhere.

    Yields
    ------
    tuple of str
        The option, and what is wrong with it.
    """
    given = {
        name: value
        for name, value in values.items()
        if value is not None and (name not in OPTIMISATION or OPTIMISATION[name].accepts(value))
    }

    def number(name: str, default: float) -> float:
        value = given.get(name, default)
        fits = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
        if name not in OPTIMISATION:
            fits = fits and value > 0  # epochs and the like are checked elsewhere
        return float(value) if fits else float(default)

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
                f"the optimiser '{optimizer}' has none; set optimizer = {_words(option.optimizers)}, or drop {name}{use}",
            )
        if option.schedules and schedule not in option.schedules:
            yield name, f"the schedule '{schedule}' has none; set schedule = {_words(option.schedules)}, or drop {name}"
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


def takes_options(cls: _Class) -> _Class:
    """Give a class whose constructor ends in ``**optimisation`` the signature it has in effect, for ``help`` and completion.

    Parameters
    ----------
    cls : type

    Returns
    -------
    type
        The class itself.
    """
    signature = inspect.signature(cls)
    named = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    have = {p.name for p in named}
    named += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option.default)
        for name, option in OPTIMISATION.items()
        if name not in have
    ]
    cls.__signature__ = signature.replace(parameters=named)  # type: ignore[attr-defined]
    return cls


def engine_options(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the compiled core is given: the options that were asked for, in plain types.

    Parameters
    ----------
    values : mapping of str to object
        Options by name, checked.

    Returns
    -------
    dict of str to object
    """
    options: dict[str, Any] = {}
    for name, option in OPTIMISATION.items():
        value = values[name]
        if value is not None:
            options[name] = value if isinstance(option.kind, tuple) else option.kind(value)
    # None is no limit, which the core calls 0
    options.setdefault("clip_norm", 0.0)
    return options
