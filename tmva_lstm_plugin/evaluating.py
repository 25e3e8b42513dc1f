"""Evaluating expressions over the branches of a tree, with messages that name the tree, the entry and the purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import awkward as ak
import numpy as np

from .errors import InputError, LSTMError
from .expressions import Expression
from .root_input import OpenTree
from .structure import Flat, flatten

__all__ = ["compare_counts", "evaluate", "plain_branch", "stack_steps"]


def stack_steps(
    tree: OpenTree, steps: Mapping[str, tuple[str, ...]], arrays: dict[str, Any], n_events: int
) -> dict[str, Any]:
    """Replace the branches of each step by one N x T or N x T x D array."""
    for name, branches in steps.items():
        if not all(b in arrays for b in branches):
            continue
        columns = []
        for branch in branches:
            flat = flatten(arrays[branch], n_events)
            regular = flat.offsets is None or isinstance(arrays[branch].type.content, ak.types.RegularType)
            if not regular or flat.values.ndim > 1:
                raise InputError(
                    f"'{tree}': branch '{branch}' of type '{tree.typename(branch)}' is one step of '{name}', "
                    "so it needs one number, or a fixed number of them, an event"
                )
            shape = (n_events,) if flat.offsets is None else (n_events, arrays[branch].type.content.size)
            columns.append(flat.values.reshape(shape))
        if len({c.shape for c in columns}) > 1:
            found = ", ".join(f"{b} {c.shape[1:] or 1}" for b, c in zip(branches, columns, strict=True))
            raise InputError(
                f"'{tree}': the steps of '{name}' differ in size: {found}; all steps need the same features"
            )
        arrays[name] = np.stack(columns, axis=1)
    taken = {b for branches in steps.values() for b in branches}
    return {name: array for name, array in arrays.items() if name not in taken}


def evaluate(
    tree: OpenTree,
    purpose: str,
    expression: Expression,
    arrays: Mapping[str, Any],
    n_events: int,
    *,
    per_element: bool,
    entry: Callable[[int], int] = int,
) -> Flat:
    """Evaluate for all events, refuse a structure that does not fit, and name the entry where it fails."""
    asked = f"'{tree}': {purpose}, '{expression.text}',"
    needed = {name: arrays[name] for name in expression.names}
    try:
        flat = flatten(_result(expression, needed, tree, 0), n_events)
    except LSTMError:
        _find_failure(expression, needed, tree, n_events, entry)
        raise
    except ValueError as error:
        want = "one value an element" if per_element else "one value an event"
        raise InputError(f"{asked} gives {error}; expected {want}") from None
    if per_element and flat.offsets is None:
        hint = "give it in event_features" if purpose.startswith("feature") else "use event_selection for whole events"
        hint = "order by a sequence branch" if purpose == "order_by" else hint
        raise InputError(f"{asked} has one value an event, expected one an element; {hint}")
    if not per_element and flat.offsets is not None:
        raise InputError(
            f"{asked} has one value an element, expected one an event; reduce it, with sum(...) or max_of(...), or take"
            " an event-level branch"
        )
    if purpose in ("element_selection", "order_by") and flat.values.ndim > 1:
        raise InputError(f"{asked} has {flat.width} values an element, expected one")
    return flat


def compare_counts(
    tree: OpenTree, first: tuple[str, Any], second: tuple[str, Any], entry: Callable[[int], int]
) -> None:
    """Raise unless two results have as many elements in every event."""
    if np.array_equal(first[1], second[1]):
        return
    counts = [np.diff(offsets) for _, offsets in (first, second)]
    event = int(np.flatnonzero(counts[0] != counts[1])[0])
    raise InputError(
        f"'{tree}', entry {entry(event)}: '{first[0]}' has {counts[0][event]} element(s) and '{second[0]}' has"
        f" {counts[1][event]}; the features of a sequence need as many elements in each event, so take branches of one"
        " collection"
    )


def _result(expression: Expression, arrays: Mapping[str, Any], tree: OpenTree, first_entry: int) -> Any:
    # a branch on its own needs no evaluation, and may be a table, which expressions do not take
    name = plain_branch(expression)
    return arrays[name] if name else expression.evaluate(arrays, source=f"'{tree}'", first_entry=first_entry)


def plain_branch(expression: Expression) -> str | None:
    """Return the branch that an expression consists of, if it is nothing else."""
    text = expression.text.strip()
    text = text[1:-1] if text.startswith("`") else text
    return text if expression.names == {text} else None


def _find_failure(
    expression: Expression, arrays: Mapping[str, Any], tree: OpenTree, n_events: int, entry: Callable[[int], int]
) -> None:
    """Evaluate the first event that fails alone: only so has the message its entry when events before are left out."""
    low, high = 0, n_events
    while high - low > 1:
        middle = (low + high) // 2
        try:
            _result(expression, {name: array[low:middle] for name, array in arrays.items()}, tree, 0)
            low = middle
        except LSTMError:
            high = middle
    if high > low:
        _result(expression, {name: array[low:high] for name, array in arrays.items()}, tree, entry(low))
