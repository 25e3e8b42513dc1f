"""``tmva-lstm inspect`` and ``tmva-lstm check``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click
import numpy as np

from .common import common_options, echo_table, existing_model, write_json

__all__ = ["check", "inspect"]

TOLERANCE = 1e-6
"""Largest difference of a score between two instruction sets, whose sums are taken in another order."""


@click.command(short_help="Show what is in a model file.")
@click.argument("model_file", metavar="MODEL.xml")
@click.option("--history", "all_epochs", is_flag=True, help="Show every epoch of the training.")
@common_options
def inspect(model_file: str, all_epochs: bool, json_file: str | None) -> None:
    """Show what is in a model file: classes, features, how to read events, sizes, training, origin.

    \b
    Example:
      tmva-lstm inspect lstm.weights.xml
    """
    from ..model_file import read_model_file

    model = existing_model(model_file)
    document, title = read_model_file(model_file)
    figures = _describe(model, document, title)
    click.echo(f"{model_file}: {title}, {figures['task']}{'' if model.regression else ' classifier'}")
    two = figures["task"] == "binary"
    names = "{} (background), {} (signal)".format(*model.output_names) if two else ", ".join(model.output_names)
    lengths = f"up to {figures['longest_length']} steps in the training"
    if figures["max_length"]:
        lengths += f", cut at {figures['max_length']}"
    widths = ", ".join(map(str, [*figures["lower"], figures["hidden"]]))
    directions = " in both directions" if figures["bidirectional"] else ""
    size = f"{widths} hidden units{directions}, {figures['n_parameters']} parameters"
    size += ", outputs for every step" if figures["every_step"] else ""
    rows = [("targets" if model.regression else "classes", names), ("network", size), ("sequences", lengths)]
    echo_table(rows)
    for what in ("feature", "event feature", "target"):
        features = figures[what.replace(" ", "_") + "s"]
        if features:
            click.echo()
            cells = [[f["name"], f["expression"] or "-", *(f"{f[k]:.4g}" for k in _NUMBERS)] for f in features]
            echo_table(cells, header=(what, "expression", *_NUMBERS), n_left=2)
    _echo_mapping("read from", _given(figures["recipe"] or {}))
    _echo_mapping("options of the training", figures["options"])
    _echo_mapping("training", figures["summary"])
    _echo_history(figures["history"], all_epochs)
    _echo_mapping("origin", figures["provenance"])
    write_json(json_file, figures | {"model": model_file})


_NUMBERS = ("mean", "scale", "minimum", "maximum")


def _describe(model: Any, document: Any, title: str) -> dict[str, Any]:
    def described(features: Sequence[Any]) -> list[dict[str, Any]]:
        return [{key: getattr(f, key) for key in ("name", "expression", *_NUMBERS)} for f in features]

    return {
        "title": title,
        "task": document.task,
        "class_names": [] if model.regression else list(model.output_names),
        "targets": described(document.targets),
        "loss": document.loss,
        "hidden": document.hidden,
        "lower": list(document.lower),
        "bidirectional": document.bidirectional,
        "every_step": document.every_step,
        "n_parameters": len(document.parameters),
        "max_length": document.max_length,
        "longest_length": document.longest_length,
        "features": described(document.features),
        "event_features": described(document.event_features),
        "recipe": None if model.recipe is None else model.recipe.to_dict(),
        "options": dict(document.options[1]),
        "summary": model.summary,
        "history": dict(model.history.columns),
        "provenance": dict(document.provenance[1]),
        "n_probes": len(document.probes),
    }


def _given(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is shown above already, and what was not asked for."""
    shown = {"features", "event_features", "classes", "targets", "step_targets"} | (
        {"descending"} if recipe.get("order_by") is None else set()
    )
    return {key: value for key, value in recipe.items() if key not in shown and value not in (None, [])}


def _echo_mapping(heading: str, values: Mapping[str, Any]) -> None:
    if values:
        click.echo(f"\n{heading}")
        echo_table([(key, _text(value)) for key, value in values.items()])


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(v)}" for key, v in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(v) for v in value)
    # options are kept as Python spells them
    return {"None": "-", "True": "yes", "False": "no"}.get(str(value), str(value))


def _echo_history(columns: Mapping[str, Sequence[Any]], all_epochs: bool) -> None:
    rows = [[_text(v) for v in row] for row in zip(*columns.values(), strict=True)]
    if not rows:
        return
    click.echo("\nhistory" if all_epochs or len(rows) <= 6 else f"\nhistory ({len(rows)} epochs; all with --history)")
    # the beginning and the end tell whether a training has converged
    shown = rows if all_epochs or len(rows) <= 6 else [*rows[:3], ["..."] * len(columns), *rows[-2:]]
    echo_table(shown, header=tuple(name.replace("_", " ") for name in columns))


@click.command(short_help="Recompute the scores stored in a model file; exit code 1 if they differ.")
@click.argument("model_file", metavar="MODEL.xml")
@common_options
def check(model_file: str, json_file: str | None) -> None:
    """Score the events stored in a model file and compare with the scores it had when it was written.

    On the instruction set the model was written with, the scores must agree to the last bit; on another one within
    1e-6.  The exit code is 1 when they do not.

    \b
    Example:
      tmva-lstm check lstm.weights.xml
    """
    from ..errors import ModelFileError
    from ..model_file import read_model_file
    from ..sequences import Sequences

    model = existing_model(model_file)
    document, _ = read_model_file(model_file)
    probes = document.probes
    if len(probes) == 0:
        raise ModelFileError(f"{model_file}: no events are stored in it, so it cannot be checked")
    events = Sequences.from_arrays(
        np.asarray(probes.values).reshape(-1, len(model.feature_names)),
        probes.offsets,
        feature_names=model.feature_names,
        event_values=probes.event_values if model.event_feature_names else None,
        event_feature_names=model.event_feature_names or None,
        source=f"{model_file}, stored events",
    )
    found = np.asarray(model.outputs(events), dtype=np.float64)
    # a score is of order one; estimates of a regression are taken in units of the target's deviation
    scales = np.array([target.scale for target in document.targets]) if model.regression else 1.0
    difference = float(np.max(np.abs(found - probes.scores) / scales))
    written_on = dict(document.provenance[1]).get("instruction_set")
    same = written_on == _instruction_set()
    tolerance = 0.0 if same else TOLERANCE
    passed = difference <= tolerance
    click.echo(f"{len(probes)} stored events, largest difference of a score: {difference:.3g}")
    if same:
        click.echo(f"written and checked on the instruction set {written_on}: every bit must agree")
    else:
        here = _instruction_set()
        click.echo(
            f"written on {written_on or 'an unknown instruction set'}, checked on {here}: allowed is {TOLERANCE:g}"
        )
    click.echo("passed" if passed else "FAILED: this build does not reproduce the model")
    write_json(
        json_file,
        {
            "model": model_file,
            "n_events": len(probes),
            "max_difference": difference,
            "tolerance": tolerance,
            "same_instruction_set": same,
            "passed": passed,
        },
    )
    if not passed:
        click.get_current_context().exit(1)


def _instruction_set() -> str:
    from .. import _engine

    return str(_engine.instruction_set())
