"""Training through TMVA's Factory: events a second, ours and, where ROOT has one, TMVA's own LSTM."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

# A process of its own: what is loaded into ROOT stays loaded.
SCRIPT = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
name, n_events, epochs, threads = sys.argv[1], *map(int, sys.argv[2:5])
try:
    import ROOT
except ImportError:
    print("@" + json.dumps({"root": None}))
    sys.exit()
own = hasattr(ROOT, "TMVA") and hasattr(ROOT.TMVA, "MethodDL")
import numpy as np
import tmva_lstm_plugin
from tmva_lstm_plugin import LSTMClassifier, Sequences, tmva
from benchmarks.cases import CASES, draw_events
case = CASES[name]
made = tmva_lstm_plugin.register(quiet=True)
own = own and not made.host
events = draw_events(case, "full", n_events)
sequences = Sequences.from_arrays(events.values, events.offsets, events.labels)
seconds = {}
strategy = f"LearningRate=1e-3,Optimizer=ADAM,BatchSize={case.B},TestRepetitions=1,ConvergenceSteps=1000"

def train(method, book):
    loader = ROOT.TMVA.DataLoader(f"benchmark_{method}")
    layout = tmva.fill_dataloader(loader, sequences, steps=case.T)
    tmva.prepare(loader, SplitMode="Random", NormMode="None", nTrain_Signal=0, nTrain_Background=0)
    times = {}
    for n in (epochs, 3 * epochs):  # the difference leaves the epochs alone
        factory = ROOT.TMVA.Factory(f"job{n}", ROOT.nullptr, "Silent:!V:!DrawProgressBar:AnalysisType=Classification")
        book(factory, loader, layout, n)
        begin = time.perf_counter()
        factory.TrainAllMethods()
        times[n] = time.perf_counter() - begin
    seconds[method] = times
    return layout

def book_ours(factory, loader, layout, n):
    tmva.book(factory, loader, "LSTM", layout, Layout=f"LSTM|{case.H},LINEAR", NumThreads=threads,
              TrainingStrategy=f"MaxEpochs={n},BatchSize={case.B},LearningRate=1e-3,ConvergenceSteps=1000", ValidationSize="20%")

def book_own(factory, loader, layout, n):
    factory.BookMethod(loader, ROOT.TMVA.Types.kDL, "DL",
        f"!H:!V:ErrorStrategy=CROSSENTROPY:WeightInitialization=XAVIERUNIFORM:ValidationSize=20%:RandomSeed=1:"
        f"InputLayout={case.T}|{case.D}:Layout=LSTM|{case.H}|{case.D}|{case.T}|0|0,RESHAPE|FLAT,LINEAR:"
        f"TrainingStrategy={strategy},MaxEpochs={n}:Architecture=CPU")

train("ours", book_ours)
if own:
    train("TMVA's own", book_own)
half = n_events // 2
times = {}
for n in (epochs, 3 * epochs):
    model = LSTMClassifier(case.H, epochs=n, batch_size=case.B, learning_rate=1e-3, validation_fraction=0.2, n_threads=threads)
    begin = time.perf_counter()
    model.fit(Sequences.from_arrays(events.values[:half * case.T], events.offsets[:half + 1], events.labels[:half]))
    times[n] = time.perf_counter() - begin
seconds["LSTMClassifier"] = times
print("@" + json.dumps({"root": made.root_version, "host": made.host, "own": own, "epochs": epochs, "seconds": seconds,
                        "training_events": int(half * 0.8)}))
"""


def measure(
    case: str, n_events: int, epochs: int, threads: int, *, notes: list[str], say: Callable[[str], None]
) -> dict[str, object] | None:
    """Train; return events a second (training events times epochs), or None where there is no ROOT."""
    command = [sys.executable, "-c", SCRIPT, case, str(n_events), str(epochs), str(threads)]
    folder = Path(__file__).resolve().parent.parent
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    with tempfile.TemporaryDirectory() as elsewhere:  # TMVA writes into the current folder
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=elsewhere, env=environment)
    lines = [line for line in done.stdout.splitlines() if line.startswith("@")]
    if done.returncode or not lines:
        raise RuntimeError(f"the training through the Factory failed:\n{(done.stderr or done.stdout).strip()[-2000:]}")
    found = json.loads(lines[-1][1:])
    if found["root"] is None:
        notes.append("Factory: not measured, there is no ROOT for this Python")
        return None
    if not found["own"]:
        notes.append(f"TMVA's own LSTM (MethodDL): none in ROOT {found['root']} here, not measured")
    rates = {}
    for method, seconds in found["seconds"].items():
        first, last = sorted(seconds.items(), key=lambda item: int(item[0]))
        rates[method] = found["training_events"] * (int(last[0]) - int(first[0])) / (last[1] - first[1])
    tmva = "embedded host" if found["host"] else "TMVA"
    say(f"{case}, {tmva}, {threads} threads: events/s " + ", ".join(f"{k} {v:,.0f}" for k, v in rates.items()))
    return {"section": "factory", "case": case, "threads": threads, "events_per_second": rates, **found}
