"""What a search looks among: for any options of a model a list of values or a range, and the trials drawn from them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import OptionError, near_miss
from .event_options import task_contradictions
from .fitting import HOW_IT_IS_RUN
from .model_options import MODEL_OPTIONS, contradictions
from .option_table import expected_text

__all__ = ["Choice", "Range", "Space", "draw_trials", "parse_space"]

# Draws for one trial before it is given up.
_ATTEMPTS = 1000
_KEYS = ("low", "high", "log")


@dataclass(frozen=True)
class Choice:
    """Values of an option, each as probable as any other.

    Attributes
    ----------
    values : tuple
        At least one.
    """

    values: tuple[Any, ...]

    def draw(self, u: float) -> Any:
        """Return the value for a number from 0 to less than 1."""
        return self.values[int(u * len(self.values))]

    def to_plain(self) -> Any:
        """Return what JSON can hold, and :func:`parse_space` reads."""
        return [list(v) if isinstance(v, tuple) else v for v in self.values]


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; whole ones if both are whole and the option is a whole number.

    Attributes
    ----------
    low, high : int or float
        The ends.
    log : bool
        Whether the logarithm is drawn evenly, and not the number.
    whole : bool
        Whether only whole numbers are drawn.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def draw(self, u: float) -> Any:
        """Return the value for a number from 0 to less than 1; a real one is rounded to four digits, as tables show it."""
        end = self.high + 1 if self.whole else self.high
        if self.log:
            value = math.exp(math.log(self.low) + u * (math.log(end) - math.log(self.low)))
        else:
            value = self.low + u * (end - self.low)
        value = math.floor(value) if self.whole else float(f"{value:.4g}")
        return min(max(value, self.low), self.high)

    def to_plain(self) -> Any:
        """Return what JSON can hold, and :func:`parse_space` reads."""
        return {"low": self.low, "high": self.high, "log": self.log}


Space = dict[str, "Choice | Range"]


def parse_space(given: Mapping[str, Any]) -> Space:
    """Check a space as Python or TOML gives it.

    Parameters
    ----------
    given : mapping of str to list, mapping, Choice or Range
        For names of :data:`tmva_lstm_plugin.model_options.MODEL_OPTIONS` a list of values, or
        ``{"low": 1e-4, "high": 1e-2, "log": True}``.

    Returns
    -------
    dict of str to Choice or Range
        In the order of the names, so that it does not matter in which they were given.

    Raises
    ------
    OptionError
        All at once: names of no option, values an option cannot have, ranges without a range.
    """
    if not isinstance(given, Mapping) or not given:
        raise OptionError(f"the space of a search is {given!r}, expected for at least one option a list or a range")
    space: Space = {}
    wrong = []
    for name in sorted(given):
        try:
            space[name] = _parsed(name, given[name])
        except OptionError as error:
            wrong.append(str(error))
    if wrong:
        raise OptionError("; ".join(wrong))
    return space


def _parsed(name: str, value: Any) -> Choice | Range:
    if name not in MODEL_OPTIONS:
        raise OptionError(f"there is no option {name!r} to search for; {near_miss(name, MODEL_OPTIONS)}")
    if name in HOW_IT_IS_RUN:
        raise OptionError(
            f"{name} says how a training is run and not what it learns, so there is nothing to search for"
        )
    if isinstance(value, Choice):
        value = value.values
    if isinstance(value, Range):
        value = value.to_plain()
    if isinstance(value, Mapping):
        return _range(name, value)
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence) or not len(value):
        raise OptionError(f"{name}: found {value!r}, expected a list of values, or a range {{low, high, log}}")
    return _choice(name, value)


def _choice(name: str, values: Sequence[Any]) -> Choice:
    option = MODEL_OPTIONS[name]
    found: list[Any] = []
    for value in values:
        # TOML has no null, and no limit is 0 there
        plain = None if name == "clip_norm" and value == 0 and not isinstance(value, bool) else value
        plain = tuple(plain) if isinstance(plain, list) else plain
        if not (plain is None and option.optional) and not option.accepts(plain):
            raise OptionError(f"{name}: {value!r} is no value of it, expected {expected_text(option)}")
        if plain in found:
            raise OptionError(f"{name}: {value!r} is there twice; each value is as probable as any other")
        found.append(plain)
    return Choice(tuple(found))


def _range(name: str, given: Mapping[str, Any]) -> Range:
    option = MODEL_OPTIONS[name]
    unknown = [key for key in given if key not in _KEYS]
    if unknown:
        raise OptionError(f"{name}: a range has no {unknown[0]!r}; {near_miss(str(unknown[0]), _KEYS)}")
    low, high, log = given.get("low"), given.get("high"), given.get("log", False)
    for key, end in (("low", low), ("high", high)):
        if isinstance(end, bool) or not isinstance(end, (int, float)) or not option.accepts(end):
            raise OptionError(f"{name}: {key} is {end!r}, which is no value of it, expected {expected_text(option)}")
    assert low is not None  # checked
    assert high is not None
    if not low < high:
        raise OptionError(f"{name}: low is {low!r} and high {high!r}; expected low below high")
    if not isinstance(log, bool) or (log and low <= 0):
        raise OptionError(
            f"{name}: log is {log!r} with low = {low!r}; expected true or false, and for true a low above 0"
        )
    whole = isinstance(low, int) and isinstance(high, int) and option.kind is not float
    return Range(low, high, log, whole)


def draw_trials(
    space: Space, fixed: Mapping[str, Any], count: int, seed: int, regression: bool = False
) -> list[dict[str, Any]]:
    """Draw the options of trials.

    Trial t is a function of space, fixed options, seed and the trials before it: more trials begin with the same ones.
    Options that belong to another optimiser or schedule than the one drawn are left out, combinations that
    contradict each other or were drawn before are drawn again.

    Parameters
    ----------
    space : Space
        From :func:`parse_space`.
    fixed : mapping of str to object
        All other options of the model.
    count : int
        How many.
    seed : int
        Of the draws.
    regression : bool
        Whether targets are learnt, not classes, which have other losses.

    Returns
    -------
    list of dict
        All options of each trial; fewer than `count` where the space has no more.

    Raises
    ------
    OptionError
        Nothing in the space goes with the fixed options.
    """
    trials: list[dict[str, Any]] = []
    seen: set[str] = set()
    for number in range(count):
        reason = ""
        for attempt in range(_ATTEMPTS):
            rng = np.random.default_rng([seed, number, attempt])
            drawn = {name: space[name].draw(float(rng.random())) for name in sorted(space)}
            options = _belonging(dict(fixed) | drawn, space)
            clashes = (*contradictions(options), *task_contradictions(options, regression=regression))
            wrong = next((f"{name}: {text}" for name, text in clashes), None)
            key = json.dumps(options, sort_keys=True, default=list)
            if wrong is None and key not in seen:
                seen.add(key)
                trials.append(options)
                break
            reason = wrong or reason
        else:
            if not trials:
                raise OptionError(f"nothing in the space of the search goes with the other options: {reason}")
            break
    return trials


def _belonging(options: dict[str, Any], space: Space) -> dict[str, Any]:
    """Leave out what belongs to another optimiser or schedule, where these are searched for or it is."""
    for name, option in MODEL_OPTIONS.items():
        for homes, chooser in ((option.optimizers, "optimizer"), (option.schedules, "schedule")):
            if homes and (name in space or chooser in space) and options.get(chooser) not in homes:
                options[name] = option.default
    return options
