"""The structure of branches and results: one value an event, one an element, or something that is no sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

__all__ = ["Flat", "flatten", "shape_of", "structure_of"]


@dataclass(frozen=True)
class Flat:
    """A result without nesting: `values` of shape (N,), or (S,) or (S, D) with `offsets` of shape (N + 1,)."""

    values: NDArray[Any]
    offsets: NDArray[np.int64] | None = None

    @property
    def width(self) -> int:
        """Columns the result fills."""
        return self.values.shape[1] if self.values.ndim == 2 else 1


def flatten(result: Any, n_events: int) -> Flat:
    """Take a branch or the result of an expression apart.

    Parameters
    ----------
    result : awkward.Array or ndarray
        One value an event (N), one an element (N lists, or N x T), or a row an element (N lists of D, or N x T x D).
    n_events : int
        N.

    Returns
    -------
    Flat

    Raises
    ------
    ValueError
        Any other structure; the message says which.
    """
    if not isinstance(result, (np.ndarray, ak.Array)):
        raise ValueError(f"a single value ({type(result).__name__}) for all events together")
    if len(result) != n_events:
        raise ValueError(f"{len(result)} results for {n_events} events")
    if isinstance(result, ak.Array):
        kinds = structure_of(result.type.content)
        if kinds == "list of numbers" or kinds == "list of rows":
            result = ak.to_packed(result)
            offsets = np.zeros(n_events + 1, dtype=np.int64)
            np.cumsum(ak.to_numpy(ak.num(result, axis=1)), out=offsets[1:])
            return Flat(ak.to_numpy(ak.flatten(result, axis=1), allow_missing=False), offsets)
        result = ak.to_numpy(result, allow_missing=False)
    if result.dtype.kind not in "fiub":
        raise ValueError(f"values of type {result.dtype}, which are not numbers")
    if result.ndim == 1:
        return Flat(result)
    if result.ndim > 3:
        raise ValueError(f"an array of {result.ndim - 1} dimensions for each event")
    offsets = np.arange(n_events + 1, dtype=np.int64) * result.shape[1]
    return Flat(result.reshape(-1, *result.shape[2:]), offsets)


def structure_of(kind: Any) -> str:
    """Name the structure of an event of an awkward type.

    Parameters
    ----------
    kind : awkward type
        The type of one event.

    Returns
    -------
    str
        ``"numbers"`` (one an event), ``"list of numbers"`` (one an element), ``"list of rows"`` (several an element),
        or ``"table"`` (a fixed number of elements with one or several numbers each).

    Raises
    ------
    ValueError
        It has no place in a sequence; the message says what it is.
    """
    shape: list[str] = []
    while not isinstance(kind, ak.types.NumpyType):
        if kind.parameters.get("__array__") in ("string", "bytestring"):
            raise ValueError("strings, expected numbers")
        if isinstance(kind, ak.types.RecordType):
            raise ValueError(f"records with members {', '.join(map(str, kind.fields))}; name one member")
        if isinstance(kind, ak.types.UnknownType):
            return "list of numbers" if shape == ["list"] else "numbers"
        if isinstance(kind, ak.types.ListType):
            shape.append("list")
        elif isinstance(kind, ak.types.RegularType):
            shape.append("row")
        elif not (isinstance(kind, ak.types.OptionType) and isinstance(kind.content, ak.types.NumpyType)):
            raise ValueError(f"values of type '{kind}', expected numbers")
        kind = kind.content
    if "list" in shape[1:] or len(shape) > 2:
        raise ValueError(
            f"vectors nested in vectors ('{' of '.join([*shape, kind.primitive])}'), expected one value an event or one"
            " an element"
        )
    if kind.primitive.startswith(("complex", "datetime", "timedelta")):
        raise ValueError(f"values of type '{kind}', expected real numbers")
    return {(): "numbers", ("list",): "list of numbers", ("list", "row"): "list of rows"}.get(tuple(shape), "table")


def shape_of(kind: Any) -> tuple[int, ...]:
    """Return the sizes of an event of an awkward type; lists count as 1."""
    shape: tuple[int, ...] = ()
    while isinstance(kind, (ak.types.ListType, ak.types.RegularType)):
        shape += (getattr(kind, "size", 1),)
        kind = kind.content
    return shape
