"""`Sequences`: jagged events as values + offsets, with labels, weights and names.

Shapes, used throughout the package: ``N`` events, ``D`` features of a sequence element (a step), ``E`` event-level
features, ``S`` steps of all events together.  ``values[offsets[n]:offsets[n + 1]]`` are the steps of event ``n``, first
to last; nothing is ever padded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError

if TYPE_CHECKING:
    from .recipe import Recipe

__all__ = ["Sequences"]

# the attributes with one row an event
_PER_EVENT = ("event_values", "labels", "weights", "entries", "targets")
# those with one row a step, and names that the events of all parts share
_PER_STEP = ("values", "step_labels", "step_targets")
_NAMES = (
    "feature_names", "event_feature_names", "class_names", "target_names", "step_class_names", "step_target_names",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Sequences:
    """Jagged events, ready for training or scoring.

    Build one with :meth:`from_arrays` or :meth:`from_lists`, or read one from ROOT files with
    :func:`tmva_lstm_plugin.read_sequences`.

    Attributes
    ----------
    values : ndarray of float32, shape (S, D)
        The steps of all events, one event after the other.
    offsets : ndarray of int64, shape (N + 1,)
        Where each event's steps begin; ``offsets[0]`` is 0 and ``offsets[N]`` is S.
    feature_names : tuple of str
        Names of the D features.
    event_values : ndarray of float32, shape (N, E), or None
        Event-level features.
    event_feature_names : tuple of str
        Names of the E event-level features.
    labels : ndarray of int32, shape (N,), or None
        The class of each event, an index into `class_names`.
    class_names : tuple of str
        Names of the classes; for two classes the second is the signal.
    weights : ndarray of float64, shape (N,), or None
        Event weights; they may be negative.
    entries : ndarray of int64, shape (N,), or None
        The entry of each event in its input, counted through all input files in order.
    n_entries : int or None
        How many entries the input had before any selection.
    recipe : Recipe or None
        How the events were read, so that a model can read others in the same way.
    source : str
        Where the events came from, for messages.
    n_invalid : int
        How many events were dropped on reading for values that are not finite (``on_invalid="drop"``).
    targets : ndarray of float32, shape (N, K), or None
        What a regression is to learn, K numbers an event.
    target_names : tuple of str
        Names of the K targets.
    step_labels : ndarray of int32, shape (S,), or None
        The class of each step, an index into `step_class_names`, for a model with ``every_step=True``; -1: none, the step is
        masked.  :func:`tmva_lstm_plugin.with_step_labels` gives them to events.
    step_class_names : tuple of str
        Names of the classes of steps.
    step_targets : ndarray of float32, shape (S, K), or None
        What a regression with ``every_step=True`` is to learn, K numbers a step; NaN: none, the step is masked.
        :func:`tmva_lstm_plugin.with_step_targets` and :func:`tmva_lstm_plugin.next_step_targets` give them to events.
    step_target_names : tuple of str
        Names of the targets of steps.
    forecast : bool
        Whether the targets of a step come from later steps, which a network in both directions of time would see.
    """

    values: NDArray[np.float32]
    offsets: NDArray[np.int64]
    feature_names: tuple[str, ...]
    event_values: NDArray[np.float32] | None = None
    event_feature_names: tuple[str, ...] = ()
    labels: NDArray[np.int32] | None = None
    class_names: tuple[str, ...] = ()
    weights: NDArray[np.float64] | None = None
    entries: NDArray[np.int64] | None = None
    n_entries: int | None = None
    recipe: Recipe | None = field(default=None, repr=False)
    source: str = "arrays"
    n_invalid: int = 0
    targets: NDArray[np.float32] | None = None
    target_names: tuple[str, ...] = ()
    step_labels: NDArray[np.int32] | None = None
    step_class_names: tuple[str, ...] = ()
    step_targets: NDArray[np.float32] | None = None
    step_target_names: tuple[str, ...] = ()
    forecast: bool = False

    @classmethod
    def from_arrays(
        cls,
        values: ArrayLike,
        offsets: ArrayLike,
        labels: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        feature_names: Sequence[str] | None = None,
        *,
        event_values: ArrayLike | None = None,
        event_feature_names: Sequence[str] | None = None,
        class_names: Sequence[str] | None = None,
        entries: ArrayLike | None = None,
        n_entries: int | None = None,
        recipe: Recipe | None = None,
        source: str = "arrays",
        targets: ArrayLike | None = None,
        target_names: Sequence[str] | None = None,
    ) -> Sequences:
        """Check arrays and wrap them; they are copied only where their type or layout has to change.

        Parameters
        ----------
        values : array_like, shape (S, D)
            The steps of all events; a one-dimensional array is taken as D = 1.
        offsets : array_like of int, shape (N + 1,)
            Where each event's steps begin.
        labels : array_like of int, shape (N,), optional
            Class indices, from 0.
        weights : array_like, shape (N,), optional
            Event weights.
        feature_names, event_feature_names, class_names : sequence of str, optional
            Names; ``x0, x1, ...`` and ``class0, ...`` (two classes: ``background, signal``) by default.
        event_values : array_like, shape (N, E), optional
            Event-level features.
        entries, n_entries, recipe, source
            See the attributes of the class.
        targets : array_like, shape (N, K) or (N,), optional
            What a regression is to learn.
        target_names : sequence of str, optional
            Their names; ``y0, y1, ...`` by default.

        Returns
        -------
        Sequences

        Raises
        ------
        InputError
            Shapes that do not fit, offsets that decrease, values that are not finite, labels out of range.
        """
        table = _finite_table(values, "values", source, offsets=offsets)
        bounds = _offsets(offsets, len(table), source)
        n_events = len(bounds) - 1
        names = _names(feature_names, table.shape[1], "feature_names", "x", source)
        event_table, event_names = _event_table(event_values, event_feature_names, "event_values", n_events, source)
        target_table, target_columns = _event_table(targets, target_names, "targets", n_events, source)
        label_array, classes = _labels(labels, class_names, n_events, source)
        return cls(
            values=table,
            offsets=bounds,
            feature_names=names,
            event_values=event_table,
            event_feature_names=event_names,
            labels=label_array,
            class_names=classes,
            weights=_weights(weights, n_events, source),
            entries=None if entries is None else np.ascontiguousarray(entries, dtype=np.int64),
            n_entries=n_entries,
            recipe=recipe,
            source=source,
            targets=target_table,
            target_names=target_columns,
        )

    @classmethod
    def from_lists(
        cls,
        events: Sequence[ArrayLike],
        labels: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        feature_names: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> Sequences:
        """Join a list with one ``(n, D)`` array an event.

        Parameters
        ----------
        events : sequence of array_like, each of shape (n, D)
            ``n`` may differ from event to event and may be 0.
        labels, weights, feature_names, **kwargs
            As in :meth:`from_arrays`.

        Returns
        -------
        Sequences

        Raises
        ------
        InputError
            As :meth:`from_arrays`, and when the events do not all have the same number of features.
        """
        source = kwargs.get("source", "arrays")
        arrays = [np.asarray(event, dtype=np.float64) for event in events]
        widths = {a.shape[1] for a in arrays if a.ndim == 2 and a.size}
        width = widths.pop() if widths else (len(feature_names) if feature_names else 1)
        for index, array in enumerate(arrays):
            if array.size == 0:
                arrays[index] = array.reshape(0, width)
            elif array.ndim != 2 or array.shape[1] != width:
                raise InputError(
                    f"{source}: event {index} has shape {array.shape}, expected (n, {width}) as the first event has; "
                    "every step of every event needs the same features"
                )
        offsets = np.concatenate([[0], np.cumsum([len(a) for a in arrays], dtype=np.int64)])
        table = np.concatenate(arrays) if arrays else np.zeros((0, width))
        return cls.from_arrays(table, offsets, labels, weights, feature_names, **kwargs)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of steps of each event, shape (N,)."""
        return np.diff(self.offsets)

    @property
    def n_features(self) -> int:
        """D, the number of features of a step."""
        return int(self.values.shape[1])

    @property
    def n_event_features(self) -> int:
        """E, the number of event-level features."""
        return 0 if self.event_values is None else int(self.event_values.shape[1])

    @property
    def nbytes(self) -> int:
        """Bytes held by all arrays."""
        arrays = (self.offsets, *(getattr(self, name) for name in (*_PER_STEP, *_PER_EVENT)))
        return sum(a.nbytes for a in arrays if a is not None)

    def __getitem__(self, index: slice | ArrayLike) -> Sequences:
        """Return the events that a slice, a boolean mask or an array of positions picks, in that order."""
        if isinstance(index, slice) and index.step in (None, 1):
            start, stop, _ = index.indices(len(self))
            stop = max(start, stop)
            low, high = self.offsets[start], self.offsets[stop]
            return self._with(slice(low, high), self.offsets[start : stop + 1] - low, slice(start, stop))
        places = np.arange(len(self))
        if isinstance(index, slice):
            picked = places[index]
        else:
            chosen = np.asarray(index)
            # an empty list has no type of its own
            picked = np.atleast_1d(places[chosen if chosen.size else chosen.astype(np.int64)])
        lengths = self.lengths[picked]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        # position of every kept step: the event's own beginning, plus how far into the event the step is
        steps = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][picked] - offsets[:-1], lengths)
        return self._with(steps, offsets, picked)

    def _with(self, steps: Any, offsets: NDArray[np.int64], picked: Any) -> Sequences:
        rows = dict.fromkeys(_PER_STEP, steps) | dict.fromkeys(_PER_EVENT, picked)
        taken: dict[str, Any] = {
            name: None if (array := getattr(self, name)) is None else array[at] for name, at in rows.items()
        }
        return replace(self, offsets=offsets, **taken)

    def split(self, rows: NDArray[Any]) -> list[NDArray[Any]]:
        """Cut an array with one row a step into one array an event.

        Parameters
        ----------
        rows : ndarray, shape (S, ...)
            Such as what a model with ``every_step=True`` says of these events.

        Returns
        -------
        list of ndarray, each of shape (n, ...)
            Views of `rows`, one an event.  (``awkward.unflatten(rows, events.lengths)`` makes one awkward array of them.)

        Raises
        ------
        InputError
            There are not as many rows as steps.
        """
        if len(rows) != self.offsets[-1]:
            raise InputError(
                f"{self.source}: found {len(rows)} rows, expected {self.offsets[-1]}, one a step of these events"
            )
        return np.split(rows, self.offsets[1:-1]) if len(self) else []

    @classmethod
    def concatenate(cls, parts: Sequence[Sequences]) -> Sequences:
        """Join several `Sequences` with the same names into one.

        Parameters
        ----------
        parts : sequence of Sequences
            At least one.

        Returns
        -------
        Sequences

        Raises
        ------
        InputError
            The parts differ in their names or in what they carry.
        """
        first = parts[0]
        for part in parts[1:]:
            for name in (*_NAMES, "forecast"):
                if getattr(part, name) != getattr(first, name):
                    raise InputError(
                        f"cannot join {part.source} to {first.source}: {name} {getattr(part, name)} differ from "
                        f"{getattr(first, name)}"
                    )

        def join(name: str) -> Any:
            arrays = [getattr(p, name) for p in parts]
            if any(a is None for a in arrays):
                if not all(a is None for a in arrays):
                    raise InputError(f"cannot join the parts of {first.source}: some have {name} and some have not")
                return None
            return np.concatenate(arrays)

        starts = np.cumsum([0] + [p.offsets[-1] for p in parts[:-1]])
        offsets = np.concatenate([[0], *(p.offsets[1:] + s for p, s in zip(parts, starts, strict=True))])
        return replace(
            first,
            offsets=offsets.astype(np.int64),
            **{name: join(name) for name in (*_PER_STEP, *_PER_EVENT)},
        )

    def __repr__(self) -> str:
        """Say in one line how much there is of what."""
        n = len(self)
        lengths = self.lengths
        span = f"{lengths.min()} to {lengths.max()} steps, mean {lengths.mean():.3g}" if n else "no steps"
        parts = [f"{n} events", span, f"features {', '.join(self.feature_names)}"]
        if self.event_feature_names:
            parts.append(f"event features {', '.join(self.event_feature_names)}")
        if self.targets is not None:
            parts.append(f"targets {', '.join(self.target_names)}")
        if self.labels is not None:
            counts = np.bincount(self.labels, minlength=len(self.class_names))
            parts.append("; ".join(f"{c} {name}" for name, c in zip(self.class_names, counts, strict=True)))
        for what, rows in (("labels", self.step_labels), ("targets", self.step_targets)):
            if rows is not None:
                names = self.step_class_names if what == "labels" else self.step_target_names
                parts.append(f"{what} of steps {', '.join(names)}")
        if self.weights is not None:
            parts.append("weighted")
        if self.n_invalid:
            parts.append(f"{self.n_invalid} dropped for values that are not finite")
        return f"<Sequences: {' | '.join(parts)}>"


def _finite_table(values: ArrayLike, name: str, source: str, offsets: ArrayLike | None = None) -> NDArray[np.float32]:
    array = np.asarray(values)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.dtype.kind not in "fiub":
        raise InputError(
            f"{source}: {name} has shape {array.shape} and type {array.dtype}, expected numbers of shape (rows, features)"
        )
    with np.errstate(over="ignore"):
        table = np.ascontiguousarray(array, dtype=np.float32)
    finite = np.isfinite(table)
    if not finite.all():
        row, column = (int(i) for i in np.argwhere(~finite)[0])
        where = f"row {row}"
        if offsets is not None:
            event = int(np.searchsorted(np.asarray(offsets), row, side="right")) - 1
            where += f" (event {event})"
        raise InputError(
            f"{source}: {name} has {int((~finite).sum())} value(s) that are not finite in single precision, the first "
            f"in {where}, column {column}: {array[row, column]}; drop or replace them"
        )
    return table


def _event_table(
    given: ArrayLike | None, names: Sequence[str] | None, what: str, n_events: int, source: str
) -> tuple[NDArray[np.float32] | None, tuple[str, ...]]:
    """Check numbers with one row an event, ``"event_values"`` or ``"targets"``, and name their columns."""
    naming, stem = {"event_values": ("event_feature_names", "e"), "targets": ("target_names", "y")}[what]
    if given is None:
        if names:
            raise InputError(f"{source}: {naming} were given without {what}; give both or neither")
        return None, ()
    table = _finite_table(given, what, source)
    _length(what, len(table), n_events, source)
    return table, _names(names, table.shape[1], naming, stem, source)


def _offsets(offsets: ArrayLike, n_steps: int, source: str) -> NDArray[np.int64]:
    raw = np.asarray(offsets)
    if raw.ndim != 1 or len(raw) == 0 or raw.dtype.kind not in "iu":
        raise InputError(
            f"{source}: offsets has shape {raw.shape} and type {raw.dtype}, expected integers of shape (events + 1,)"
        )
    bounds = np.ascontiguousarray(raw, dtype=np.int64)
    if bounds[0] != 0 or bounds[-1] != n_steps:
        raise InputError(
            f"{source}: offsets run from {bounds[0]} to {bounds[-1]}, expected 0 to {n_steps}, the number of rows of values"
        )
    falls = np.flatnonzero(np.diff(bounds) < 0)
    if len(falls):
        n = int(falls[0])
        raise InputError(f"{source}: offsets decrease at event {n}, from {bounds[n]} to {bounds[n + 1]}")
    return bounds


def _names(given: Sequence[str] | None, count: int, what: str, stem: str, source: str) -> tuple[str, ...]:
    names = tuple(f"{stem}{i}" for i in range(count)) if given is None else tuple(str(n) for n in given)
    if len(names) != count:
        raise InputError(f"{source}: {len(names)} {what} {names} for {count} columns; give one name a column")
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise InputError(f"{source}: {what} has {twice} more than once; names must differ")
    return names


def _length(what: str, found: int, expected: int, source: str) -> None:
    if found != expected:
        raise InputError(f"{source}: {what} has {found} rows, expected {expected}, one an event")


def _labels(
    labels: ArrayLike | None, class_names: Sequence[str] | None, n_events: int, source: str
) -> tuple[NDArray[np.int32] | None, tuple[str, ...]]:
    if labels is None:
        return None, tuple(class_names or ())
    raw = np.asarray(labels)
    _length("labels", len(raw) if raw.ndim == 1 else -1, n_events, source)
    with np.errstate(invalid="ignore"):
        array = np.ascontiguousarray(raw, dtype=np.int32) if raw.dtype.kind in "fiub" else None
    if array is None or not np.array_equal(array, raw):
        raise InputError(f"{source}: labels must be class indices 0, 1, ..., found {raw.dtype} values {raw[:3]} ...")
    if class_names is None:
        count = max(2, int(array.max(initial=0)) + 1)
        names = ("background", "signal") if count == 2 else tuple(f"class{i}" for i in range(count))
    else:
        names = _names(class_names, len(class_names), "class_names", "class", source)
    bad = np.flatnonzero((array < 0) | (array >= len(names)))
    if len(bad):
        raise InputError(
            f"{source}: label {array[bad[0]]} of event {bad[0]} is out of range, expected 0 to {len(names) - 1} "
            f"for the classes {', '.join(names)}; {len(bad)} event(s) are affected"
        )
    return array, names


def _weights(weights: ArrayLike | None, n_events: int, source: str) -> NDArray[np.float64] | None:
    if weights is None:
        return None
    array = np.ascontiguousarray(weights, dtype=np.float64)
    _length("weights", len(array) if array.ndim == 1 else -1, n_events, source)
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        raise InputError(f"{source}: weight {array[bad[0]]} of event {bad[0]} is not finite; drop or replace it")
    if n_events and not array.any():
        raise InputError(f"{source}: all {n_events} weights are zero, so nothing can be learnt; check the weight")
    return array
