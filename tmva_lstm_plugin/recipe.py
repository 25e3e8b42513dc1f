"""`Recipe`: how events are read, in a form that is stored with a model and read back from foreign files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from .errors import OptionError, near_miss
from .expressions import Expression, parse_expression

__all__ = ["Recipe", "named_expressions", "parse_bytes"]

_UNITS = {"": 1, "b": 1}
_UNITS.update({f"{p}b": 1000**n for n, p in enumerate("kmgt", start=1)})
_UNITS.update({f"{p}ib": 1024**n for n, p in enumerate("kmgt", start=1)})

NamedExpressions = tuple[tuple[str, str], ...]


def parse_bytes(size: int | str | None, *, option: str = "memory_limit") -> int | None:
    """Turn a size such as ``"512 MB"`` or ``"2 GiB"`` into bytes.

    Parameters
    ----------
    size : int, str or None
        Bytes, or a number with a unit: B, kB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024).
    option : str
        The option the size was given for; it goes into the message.

    Returns
    -------
    int or None
        Bytes; None stays None, which means no limit.

    Raises
    ------
    OptionError
        Not a positive size, or an unknown unit.
    """
    if size is None:
        return None
    if isinstance(size, int) and not isinstance(size, bool):
        amount = size
    else:
        match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([A-Za-z]*)\s*", size) if isinstance(size, str) else None
        if match is None or match[2].lower() not in _UNITS:
            raise OptionError(
                f"{option} {size!r} is not a size; give bytes as an int, or a number with a unit such as '512 MB' or '2"
                " GiB'"
            )
        amount = int(float(match[1]) * _UNITS[match[2].lower()])
    if amount <= 0:
        raise OptionError(f"{option} {size!r} is not positive; give the bytes that may be used, or None for no limit")
    return amount


def named_expressions(given: Any, option: str) -> NamedExpressions:
    """Bring the ways to give features into one form, and parse each expression.

    Parameters
    ----------
    given : str, sequence of str, sequence of (name, expression), or mapping of name to expression
        Expressions over branches; without a name, the text is the name.
    option : str
        The option's name, for messages.

    Returns
    -------
    tuple of (str, str)
        Name and expression.

    Raises
    ------
    OptionError
        Wrong types, a name given twice, or an expression outside the allow-list.
    """
    if isinstance(given, str):
        given = [given]
    if isinstance(given, Mapping):
        given = list(given.items())
    if not isinstance(given, Iterable):
        raise OptionError(f"{option} is {given!r}, expected expressions, or a mapping from name to expression")
    pairs: list[tuple[str, str]] = []
    for item in given:
        pair = (item.strip().strip("`"), item.strip()) if isinstance(item, str) else item
        if not (isinstance(pair, Sequence) and len(pair) == 2 and all(isinstance(p, str) and p for p in pair)):
            raise OptionError(f"{option}: {item!r} is neither an expression nor a pair of name and expression")
        pairs.append((pair[0], pair[1]))
    names = [name for name, _ in pairs]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise OptionError(f"{option} has {', '.join(map(repr, twice))} more than once; names must differ")
    for name, text in pairs:
        _depends(text, f"{option} {name!r}")
    return tuple(pairs)


@dataclass(frozen=True)
class Recipe:
    """How events are read: what a model needs to read others in the same way.

    Expressions are text over branch names, checked against the allow-list when the recipe is made.

    Attributes
    ----------
    features : tuple of (str, str)
        Name and expression of each sequence feature.
    tree : str or None
        Name of the tree or RNTuple; None takes the only one in the file.
    event_features : tuple of (str, str)
        Name and expression of each event-level feature.
    steps : tuple of (str, tuple of str)
        Sequences kept as one branch a step: the name they have in expressions, and their branches, first step first.
    event_selection : str or None
        Events for which this is true are kept.
    element_selection : str or None
        Elements for which this is true are kept.
    order_by : str or None
        Elements are ordered by this; ties keep the order of the file.
    descending : bool
        Whether the largest comes first.
    max_length : int or None
        How many elements are kept, from the first, after ordering.
    label : str, tuple of (str, str), or None
        An expression for the class index, or class names each with the expression that is true for its events.
    classes : tuple of str
        Names of the classes.
    weight : str or None
        Expression for the event weight.
    on_invalid : {"error", "drop"}
        What happens to events with values that are not finite in single precision.
    targets : tuple of (str, str)
        Name and expression of each target of a regression.
    step_label : str or None
        Expression for the class index of each element; `classes` are then those of elements.
    step_targets : tuple of (str, str)
        Name and expression of each target that a regression has of each element.

    Raises
    ------
    OptionError
        A field of the wrong type or out of range, or an expression outside the allow-list.
    """

    features: NamedExpressions
    tree: str | None = None
    event_features: NamedExpressions = ()
    steps: tuple[tuple[str, tuple[str, ...]], ...] = ()
    event_selection: str | None = None
    element_selection: str | None = None
    order_by: str | None = None
    descending: bool = True
    max_length: int | None = None
    label: str | NamedExpressions | None = None
    classes: tuple[str, ...] = ()
    weight: str | None = None
    on_invalid: str = "error"
    targets: NamedExpressions = ()
    step_label: str | None = None
    step_targets: NamedExpressions = ()

    def __post_init__(self) -> None:
        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        put("features", named_expressions(self.features, "features"))
        put("event_features", named_expressions(self.event_features, "event_features"))
        put("targets", named_expressions(self.targets, "targets"))
        put("step_targets", named_expressions(self.step_targets, "step_targets"))
        put("steps", _checked_steps(self.steps))
        if not self.features:
            raise OptionError("features is empty; name at least one branch or expression with a value an element")
        for option in ("tree", "event_selection", "element_selection", "order_by", "weight", "step_label"):
            value = getattr(self, option)
            if value is not None and not (isinstance(value, str) and value.strip()):
                raise OptionError(f"{option} is {value!r}, expected text or None")
            if value is not None and option != "tree":
                _depends(value, option)
        if not isinstance(self.descending, bool):
            raise OptionError(f"descending is {self.descending!r}, expected true or false")
        length = self.max_length
        if length is not None and (not isinstance(length, int) or isinstance(length, bool) or length < 1):
            raise OptionError(
                f"max_length is {length!r}, expected a whole number of at least 1, or None for no truncation"
            )
        if self.on_invalid not in ("error", "drop"):
            raise OptionError(f"on_invalid is {self.on_invalid!r}, expected 'error' or 'drop'")
        put("classes", _checked_classes(self.classes))
        for of_events, of_steps in (("label", "step_label"), ("targets", "step_targets")):
            if getattr(self, of_events) and getattr(self, of_steps):
                raise OptionError(
                    f"{of_events} and {of_steps} were both given; a model learns one of them: leave the other out"
                )
        if self.step_label is not None:
            put("classes", self.classes or ("background", "signal"))
        if isinstance(self.label, str):
            _depends(self.label, "label")
            put("classes", self.classes or ("background", "signal"))
        elif self.label is not None:
            put("label", named_expressions(self.label, "label"))
            names = tuple(name for name, _ in self.label)
            if self.classes and set(self.classes) != set(names):
                raise OptionError(f"classes {self.classes} are not the classes of label, {names}; leave classes out")
            put("classes", self.classes or _checked_classes(names))

    def branches(self, *, with_labels: bool = True) -> tuple[str, ...]:
        """Return the names of all branches that are needed, each once, in the order of first use.

        Parameters
        ----------
        with_labels : bool
            Whether those of labels, targets and weight are among them.

        Returns
        -------
        tuple of str
        """
        texts = [text for _, text in (*self.features, *self.event_features)]
        texts += [t for t in (self.event_selection, self.element_selection, self.order_by) if t is not None]
        if with_labels:
            texts += [text for _, text in (*self.targets, *self.step_targets)]
            texts += [text for text in (self.weight, self.step_label) if text is not None]
            if isinstance(self.label, str):
                texts.append(self.label)
            elif self.label is not None:
                texts += [text for _, text in self.label]
        steps = dict(self.steps)
        names: dict[str, None] = {}
        for text in texts:
            for name in sorted(parse_expression(text).names):
                names.update(dict.fromkeys(steps.get(name, (name,))))
        return tuple(names)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain values that JSON can hold; :meth:`from_dict` gives back an equal recipe."""

        def plain(value: Any) -> Any:
            return [plain(v) for v in value] if isinstance(value, tuple) else value

        values = {f.name: plain(getattr(self, f.name)) for f in fields(self)}
        for name in ("targets", "step_label", "step_targets"):
            if not values[name]:  # earlier versions do not know them
                del values[name]
        return values

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Recipe:
        """Build a recipe from what :meth:`to_dict` returned, trusting nothing in it.

        Parameters
        ----------
        document : mapping
            Field name to plain value.

        Returns
        -------
        Recipe

        Raises
        ------
        OptionError
            Unknown fields, wrong types, or expressions outside the allow-list.
        """
        if not isinstance(document, Mapping):
            raise OptionError(f"recipe: found {type(document).__name__}, expected a mapping of its fields")
        known = [f.name for f in fields(cls)]
        for key in document:
            if key not in known:
                raise OptionError(f"recipe: unknown field {key!r}; {near_miss(str(key), known)}")
        if "features" not in document:
            raise OptionError("recipe: field 'features' is missing")

        def solid(value: Any) -> Any:
            return tuple(solid(v) for v in value) if isinstance(value, list) else value

        return cls(**{key: solid(value) for key, value in document.items()})


def _depends(text: str, purpose: str) -> Expression:
    expression = parse_expression(text, purpose=purpose)
    if not expression.names:
        raise OptionError(
            f"{purpose}: {text!r} names no branch, so it is the same for all events; name a branch or leave it out"
        )
    return expression


def _checked_classes(given: Any) -> tuple[str, ...]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise OptionError(f"classes is {given!r}, expected a sequence of names")
    names = tuple(given)
    if not all(isinstance(n, str) and n for n in names) or len(set(names)) != len(names):
        raise OptionError(f"classes is {names}, expected names that all differ")
    if len(names) == 1:
        raise OptionError(f"classes has only {names[0]!r}; a classifier needs at least two")
    return names


def _checked_steps(given: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(given, Iterable) or isinstance(given, str):
        raise OptionError(f"steps is {given!r}, expected pairs of a name and the branches of its steps")
    pairs = []
    for item in given:
        fits = isinstance(item, Sequence) and len(item) == 2 and isinstance(item[0], str)
        if not fits or isinstance(item[1], str) or not item[1] or not all(isinstance(b, str) for b in item[1]):
            raise OptionError(f"steps: {item!r} is not a pair of a name and the branches of its steps")
        pairs.append((item[0], tuple(item[1])))
    return tuple(pairs)
