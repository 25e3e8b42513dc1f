"""From a range of entries of an open tree to `Sequences`: evaluate, check structure, select, order, truncate.

uproot is only asked for plain branches.  Expressions and cuts are evaluated here, so that trees and RNTuples give the
same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from .errors import InputError, MissingNameError, near_miss
from .evaluating import compare_counts, evaluate, plain_branch, stack_steps
from .expressions import Expression, parse_expression
from .recipe import Recipe
from .root_input import OpenTree, empty_array
from .sequences import Sequences
from .steps import with_step_columns
from .structure import Flat, shape_of, structure_of

__all__ = ["Counts", "EventBuilder", "Part"]

_THREADS = 2
_BLOCK = 1 << 14  # rows handled together: they fit into the cache
_SINGLE_MAX = float(np.finfo(np.float32).max)


@dataclass
class Counts:
    """How many entries were read, and how many were lost where."""

    entries: int = 0
    selected: int = 0
    in_no_class: int = 0
    invalid: int = 0

    def add(self, other: Counts) -> None:
        """Add those of another range."""
        for name in ("entries", "selected", "in_no_class", "invalid"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class Part:
    """The events of one range of entries."""

    sequences: Sequences
    counts: Counts


@dataclass
class _Range:
    """What is known of a range while it is read."""

    tree: OpenTree
    start: int
    stop: int
    arrays: dict[str, Any] = field(default_factory=dict)
    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))  # kept entries, from `start`
    all_kept: bool = True

    def __len__(self) -> int:
        return len(self.rows)

    def keep(self, mask: NDArray[np.bool_], counted: NDArray[np.int64]) -> None:
        if not mask.all():
            self.rows, self.all_kept = counted[mask], False
            self.arrays = {name: array[mask] for name, array in self.arrays.items()}

    def entry(self, index: int) -> int:
        """Return the entry, in its file, of kept event `index`."""
        return self.start + int(self.rows[index])


class EventBuilder:
    """Reads ranges of entries by a recipe.

    Attributes
    ----------
    recipe : Recipe
        How to read.
    with_labels : bool
        Whether labels, targets and weights are read.
    names : tuple of str
        All branches needed.
    feature_names, event_feature_names : tuple of str
        Known once :meth:`check` has seen a tree.
    class_names, step_class_names : tuple of str
        Of events, and of elements.
    of_steps : dict of str to Expression
        What is learnt of each element, a label or targets, by what messages call it.
    """

    def __init__(self, recipe: Recipe, *, with_labels: bool) -> None:
        self.recipe, self.with_labels = recipe, with_labels
        self.names = recipe.branches(with_labels=with_labels)
        self._steps = dict(recipe.steps)
        self.features = _parsed("feature", recipe.features)
        self.event_features = _parsed("event feature", recipe.event_features)
        self.cuts = {
            purpose: parse_expression(text, purpose=purpose)
            for purpose in ("event_selection", "element_selection", "order_by")
            if (text := getattr(recipe, purpose)) is not None
        }
        self.targets = _parsed("target", recipe.targets if with_labels else ())
        self.of_steps = {
            f"target '{n}' of the steps": parse_expression(text, purpose=f"target '{n}' of the steps")
            for n, text in (recipe.step_targets if with_labels else ())
        }
        if with_labels and recipe.step_label is not None:
            self.of_steps["label of the steps"] = parse_expression(recipe.step_label, purpose="label of the steps")
        classes = recipe.classes if with_labels else ()
        self.class_names = classes if recipe.step_label is None else ()
        self.step_class_names = classes if recipe.step_label is not None else ()
        self.label: Expression | None = None
        self.class_rules: dict[str, Expression] = {}
        self.weight: Expression | None = None
        if with_labels:
            if isinstance(recipe.label, str):
                self.label = parse_expression(recipe.label, purpose="label")
            elif recipe.label is not None:
                rules = dict(recipe.label)
                self.class_rules = {
                    n: parse_expression(rules[n], purpose=f"label of class '{n}'") for n in recipe.classes
                }
            if recipe.weight is not None:
                self.weight = parse_expression(recipe.weight, purpose="weight")
        uses = Counter(name for _, expression in self._everything() for name in expression.names)
        # such a branch goes straight into its column and is then forgotten
        self._direct = {
            name
            for _, e in self.features.items()
            for name in e.names
            if plain_branch(e) == name and uses[name] == 1 and name not in self._steps
        }
        self.feature_names: tuple[str, ...] = ()
        self.event_feature_names = tuple(self.event_features)
        self._widths: dict[str, int] = {}
        self._first_tree = ""

    def _everything(self) -> list[tuple[str, Expression]]:
        pairs = [(f"feature '{n}'", e) for n, e in self.features.items()]
        pairs += [(f"event feature '{n}'", e) for n, e in self.event_features.items()]
        pairs += [(f"target '{n}'", e) for n, e in self.targets.items()]
        pairs += [*self.cuts.items(), *self.of_steps.items()]
        pairs += [] if self.label is None else [("label", self.label)]
        pairs += [(f"label of class '{n}'", e) for n, e in self.class_rules.items()]
        return pairs + ([] if self.weight is None else [("weight", self.weight)])

    def check(self, tree: OpenTree) -> None:
        """Check, from metadata only, that a tree has all branches and that every expression has the right structure.

        Raises
        ------
        MissingNameError
            A branch is missing.
        InputError
            A branch or an expression is not of the structure its place asks for.
        """
        elsewhere = f" (which '{self._first_tree}' has)" if self._first_tree else ""
        arrays: dict[str, Any] = {}
        for purpose, expression in self._everything():
            for name in sorted(expression.names):
                for branch in self._steps.get(name, (name,)):
                    if not tree.has(branch):
                        asked = "" if plain_branch(expression) == branch else f", '{expression.text}',"
                        raise MissingNameError(
                            f"'{tree}' has no branch '{branch}'{elsewhere}, which {purpose}{asked} needs; "
                            f"{near_miss(branch, [*tree.known, *self._steps])}"
                        )
                    if branch not in arrays:
                        arrays[branch] = self._empty(tree, branch)
        arrays = stack_steps(tree, self._steps, arrays, 0)
        columns: dict[str, int] = {}
        for purpose, expression in self._everything():
            is_feature = purpose.startswith("feature ")
            per_element = is_feature or purpose in ("element_selection", "order_by") or purpose in self.of_steps
            flat = evaluate(tree, purpose, expression, arrays, 0, per_element=per_element)
            if purpose in self.of_steps and flat.values.ndim > 1:
                raise InputError(
                    f"'{tree}': {purpose}, '{expression.text}', has {flat.width} values an element, expected one"
                )
            if is_feature:
                columns[purpose] = flat.values.shape[1] if flat.values.ndim == 2 else 0
        names: list[str] = []
        widths = {}
        for name in self.features:
            width = columns[f"feature '{name}'"]
            widths[name] = max(1, width)
            names += [f"{name}_{i}" for i in range(width)] if width else [name]
        if self.feature_names and tuple(names) != self.feature_names:
            raise InputError(
                f"'{tree}' gives the features {', '.join(names)}, but '{self._first_tree}' gives"
                f" {', '.join(self.feature_names)}; all files need branches of the same type"
            )
        if len(set(names)) < len(names):
            raise InputError(
                f"'{tree}': the features {', '.join(names)} do not all differ; give the expressions other names"
            )
        self.feature_names, self._widths = tuple(names), widths
        self._first_tree = self._first_tree or str(tree)

    def sequence_branches(self, tree: OpenTree) -> list[tuple[str, float]]:
        """Return the branches the sequence features come from, each with its numbers an element."""
        found: list[tuple[str, float]] = []
        for expression in self.features.values():
            for name in expression.names:
                for branch in self._steps.get(name, (name,)):
                    shape = shape_of(tree.form(branch).type)
                    if name in self._steps:
                        # each branch is one of the steps
                        found.append((branch, int(np.prod(shape)) / len(self._steps[name])))
                    elif shape:
                        found.append((branch, int(np.prod(shape[1:]))))
        return found

    def _empty(self, tree: OpenTree, branch: str) -> ak.Array:
        form = tree.form(branch)
        try:
            structure_of(form.type)
        except ValueError as error:
            raise InputError(
                f"'{tree}': branch '{branch}' of type '{tree.typename(branch)}' has {error}; use another branch"
            ) from None
        return empty_array(form)

    def read(self, tree: OpenTree, start: int, stop: int, *, first_entry: int, class_index: int | None) -> Part:
        """Read the events of entries `start` up to `stop` of a checked tree.

        Parameters
        ----------
        tree : OpenTree
            The tree, which has been through :meth:`check`.
        start, stop : int
            The entries, counted in this tree.
        first_entry : int
            How many entries come before this tree.
        class_index : int or None
            The class of all events in this tree, when each class has its own.

        Returns
        -------
        Part

        Raises
        ------
        InputError
            Damaged bytes, counts that differ within an event, values that are not finite, labels that are no classes.
        """
        with ThreadPoolExecutor(_THREADS) as pool:
            part = _Range(tree, start, stop, rows=np.arange(stop - start))
            early = [n for n in self.names if n not in self._direct]
            loaded = pool.map(lambda name: tree.read(name, start, stop), early)
            part.arrays = stack_steps(tree, self._steps, dict(zip(early, loaded, strict=True)), stop - start)
            counts = Counts(entries=stop - start)
            labels = self._select(part, counts, class_index)
            values, offsets, where = self._sequences(part, pool)
        event_values = self._event_columns(part, "event feature", self.event_features)
        weights = None
        if self.weight is not None:
            weights = self._per_event(part, "weight", self.weight).astype(np.float64)
        n_columns = len(self.feature_names)
        sequences = Sequences(
            values=np.ascontiguousarray(values[:, :n_columns]),
            offsets=offsets,
            feature_names=self.feature_names,
            event_values=event_values,
            event_feature_names=self.event_feature_names,
            labels=None,
            class_names=self.class_names,
            weights=weights,
            entries=part.rows + (first_entry + start),
            recipe=self.recipe,
            source=str(tree),
            targets=self._event_columns(part, "target", self.targets),
            target_names=tuple(self.targets),
            step_targets=values[:, n_columns:] if self.of_steps else None,  # as they are, until events are dropped
        )
        valid = self._valid(part, sequences, where)
        if valid is not None:
            sequences, counts.invalid = sequences[valid], int((~valid).sum())
        if self.label is not None:
            found = self._per_event(part, "label", self.label)
            labels = self._class_indices(part, found, valid)
        elif labels is not None and valid is not None:
            labels = labels[valid]
        if labels is not None:
            sequences = replace(sequences, labels=labels)
        return Part(
            with_step_columns(sequences, [n for n, _ in self.recipe.step_targets], self.step_class_names), counts
        )

    def _per_event(self, part: _Range, purpose: str, expression: Expression) -> NDArray[Any]:
        return evaluate(
            part.tree, purpose, expression, part.arrays, len(part), per_element=False, entry=part.entry
        ).values

    def _select(self, part: _Range, counts: Counts, class_index: int | None) -> NDArray[np.int32] | None:
        if "event_selection" in self.cuts:
            mask = self._per_event(part, "event_selection", self.cuts["event_selection"])
            part.keep(mask.astype(bool), part.rows)
        counts.selected = len(part)
        if not self.with_labels:
            return None
        if class_index is not None:
            return np.full(len(part), class_index, dtype=np.int32)
        if not self.class_rules:
            return None
        member = np.stack(
            [self._per_event(part, f"label of class '{n}'", e).astype(bool) for n, e in self.class_rules.items()],
            axis=1,
        )
        twice = np.flatnonzero(member.sum(axis=1) > 1)
        if len(twice):
            both = [n for n, is_in in zip(self.class_rules, member[twice[0]], strict=True) if is_in]
            raise InputError(
                f"'{part.tree}', entry {part.entry(twice[0])}: the event is in the classes"
                f" {' and '.join(map(repr, both))} at once, and so are {len(twice) - 1} other event(s); make the"
                " expressions of label exclude each other"
            )
        inside = np.asarray(member.any(axis=1))
        counts.in_no_class = int((~inside).sum())
        part.keep(inside, part.rows)
        return np.asarray(member[inside].argmax(axis=1), dtype=np.int32)

    def _sequences(self, part: _Range, pool: ThreadPoolExecutor) -> tuple[Any, Any, Any]:
        """Fill the columns, then pick and order the elements."""
        purposes = [(f"feature '{name}'", e) for name, e in self.features.items()] + list(self.of_steps.items())
        firsts = np.cumsum([0, *self._widths.values(), *(1 for _ in self.of_steps)])

        def column(number: int) -> Flat:
            purpose, expression = purposes[number]
            arrays = part.arrays
            if name := next(iter(expression.names & self._direct), None):
                array = part.tree.read(name, part.start, part.stop)
                arrays = {name: array if part.all_kept else array[part.rows]}
            flat = evaluate(part.tree, purpose, expression, arrays, len(part), per_element=True, entry=part.entry)
            with np.errstate(all="ignore"):
                return Flat(flat.values.astype(np.float32, copy=False), flat.offsets)

        numbers = range(len(purposes))
        direct = {n: pool.submit(column, n) for n in numbers if purposes[n][1].names & self._direct}
        columns = [column(n) if n not in direct else None for n in numbers]
        flats = [flat if flat is not None else direct[n].result() for n, flat in enumerate(columns)]
        offsets = flats[0].offsets
        for number in numbers[1:]:
            pair = (self._shown(0), offsets), (purposes[number][1].text, flats[number].offsets)
            compare_counts(part.tree, *pair, part.entry)
        values = np.empty((len(flats[0].values), firsts[-1]), dtype=np.float32)

        def fill(start: int) -> None:
            # a block of rows at a time stays in the cache; a column at a time would go through memory again and again
            for number, flat in enumerate(flats):
                target = values[start : start + _BLOCK, firsts[number] : firsts[number + 1]]
                target[...] = flat.values[start : start + _BLOCK].reshape(target.shape)

        for _ in pool.map(fill, range(0, len(values), _BLOCK)):
            pass
        return self._elements(part, values, offsets)

    def _shown(self, number: int) -> str:
        return list(self.features.values())[number].text

    def _elements(self, part: _Range, values: Any, offsets: Any) -> tuple[Any, Any, Any]:
        """Select, order and truncate elements; also return where they were, and which events had a NaN to order by."""
        original = offsets

        def key(purpose: str) -> NDArray[Any]:
            expression = self.cuts[purpose]
            flat = evaluate(part.tree, purpose, expression, part.arrays, len(part), per_element=True, entry=part.entry)
            compare_counts(part.tree, (self._shown(0), original), (expression.text, flat.offsets), part.entry)
            return flat.values

        taken = None
        if "element_selection" in self.cuts:
            kept = key("element_selection").astype(bool)
            taken = np.flatnonzero(kept)
            offsets = np.concatenate([[0], np.cumsum(kept)])[original]
        unordered = None
        if "order_by" in self.cuts:
            by = key("order_by")
            by = by if taken is None else by[taken]
            if by.dtype.kind == "f" and np.isnan(by).any():
                unordered = np.unique(np.searchsorted(offsets, np.flatnonzero(np.isnan(by)), side="right") - 1)
            counts = np.diff(offsets)
            order = ak.argsort(ak.unflatten(by, counts), axis=1, ascending=not self.recipe.descending, stable=True)
            order = ak.to_numpy(ak.flatten(order)) + np.repeat(offsets[:-1], counts)
            taken = order if taken is None else taken[order]
        length = self.recipe.max_length
        counts = np.diff(offsets)
        if length is not None and counts.max(initial=0) > length:
            within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts)
            taken = np.flatnonzero(within < length) if taken is None else taken[within < length]
            offsets = np.concatenate([[0], np.cumsum(np.minimum(counts, length))])
        return (values if taken is None else values[taken]), offsets.astype(np.int64), (original, taken, unordered)

    def _event_columns(self, part: _Range, what: str, columns: dict[str, Expression]) -> NDArray[np.float32] | None:
        if not columns:
            return None
        table = np.empty((len(part), len(columns)), dtype=np.float32)
        with np.errstate(all="ignore"):
            for column, (name, expression) in enumerate(columns.items()):
                table[:, column] = self._per_event(part, f"{what} '{name}'", expression)
        return table

    def _valid(self, part: _Range, sequences: Sequences, where: Any) -> NDArray[np.bool_] | None:
        """Return which events have finite values only, or None if all; raise on the first other one if so asked."""
        original, taken, unordered = where
        bad: list[tuple[int, str, Expression, int | None]] = []  # event, what, expression, element in its event
        invalid = np.zeros(len(sequences), dtype=bool)
        rows = _bad_rows(sequences.values)
        if len(rows):
            events = np.searchsorted(sequences.offsets, rows, side="right") - 1
            invalid[events] = True
            column = int(np.flatnonzero(~np.isfinite(sequences.values[rows[0]]))[0])
            number = int(np.searchsorted(np.cumsum(list(self._widths.values())), column, side="right"))
            name, expression = list(self.features.items())[number]
            element = int((rows[0] if taken is None else taken[rows[0]]) - original[events[0]])
            bad.append((int(events[0]), f"feature '{name}'", expression, element))
        if sequences.step_targets is not None and self.recipe.on_invalid == "drop":
            # where they are an error it is found when they are taken; NaN only says that an element has none
            rows = np.flatnonzero(np.isinf(sequences.step_targets).any(axis=1))
            if len(rows):
                events = np.searchsorted(sequences.offsets, rows, side="right") - 1
                invalid[events] = True
                purpose, expression = next(iter(self.of_steps.items()))
                bad.append((int(events[0]), purpose, expression, None))
        if unordered is not None:
            invalid[unordered] = True
            bad.append((int(unordered[0]), "order_by", self.cuts["order_by"], None))
        for what, columns, table in (
            ("event feature", self.event_features, sequences.event_values),
            ("target", self.targets, sequences.targets),
        ):
            if table is not None and len(rows := _bad_rows(table)):
                invalid[rows] = True
                column = int(np.flatnonzero(~np.isfinite(table[rows[0]]))[0])
                name, expression = list(columns.items())[column]
                bad.append((int(rows[0]), f"{what} '{name}'", expression, None))
        if sequences.weights is not None and self.weight is not None:
            rows = np.flatnonzero(~np.isfinite(sequences.weights))
            if len(rows):
                invalid[rows] = True
                bad.append((int(rows[0]), "weight", self.weight, None))
        if not bad:
            return None
        if self.recipe.on_invalid == "error":
            event, what, expression, place_of = min(bad, key=lambda b: b[0])
            found = self._found(part, what, expression, part.entry(event), place_of)
            place = "" if place_of is None else f", element {place_of}"
            raise InputError(
                f"'{part.tree}', entry {part.entry(event)}{place}: {what}, '{expression.text}', is {found};"
                f" {int(invalid.sum())} event(s) of this range are affected. Exclude them with event_selection or"
                " element_selection, or drop them with on_invalid='drop'"
            )
        return ~invalid

    def _found(self, part: _Range, what: str, expression: Expression, entry: int, element: int | None) -> str:
        """Say what value was found, in double precision: in single it may have become infinite."""
        tree = part.tree
        branches: list[str] = []
        for name in expression.names:
            branches += self._steps.get(name, (name,))
        arrays = stack_steps(tree, self._steps, {b: tree.read(b, entry, entry + 1) for b in branches}, 1)
        flat = evaluate(tree, what, expression, arrays, 1, per_element=what.startswith("feature") or what == "order_by")
        values = np.atleast_1d(flat.values if element is None else flat.values[element]).ravel().astype(np.float64)
        if not np.isfinite(values).all():
            return str(values[~np.isfinite(values)][0])
        return f"{values[np.argmax(np.abs(values))]:g}, beyond single precision (at most {_SINGLE_MAX:.3g})"

    def _class_indices(self, part: _Range, found: NDArray[Any], valid: NDArray[np.bool_] | None) -> NDArray[np.int32]:
        classes = self.recipe.classes
        good = np.isin(found, np.arange(len(classes)))
        bad = np.flatnonzero(~good if valid is None else ~good & valid)
        if len(bad):
            raise InputError(
                f"'{part.tree}', entry {part.entry(bad[0])}: label, '{self.recipe.label}', is {found[bad[0]]}, expected"
                f" a whole number from 0 to {len(classes) - 1} for the classes {', '.join(classes)}; {len(bad)}"
                " event(s) of this range are affected. Name all classes with classes=..., or select events"
            )
        return (found if valid is None else found[valid]).astype(np.int32)


def _parsed(what: str, pairs: Iterable[tuple[str, str]]) -> dict[str, Expression]:
    return {name: parse_expression(text, purpose=f"{what} '{name}'") for name, text in pairs}


def _bad_rows(table: NDArray[np.float32]) -> NDArray[np.int64]:
    bad = [
        np.flatnonzero(~np.isfinite(block).all(axis=1)) + start
        for start in range(0, len(table), _BLOCK)
        if not np.isfinite(block := table[start : start + _BLOCK]).all()
    ]
    return np.concatenate(bad) if bad else np.zeros(0, np.int64)
