"""Which fold of a cross-validation an event is in: a function of the event's number, and of nothing else.

The number is an expression over the branches of an event (:func:`event_numbers` reads it), or, where none is given, the
number of its entry.  With a number of its own an event is in the same fold whatever file it is in, in whatever order the
files are read, and however many threads read them; entry numbers hold for the same files in the same order only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError, MissingNameError, OptionError, near_miss
from .evaluating import evaluate
from .expressions import Expression, parse_expression
from .root_input import Files, OpenTree, find_inputs, open_tree

__all__ = ["Folds", "event_numbers"]

# Entries whose numbers are read at a time.
_BLOCK = 1 << 20
# The largest double up to which every whole number is one.
_EXACT = 2.0**53
_MASK = (1 << 64) - 1


@dataclass(frozen=True)
class Folds:
    """A cut of events into folds by their numbers.

    Without a seed the fold is ``|number| % count``, as TMVA's ``SplitExpr=int(fabs([number]))%int([NumFolds])`` has it; so
    folds can be named beforehand.  With a seed it is ``mix(|number| + mix(seed)) % count``, all in 64 bits, where ``mix`` is
    the finaliser of SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, OOPSLA 2014): for numbers that have a pattern, such as
    even ones only.

    Attributes
    ----------
    count : int
        How many folds, at least 2.
    number : str or None
        The expression for an event's number; None for the number of its entry.
    seed : int or None
        Mixes the numbers; None leaves them as they are.

    Raises
    ------
    OptionError
        A count or seed out of range, or an expression that names no branch.
    """

    count: int = 5
    number: str | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.count, bool) or not isinstance(self.count, (int, np.integer)) or not 2 <= self.count < 2**15:
            raise OptionError(f"folds is {self.count!r}, expected a whole number from 2 to 32767")
        seed = self.seed
        if seed is not None and (
            isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63
        ):
            raise OptionError(f"the seed of the folds is {seed!r}, expected a whole number from 0 to 2^63 - 1, or None")
        if self.number is not None:
            _parsed(self.number)

    def of(self, numbers: ArrayLike) -> NDArray[np.int64]:
        """Return the fold of each event, from 0.

        Parameters
        ----------
        numbers : array_like of int, shape (N,)
            The events' numbers.

        Returns
        -------
        ndarray of int64, shape (N,)
            From 0 to ``count - 1``.

        Raises
        ------
        InputError
            Numbers that are not whole.
        """
        whole = _magnitudes(np.asarray(numbers), lambda i: f"event {i}", "the number of an event")
        if self.seed is not None:
            start = int(_mix(np.array([self.seed], dtype=np.uint64))[0])
            whole = _mix(whole + np.uint64(start))
        return (whole % np.uint64(self.count)).astype(np.int64)

    def __str__(self) -> str:
        """Say the rule in words."""
        number = "entry number" if self.number is None else f"'{self.number}'"
        mixed = "" if self.seed is None else f", mixed with the seed {self.seed}"
        return f"{self.count} folds by {number}{mixed}"


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64 bits so that each of them depends on all; arithmetic of arrays wraps around, as it is meant to."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _magnitudes(values: NDArray[Any], where: Any, what: str) -> NDArray[np.uint64]:
    """Return the absolute values of whole numbers in 64 bits; `where` names a place, for messages."""
    if values.ndim != 1 or values.dtype.kind not in "iufb":
        raise InputError(
            f"{what}: found values of shape {values.shape} and type {values.dtype}, expected one whole number an event"
        )
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            bad = np.flatnonzero(~((np.abs(values) <= _EXACT) & (values == np.floor(values))))
        if len(bad):
            raise InputError(
                f"{where(int(bad[0]))}: {what} is {values[bad[0]]}, expected a whole number (as a double at most 2^53); "
                f"{len(bad)} event(s) are affected; take an integer branch, or round"
            )
        return np.abs(values).astype(np.uint64)
    if values.dtype.kind == "i":
        wide = values.astype(np.int64)
        # the bits of -x, which for the least number of all is no int64
        return np.where(wide < 0, ~wide.astype(np.uint64) + np.uint64(1), wide.astype(np.uint64))
    return values.astype(np.uint64)


def _parsed(text: str) -> Expression:
    if not isinstance(text, str) or not text.strip():
        raise OptionError(f"the number of an event is {text!r}, expected an expression such as 'eventNumber', or None")
    expression = parse_expression(text, purpose="the number of an event")
    if not expression.names:
        raise OptionError(
            f"the number of an event: {text!r} names no branch, so it is the same for all events; name the branch that "
            "numbers them, or leave it out for entry numbers"
        )
    return expression


def event_numbers(files: Files, number: str, *, tree: str | Mapping[str, str] | None = None) -> NDArray[np.uint64]:
    """Read the number of every entry of ROOT files, selected or not.

    Parameters
    ----------
    files : str, path, sequence of them, or mapping of class name to one of these
        As for :func:`tmva_lstm_plugin.read_sequences`.
    number : str
        An expression with one whole number an event, such as ``"eventNumber"`` or ``"run * 1000000 + event"``.
    tree : str, mapping of class name to str, or None
        As for :func:`tmva_lstm_plugin.read_sequences`.

    Returns
    -------
    ndarray of uint64, shape (entries,)
        The absolute values in the order in which `read_sequences` counts entries; those of some `events` are
        ``numbers[events.entries]``.

    Raises
    ------
    MissingNameError
        A file, tree or branch does not exist.
    InputError
        A number that is not whole, or a file that cannot be read.
    OptionError
        An expression that is no such thing.

    Examples
    --------
    >>> numbers = event_numbers("events.root", "eventNumber")  # doctest: +SKIP
    >>> fold_of = Folds(5).of(numbers[events.entries])  # doctest: +SKIP
    """
    expression = _parsed(number)
    found: list[NDArray[np.uint64]] = []
    for item in find_inputs(files, tree)[0]:
        with open_tree(item) as opened:
            _check(opened, expression)
            for start in range(0, opened.n_entries, _BLOCK):
                found.append(_read(opened, expression, start, min(start + _BLOCK, opened.n_entries)))
    return np.concatenate(found) if found else np.zeros(0, dtype=np.uint64)


def _check(tree: OpenTree, expression: Expression) -> None:
    for name in sorted(expression.names):
        if not tree.has(name):
            raise MissingNameError(
                f"'{tree}' has no branch '{name}', which the number of an event, '{expression.text}', needs; "
                f"{near_miss(name, tree.known)}"
            )


def _read(tree: OpenTree, expression: Expression, start: int, stop: int) -> NDArray[np.uint64]:
    def place(index: int) -> int:
        return start + index

    arrays = {name: tree.read(name, start, stop) for name in sorted(expression.names)}
    purpose = "the number of an event"
    flat = evaluate(tree, purpose, expression, arrays, stop - start, per_element=False, entry=place)
    what = f"{purpose}, '{expression.text}',"
    return _magnitudes(flat.values, lambda index: f"'{tree}', entry {place(index)}", what)
