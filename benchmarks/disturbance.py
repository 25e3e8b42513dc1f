"""Another process that keeps one core busy, and can be stopped and sent on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

SPIN = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    for _ in range(10**6): pass"


class BusyCore:
    """Keeps the last of the processors that this process may use busy, while it is not paused; begins paused."""

    def __init__(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", SPIN])
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(self._process.pid, {max(os.sched_getaffinity(0))})
        time.sleep(0.2)  # until it spins
        self.pause()

    def pause(self) -> None:
        """Leave the core alone."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Keep the core busy."""
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> BusyCore:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
