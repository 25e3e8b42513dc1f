"""The exceptions of the package and the wording they share.

Every message says what was asked, where (file, tree, branch, entry), what was found, what was expected and what to
do next.  Catch :class:`LSTMError` to catch them all; each also derives from the built-in exception a caller would
expect, so ``except ValueError`` goes on working.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "CheckpointError",
    "EngineError",
    "InputError",
    "LSTMError",
    "MemoryLimitError",
    "MissingNameError",
    "ModelFileError",
    "OptionError",
    "OutputError",
    "near_miss",
]


class LSTMError(Exception):
    """Base of every exception the package raises on purpose."""


class InputError(LSTMError, ValueError):
    """Data that cannot be used: a file, branch, entry, label or weight is not what was expected."""


class MissingNameError(InputError):
    """A file, tree, branch or class that was asked for does not exist."""


class OptionError(LSTMError, ValueError):
    """An option or a configuration that is unknown, contradictory or out of range."""


class ModelFileError(LSTMError, ValueError):
    """A model file that is truncated, corrupt, or of another format."""


class CheckpointError(LSTMError, ValueError):
    """A checkpoint that is damaged, or of another training."""


class OutputError(LSTMError, OSError):
    """A result that cannot be written where it was asked for."""


class MemoryLimitError(LSTMError, MemoryError):
    """A sequence or a setting that would need more memory than the stated limit."""


class EngineError(LSTMError, RuntimeError):
    """The compiled core refused its arguments."""


def near_miss(name: str, known: Iterable[str], count: int = 3) -> str:
    """Return a clause that names the entries of `known` closest to `name`.

    Parameters
    ----------
    name : str
        What was asked for.
    known : iterable of str
        What exists.
    count : int
        How many suggestions to give at most.

    Returns
    -------
    str
        ``"did you mean 'a' or 'b'?"``, or the known names when none is near, or that there are none.
    """
    names = list(dict.fromkeys(known))
    if not names:
        return "there are none"
    lowered: dict[str, str] = {}
    for candidate in names:
        lowered.setdefault(candidate.lower(), candidate)
    close = difflib.get_close_matches(name, names, n=count, cutoff=0.6)
    for match in difflib.get_close_matches(name.lower(), list(lowered), n=count, cutoff=0.6):
        if lowered[match] not in close:
            close.append(lowered[match])
    if close:
        return "did you mean " + " or ".join(repr(c) for c in close[:count]) + "?"
    shown = ", ".join(repr(n) for n in names[:12])
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"there are: {shown}{more}"
