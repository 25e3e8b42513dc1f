"""What a training costs through the Factory, beside the same training by the core alone; needs ROOT.

Usage: python benchmarks/factory_cost.py [--events N] [--epochs N] [--threads N] [--rounds N] [--json FILE]

Prints, in seconds and as medians over rounds in which the two take turns: `LSTMClassifier.fit` on events in memory (the core,
from the validation draw to the best weights); ``Train()`` of the method, which is the same work on the same events after they
were gathered from TMVA's; its share that is the core; and what TMVA itself does around it in ``TrainAllMethods`` (reading the
trees, evaluating the training events, writing files).  The figure to look at is ``Train()`` over ``fit``: to stay below 1.2.
Both trainings must end in the same weights, to the bit, or nothing is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
import warnings
import xml.etree.ElementTree as ET
from pathlib import Path

T, D, H = 20, 8, 32


def train_in_tmva(events, name, options):
    """Seconds of TrainAllMethods, of Train() within it, of the core within that; the weights file."""
    import ROOT

    from tmva_lstm_plugin import tmva

    output = ROOT.TFile(f"{name}.root", "RECREATE")
    factory = ROOT.TMVA.Factory("job", output, "!V:Silent:!Color:!DrawProgressBar:AnalysisType=Classification")
    loader = ROOT.TMVA.DataLoader(name)
    layout = tmva.fill_dataloader(loader, events, test=events[:: len(events) // 200], steps=T)
    tmva.prepare(loader, SplitMode="Block", MixMode="Block", NormMode="None")
    tmva.book(factory, loader, "LSTM", layout, **options)
    begin = time.perf_counter()
    factory.TrainAllMethods()
    whole = time.perf_counter() - begin
    output.Close()
    weights = Path(name, "weights", "job_LSTM.weights.xml")
    xml = ET.parse(weights)
    facts = {node.get("name"): node.get("value") for node in xml.iter("Info")}
    return whole, float(facts["TrainingTime"]), float(next(xml.iter("Provenance")).get("seconds")), weights


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", help="also write the figures to this file")
    arguments = parser.parse_args()

    import numpy as np

    warnings.simplefilter("ignore")
    import tmva_lstm_plugin
    from tmva_lstm_plugin import LSTMClassifier, Sequences, load_model

    made = tmva_lstm_plugin.register()
    rng = np.random.default_rng(1)
    labels = np.sort(rng.integers(0, 2, arguments.events))[::-1]  # signal first, as TMVA takes the trees
    lengths = rng.integers(1, T + 1, arguments.events)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    values = rng.normal(size=(offsets[-1], D)) + 0.3 * np.repeat(labels, lengths)[:, None]
    events = Sequences.from_arrays(values, offsets, labels, class_names=("Background", "Signal"))
    options = {
        "Layout": f"LSTM|{H}", "NumThreads": arguments.threads, "ValidationSize": 0.1, "RandomSeed": 1, "Ranking": False,
        "TrainingStrategy": f"MaxEpochs={arguments.epochs},BatchSize=64,LearningRate=3e-3,ConvergenceSteps={arguments.epochs}",
    }  # fmt: skip

    alone, through, core, whole = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for number in range(arguments.rounds + 1):  # the first one warms up
            model = LSTMClassifier(
                hidden=H, epochs=arguments.epochs, batch_size=64, learning_rate=3e-3, seed=1, validation_fraction=0.1,
                patience=arguments.epochs, n_threads=arguments.threads,
            )  # fmt: skip
            begin = time.perf_counter()
            model.fit(events)
            seconds = time.perf_counter() - begin
            of_tmva = train_in_tmva(events, f"set{number}", options)
            same = np.array_equal(load_model(of_tmva[3])._trainer.parameters, model._trainer.parameters)
            if not same:
                raise SystemExit("the two trainings ended in different weights: they did not do the same work")
            if number:
                alone.append(seconds)
                whole.append(of_tmva[0])
                through.append(of_tmva[1])
                core.append(of_tmva[2])
        os.chdir("/")

    ratios = [a / b for a, b in zip(through, alone, strict=True)]
    figures = {
        "registered": str(made),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "setting": {
            "events": arguments.events,
            "T": T,
            "D": D,
            "H": H,
            "epochs": arguments.epochs,
            "threads": arguments.threads,
        },
        "fit_s": {"median": statistics.median(alone), "all": alone},
        "train_s": {"median": statistics.median(through), "all": through},
        "core_within_train_s": {"median": statistics.median(core), "all": core},
        "train_all_methods_s": {"median": statistics.median(whole), "all": whole},
        "ratio": {"median": statistics.median(ratios), "all": ratios},
    }
    around = [a - b for a, b in zip(whole, through, strict=True)]
    print(f"\n{made}")
    print(f"{arguments.events} events, T {T}, D {D}, H {H}, {arguments.epochs} epochs, {arguments.threads} thread(s)")
    print(f"core alone (fit)               {statistics.median(alone):.3f} s ({min(alone):.3f} to {max(alone):.3f})")
    print(
        f"Train() in TMVA                {statistics.median(through):.3f} s ({min(through):.3f} to {max(through):.3f})"
    )
    print(f"  of it the core               {statistics.median(core):.3f} s ({min(core):.3f} to {max(core):.3f})")
    print(f"TMVA around it                 {statistics.median(around):.3f} s ({min(around):.3f} to {max(around):.3f})")
    print(f"Train() / core alone           {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
