"""Reading a jagged ROOT file: `read_sequences` against `uproot.arrays`, each in a fresh process, from a warm file cache."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

FEATURES = ("x", *(f"noise{n}" for n in range(7)))

# The clock starts after the imports and ends when all features and the label are arrays in memory.
SCRIPT = """
import json, sys, time
who, path, *names = sys.argv[1:]
if who == "ours":
    from tmva_lstm_plugin import read_sequences
    begin = time.perf_counter()
    events = read_sequences(path, tree="events", features=names, label="label")
    end = time.perf_counter()
    n, steps = len(events), int(events.offsets[-1])
else:
    import uproot, awkward as ak
    options = {}
    begin = time.perf_counter()
    if who == "uproot, two threads":
        options = {key: uproot.ThreadPoolExecutor(2) for key in ("decompression_executor", "interpretation_executor")}
    with uproot.open(path) as file:
        arrays = file["events"].arrays([*names, "label"], **options)
    end = time.perf_counter()
    n, steps = len(arrays), int(ak.sum(ak.num(arrays[names[0]])))
high = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")] if sys.platform == "linux" else [0]
print(json.dumps({"seconds": end - begin, "events": n, "steps": steps, "peak_kibibytes": int(high[0])}))
"""


def make_file(path: Path, n_events: int) -> None:
    """Write the events, unless they are there: 1 to 20 steps, 8 float features, ROOT's usual compression (zlib 1)."""
    if not path.exists():
        from tmva_lstm_plugin.testing import write_toy_root

        write_toy_root(
            path, "gaussian_sum", n_events, seed=1, chunk=5 * 4096, n_noise=len(FEATURES) - 1, lengths=(1, 20)
        )


def measure(path: Path, n_events: int, rounds: int, *, say: Callable[[str], None]) -> dict[str, object]:
    """Time the three ways of reading, in turn."""
    make_file(path, n_events)
    ways = ("ours", "uproot", "uproot, two threads")
    found: dict[str, list[dict]] = {way: [] for way in ways}
    with open(path, "rb") as file:  # into the file cache
        while file.read(1 << 24):
            pass
    for number in range(rounds):
        for way in ways if number % 2 == 0 else reversed(ways):
            command = [sys.executable, "-c", SCRIPT, way, str(path), *FEATURES]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"reading ({way}) failed:\n{done.stderr.strip()[-1500:]}")
            found[way].append(json.loads(done.stdout))
    sizes = {(each["events"], each["steps"]) for runs in found.values() for each in runs}
    if len(sizes) != 1:
        raise RuntimeError(f"the ways of reading do not read the same: (events, steps) are {sorted(sizes)}")
    medians = {way: statistics.median(each["seconds"] for each in runs) for way, runs in found.items()}
    for way, runs in found.items():
        low, high = (f(each["seconds"] for each in runs) for f in (min, max))
        peak = statistics.median(each["peak_kibibytes"] for each in runs) / 1024
        say(f"{way:20} {medians[way]:7.3f} s ({low:.3f} to {high:.3f}), peak {peak:.0f} MiB")
    return {
        "section": "reading",
        "events": n_events,
        "steps": sizes.pop()[1],
        "file_bytes": path.stat().st_size,
        "runs": found,
        "against_default": medians["ours"] / medians["uproot"],
        "against_two_threads": medians["ours"] / medians["uproot, two threads"],
    }
