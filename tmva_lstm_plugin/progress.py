"""Progress of a training: a live bar on a terminal, one line an epoch in a batch log."""

from __future__ import annotations

import math
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from .classifier import EpochRecord

__all__ = ["EntryProgress", "LineProgress", "TerminalProgress", "make_progress"]


def _numbers(record: EpochRecord) -> str:
    parts = [f"loss {record.loss:.4f}"]
    if record.validation_loss is not None and not math.isnan(record.validation_loss):
        parts.append(f"validation {record.validation_loss:.4f}")
    if record.monitor != "loss":
        parts.append(f"{record.monitor} {record.monitored:.4f}")
    parts.append(f"rate {record.learning_rate:.3g}")
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
    return TerminalProgress(target, title=title) if _can_redraw(target) else LineProgress(target)


def _can_redraw(stream: TextIO) -> bool:
    # a "dumb" terminal (an editor's shell, some batch systems) cannot move the cursor back to redraw the bar
    return stream.isatty() and not Console(file=stream).is_dumb_terminal


class EntryProgress:
    """Show how many entries of a file are done: a bar that goes away on a terminal, else a line now and then.

    Parameters
    ----------
    title : str
        What is being done, such as ``"scoring"``.
    stream : text file, optional
        Where it goes; standard output by default.
    interval : float
        Seconds between two lines, where there is no terminal.
    """

    def __init__(self, title: str, stream: TextIO | None = None, *, interval: float = 30.0) -> None:
        self._title = title
        self._stream = sys.stdout if stream is None else stream
        self._interval = interval
        self._due = time.monotonic() + interval
        self._bar: Progress | None = None
        if _can_redraw(self._stream):
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=20),
                MofNCompleteColumn(),
                TextColumn("entries"),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=Console(file=self._stream), transient=True)
            self._task = self._bar.add_task(title, total=None)

    def __enter__(self) -> EntryProgress:
        """Show the bar, if there is one."""
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        """Say how far it is.

        Parameters
        ----------
        done, total : int
            Entries.
        """
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total)
        elif time.monotonic() >= self._due:
            self._due = time.monotonic() + self._interval
            print(f"{self._title}: {done} of {total} entries", file=self._stream, flush=True)
