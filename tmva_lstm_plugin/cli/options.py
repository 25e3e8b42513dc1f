"""Options of `train` and its like: one for each key of the configuration, made from its declaration."""

from __future__ import annotations

import os
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import click
from pydantic.fields import FieldInfo

from ..config import SECTIONS
from ..errors import OptionError

__all__ = ["OPTION_NAMES", "TRAINING", "SectionedCommand", "config_options", "files_by_class", "given_keys"]

#: The sections of a training.
TRAINING = ("input", "model", "output", "split")

# Keys whose name alone would be ambiguous between sections, or that are clearer under another name.
_SPECIAL_NAMES = {
    ("input", "features"): "--feature",
    ("input", "event_features"): "--event-feature",
    ("input", "targets"): "--target",
    ("input", "step_targets"): "--step-target",
    ("input", "memory_limit"): "--input-memory-limit",
    ("output", "folder"): "--output",
    ("split", "seed"): "--split-seed",
    ("split", "test_files"): "--test-file",
}
_NAMED = re.compile(r"\s*([^=<>!\s][^=<>!]*?)\s*=(?!=)\s*(.+)", re.DOTALL)
# Keys that take a table in TOML: the option is given once for each line, as NAME=EXPRESSION or as an expression.
_TABLES = {("input", name) for name in ("features", "event_features", "label", "targets", "step_targets")}
_EXPRESSIONS = ("event_selection", "element_selection", "order_by", "weight", "fold_by", "step_label")
# The arguments of the command, and what is too much for an option.
_FILE_ONLY = ("files", "space")
_METAVARS = {"memory_limit": "SIZE", "max_time": "TIME", "test_events": "FILE", "folder": "FOLDER"}
_METAVARS |= dict.fromkeys(_EXPRESSIONS, "EXPRESSION")


def _option_name(section: str, key: str) -> str:
    return _SPECIAL_NAMES.get((section, key), "--" + key.replace("_", "-"))


# `files` are the command's arguments
OPTION_NAMES: dict[tuple[str, str], str] = {
    (section, key): "FILES" if key == "files" else _option_name(section, key)
    for section, model in SECTIONS.items()
    for key in model.model_fields
}


class _Widths(click.ParamType):  # type: ignore[type-arg]
    """One whole number, or several with commas between them."""

    name = "widths"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            numbers = [int(part) for part in str(value).split(",")]
        except ValueError:
            self.fail(f"{value!r} is no whole number, nor several with commas between them", param, ctx)
        return numbers if len(numbers) > 1 else numbers[0]


class SectionedCommand(click.Command):
    """A command whose help lists the options by section of the configuration."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, section by section."""
        groups: dict[str, list[tuple[str, str]]] = {name: [] for name in (*SECTIONS, "")}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                section, separator, _ = (parameter.name or "").partition("__")
                groups[section if separator else ""].append(record)
        for name, records in groups.items():
            if not records:
                continue
            with formatter.section(f"Options of [{name}]" if name else "Other options"):
                formatter.write_dl(records)


def config_options(command: Callable[..., Any], sections: Sequence[str] = TRAINING) -> Callable[..., Any]:
    """Add an option for each key; parameters are named ``<section>__<key>`` and are None when not given."""
    for section in reversed(sections):
        for key, info in reversed(SECTIONS[section].model_fields.items()):
            if key not in _FILE_ONLY:
                command = _option(section, key, info)(command)
    return command


def _option(section: str, key: str, info: FieldInfo) -> Callable[[Any], Any]:
    name = _option_name(section, key)
    names = [name, f"{section}__{key}"] + (["-o"] if key == "folder" else [])
    settings: dict[str, Any] = {"default": None, "help": info.description}
    if info.default not in (None, [], ...) and not info.is_required():
        shown = str(info.default).lower() if isinstance(info.default, bool) else info.default
        settings["help"] += f"  [default: {shown}]"
    kinds = _kinds(info.annotation)
    if (section, key) in _TABLES:
        settings |= {"multiple": True, "metavar": "[NAME=]EXPRESSION"}
    elif key == "dense":
        settings["metavar"] = "'N NAME[,N NAME...]'"
    elif key == "hidden":
        settings |= {"type": _Widths(), "metavar": "N[,N...]"}
    elif key == "steps":
        settings |= {"multiple": True, "metavar": "NAME=BRANCH,BRANCH,..."}
    elif bool in kinds:
        names[0] += "/--ascending" if key == "descending" else f"/--no-{name[2:]}"
    elif key == "test_files":
        settings |= {"multiple": True, "metavar": "[CLASS=]FILE"}
    elif list in kinds:
        settings["metavar"] = "NAME,NAME"
    elif choices := [c for kind in kinds if typing.get_origin(kind) is Literal for c in typing.get_args(kind)]:
        settings["type"] = click.Choice(choices)
    elif str not in kinds and object not in kinds:
        settings["type"] = int if int in kinds else float
    else:
        settings["metavar"] = _METAVARS.get(key, "NAME")
    if settings.get("multiple"):
        settings["help"] += "  May be given several times."
    return click.option(*names, **settings)


def _kinds(annotation: Any) -> set[Any]:
    """Return the types a declaration allows, without constraints and parameters: ``list[str] | None`` has list."""
    if annotation is None or annotation is type(None):
        return set()
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _kinds(typing.get_args(annotation)[0])
    if origin is Literal:
        return {annotation}
    if origin in (list, dict):
        return {origin}
    if origin is None:
        return {annotation}
    return set().union(*(_kinds(part) for part in typing.get_args(annotation)))


def given_keys(parameters: Mapping[str, Any], files: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Collect what was given on the command line, as sections of keys.

    Parameters
    ----------
    parameters : mapping
        Click's parameters, named as :func:`config_options` does.
    files : sequence of str
        Input files; an empty one leaves the configuration's.

    Returns
    -------
    dict of str to dict

    Raises
    ------
    OptionError
        A name is missing or there twice.
    """
    sections: dict[str, dict[str, Any]] = {}
    for name, value in parameters.items():
        section, _, key = name.partition("__")
        if value is None or value == ():
            continue
        if (section, key) in _TABLES:
            value = _table(OPTION_NAMES[section, key], value)
        elif key == "steps":
            value = {name: branches.split(",") for name, branches in _table("--steps", value, named=True).items()}
        elif key == "test_files":
            value = files_by_class(value)
        elif key in ("classes", "dense"):
            value = [name.strip() for name in value.split(",")]
        sections.setdefault(section, {})[key] = value
    if files:
        sections.setdefault("input", {})["files"] = files_by_class(files)
    return sections


def files_by_class(arguments: Sequence[str]) -> list[str] | dict[str, list[str]]:
    """Sort files given as ``CLASS=FILE`` by class; plain names stay a list.

    Parameters
    ----------
    arguments : sequence of str
        Files; one that exists under its whole name is never split.

    Returns
    -------
    list of str, or dict of str to list of str

    Raises
    ------
    OptionError
        Some files have a class and some have none.
    """
    found = [None if os.path.exists(text) else _NAMED.fullmatch(text) for text in arguments]
    if not any(found):
        return list(arguments)
    sorted_by_class: dict[str, list[str]] = {}
    for text, match in zip(arguments, found, strict=True):
        if match is None:
            raise OptionError(f"file '{text}' has no class and others have; give all as CLASS=FILE, or none")
        sorted_by_class.setdefault(match[1], []).append(match[2])
    return sorted_by_class


def _table(option: str, texts: Sequence[str], *, named: bool = False) -> Any:
    """Return a mapping if a text has a name, else the texts; the single text of a label as it is."""
    found = [_NAMED.fullmatch(text) for text in texts]
    if option == "--label" and len(texts) == 1 and found[0] is None:
        return texts[0]
    named = named or option == "--label"
    if not any(found) and not named:
        return list(texts)
    if named and not all(found):
        unnamed = next(text for text, match in zip(texts, found, strict=True) if match is None)
        example = "--label 'DIS=evType == 34'" if option == "--label" else f"{option} x=x1,x2,x3"
        raise OptionError(f"{option} {unnamed!r} has no name; give one, such as {example}")
    pairs = [(match[1], match[2]) if match else (text, text) for match, text in zip(found, texts, strict=True)]
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise OptionError(f"{option} has the name '{twice}' more than once; names must differ")
    return dict(pairs)
