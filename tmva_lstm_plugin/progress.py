"""Progress of a training: a live bar on a terminal, one line an epoch in a batch log."""

from __future__ import annotations

import math
import sys
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from .classifier import EpochRecord

__all__ = ["LineProgress", "TerminalProgress", "make_progress"]


def _numbers(record: EpochRecord) -> str:
    parts = [f"loss {record.loss:.4f}"]
    if record.validation_loss is not None and not math.isnan(record.validation_loss):
        parts.append(f"validation {record.validation_loss:.4f}")
    parts.append(f"{record.events_per_second:.0f} events/s")
    return "  ".join(parts)


class LineProgress:
    """Print one line an epoch.

    Parameters
    ----------
    stream : text file, optional
        Where to print; standard output by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = sys.stdout if stream is None else stream

    def __enter__(self) -> LineProgress:
        """Return itself: there is nothing to set up."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave everything as it is."""

    def __call__(self, record: EpochRecord) -> None:
        """Print the line of one epoch.

        Parameters
        ----------
        record : EpochRecord
            What the training says of the epoch.
        """
        width = len(str(record.epochs))
        line = f"epoch {record.epoch:>{width}}/{record.epochs}  {_numbers(record)}{'  best' if record.best else ''}"
        # a batch log is read while the job runs, so no line waits in a buffer
        print(line, file=self.stream, flush=True)


class TerminalProgress:
    """Show a bar that grows with the epochs, with the figures of the last one.

    The elapsed time goes on counting within an epoch, so that a long one does not look stuck.

    Parameters
    ----------
    stream : text file, optional
        The terminal; standard output by default.
    title : str
        What stands before the bar.
    """

    def __init__(self, stream: TextIO | None = None, *, title: str = "training") -> None:
        console = Console(file=sys.stdout if stream is None else stream)
        self._progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task = self._progress.add_task(title, total=None, numbers="")

    def __enter__(self) -> TerminalProgress:
        """Show the bar."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar's last state on the screen and give the cursor back."""
        self._progress.stop()

    def __call__(self, record: EpochRecord) -> None:
        """Show one epoch more.

        Parameters
        ----------
        record : EpochRecord
            What the training says of the epoch.
        """
        self._progress.update(self._task, total=record.epochs, completed=record.epoch, numbers=_numbers(record))


def make_progress(stream: TextIO | None = None, *, title: str = "training") -> LineProgress | TerminalProgress:
    """Choose how to show progress: a bar on a terminal, lines everywhere else.

    Parameters
    ----------
    stream : text file, optional
        Where it goes; standard output by default.
    title : str
        What stands before the bar.

    Returns
    -------
    LineProgress or TerminalProgress
        A context manager, to be called with an ``EpochRecord`` after each epoch.
    """
    target = sys.stdout if stream is None else stream
    console = Console(file=target)
    # a "dumb" terminal (an editor's shell, some batch systems) cannot move the cursor back to redraw the bar
    if console.is_terminal and not console.is_dumb_terminal and target.isatty():
        return TerminalProgress(target, title=title)
    return LineProgress(target)
