"""The arguments of the reading functions turned into a `Recipe`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .errors import MissingNameError, OptionError, near_miss
from .recipe import Recipe, named_expressions
from .root_input import OpenTree

__all__ = ["build_recipe", "refuse_beside_recipe", "relabelled"]

_DEFAULTS: dict[str, Any] = {
    "features": None,
    "event_features": (),
    "steps": None,
    "event_selection": None,
    "element_selection": None,
    "order_by": None,
    "descending": True,
    "max_length": None,
    "on_invalid": "error",
}


def refuse_beside_recipe(options: Mapping[str, Any]) -> None:
    """Raise OptionError if an argument was given that a recipe decides."""
    given = [name for name, default in _DEFAULTS.items() if options[name] is not default and options[name] != default]
    if given:
        raise OptionError(
            f"{', '.join(given)} and recipe were both given; leave {'it' if len(given) == 1 else 'them'} out, or change"
            " the recipe with dataclasses.replace"
        )


def build_recipe(
    options: Mapping[str, Any],
    tree: Any,
    label: Any,
    classes: Sequence[str] | None,
    weight: str | None,
    targets: Any,
    by_input: tuple[str, ...],
    first: OpenTree,
    *,
    step_label: str | None = None,
    step_targets: Any = None,
) -> Recipe:
    """Make the recipe that the arguments describe; `by_input` are the classes that files or trees stand for."""
    steps = _found_steps(options["steps"], first)
    features = options["features"]
    if features is None and steps:
        features = [name for name, _ in steps]
    if features is None:
        raise OptionError(
            f"features is missing; name branches or expressions with a value an element. '{first}' has: "
            f"{', '.join(first.known[:20])}{' ...' if len(first.known) > 20 else ''}"
        )
    if by_input and label is not None:
        raise OptionError(
            "label and a mapping of class name to files or trees were both given; one of them tells the classes"
        )
    return Recipe(
        features=named_expressions(features, "features"),
        tree=tree if isinstance(tree, str) else None,
        event_features=named_expressions(options["event_features"], "event_features"),
        steps=steps,
        label=label if label is None or isinstance(label, str) else named_expressions(label, "label"),
        classes=_classes(classes, by_input),
        weight=weight,
        targets=named_expressions(targets if targets is not None else (), "targets"),
        step_label=_of_one_input(step_label, by_input),
        step_targets=named_expressions(step_targets if step_targets is not None else (), "step_targets"),
        **{
            n: options[n]
            for n in ("event_selection", "element_selection", "order_by", "descending", "max_length", "on_invalid")
        },
    )


def _of_one_input(step_label: str | None, by_input: tuple[str, ...]) -> str | None:
    if by_input and step_label is not None:
        raise OptionError(
            "step_label and a mapping of class name to files or trees were both given; classes are of steps or of events: list "
            "the files, name one tree"
        )
    return step_label


def _classes(classes: Sequence[str] | None, by_input: tuple[str, ...]) -> tuple[str, ...]:
    names = by_input if classes is None else classes
    if isinstance(names, str):
        raise OptionError(f"classes is {names!r}, expected a sequence of names")
    if by_input and set(names) != set(by_input):
        raise OptionError(
            f"classes {tuple(names)} are not the classes of the files or trees, {by_input}; leave classes out"
        )
    return tuple(names)


def relabelled(
    recipe: Recipe,
    tree: Any,
    label: Any,
    classes: Sequence[str] | None,
    weight: str | None,
    targets: Any,
    by_input: tuple[str, ...],
    *,
    step_label: str | None = None,
    step_targets: Any = None,
) -> Recipe:
    """Return the recipe with the tree, labels, weight and targets that were given beside it."""
    changes: dict[str, Any] = {} if weight is None else {"weight": weight}
    if targets is not None:
        changes["targets"] = named_expressions(targets, "targets")
    if step_label is not None:
        changes["step_label"] = _of_one_input(step_label, by_input)
    if step_targets is not None:
        changes["step_targets"] = named_expressions(step_targets, "step_targets")
    if isinstance(tree, str):
        changes["tree"] = tree
    if label is not None:
        changes["label"] = label if isinstance(label, str) else named_expressions(label, "label")
        changes["classes"] = recipe.classes
    if by_input:
        if recipe.classes and set(recipe.classes) != set(by_input):
            raise OptionError(
                f"the recipe has the classes {recipe.classes}, files or tree have {by_input}; give the same"
            )
        changes |= {"label": None, "classes": recipe.classes or by_input}
    if classes is not None:
        changes["classes"] = _classes(classes, by_input)
    return replace(recipe, **changes) if changes else recipe


def _found_steps(given: Any, tree: OpenTree) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Find the branches of each step, in numeric order."""
    if given is None:
        return ()
    if isinstance(given, str):
        given = {given.replace("{}", "").strip("_"): given}
    elif not isinstance(given, Mapping):
        branches = tuple(given)
        stem = re.match(r"\D*", branches[0] if branches and isinstance(branches[0], str) else "")
        given = {(stem[0].strip("_") if stem else "") or "steps": branches}
    found = []
    for name, pattern in given.items():
        if tree.has(name):
            raise OptionError(
                f"steps: '{tree}' has a branch '{name}' already; give the sequence another name, steps={{'name': ...}}"
            )
        found.append((name, _numbered(pattern, tree) if isinstance(pattern, str) else tuple(pattern)))
    return tuple(found)


def _numbered(pattern: str, tree: OpenTree) -> tuple[str, ...]:
    if pattern.count("{}") != 1:
        raise OptionError(
            f"steps {pattern!r} needs one {{}} where the number of the step stands, as in 'vars_time{{}}'"
        )
    before, after = (re.escape(p) for p in pattern.split("{}"))
    numbers = {int(m[1]): name for name in tree.known if (m := re.fullmatch(rf"{before}(\d+){after}", name))}
    if not numbers:
        raise MissingNameError(
            f"'{tree}' has no branch '{pattern}' for any step; {near_miss(pattern.replace('{}', '0'), tree.known)}"
        )
    low, high = min(numbers), max(numbers)
    missing = sorted(set(range(low, high + 1)) - set(numbers))
    if missing or low > 1:
        lacking = pattern.replace("{}", str(missing[0] if missing else low - 1))
        raise MissingNameError(
            f"'{tree}' has steps '{numbers[low]}' to '{numbers[high]}' but no '{lacking}'; list the branches of the"
            " steps if that is meant"
        )
    return tuple(numbers[n] for n in sorted(numbers))
