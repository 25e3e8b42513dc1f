"""What all commands share: errors in one line, ``--json``, ``--debug``, aligned tables."""

from __future__ import annotations

import json
import math
import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from ..errors import LSTMError
from ..files import check_writable_folder, write_text

__all__ = [
    "CommandGroup",
    "common_options",
    "echo_table",
    "existing_model",
    "exit_code_of_signal",
    "said_of_steps",
    "write_json",
]

F = TypeVar("F", bound=Callable[..., Any])
_DEBUG = "tmva_lstm_plugin.debug"


class _UserError(click.ClickException):
    exit_code = 2

    def show(self, file: Any = None) -> None:
        click.echo(f"tmva-lstm: error: {self.message}", err=True)


class CommandGroup(click.Group):
    """A group whose commands turn the package's exceptions into one message and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order of the work and not of the alphabet."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except LSTMError as error:
            if ctx.meta.get(_DEBUG):
                traceback.print_exc()
            raise _UserError(str(error)) from error
        except KeyboardInterrupt as error:
            # the training raises it for either signal, with a text that says which
            click.echo(f"tmva-lstm: {str(error) or 'interrupted'}", err=True)
            ctx.exit(exit_code_of_signal("SIGTERM" if "SIGTERM" in str(error) else "SIGINT"))


def exit_code_of_signal(name: str) -> int:
    """Return what a shell reports for a process that a signal ended: 130 for SIGINT, 143 for SIGTERM."""
    return {"SIGINT": 130, "SIGTERM": 143}[name]


def _set_debug(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    ctx.meta[_DEBUG] = value


def _json_path(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    # found out now, and not after an hour of training
    if value is not None:
        check_writable_folder(Path(value).parent, purpose="the JSON file")
    return value


def common_options(command: F) -> F:
    """Add ``--json FILE`` (passed on as `json_file`) and ``--debug`` to a command."""
    command = click.option(
        "--json",
        "json_file",
        metavar="FILE",
        type=click.Path(dir_okay=False),
        callback=_json_path,
        help="Also write all figures to this JSON file.",
    )(command)
    return click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_set_debug,
        help="Show where in the program an error came up.",
    )(command)


def write_json(path: str | None, figures: Mapping[str, Any]) -> None:
    """Write figures to a JSON file, if one was asked for.

    Parameters
    ----------
    path : str or None
        The file; nothing is done without one.
    figures : mapping
        Numbers, texts, lists and mappings of them; a number that is not finite becomes ``null``.
    """
    if path is not None:
        text = json.dumps(_plain(figures), indent=2, allow_nan=False, ensure_ascii=False)
        write_text(path, text + "\n", purpose="the JSON file")
        click.echo(f"figures in {path}")


def _plain(value: Any) -> Any:
    """Turn numpy scalars and arrays, paths and numbers JSON has not into what JSON has."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def echo_table(
    rows: Sequence[Sequence[str]], *, header: Sequence[str] | None = None, n_left: int = 1, indent: str = "  "
) -> None:
    """Print rows with aligned columns: to the left without a header, with one all but the first `n_left` to the right.

    Parameters
    ----------
    rows : sequence of sequences of str
        The cells.
    header : sequence of str, optional
        Titles of the columns.
    n_left : int
        Columns of text, at the left, when there is a header.
    indent : str
        What stands before each row.
    """
    table = [list(row) for row in ([header] if header else []) + list(rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    for row in table:
        cells = [
            cell.rjust(width) if header and i >= n_left else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo((indent + "  ".join(cells)).rstrip())


def said_of_steps(model: Any) -> str:
    """Return the line above figures of a model with outputs for every step, and nothing for any other model."""
    if not getattr(model, "every_step", False):
        return ""
    return "each step that is not masked counts as an event of its own; uncertainties take steps of one event as independent\n"


def existing_model(path: str, files: Any = None, tree: str | None = None) -> Any:
    """Load the model file a command was given.

    Parameters
    ----------
    path : str
        The weights file; or, where `files` are given, ``folds.json`` of a cross-validation.
    files : files as for read_sequences, optional
        What will be scored.
    tree : str, optional
        Name of the tree in them.

    Returns
    -------
    LSTMClassifier, LSTMRegressor or FoldModels
    """
    if files is not None and (path.endswith(".json") or os.path.isdir(path)):
        from ..cross_validation import load_folds

        return load_folds(path).for_files(files, tree=tree)
    from ..classifier import load_model

    return load_model(path)
