"""Callbacks of a training: functions or objects that are told of every epoch and may end the training."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .errors import OptionError

__all__ = ["StopTraining", "epoch_functions"]


class StopTraining(Exception):  # noqa: N818  # as StopIteration: no error
    """Raised in a callback to end the training after this epoch; the best weights so far are kept."""


def epoch_functions(callbacks: Iterable[Any]) -> list[Callable[[Any, Any], object]]:
    """Return what is called after each epoch.

    Parameters
    ----------
    callbacks : iterable
        Functions ``f(record, model)``, or objects with such a method ``on_epoch``.

    Returns
    -------
    list of callable

    Raises
    ------
    OptionError
        Something that is neither.
    """
    if callable(callbacks) or hasattr(callbacks, "on_epoch") or not isinstance(callbacks, Iterable):
        raise OptionError(
            f"callbacks is {callbacks!r}, expected a list of functions f(record, model) or of objects with on_epoch"
        )
    functions = []
    for callback in callbacks:
        function = getattr(callback, "on_epoch", callback)
        if not callable(function):
            raise OptionError(
                f"callbacks has {callback!r}, expected a function f(record, model) or an object with a method on_epoch"
            )
        functions.append(function)
    return functions
