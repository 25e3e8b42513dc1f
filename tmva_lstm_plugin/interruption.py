"""Ctrl-C and SIGTERM as a request to stop in good order."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

__all__ = ["StopRequest"]


class StopRequest:
    """While active, the first SIGINT or SIGTERM is only noted, for long work to end at its next good point.

    The second one acts as it always did, so that a user is never locked in.  Outside the main thread, where Python takes no
    signals, nothing changes.

    Attributes
    ----------
    signal_name : str or None
        ``"SIGINT"`` or ``"SIGTERM"`` once one has come.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.signal_name: str | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in self._SIGNALS:
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _restore(self) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous)
        self._previous = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal_name = signal.Signals(number).name
        self._restore()

    def raise_if_requested(self) -> None:
        """Raise KeyboardInterrupt if a signal has come: for work with nothing worth keeping yet."""
        if self.signal_name is not None:
            raise KeyboardInterrupt(f"stopped by {self.signal_name} before the first epoch; nothing was learnt yet")
