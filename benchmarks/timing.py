"""Alternating measurement: everybody runs in every round, so that a change of the machine's mood meets all alike."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

LONG = 0.05
"""Seconds of a step that is so long that waking threads before it is not worth the time."""


@dataclass
class Contestant:
    """Something to be timed.

    Attributes
    ----------
    name : str
        For tables.
    threads : int
        How many it uses.
    work : sequence of callable
        One pass; each is one step (or call).  Passes are always run whole.
    before : callable, optional
        Called before it is timed, such as to set a number of threads.
    """

    name: str
    threads: int
    work: Sequence[Callable[[], object]]
    before: Callable[[], object] | None = None
    passes: int = 0
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)

    def run(self, passes: int, limit: float = math.inf) -> float:
        """Run so many passes, or until the limit; return seconds a step."""
        steps = 0
        cpu = time.thread_time()
        begin = now = time.perf_counter()
        for _ in range(passes):
            for step in self.work:
                step()
                steps += 1
                now = time.perf_counter()
                if now - begin > limit:
                    break
            else:
                continue
            break
        self._cpu = (time.thread_time() - cpu) / steps
        return (now - begin) / steps

    def measure(self, limit: float = math.inf) -> None:
        """Take one turn."""
        self.seconds.append(self.run(self.passes, limit))
        self.cpu_seconds.append(self._cpu)

    @property
    def median(self) -> float:
        """Seconds a step."""
        return statistics.median(self.seconds)

    @property
    def cpu_median(self) -> float:
        """Processor seconds a step of the calling thread, which another process on the same core does not lengthen."""
        return statistics.median(self.cpu_seconds)

    def record(self) -> dict[str, object]:
        """Return what goes into the JSON file."""
        return {
            "who": self.name,
            "threads": self.threads,
            "seconds": self.median,
            "low": min(self.seconds),
            "high": max(self.seconds),
            "rounds": self.seconds,
            "caller_cpu_seconds": self.cpu_median,
            "steps_a_round": self.passes * len(self.work),
        }


def alternate(
    contestants: Sequence[Contestant],
    *,
    rounds: int,
    least: float,
    limit: float = math.inf,
    rest: float = 0.01,
    long_rounds: int | None = None,
) -> None:
    """Time all contestants in turn, in the opposite order every other round.

    Parameters
    ----------
    contestants : sequence of Contestant
        Their `seconds` are filled in.
    rounds : int
        How often everybody has a turn.
    least, limit : float
        Seconds a turn takes at least (whole passes), and at most (cut between two steps).
    rest : float
        Seconds between two turns, in which threads of the one before come to rest.
    long_rounds : int, optional
        In place of `rounds` where anybody's step takes longer than `LONG`.
    """
    long = set()
    for each in contestants:
        if each.before:
            each.before()
        once = each.run(1, limit)  # with what is made at the first call
        if once > LONG:
            long.add(id(each))
        else:
            once = each.run(1, limit)
        each.passes = max(1, math.ceil(least / (once * len(each.work))))
    if long and long_rounds:
        rounds = long_rounds
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds):
            for each in contestants if number % 2 == 0 else reversed(contestants):
                if each.before:
                    each.before()
                time.sleep(rest)
                if id(each) not in long:
                    each.work[0]()  # wakes its threads and fills the caches
                each.measure(limit)
    finally:
        if was_enabled:
            gc.enable()


def best(contestants: Sequence[Contestant]) -> Contestant:
    """Return the one with the lowest median."""
    return min(contestants, key=lambda each: each.median)


def geometric_mean(values: Sequence[float]) -> float:
    """Return the geometric mean."""
    return math.exp(sum(map(math.log, values)) / len(values))
