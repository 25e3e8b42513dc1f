"""Booking, training and deleting, again and again in one process: nothing is kept, and nothing of one touches the other.

What is live on the heap is asked of the C library (mallinfo2), for a process' size goes up in steps and never down.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import numpy as np
import pytest
from booking import QUIET, ROOT, T, Trained, fresh, jagged, train

from tmva_lstm_plugin import load_model, tmva

SHORT = "Layout=LSTM|6:TrainingStrategy=MaxEpochs=3,BatchSize=50,LearningRate=5e-3"


pytestmark = pytest.mark.usefixtures("registered")


ROUNDS = """
import ctypes, gc, os, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
import numpy as np
import booking, tmva_lstm_plugin
from tmva_lstm_plugin import tmva

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in
        ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]

mallinfo2 = ctypes.CDLL(None).mallinfo2
mallinfo2.restype = Info

def live():
    gc.collect()
    info = mallinfo2()
    return info.uordblks + info.hblkhd

tmva_lstm_plugin.register(quiet=True)
analysis = {analysis!r}
events = booking.jagged(400, 1, classes=3 if analysis == "Multiclass" else 2)
targets = {{"energy": events.lengths.astype(float)}} if analysis == "Regression" else None
test = None if targets else booking.jagged(100, 2, classes=len(events.class_names))
sizes = []
for n in range({rounds}):
    more = {{"targets": targets}} if targets else {{}}
    done = booking.train(Path("."), events, test, analysis=analysis, output="out.root", **more,
        options="Layout=LSTM|{width}:NumThreads=2:TrainingStrategy=MaxEpochs=1,BatchSize=50")
    {leak}
    del done  # and with its Factory the methods
    sizes.append(live())
print("live", *sizes)
"""

PARAMETERS = 4 * 4 * 64 * (3 + 64 + 1)  # bytes of W, U and b with H = 64, D = 3


def growth(run_python, analysis, leak="pass", rounds=16, width=64):
    """Bytes a round from the fifth on: what is made once is there by then. The slope of a straight line through all rounds.

    ROOT itself keeps a kilobyte or three of every file with folders that it has written; the bound of the tests is a quarter of
    the weights of the network, and so less than one copy of weights or gradients, or of the events.
    """
    values = {"analysis": analysis, "rounds": rounds, "leak": leak, "width": width}
    said = run_python(ROUNDS.format(tests=str(Path(__file__).parent), **values))
    sizes = np.array([int(word) for word in said.split("live")[-1].split()], float)[5:]
    slope = np.polyfit(np.arange(len(sizes)), sizes, 1)[0]
    print(f"{slope:.0f} bytes a round")
    return slope


needs_mallinfo2 = pytest.mark.skipif(
    not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "mallinfo2"),
    reason="the C library has no mallinfo2 (glibc 2.33)",
)


def kept_by_tmva(run_python, registered, analysis):
    """A real TMVA keeps events and histograms of every booking, which a network of next to nothing tells."""
    return 0 if registered.host else growth(run_python, analysis, width=1)


@needs_mallinfo2
@pytest.mark.parametrize("analysis", ["Classification", "Multiclass", "Regression"])
def test_repeated_trainings_keep_nothing(folder, registered, run_python, analysis):
    assert growth(run_python, analysis) - kept_by_tmva(run_python, registered, analysis) < PARAMETERS / 4


@needs_mallinfo2
def test_what_is_kept_would_be_seen(folder, registered, run_python):
    """The measurement itself: one copy of the largest weights kept from each training is well above the bound."""
    kept = "kept = globals().setdefault('kept', []); kept.append(ctypes.create_string_buffer(4 * 64 * 64 * 4))"
    seen = growth(run_python, "Classification", leak=kept) - kept_by_tmva(run_python, registered, "Classification")
    assert seen > PARAMETERS / 2


def test_two_methods_in_a_factory_and_two_factories_in_a_process(folder):
    """None sees another: each has the weights that it has alone."""
    events, test = jagged(400, 1), jagged(150, 2)
    alone = [load_model(train(folder, events, test, options=f"{SHORT}:RandomSeed={seed}").weights) for seed in (1, 2)]

    output = ROOT.TFile("both.root", "RECREATE")
    factory = ROOT.TMVA.Factory("job", output, f"{QUIET}:AnalysisType=Classification")
    loader = ROOT.TMVA.DataLoader(fresh())
    layout = tmva.fill_dataloader(loader, events, test=test, steps=T)
    tmva.prepare(loader, NormMode="None")
    for seed in (1, 2):
        assert tmva.book(factory, loader, f"LSTM{seed}", f"{layout.options}:{SHORT}:RandomSeed={seed}")
    factory.TrainAllMethods()
    factory.TestAllMethods()
    factory.EvaluateAllMethods()
    output.Close()
    # an old TMVA has one output file for all factories: the second one comes when the first is done, and still there
    other = train(folder, events, test, options=f"{SHORT}:RandomSeed=2", output="other.root")

    for number in (0, 1):
        weights = folder / str(loader.GetName()) / "weights" / f"job_LSTM{number + 1}.weights.xml"
        assert np.array_equal(load_model(weights)._trainer.parameters, alone[number]._trainer.parameters)
        booked = Trained(factory, loader, folder / "both.root", weights, f"LSTM{number + 1}", float("nan"))
        assert booked.scores().std() > 0.01
    assert np.array_equal(load_model(other.weights)._trainer.parameters, alone[1]._trainer.parameters)
    assert np.array_equal(booked.scores(), other.scores())
