"""ROOT files to `Sequences` in memory: :func:`read_sequences`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError, MemoryLimitError
from .event_builder import Counts, EventBuilder, Part
from .reading_arguments import build_recipe, refuse_beside_recipe, relabelled
from .recipe import Recipe, parse_bytes
from .root_input import Files, OpenTree, find_inputs, open_tree
from .sequences import Sequences

__all__ = ["read_sequences"]

_log = logging.getLogger("tmva_lstm_plugin")
_RANGE_BYTES = (
    1 << 25
)  # what is unpacked at a time: large enough to cost no speed, small enough that memory is used again

Progress = Callable[[int, int], None]


def read_sequences(
    files: Files,
    *,
    tree: str | Mapping[str, str] | None = None,
    features: Any = None,
    event_features: Any = (),
    event_selection: str | None = None,
    element_selection: str | None = None,
    order_by: str | None = None,
    descending: bool = True,
    max_length: int | None = None,
    label: str | Mapping[str, str] | None = None,
    classes: Sequence[str] | None = None,
    weight: str | None = None,
    on_invalid: str = "error",
    recipe: Recipe | None = None,
    memory_limit: int | str | None = None,
    with_labels: bool = True,
    steps: Any = None,
    targets: Any = None,
    step_label: str | None = None,
    step_targets: Any = None,
    progress: Progress | None = None,
) -> Sequences:
    """Read jagged events from ROOT files into memory.

    Expressions are those of :mod:`tmva_lstm_plugin.expressions`, over branch names; they mean the same for trees and
    RNTuples.

    Parameters
    ----------
    files : str, path, sequence of them, or mapping of class name to one of these
        Files, globs or URLs; ``"file.root:tree"`` names the tree as well.  A mapping gives each class its own files.
    tree : str, mapping of class name to str, or None
        The tree or RNTuple; None takes the only one in each file.  A mapping gives each class its own tree.
    features : str, sequence of str, or mapping of name to str
        Branches or expressions with one value an element.  ``vector<float>``, counted arrays and ``x[10]`` give one
        feature; ``x[10][30]`` gives 10 steps of the features ``x_0`` to ``x_29``.
    event_features : str, sequence of str, or mapping of name to str
        Branches or expressions with one value an event.
    event_selection, element_selection : str, optional
        Events, and elements of the events, for which these are true are kept.  An event may end up without elements.
    order_by : str, optional
        Order the elements of each event by this; ties keep the order of the file.
    descending : bool
        Whether the largest comes first.
    max_length : int, optional
        Keep at most so many elements, the first after ordering.
    label : str, or mapping of class name to str, optional
        The class index (or true for the second class); or for each class what is true for its events, where events in
        no class are left out.
    classes : sequence of str, optional
        Names of the classes; for a `label` that is a str, ``background, signal`` by default.
    weight : str, optional
        Event weight; it may be negative.
    on_invalid : {"error", "drop"}
        What to do with events that have a value which is not finite in single precision (a weight: in double).
    recipe : Recipe, optional
        How to read, in place of the arguments above; `tree`, `label`, `classes`, `weight`, `targets`, `step_label` and
        `step_targets` may still be given.
    memory_limit : int or str, optional
        Refuse to read events that would fill more memory than this, such as ``"2 GB"``.
    with_labels : bool
        Whether to read labels, targets and weights; without them their branches need not exist.
    steps : str, sequence of str, or mapping of name to one of these, optional
        Sequences kept as one branch a step: ``"vars_time{}"`` joins ``vars_time0``, ``vars_time1``, ... in numeric
        order into one sequence, ``vars_time``, which `features` and the other expressions can use.
    targets : str, sequence of str, or mapping of name to str, optional
        Branches or expressions with one value an event that a regression is to learn.
    step_label : str, optional
        The class index (or true for the second class) of each element, for a classifier with ``every_step=True``; -1 or NaN where
        an element has none.  `classes` are then the names of these classes.
    step_targets : str, sequence of str, or mapping of name to str, optional
        Branches or expressions with one value an element that a regression with ``every_step=True`` is to learn; NaN in all of
        them where an element has none.
    progress : callable, optional
        Called with the entries done and all entries after each piece.

    Returns
    -------
    Sequences
        In the order of the input, with `entries`, `n_entries` and `recipe` set.

    Raises
    ------
    MissingNameError
        A file, tree or branch does not exist.
    InputError
        Files that are damaged, branches that are no sequences, values that are not finite, labels that are no classes,
        nothing left, or only one class.
    MemoryLimitError
        The events would fill more than `memory_limit`.
    OptionError
        Arguments that contradict each other, or an expression outside the language.

    Examples
    --------
    >>> events = read_sequences(
    ...     "events.root",
    ...     features={"log_E": "log(E)", "log_pT": "log(sqrt(Px**2 + Py**2))"},
    ...     order_by="E",
    ...     label="evType == 34",
    ... )  # doctest: +SKIP
    """
    limit = parse_bytes(memory_limit)
    source = Source(
        files,
        tree=tree,
        with_labels=with_labels,
        recipe=recipe,
        options={
            "features": features,
            "event_features": event_features,
            "steps": steps,
            "event_selection": event_selection,
            "element_selection": element_selection,
            "order_by": order_by,
            "descending": descending,
            "max_length": max_length,
            "on_invalid": on_invalid,
        },
        label=label,
        classes=classes,
        weight=weight,
        targets=targets,
        step_label=step_label,
        step_targets=step_targets,
    )
    with source:
        return source.read_all(limit, progress)


class Source:
    """The inputs of one reading, checked against each other, and the way their ranges are read.

    Attributes
    ----------
    inputs : list of Input
        In the order in which entries are counted.
    recipe : Recipe
        How to read.
    builder : EventBuilder
        Reads ranges.
    firsts : ndarray of int64, shape (inputs + 1,)
        The first entry of each input, counted through all, and the number of all entries.
    """

    def __init__(
        self,
        files: Files,
        *,
        tree: str | Mapping[str, str] | None,
        with_labels: bool,
        recipe: Recipe | None,
        options: Mapping[str, Any],
        label: Any,
        classes: Sequence[str] | None,
        weight: str | None,
        targets: Any = None,
        step_label: str | None = None,
        step_targets: Any = None,
    ) -> None:
        of_steps: dict[str, Any] = {"step_label": step_label, "step_targets": step_targets}
        if recipe is not None:
            refuse_beside_recipe(options)
        wanted = tree if tree is not None or recipe is None else recipe.tree
        self.inputs, by_input = find_inputs(files, wanted)
        self._open: tuple[int, OpenTree] | None = None
        try:
            first = self.opened(0)
            if recipe is None:
                recipe = build_recipe(options, tree, label, classes, weight, targets, by_input, first, **of_steps)
            else:
                recipe = relabelled(recipe, tree, label, classes, weight, targets, by_input, **of_steps)
            self.recipe, self.with_labels = recipe, with_labels
            if by_input and recipe.classes != by_input:
                self._reorder(by_input)
            self.has_labels = with_labels and (bool(by_input) or recipe.label is not None)
            self.builder = EventBuilder(recipe, with_labels=with_labels)
            self.sizes: list[int] = []
            for index in range(len(self.inputs)):
                opened = self.opened(index)
                self.builder.check(opened)
                self.sizes.append(opened.n_entries)
        except BaseException:
            self.close()
            raise
        self.firsts = np.concatenate([[0], np.cumsum(self.sizes, dtype=np.int64)])
        if not self.n_entries:
            raise InputError(f"{self}: there are no entries at all; check how the file was written")

    def _reorder(self, by_input: tuple[str, ...]) -> None:
        index = [self.recipe.classes.index(name) for name in by_input]
        self.inputs = [replace(i, class_index=index[i.class_index or 0]) for i in self.inputs]

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __str__(self) -> str:
        first = self.inputs[0]
        text = first.path + (f":{first.tree}" if first.tree else "")
        return f"'{text}'" if len(self.inputs) == 1 else f"'{text}' and {len(self.inputs) - 1} more input(s)"

    @property
    def n_entries(self) -> int:
        """All entries, before any selection."""
        return int(self.firsts[-1])

    def close(self) -> None:
        """Close the file that is open."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def opened(self, index: int) -> OpenTree:
        """Return input `index` opened; it stays open until another is asked for."""
        if self._open is None or self._open[0] != index:
            self.close()
            self._open = (index, open_tree(self.inputs[index]))
        return self._open[1]

    def read(self, index: int, start: int, stop: int) -> Part:
        """Read entries `start` up to `stop` of input `index`."""
        item = self.inputs[index]
        tree = self.opened(index)
        part = self.builder.read(tree, start, stop, first_entry=int(self.firsts[index]), class_index=item.class_index)
        return replace(part, sequences=replace(part.sequences, n_entries=self.n_entries))

    def ranges(self, index: int, largest: int) -> list[tuple[int, int]]:
        """Cut input `index` into ranges of at most `largest` entries, if possible at edges of baskets or clusters."""
        tree = self.opened(index)
        if tree.n_entries <= largest:
            return [(0, tree.n_entries)] if tree.n_entries else []
        edges = tree.boundaries(self.builder.names)
        cuts = [0]
        for edge, following in zip(edges, [*edges[1:], None], strict=True):
            while edge - cuts[-1] > largest:  # a basket longer than a range is cut evenly
                rest = edge - cuts[-1]
                cuts.append(cuts[-1] + -(-rest // -(-rest // largest)))
            if edge > cuts[-1] and (following is None or following - cuts[-1] > largest):
                cuts.append(edge)
        return list(zip(cuts[:-1], cuts[1:], strict=True))

    def _handy(self, index: int, unpacked: float) -> int:
        """Return how many entries are best read at a time: few enough that memory is used again, but whole baskets."""
        tree = self.opened(index)
        per_block = max(tree.block_nbytes(name) / max(1, tree.nbytes(name)) for name in self.builder.names)
        return max(int(_RANGE_BYTES / max(unpacked, 1)), int(1.1 * per_block * tree.n_entries), 1)

    def size_per_entry(self, index: int) -> tuple[float, float, float]:
        """Return about the bytes of an entry unpacked and as `Sequences`, and its steps, if nothing is left out."""
        tree = self.opened(index)
        sizes = {name: tree.nbytes(name) for name in self.builder.names}
        n_entries = max(1, tree.n_entries)
        elements = max(tree.n_values(name) / width for name, width in self.builder.sequence_branches(tree))
        columns = len(self.builder.event_feature_names) + len(self.builder.targets)
        per_event = 16 + 4 * columns + 12 * self.with_labels
        steps = elements / n_entries
        per_step = 4 * (len(self.builder.feature_names) + len(self.builder.of_steps))
        return sum(sizes.values()) / n_entries, per_step * steps + per_event, steps

    def read_all(self, limit: int | None, progress: Progress | None) -> Sequences:
        """Read everything into memory."""
        builder = self.builder
        estimates = [self.size_per_entry(index) for index in range(len(self.inputs))]
        whole = sum(size * out for size, (_, out, _) in zip(self.sizes, estimates, strict=True))
        loses = any(
            (self.recipe.event_selection, self.recipe.element_selection, self.recipe.max_length, builder.class_rules)
        )
        if limit is not None and whole > limit and not loses:
            _refuse_memory(f"{self}: {self.n_entries} entries would fill about {_megabytes(whole)}", limit)
        # pages of a large array are slow to come by; where nothing is left out, its size is known beforehand
        joined = _Joined(
            0 if loses else int(sum(n * rows for n, (_, _, rows) in zip(self.sizes, estimates, strict=True)))
        )
        counts = Counts()
        for index, (unpacked, _, _) in enumerate(estimates):
            for start, stop in self.ranges(index, self._handy(index, unpacked)):
                part = self.read(index, start, stop)
                counts.add(part.counts)
                joined.add(part.sequences)
                done = int(self.firsts[index]) + stop
                if limit is not None and joined.nbytes > limit:
                    _refuse_memory(
                        f"{self}: the first {done} of {self.n_entries} entries already fill"
                        f" {_megabytes(joined.nbytes)}",
                        limit,
                    )
                if progress is not None:
                    progress(done, self.n_entries)
        source = str(self).strip("'") if len(self.inputs) == 1 else str(self)
        events = replace(joined.result(), source=source, n_invalid=counts.invalid)
        self.report(counts)
        self._check_result(events, counts)
        return events

    def report(self, counts: Counts) -> None:
        """Log how many events were left out and why."""
        if counts.in_no_class:
            _log.info(
                "%s: %d of %d selected events are in none of the classes", self, counts.in_no_class, counts.selected
            )
        if counts.invalid:
            _log.warning("%s: dropped %d event(s) with values that are not finite", self, counts.invalid)

    def _check_result(self, events: Sequences, counts: Counts) -> None:
        if not len(events):
            lost = [f"{counts.entries} entries were read"]
            if self.recipe.event_selection is not None:
                lost.append(f"event_selection '{self.recipe.event_selection}' kept {counts.selected}")
            if self.builder.class_rules:
                rules = ", ".join(f"{n}: '{e.text}'" for n, e in self.builder.class_rules.items())
                lost.append(f"{counts.in_no_class} are in none of the classes ({rules})")
            if counts.invalid:
                lost.append(f"{counts.invalid} were dropped for values that are not finite")
            raise InputError(f"{self}: no events are left: {'; '.join(lost)}; loosen the selection")
        if not events.offsets[-1]:
            cut = (
                f"element_selection '{self.recipe.element_selection}' leaves none"
                if self.recipe.element_selection
                else "all are empty"
            )
            raise InputError(
                f"{self}: none of the {len(events)} events has any elements: {cut}; there are no sequences to learn"
                " from"
            )
        if events.labels is not None:
            found = np.bincount(events.labels, minlength=len(events.class_names))
            if (found > 0).sum() < 2:
                shown = ", ".join(f"{n} {name}" for name, n in zip(events.class_names, found, strict=True))
                raise InputError(
                    f"{self}: all {len(events)} events are in one class ({shown}), so there is nothing to tell apart;"
                    " check label, files and selection"
                )
        if events.weights is not None and not events.weights.any():
            raise InputError(
                f"{self}: the weights, '{self.recipe.weight}', of all {len(events)} events are zero; check the weight"
            )


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.1f} MB"


def _refuse_memory(what: str, limit: int) -> None:
    raise MemoryLimitError(
        f"{what}, more than memory_limit={limit} bytes ({_megabytes(limit)}); raise the limit, select less, or use "
        "stream_sequences, which holds a piece at a time"
    )


class _Joined:
    """Parts joined one by one; `rows` steps are expected, 0 if that is not known."""

    def __init__(self, rows: int) -> None:
        self._rows, self._filled = rows, 0
        self._values: NDArray[np.float32] | None = None
        self._parts: list[Sequences] = []
        self.nbytes = 0

    def add(self, part: Sequences) -> None:
        """Add a part; its values are copied at once where there is room."""
        self.nbytes += part.nbytes
        if not self._parts and self._rows > 2 * len(part.values):
            self._values = np.empty((self._rows, part.n_features), dtype=np.float32)
        if self._values is not None:
            stop = self._filled + len(part.values)
            if stop > len(self._values):
                self._values.resize((max(stop, len(self._values) * 5 // 4), part.n_features), refcheck=False)
            self._values[self._filled : stop] = part.values
            self._filled = stop
            part = replace(part, values=part.values[:0].copy())
        self._parts.append(part)

    def result(self) -> Sequences:
        """Return all parts in one."""
        parts = self._parts
        if self._values is None:
            return parts[0] if len(parts) == 1 else Sequences.concatenate(parts)
        self._values.resize((self._filled, self._values.shape[1]), refcheck=False)
        return replace(Sequences.concatenate(parts), values=self._values)
