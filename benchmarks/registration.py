"""How long registering the method and filling a DataLoader take; needs ROOT.

Usage: python benchmarks/registration.py [--json FILE]

Prints, in seconds: a second `register()` in the same process, `register()` in a new process that finds the library in the
cache (with and without the time of ``import ROOT``), and 1e5 events of 20 steps x 8 features into a DataLoader.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
import warnings

FRESH = """
import time, warnings
warnings.simplefilter("ignore")
begin = time.perf_counter()
import ROOT
ROOT.gROOT
imported = time.perf_counter()
import tmva_lstm_plugin
made = tmva_lstm_plugin.register(quiet=True)
assert not made.built
print(time.perf_counter() - imported, imported - begin)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", help="also write the figures to this file")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()

    import numpy as np

    warnings.simplefilter("ignore")
    import ROOT

    import tmva_lstm_plugin
    from tmva_lstm_plugin import Sequences, tmva

    made = tmva_lstm_plugin.register()
    begin = time.perf_counter()
    tmva_lstm_plugin.register()
    again = time.perf_counter() - begin

    fresh, imports = [], []
    for _ in range(arguments.rounds):
        run = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, check=True)
        seconds, imported = map(float, run.stdout.split()[-2:])
        fresh.append(seconds)
        imports.append(imported)

    rng = np.random.default_rng(1)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(1, 21, 100_000))])
    events = Sequences.from_arrays(rng.normal(size=(offsets[-1], 8)), offsets, labels=rng.integers(0, 2, 100_000))
    loader = ROOT.TMVA.DataLoader("benchmark")
    begin = time.perf_counter()
    tmva.fill_dataloader(loader, events, steps=20)
    tmva.prepare(loader, SplitMode="Random", NormMode="None")
    filled = time.perf_counter() - begin

    figures = {
        "registered": str(made),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "second_call_s": again,
        "new_process_s": {"median": statistics.median(fresh), "all": fresh},
        "import_root_s": {"median": statistics.median(imports), "all": imports},
        "fill_100000_x_20_x_8_s": filled,
    }
    print(f"\n{made}")
    print(f"second call                 {again:.6f} s")
    print(f"new process, cached library {statistics.median(fresh):.3f} s ({min(fresh):.3f} to {max(fresh):.3f})")
    print(f"import ROOT, for comparison {statistics.median(imports):.3f} s ({min(imports):.3f} to {max(imports):.3f})")
    print(f"fill 1e5 x 20 x 8           {filled:.2f} s")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=2)


if __name__ == "__main__":
    main()
