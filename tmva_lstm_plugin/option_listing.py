"""All options as a table: for ``tmva-lstm options`` and for ``docs/options.md``, made from the tables the code works with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .errors import OptionError, near_miss
from .model_options import MODEL_OPTIONS
from .option_table import Option
from .tmva_options import TMVA_DEFAULTS, TMVA_ONLY

__all__ = ["HEADER", "OptionRow", "markdown", "option_rows"]

HEADER = ("name", "values", "default", "in TMVA", "meaning")

_PLACES = {
    "booking": "option of BookMethod",
    "strategy": "key of TrainingStrategy",
    "every method": "option of BookMethod, as of every method",
}

_INTRODUCTION = """\
# Options

This page is made from the code's own tables by `make docs`; `tmva-lstm options` prints the same, `tmva-lstm options WORD` what
has to do with a word.

## Options of a model

The names are keywords of `LSTMClassifier` in Python, keys of the section `[model]` in TOML and, with dashes
(`--batch-size`), options of `tmva-lstm train`. What they are called in TMVA is given with TMVA's default where that is
another one. What belongs to one optimiser or schedule is refused beside another.
"""

_ABOUT_TMVA = """
## What only TMVA's option strings have

Everything else of a booking is said by the options above, under the name they have in TMVA. Keys of `TrainingStrategy` have
commas between them, options of `BookMethod` colons.
"""


@dataclass(frozen=True)
class OptionRow:
    """One line of the table.

    Attributes
    ----------
    name : str
        Name in Python, TOML and on the command line; of what only TMVA has, TMVA's key.
    values, default : str
        In words.
    tmva : str
        Name in TMVA, and TMVA's default where it is another one; or the place of a key that only TMVA has.
    meaning : str
        What it does.
    only_tmva : bool
        Whether it is not an option of a model.
    """

    name: str
    values: str
    default: str
    tmva: str
    meaning: str
    only_tmva: bool = False

    def cells(self) -> tuple[str, ...]:
        """Return the cells in the order of :data:`HEADER`."""
        return self.name, self.values, self.default, self.tmva, self.meaning


def option_rows(word: str | None = None) -> list[OptionRow]:
    """Return all options, or those that have to do with a word.

    Parameters
    ----------
    word : str, optional
        Letters to look for in name, values, TMVA's name and meaning, in upper or lower case.

    Returns
    -------
    list of OptionRow
        Options of a model first, then what only TMVA has.

    Raises
    ------
    OptionError
        No option has to do with the word.
    """
    rows = [_model_row(option) for option in MODEL_OPTIONS.values()]
    rows += [
        OptionRow(o.name, o.values, o.default, _PLACES[o.place], o.meaning, only_tmva=True) for o in TMVA_ONLY.values()
    ]
    if word is None:
        return rows
    plain = word.strip().lower().lstrip("-").replace("-", "_")
    found = [
        row
        for row in rows
        if any(plain in text.lower().replace("-", "_") for text in (row.name, row.values, row.tmva, row.meaning))
    ]
    if not found:
        names = [row.name for row in rows]
        raise OptionError(f"no option has to do with {word!r}; {near_miss(plain, names)}")
    return found


def _model_row(option: Option) -> OptionRow:
    meaning = option.meaning
    if option.optimizers or option.schedules:
        meaning += f" For {', '.join(option.optimizers or option.schedules)}."
    if isinstance(option.kind, tuple):
        values = ", ".join(option.kind)
    else:
        values = "true or false" if option.kind is bool else option.expected
    return OptionRow(option.name, values, _default(option), _in_tmva(option), meaning)


def _default(option: Option) -> str:
    if option.default is None:
        return option.default_text or "none"
    if isinstance(option.default, bool):
        return str(option.default).lower()
    return f"{option.default:g}" if isinstance(option.default, float) else str(option.default)


def _in_tmva(option: Option) -> str:
    def with_default(match: re.Match[str]) -> str:
        key = match[0]
        return f"{key} (default {TMVA_DEFAULTS[key]})" if key in TMVA_DEFAULTS else key

    return re.sub(r"\w+", with_default, option.tmva) or "-"


def markdown() -> str:
    """Return the page ``docs/options.md``.

    Returns
    -------
    str
        It ends in a line break.
    """
    rows = option_rows()
    model = _table(HEADER, [row.cells() for row in rows if not row.only_tmva])
    header = ("key", "values", "default", "what it is", "meaning")
    tmva = _table(header, [row.cells() for row in rows if row.only_tmva])
    return "\n".join([_INTRODUCTION, *model, _ABOUT_TMVA, *tmva]) + "\n"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("*", "\\*") for cell in cells) + " |"

    lines = [line(header), "| " + " | ".join("---" for _ in header) + " |"]
    return lines + [line([f"`{row[0]}`", *row[1:]]) for row in rows]
