"""Labels and targets of steps: giving them to events, and those of the next step for forecasting.

What a model with ``every_step=True`` learns.  A step without a label or targets is masked: it enters the network like every
other, and neither loss nor any figure counts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError, near_miss
from .sequences import Sequences
from .truth import Truth

__all__ = ["MASKED", "next_step_targets", "with_step_columns", "with_step_labels", "with_step_targets", "with_truth"]

MASKED = -1
"""The label of a step that has none."""


def with_step_labels(events: Sequences, labels: Any, class_names: Sequence[str] | None = None) -> Sequences:
    """Return the events with a class for each step.

    Parameters
    ----------
    events : Sequences
        The events.
    labels : array_like
        Class indices, from 0: an array of shape (S,) over all steps in the order of the events; or one list an event (or an
        awkward array), each with as many labels as the event has steps.  A step whose label is -1, None or NaN is masked.
    class_names : sequence of str, optional
        Names of the classes; by default those that the steps have already, else ``background, signal`` for two classes and
        ``class0, class1, ...`` for more.

    Returns
    -------
    Sequences
        The same events with `step_labels` and `step_class_names`.

    Raises
    ------
    InputError
        Not one label a step, or something that is no class; the message names the event and the step.

    Examples
    --------
    >>> from tmva_lstm_plugin import Sequences, with_step_labels
    >>> events = Sequences.from_lists([[[0.5], [2.0]], [[1.5]]])
    >>> with_step_labels(events, [[0, 1], [None]]).step_labels
    array([ 0,  1, -1], dtype=int32)
    """
    found = _flat(events, labels, "labels")
    if found.shape[1] != 1:
        raise InputError(f"{events.source}: labels of steps have {found.shape[1]} numbers a step, expected one")
    column = found[:, 0]
    column = np.where(np.isnan(column), MASKED, column)
    names = class_names if class_names is not None else events.step_class_names or None
    if names is None:
        count = max(2, int(min(column.max(initial=0), 2**16 - 1)) + 1)
        names = ("background", "signal") if count == 2 else [f"class{i}" for i in range(count)]
    names = tuple(str(name) for name in names)
    if len(names) < 2 or len(set(names)) < len(names):
        raise InputError(f"{events.source}: class_names are {names}, expected at least two names that all differ")
    bad = np.flatnonzero((column != np.floor(column)) | (column < MASKED) | (column >= len(names)))
    if len(bad):
        raise InputError(
            f"{events.source}: {_place(events, bad[0])} has the label {column[bad[0]]:g}, expected a whole number from 0 to "
            f"{len(names) - 1} for the classes {', '.join(names)}, or -1 for a step that has none; {len(bad)} step(s) "
            "are affected"
        )
    return replace(events, step_labels=column.astype(np.int32), step_class_names=names)


def with_step_targets(events: Sequences, targets: Any, target_names: Sequence[str] | None = None) -> Sequences:
    """Return the events with numbers for each step that a regression is to learn.

    Parameters
    ----------
    events : Sequences
        The events.
    targets : array_like
        Numbers: an array of shape (S,) or (S, K) over all steps in the order of the events; or one list an event (or an awkward
        array), each with one number, or one row of K numbers, for each step of the event.  A step whose targets are NaN or None
        is masked.
    target_names : sequence of str, optional
        Names of the K targets; by default those that the steps have already, else ``y0, y1, ...``.

    Returns
    -------
    Sequences
        The same events with `step_targets` and `step_target_names`.

    Raises
    ------
    InputError
        Not one row a step, or numbers that are infinite; the message names the event and the step.

    Examples
    --------
    >>> from tmva_lstm_plugin import Sequences, with_step_targets
    >>> events = Sequences.from_lists([[[0.5], [2.0]], [[1.5]]])
    >>> with_step_targets(events, [[0.1, None], [0.3]], ["y"]).step_targets[:, 0]
    array([0.1, nan, 0.3], dtype=float32)
    """
    found = _flat(events, targets, "targets")
    names = target_names
    if names is None:
        kept = len(events.step_target_names) == found.shape[1]
        names = events.step_target_names if kept else [f"y{i}" for i in range(found.shape[1])]
    names = tuple(str(name) for name in names)
    if len(names) != found.shape[1] or len(set(names)) < len(names):
        raise InputError(
            f"{events.source}: target_names are {names} for {found.shape[1]} targets a step, expected one name each, "
            "all different"
        )
    return replace(events, step_targets=_checked_rows(events, found, names), step_target_names=names, forecast=False)


def next_step_targets(events: Sequences, features: str | Sequence[str] | None = None, *, ahead: int = 1) -> Sequences:
    """Return the events with the features of the next step as the targets of each step, for forecasting.

    The last step of each event has no next one and is masked.  What a step's output may know are the steps up to this one: a
    network in both directions of time has seen the next step, and `fit` refuses it.

    Parameters
    ----------
    events : Sequences
        The events.
    features : str or sequence of str, optional
        Features that are to be forecast; all by default.
    ahead : int
        How many steps ahead; the last so many steps of each event are masked.

    Returns
    -------
    Sequences
        The same events with `step_targets`, whose names are those of the features behind ``next_`` (``next2_``, ...).

    Raises
    ------
    InputError
        A feature that the events do not have, `ahead` below 1, or no event with more than `ahead` steps.

    Examples
    --------
    >>> from tmva_lstm_plugin import Sequences, next_step_targets
    >>> events = next_step_targets(Sequences.from_lists([[[1.0], [2.0], [4.0]], [[7.0]]], feature_names=["x"]))
    >>> events.step_target_names, events.step_targets[:, 0]
    (('next_x',), array([ 2.,  4., nan, nan], dtype=float32))
    """
    names = events.feature_names if features is None else (features,) if isinstance(features, str) else tuple(features)
    for name in names:
        if name not in events.feature_names:
            raise InputError(f"{events.source}: there is no feature '{name}'; {near_miss(name, events.feature_names)}")
    if not names or isinstance(ahead, bool) or not isinstance(ahead, (int, np.integer)) or ahead < 1:
        raise InputError(
            f"{events.source}: next_step_targets was asked for the features {names}, {ahead!r} step(s) ahead; expected at least "
            "one feature, and a whole number of at least 1"
        )
    lengths = events.lengths
    if lengths.max(initial=0) <= ahead:
        raise InputError(
            f"{events.source}: no event has more than {ahead} step(s) (the longest has {lengths.max(initial=0)}), so there is no "
            "later step to forecast; give longer sequences"
        )
    columns = [events.feature_names.index(name) for name in names]
    targets = np.full((len(events.values), len(columns)), np.nan, dtype=np.float32)
    left = np.repeat(events.offsets[1:], lengths) - np.arange(
        len(events.values)
    )  # steps from this one to the event's end
    steps = np.flatnonzero(left > ahead)
    targets[steps] = events.values[steps + ahead][:, columns]
    stem = "next" if ahead == 1 else f"next{ahead}"
    return replace(
        events, step_targets=targets, step_target_names=tuple(f"{stem}_{name}" for name in names), forecast=True
    )


def with_truth(events: Sequences, y: ArrayLike, truth: Truth) -> Sequences:
    """Return the events with what a model is to learn of them: of each step or, without ``every_step``, of each event.

    Parameters
    ----------
    events : Sequences
        The events.
    y : array_like
        Labels or targets.
    truth : Truth
        Which of them, and of what.

    Returns
    -------
    Sequences

    Raises
    ------
    InputError
        `y` does not fit the events.
    """
    if truth.every_step:
        return with_step_targets(events, y) if truth.regression else with_step_labels(events, y)
    names = truth.target_names(events) if truth.regression else truth.class_names(events)
    what, naming = ("targets", "target_names") if truth.regression else ("labels", "class_names")
    given: dict[str, Any] = {what: y, naming: names or None}
    checked = Sequences.from_arrays(events.values, events.offsets, source=events.source, **given)
    return replace(events, **{name: getattr(checked, name) for name in (what, naming)})


def with_step_columns(events: Sequences, target_names: Sequence[str], class_names: Sequence[str]) -> Sequences:
    """Return the events with what was read of their steps: targets and then a label, all of them columns of `step_targets`.

    Parameters
    ----------
    events : Sequences
        The events; where nothing was read `step_targets` is None.
    target_names, class_names : sequence of str
        Targets, and classes of the label; none where there are none.

    Returns
    -------
    Sequences

    Raises
    ------
    InputError
        As :func:`with_step_labels` and :func:`with_step_targets`.
    """
    table = events.step_targets
    if table is None:
        return events
    events = replace(events, step_targets=None)
    if target_names:
        events = with_step_targets(events, table[:, : len(target_names)], target_names)
    return with_step_labels(events, table[:, -1], class_names) if class_names else events


def _flat(events: Sequences, given: Any, what: str) -> NDArray[np.float64]:
    """Return one row a step, (S, K), with NaN for None."""
    n_steps, n_events = len(events.values), len(events)
    if type(given).__module__.partition(".")[0] == "awkward":  # not imported for this: it takes long
        given = given.to_list()
    jagged = isinstance(given, (list, tuple)) and any(not _is_number(item) for item in given)
    if not jagged:
        rows = _numbers(given, f"{events.source}: {what} of steps")
        if len(rows) != n_steps:
            raise InputError(
                f"{events.source}: there are {len(rows)} {what}, expected {n_steps}, one for each step of the {n_events} events; "
                "give them in the order of the steps, or one list an event"
            )
        return rows
    if len(given) != n_events:
        raise InputError(
            f"{events.source}: there are {len(given)} lists of {what}, expected {n_events}, one an event; give one list an "
            f"event, or an array over all {n_steps} steps"
        )
    lists = []
    for n, (item, length) in enumerate(zip(given, events.lengths, strict=True)):
        rows = _numbers(item, f"{events.source}: {what} of {_event(events, n)}")
        if len(rows) != length:
            raise InputError(
                f"{events.source}: {_event(events, n)} has {length} step(s) and {len(rows)} {what}, expected one a step; mask a "
                f"step that has none with {'-1' if what == 'labels' else 'NaN'} or None"
            )
        if length:
            lists.append(rows)
    widths = {rows.shape[1] for rows in lists}
    if len(widths) > 1:
        raise InputError(
            f"{events.source}: the {what} have {sorted(widths)} numbers a step, expected as many in all events"
        )
    return np.concatenate(lists) if lists else np.zeros((0, 1))


def _is_number(item: Any) -> bool:
    return item is None or isinstance(item, (bool, int, float, np.generic))


def _numbers(given: Any, where: str) -> NDArray[np.float64]:
    """Return numbers as (n, K), None as NaN."""
    if isinstance(given, (list, tuple)):  # None in the place of a row is a row of None
        widths = {len(item) for item in given if isinstance(item, (list, tuple, np.ndarray)) and np.ndim(item) == 1}
        if len(widths) == 1:
            given = [[None] * min(widths) if item is None else item for item in given]
    try:
        array = np.asarray(given)
        if array.dtype == object:  # None, beside numbers
            found = {type(item).__name__ for item in array.ravel() if not (item is None or isinstance(item, Real))}
            if found:
                raise ValueError(f"found {', '.join(sorted(found))}")
            array = array.astype(np.float64)
    except (ValueError, TypeError) as error:
        raise InputError(f"{where}: expected a number, or a row of numbers, for each step; {error}") from None
    if array.size and array.dtype.kind not in "fiub" or array.ndim not in (1, 2):
        raise InputError(
            f"{where}: found shape {array.shape} and type {array.dtype}, expected a number, or a row of numbers, for each step"
        )
    array = array.astype(np.float64)
    return array if array.ndim == 2 else array[:, None]


def _checked_rows(events: Sequences, rows: NDArray[np.float64], names: tuple[str, ...]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        table = rows.astype(np.float32)
    masked = np.asarray(np.isnan(table))
    for bad, fault in (
        (np.isinf(table), ", which is not finite in single precision; drop or replace it, or mask the step with NaN"),
        (
            masked & ~masked.all(axis=1, keepdims=True),
            " and others are numbers; a step is masked as a whole: make all of them NaN",
        ),
    ):
        if bad.any():
            row, column = (int(i) for i in np.argwhere(bad)[0])
            raise InputError(
                f"{events.source}: target '{names[column]}' of {_place(events, row)} is {rows[row, column]}{fault}"
            )
    return table


def _event(events: Sequences, n: int) -> str:
    return f"event {n}" + ("" if events.entries is None else f" (entry {events.entries[n]})")


def _place(events: Sequences, row: int) -> str:
    """Name the event and the step of a row of the values."""
    n = int(np.searchsorted(events.offsets, row, side="right")) - 1
    return f"{_event(events, n)}, step {int(row - events.offsets[n])}"
