"""Memory that training takes beyond the events: the highest resident size while it runs, less that before it began."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

# Each figure comes from a process of its own.  Linux only: the mark of the highest resident size can be reset there.
SCRIPT = """
import json, re, sys
from benchmarks.cases import CASES, Case, draw_events, random_batches
from dataclasses import replace
who, B, n_events, threads = sys.argv[1], *map(int, sys.argv[2:5])
case = replace(CASES["I"], B=B)
events = draw_events(case, "full", n_events)
batches = random_batches(n_events, B, 2)
if who == "ours":
    from benchmarks import ours
else:
    import torch
    from benchmarks import ours, peers_torch
    torch.set_num_threads(threads)

def kibibytes(key):
    return int(re.search(key + r":\\s*(\\d+) kB", open("/proc/self/status").read()).group(1))

network = None
if who != "ours":
    network = peers_torch.Network(case)
    # two steps of a tiny case load the libraries' code and pools, which are no part of what grows
    small = draw_events(case, "full", 4)
    for step in peers_torch.training_steps(peers_torch.Network(case), case, small, random_batches(4, 2, 2)):
        step()
    steps = peers_torch.training_steps(network, case, events, batches)
open("/proc/self/clear_refs", "w").write("5")
before = kibibytes("VmRSS")
if who == "ours":
    steps = ours.training_steps(ours.make_trainer(case, threads), events, batches)
for step in steps * 2:
    step()
print(json.dumps({"kibibytes": kibibytes("VmHWM") - before, "events_bytes": events.values.nbytes,
                  "parameters_bytes": 4 * case.n_parameters}))
"""


def measure(who: str, B: int, n_events: int, threads: int, *, say: Callable[[str], None]) -> dict[str, object]:
    """Run one process; return what it took at most beyond its events and one copy of the parameters.

    Raises
    ------
    RuntimeError
        The process failed, or this system does not let the mark be reset.
    """
    command = [sys.executable, "-c", SCRIPT, who, str(B), str(n_events), str(threads)]
    folder = Path(__file__).resolve().parent.parent
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        raise RuntimeError(f"the process for memory failed:\n{done.stderr.strip()[-1500:]}")
    found = json.loads(done.stdout)
    mebibytes = (1024 * found["kibibytes"] - found["parameters_bytes"]) / 2**20
    name = f"B {B}, N {n_events}"
    say(
        f"case I, {who}, {name}, {threads} threads: {mebibytes:.1f} MiB beyond {found['events_bytes'] / 2**20:.0f} MiB of events"
    )
    return {"section": "memory", "who": who, "name": name, "threads": threads, "mebibytes": mebibytes, **found}
