"""Another process that keeps one core busy."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SPIN = "import os\nwhile True:\n    for _ in range(10**6): pass\n    if os.getppid() == 1: break"


@contextmanager
def busy_core() -> Iterator[None]:
    """Keep the last of the processors that this process may use busy, as long as the block lasts."""
    last = max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    process = subprocess.Popen([sys.executable, "-c", SPIN])
    try:
        if last is not None:
            os.sched_setaffinity(process.pid, {last})
        yield
    finally:
        process.kill()
        process.wait()
