"""``tmva-lstm options``."""

from __future__ import annotations

from dataclasses import asdict

import click

from .common import common_options, write_json

__all__ = ["list_options"]


@click.command(name="options", short_help="All options of a model: name, values, default, name in TMVA, meaning.")
@click.argument("word", required=False)
@click.option("--markdown", "as_markdown", is_flag=True, help="The page docs/options.md, of all options.")
@common_options
def list_options(word: str | None, as_markdown: bool, json_file: str | None) -> None:
    """List all options of a model, or those that have to do with a word: values, default, name in TMVA, meaning.

    The names are keywords in Python, keys of [model] in TOML and, with dashes, options of train.

    \b
    Examples:
      tmva-lstm options
      tmva-lstm options clip
      tmva-lstm options --markdown > options.md
    """
    from ..errors import OptionError
    from ..option_listing import markdown, option_rows

    if as_markdown and word is not None:
        raise OptionError(f"--markdown gives the page of all options, and {word!r} asks for some; drop one of them")
    rows = option_rows(word)
    if as_markdown:
        click.echo(markdown(), nl=False)
    else:
        for title, only_tmva in (("options of a model", False), ("only in TMVA's option strings", True)):
            chosen = [row for row in rows if row.only_tmva is only_tmva]
            if chosen:
                click.echo(f"{title}\n")
            for row in chosen:
                click.echo(f"  {row.name}  [default: {row.default}]" if row.default else f"  {row.name}")
                click.echo(f"      {row.meaning}")
                click.echo(f"      values: {row.values}")
                if row.only_tmva or row.tmva != "-":
                    click.echo(f"      {row.tmva}" if row.only_tmva else f"      in TMVA: {row.tmva}")
                click.echo()
    write_json(json_file, {"options": [asdict(row) for row in rows]})
