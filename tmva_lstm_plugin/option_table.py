"""What an option of a model is: its name in Python, TOML, command line and TMVA, its range, its meaning."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "COUNT",
    "INNER",
    "NOT_NEGATIVE",
    "PART",
    "POSITIVE",
    "Option",
    "count",
    "expected_text",
    "inner",
    "not_negative",
    "part",
    "positive",
    "words",
]


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes
    ----------
    name : str
        Name in Python, TOML and, with dashes, on the command line.
    kind : type or tuple of str
        int, float or bool, or the words to choose from; object where `fits` alone decides.
    fits : callable
        Whether a number (of kind object: whatever is given) is in range.
    expected : str
        The range in words.
    meaning : str
        What it does.
    tmva : str
        What TMVA's options call it; empty where they have none.
    optimizers, schedules : tuple of str
        What it belongs to; empty if to any.
    default : object
        Value where none is given; None: that of the optimiser or schedule, or off.
    default_text : str
        The default in words.
    optional : bool
        Whether None is a value: not asked for, or off.
    core : bool
        Whether the compiled core is told of it by this name.
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
    optional: bool = True
    core: bool = True

    def accepts(self, value: Any) -> bool:
        """Return whether `value` has the type and the range of the option."""
        if isinstance(self.kind, tuple):
            return isinstance(value, str) and value in self.kind
        if self.kind is object:
            return self.fits(value)
        if self.kind is bool or isinstance(value, (bool, np.bool_)):
            return self.kind is bool and isinstance(value, bool)
        types = (int, np.integer) if self.kind is int else (int, float, np.integer, np.floating)
        return isinstance(value, types) and math.isfinite(value) and bool(self.fits(value))


def part(value: float) -> bool:
    """Return whether a number is from 0 to less than 1."""
    return 0 <= value < 1


def inner(value: float) -> bool:
    """Return whether a number is between 0 and 1."""
    return 0 < value < 1


def positive(value: float) -> bool:
    """Return whether a number is above 0."""
    return value > 0


def not_negative(value: float) -> bool:
    """Return whether a number is at least 0."""
    return value >= 0


def count(value: float) -> bool:
    """Return whether a number is from 1 to less than 2^31."""
    return 1 <= value < 2**31


PART, INNER = "a number from 0 to less than 1", "a number between 0 and 1"
POSITIVE, NOT_NEGATIVE, COUNT = "a number above 0", "a number of at least 0", "a whole number of at least 1"


def words(names: tuple[str, ...]) -> str:
    """Return the names, quoted, with commas and an `or`."""
    quoted = [repr(name) for name in names]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 2 else quoted)


def expected_text(option: Option) -> str:
    """Return what values an option takes, in words."""
    if isinstance(option.kind, tuple):
        return words(option.kind)
    return "True or False" if option.kind is bool else option.expected
