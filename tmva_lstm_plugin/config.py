"""The configuration of a training: a TOML file, options of the command line, or both.

:func:`load_config` reports every error of a file in one exception, a line each, so that a file is put right in one go.
Options of the command line override the file's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, create_model
from pydantic_core import PydanticCustomError

from .architecture import ARCHITECTURE
from .config_keys import Expression, MemoryLimit, Section, Strings, Widths, distinct, key, zero_is_none
from .config_studies import CrossValidationConfig, SearchConfig
from .errors import OptionError, near_miss
from .event_options import task_contradictions
from .model_options import MODEL_OPTIONS, contradictions
from .option_table import Option, expected_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["InputConfig", "ModelConfig", "OutputConfig", "SplitConfig", "TrainConfig", "load_config", "make_config"]


def _dense(value: Any) -> Any:
    if not ARCHITECTURE["dense"].accepts(value):
        raise PydanticCustomError("out_of_range", "out of range")
    return tuple(value)


class InputConfig(Section):
    """Section ``[input]``: which events are read and what is made of them."""

    files: Strings | dict[str, Strings] = key(
        ...,
        "ROOT files to train on.",
        "a file name, a list of them, or a table with class name = file names",
        min_length=1,
    )
    tree: str | dict[str, str] | None = key(
        None, "Name of the tree; needed if the file has several.", "a name, or a table with class name = tree"
    )
    steps: dict[str, Strings] | None = key(
        None, "Branches that hold one step each, first step first.", "a table with name = list of branches"
    )
    features: list[Expression] | dict[str, Expression] = key(
        ...,
        "A feature of each element (particle, hit) of an event: a branch or an expression.",
        "a list of expressions, or a table with name = expression",
        min_length=1,
    )
    event_features: list[Expression] | dict[str, Expression] = key(
        [],
        "A feature of the event as a whole: a branch or an expression.",
        "a list of expressions, or a table with name = expression",
    )
    event_selection: Expression | None = key(None, "Only events for which this is true.", "an expression")
    element_selection: Expression | None = key(None, "Only elements for which this is true.", "an expression")
    order_by: Expression | None = key(None, "Order the elements of each event by this.", "an expression")
    descending: bool = key(True, "Order from the largest to the smallest value.", "true or false")
    max_length: int | None = key(
        None, "Keep at most so many elements, the first ones in order.", "a whole number, at least 1", ge=1
    )
    label: Expression | dict[str, Expression] | None = key(
        None,
        "What tells the classes apart: true for signal, or a class number.",
        "an expression, or a table with class name = expression",
    )
    classes: Annotated[list[str], Field(min_length=2), AfterValidator(distinct)] | None = key(
        None, "Names of the classes; for two, background and signal.", "a list of at least two names"
    )
    targets: list[Expression] | dict[str, Expression] = key(
        [],
        "A number of each event that is to be estimated, in place of classes: a branch or an expression.",
        "a list of expressions, or a table with name = expression",
    )
    step_label: Expression | None = key(
        None,
        "With every_step: the class of each element, true for signal, or a class number; -1 where it has none.",
        "an expression with one value an element",
    )
    step_targets: list[Expression] | dict[str, Expression] = key(
        [],
        "With every_step: a number of each element that is to be estimated; NaN where it has none.",
        "a list of expressions, or a table with name = expression",
    )
    weight: Expression | None = key(None, "Event weight; it may be negative.", "an expression")
    on_invalid: Literal["error", "drop"] = key(
        "error", "What to do about an event with a value that is not finite.", "'error' or 'drop'"
    )
    stream: bool = key(False, "Read in pieces while training, for files larger than the memory.", "true or false")
    memory_limit: MemoryLimit | None = key(
        None, "Memory for the events that are held at one time.", "a size such as '512 MB', or bytes"
    )

    def reading_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments for :func:`read_sequences` and :func:`stream_sequences`, without the files."""
        left_out = {"files", "stream"} | {name for name in ("steps", "memory_limit") if getattr(self, name) is None}
        left_out |= {name for name in ("targets", "step_label", "step_targets") if not getattr(self, name)}
        return self.model_dump(exclude=left_out)

    @property
    def regression(self) -> bool:
        """Whether targets are learnt, of events or of elements."""
        return bool(self.targets or self.step_targets)


class _ModelKeys(Section):
    hidden: Widths = key(
        32,
        "Number of hidden units; a list for layers on top of each other.",
        "a whole number from 1 to 65535, or a list of such",
    )
    dense: Annotated[tuple[str, ...], BeforeValidator(_dense)] = key(
        ARCHITECTURE["dense"].default, ARCHITECTURE["dense"].meaning, ARCHITECTURE["dense"].expected
    )
    memory_limit: MemoryLimit = key("1 GB", "Memory for the training itself.", "a size such as '1 GB', or bytes")
    clip_norm: Annotated[float | None, BeforeValidator(zero_is_none)] = key(
        1.0, "Largest norm of a gradient, longer ones are shortened; 0 for no limit.", "a number, at least 0", gt=0
    )


def _option_key(option: Option) -> tuple[Any, Any]:
    """Declare the key of an option that the model's table has."""
    kind = Literal[option.kind] if isinstance(option.kind, tuple) else option.kind
    kind = kind | None if option.optional else kind

    def checked(value: Any) -> Any:
        if not (value is None and option.optional) and not option.accepts(value):
            raise PydanticCustomError("out_of_range", "out of range")
        return value

    expected = expected_text(option).lower() if option.kind is bool else expected_text(option)
    text = option.meaning
    if option.optimizers or option.schedules:
        text += f" For {', '.join(option.optimizers or option.schedules)}."
    text += f"  [default: {option.default_text}]" if option.default_text else ""
    return Annotated[kind, BeforeValidator(checked)], key(option.default, text, expected)


if TYPE_CHECKING:

    class ModelConfig(_ModelKeys):
        """Section ``[model]``: the network and its training, the parameters of :class:`LSTMClassifier`."""

else:
    ModelConfig = create_model(
        "ModelConfig",
        __base__=_ModelKeys,
        __doc__="Section ``[model]``: the network and its training, the parameters of :class:`LSTMClassifier`.",
        __module__=__name__,
        **{name: _option_key(option) for name, option in MODEL_OPTIONS.items() if name not in _ModelKeys.model_fields},
    )


class OutputConfig(Section):
    """Section ``[output]``: what is written where."""

    folder: str = key("lstm_output", "Folder for everything that is written.", "the name of a folder", min_length=1)
    weights_file: str = key(
        "lstm.weights.xml", "Name of the weights file (TMVA, XML).", "a file name that ends in .xml", pattern=r"\.xml$"
    )
    title: str = key("LSTM", "Title of the method in the weights file.", "a name", min_length=1)
    plots: bool = key(True, "Draw ROC, loss and overtraining.", "true or false")
    history_file: str = key(
        "history.csv",
        "Name of the table of all epochs: CSV, or a ROOT file with the TTree history and histograms.",
        "a file name that ends in .csv or .root",
        pattern=r".\.(csv|root)$",
    )
    scored_file: str | None = key(
        None,
        "Name of a ROOT file with the scores of all input entries.",
        "a file name that ends in .root",
        pattern=r"\.root$",
    )


class SplitConfig(Section):
    """Section ``[split]``: which events are kept for the test, one way out of three."""

    test_fraction: float | None = key(
        None,
        "Part of the entries to test on, drawn at random; a quarter if no test is named.",
        "a number from 0 to less than 1",
        ge=0,
        lt=1,
    )
    seed: int = key(1, "Seed of the random split.", "a whole number, at least 0", ge=0)
    test_events: str | None = key(
        None, "Text file with the entry numbers to test on, one a line.", "the name of a text file"
    )
    test_files: Strings | dict[str, Strings] | None = key(
        None, "ROOT files to test on.", "a file name, a list of them, or a table with class name = file names"
    )


class TrainConfig(Section):
    """All of a training's configuration.

    Attributes
    ----------
    input : InputConfig
        Which events are read and what is made of them.
    model : ModelConfig
        The network and its training.
    output : OutputConfig
        What is written where.
    split : SplitConfig
        Which events are kept for the test.
    cross_validation : CrossValidationConfig
        How a cross-validation deals events to folds.
    search : SearchConfig
        How a search looks for options.
    """

    input: InputConfig
    model: ModelConfig = ModelConfig()
    output: OutputConfig = OutputConfig()
    split: SplitConfig = SplitConfig()
    cross_validation: CrossValidationConfig = CrossValidationConfig()
    search: SearchConfig = SearchConfig()

    @property
    def test_fraction(self) -> float:
        """Part of the entries kept for the test: a quarter, unless the split says otherwise."""
        if self.split.test_fraction is not None:
            return self.split.test_fraction
        other_way = self.split.test_events or self.split.test_files or self.input.stream
        return 0.0 if other_way else 0.25


SECTIONS: dict[str, type[Section]] = {
    "input": InputConfig,
    "model": ModelConfig,
    "output": OutputConfig,
    "split": SplitConfig,
    "cross_validation": CrossValidationConfig,
    "search": SearchConfig,
}
WAYS_TO_SPLIT = ("test_fraction", "test_events", "test_files")


def load_config(
    path: str | os.PathLike[str],
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    option_names: Mapping[tuple[str, str], str] | None = None,
) -> TrainConfig:
    """Read a TOML file and check all of it.

    Names of files in it are relative to the current folder, as on the command line.

    Parameters
    ----------
    path : path
        The TOML file, with the sections of :data:`SECTIONS`.
    overrides : mapping of section to mapping of key to value, optional
        What replaces the file's values, such as options of the command line.
    option_names : mapping of (section, key) to str, optional
        What the overrides are called in messages, such as ``--hidden``.

    Returns
    -------
    TrainConfig

    Raises
    ------
    OptionError
        The file cannot be read or is no TOML, or, all in one message: unknown keys, missing keys, values of the wrong
        type or out of range, expressions that cannot be used, keys that contradict each other.
    """
    name = os.fspath(path)
    try:
        text = Path(path).read_bytes().decode("utf-8")
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OptionError(f"{name}: this is not valid TOML: {error}; see https://toml.io for the syntax") from error
    except UnicodeDecodeError as error:
        found = f"byte {error.object[error.start]:#x}"
        raise OptionError(f"{name}: expected a TOML file in UTF-8, found {found}") from error
    except FileNotFoundError as error:
        folder = Path(path).parent
        others = [str(p) for p in folder.glob("*.toml")] if folder.is_dir() else []
        raise OptionError(f"configuration file '{name}' does not exist; {near_miss(name, others)}") from error
    except OSError as error:
        raise OptionError(f"configuration file '{name}' cannot be read: {error.strerror or error}") from error
    return make_config(document, source=name, overrides=overrides, option_names=option_names)


def make_config(
    document: Mapping[str, Any],
    *,
    source: str = "configuration",
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    option_names: Mapping[tuple[str, str], str] | None = None,
) -> TrainConfig:
    """Check a configuration given as nested mappings.

    Parameters
    ----------
    document : mapping
        Sections, each a mapping of keys to values.
    source : str
        Where it comes from, for messages.
    overrides, option_names
        As in :func:`load_config`.

    Returns
    -------
    TrainConfig

    Raises
    ------
    OptionError
        As :func:`load_config`.
    """
    overrides = {section: dict(keys) for section, keys in (overrides or {}).items() if keys}
    merged = {k: dict(v) if isinstance(v, Mapping) else v for k, v in document.items()}
    for section, keys in overrides.items():
        if section == "split" and any(way in keys for way in WAYS_TO_SPLIT):
            merged[section] = {}
        # a section that is no table is left as it is and reported below
        if isinstance(merged.setdefault(section, {}), dict):
            merged[section].update(keys)

    def where(section: str, key: str | None = None) -> str:
        if key is not None and key in overrides.get(section, {}):
            return f"command line: {(option_names or {}).get((section, key), f'{section}.{key}')}"
        return f"{source}: {section}" + ("" if key is None else f".{key}")

    problems: list[str] = []
    config = None
    try:
        config = TrainConfig.model_validate(merged)
    except ValidationError as error:
        problems += _explain(error, merged, where)
    problems += _contradictions(merged, where)
    if problems or config is None:
        count = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
        raise OptionError(f"{count} in the configuration:\n" + "\n".join(f"  {line}" for line in problems))
    return config


def _explain(error: ValidationError, merged: Mapping[str, Any], where: Any) -> Iterator[str]:
    """Say each of pydantic's findings once, in our words."""
    # a value that fits no member of a union is reported once a member: keep the most telling one
    found: dict[tuple[Any, ...], Any] = {}
    for item in error.errors():
        place = item["loc"][:2]
        if place not in found or item["type"] == "value_error" and found[place]["type"] != "value_error":
            found[place] = item
    for place, item in found.items():
        section = str(place[0])
        key = str(place[1]) if len(place) > 1 else None
        if item["type"] == "extra_forbidden":
            yield f"{where(section, key)}: {_unknown(section, key)}"
        elif key is None and section == "input" and item["type"] == "missing":
            yield f"{where(section)}: the section is missing; it needs files, features, and label or targets"
        elif key is None:
            yield f"{where(section)}: found {_shown(merged[section])}, expected a table [{section}]"
        elif item["type"] == "value_error":
            # a message may show the place in an expression below it
            text = str(item["ctx"]["error"]).removeprefix("expression: ").replace("\n", "\n      ")
            yield f"{where(section, key)}: {text}"
        else:
            extra = SECTIONS[section].model_fields[key].json_schema_extra
            expected = extra["expected"] if isinstance(extra, dict) else ""
            was = "it is missing" if item["type"] == "missing" else f"found {_shown(merged[section][key])}"
            yield f"{where(section, key)}: {was}, expected {expected}"


def _unknown(section: str, key: str | None) -> str:
    name = section if key is None else key
    what = "section or key" if key is None else "key"
    homes = [f"[{s}]" for s, model in SECTIONS.items() if name in model.model_fields]
    if homes:
        return f"{what} '{name}' is unknown here; it belongs into {' or '.join(homes)}"
    known = SECTIONS if key is None else SECTIONS[section].model_fields
    return f"{what} '{name}' is unknown; {near_miss(name, known, count=1)}"


def _shown(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else text[:76] + " ..."


def _contradictions(merged: Mapping[str, Any], where: Any) -> Iterator[str]:
    """Look for keys that do not go together, in what was given and not in the defaults."""

    def given(section: str) -> Mapping[str, Any]:
        keys = merged.get(section)
        return keys if isinstance(keys, Mapping) else {}

    reading, model, split, output = (given(name) for name in ("input", "model", "split", "output"))
    ways = [way for way in WAYS_TO_SPLIT if way in split]
    if len(ways) > 1:
        names = ", ".join(where("split", way) for way in ways)
        yield f"{names}: these exclude each other; keep one of them"
    if "seed" in split and ways and "test_fraction" not in ways:
        yield f"{where('split', 'seed')}: it belongs to test_fraction and has no meaning with {ways[0]}; drop it"
    if reading.get("stream") is True and ("test_events" in split or split.get("test_fraction")):
        way = "test_events" if "test_events" in split else "test_fraction"
        yield (
            f"{where('split', way)}: events that are streamed cannot be split one by one; "
            "give test_files, or set input.stream = false"
        )
    by_class = any(isinstance(reading.get(name), Mapping) for name in ("files", "tree"))
    regression = bool(reading.get("targets") or reading.get("step_targets"))
    yield from _truth_contradictions(reading, model, by_class, where)
    if "descending" in reading and "order_by" not in reading:
        yield f"{where('input', 'descending')}: it needs order_by; say by what the elements are ordered, or drop it"
    label, classes = reading.get("label"), reading.get("classes")
    if isinstance(label, Mapping) and isinstance(classes, list) and set(label) != set(map(str, classes)):
        yield f"{where('input', 'classes')}: the table label has other classes, {_shown(list(label))}; drop classes"
    if model.get("use_weights") is True and "weight" not in reading:
        yield f"{where('model', 'use_weights')}: there are no weights to use; set input.weight, or drop use_weights"
    for name, text in (
        *contradictions({"epochs": 15} | dict(model)),
        *task_contradictions(model, regression=regression),
    ):
        yield f"{where('model', name)}: {text}"
    judge_by = given("search").get("judge_by")
    if judge_by in (("auc", "accuracy") if regression else ("rms", "mae")):
        known = "'rms', 'mae' or 'loss' for targets" if regression else "'auc', 'accuracy' or 'loss' for classes"
        yield f"{where('search', 'judge_by')}: found {judge_by!r}, expected {known}"
    both = [name for name in _file_names(split.get("test_files")) if name in _file_names(reading.get("files"))]
    if both:
        yield f"{where('split', 'test_files')}: {_shown(both[0])} is among input.files; test on other files"
    scored_file = output.get("scored_file")
    for name in ("weights_file", "history_file"):
        if scored_file is not None and scored_file == output.get(name):
            yield f"{where('output', 'scored_file')}: it is the same as {name}; give it another name"


def _truth_contradictions(
    reading: Mapping[str, Any], model: Mapping[str, Any], by_class: bool, where: Any
) -> Iterator[str]:
    """Look at what is to be learnt: classes or targets, of events or of their steps."""
    learnt = [name for name in ("targets", "step_targets", "step_label") if reading.get(name)]
    every_step = model.get("every_step") is True
    for name in learnt[1:]:
        yield f"{where('input', name)}: a model learns one thing, and input.{learnt[0]} is given; keep one of them"
    if learnt:
        for name in ("label",) if learnt == ["step_label"] else ("label", "classes"):
            if name in reading:
                what = "classes of events" if learnt == ["step_label"] else "classes"
                yield f"{where('input', name)}: it is for {what}, and input.{learnt[0]} is given; keep one of them"
        if by_class:
            name = "files" if isinstance(reading.get("files"), Mapping) else "tree"
            yield f"{where('input', name)}: a table is for classes, and input.{learnt[0]} is given; list the files, name one tree"
    elif reading and not every_step and not by_class and "label" not in reading:
        yield (
            f"{where('input', 'label')}: it is missing; give an expression that tells the classes apart, "
            "files as a table with class name = file names, or targets to estimate"
        )
    of_steps = [name for name in learnt if name.startswith("step")]
    if of_steps and not every_step:
        yield (
            f"{where('input', of_steps[0])}: it is of steps, and the model has one answer for an event; "
            "set model.every_step = true"
        )
    if every_step and reading and not of_steps:
        yield (
            f"{where('model', 'every_step')}: it needs something to learn at each step; give input.step_label or "
            "input.step_targets, in place of label and targets"
        )


def _file_names(files: Any) -> list[str]:
    if isinstance(files, Mapping):
        return [name for some in files.values() for name in _file_names(some)]
    return [name for name in files if isinstance(name, str)] if isinstance(files, list) else [files] if files else []
