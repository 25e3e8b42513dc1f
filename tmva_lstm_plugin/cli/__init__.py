"""The command line, ``tmva-lstm``: a module for some commands that belong together, and this one that lists them."""

from __future__ import annotations

import click

from .. import __version__
from .common import CommandGroup
from .cross_validate import cross_validate_command
from .demo import demo
from .explain import explain
from .models import check, inspect
from .options_table import list_options
from .plugin import build_plugin, config
from .scores import apply, evaluate
from .search import search_command
from .train import train

__all__ = ["main"]


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "--version", prog_name="tmva-lstm")
def main() -> None:
    """LSTM networks for event sequences in ROOT files.

    Train one on jagged branches, keep it in one TMVA weights file, and score other files with it.

    \b
    Start here:
      tmva-lstm demo                                  a complete training on a real sample
      tmva-lstm train train.toml                      train as a TOML file says
      tmva-lstm apply lstm.weights.xml data.root      write scores as a friend tree
    """


for _command in (
    train,
    cross_validate_command,
    search_command,
    evaluate,
    apply,
    explain,
    inspect,
    check,
    list_options,
    demo,
    build_plugin,
    config,
):
    main.add_command(_command)
