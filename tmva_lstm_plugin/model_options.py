"""All options of a model, of all tables: its network, how its weights move, how a training is run, what it makes of events.

:class:`LSTMClassifier` takes them as keywords, section ``[model]`` of a configuration as keys, ``tmva-lstm train`` as
options.  An option that is None was not asked for: it is off, or has the default of the optimiser or schedule it belongs to.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from . import architecture, control, event_options, optimisation
from .errors import near_miss
from .option_table import Option, expected_text

__all__ = [
    "MODEL_OPTIONS",
    "contradictions",
    "engine_options",
    "takes_options",
    "unknown_names",
    "values_out_of_range",
]

_Class = TypeVar("_Class", bound=type)

#: The options by name.
MODEL_OPTIONS: dict[str, Option] = (
    architecture.ARCHITECTURE | control.CONTROL | event_options.EVENTS | optimisation.OPTIMISATION
)


def values_out_of_range(values: Mapping[str, Any]) -> Iterator[str]:
    """Say which values an option cannot have.

    Parameters
    ----------
    values : mapping of str to object
        Options by name.

    Yields
    ------
    str
        One line for each wrong value.
    """
    for name, option in MODEL_OPTIONS.items():
        value = values.get(name)
        if not (value is None and option.optional) and not option.accepts(value):
            yield f"{name} is {value!r}, expected {expected_text(option)}" + (", or None" if option.optional else "")


def unknown_names(names: Iterable[str]) -> Iterator[str]:
    """Say which names are none of an option, with the nearest that is.

    Parameters
    ----------
    names : iterable of str
        What was given.

    Yields
    ------
    str
        One line for each unknown name.
    """
    for name in names:
        if name not in MODEL_OPTIONS:
            yield f"there is no parameter {name!r}; {near_miss(name, MODEL_OPTIONS)}"


def contradictions(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Say which options contradict each other, or have no meaning beside the others.

    Parameters
    ----------
    values : mapping of str to object
        Options by name; None was not given.  Values out of range are passed over: they are told elsewhere.

    Yields
    ------
    tuple of str
        The option, and what is wrong with it.
    """
    given = {
        name: value
        for name, value in values.items()
        if value is not None and (name not in MODEL_OPTIONS or MODEL_OPTIONS[name].accepts(value))
    }
    for table in (architecture, control, event_options, optimisation):
        yield from table.contradictions(given)


def takes_options(cls: _Class) -> _Class:
    """Give a class whose constructor ends in ``**options`` the signature it has in effect, for ``help`` and completion.

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
        for name, option in MODEL_OPTIONS.items()
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
    for name, option in MODEL_OPTIONS.items():
        value = values[name]
        if option.core and value is not None:
            options[name] = option.kind(value) if option.kind in (int, float, bool) else value
    # None is no limit, which the core calls 0
    options.setdefault("clip_norm", 0.0)
    return options
