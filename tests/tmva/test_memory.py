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

import tmva_lstm_plugin
from tmva_lstm_plugin import load_model, tmva

SHORT = "Layout=LSTM|6:TrainingStrategy=MaxEpochs=3,BatchSize=50,LearningRate=5e-3"


@pytest.fixture(scope="session", autouse=True)
def registered():
    return tmva_lstm_plugin.register(quiet=True)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
        options="Layout=LSTM|64:NumThreads=2:TrainingStrategy=MaxEpochs=1,BatchSize=50")
    {leak}
    done.factory.DeleteAllMethods()
    del done
    sizes.append(live())
print("live", *sizes)
"""

PARAMETERS = 4 * 4 * 64 * (3 + 64 + 1)  # bytes of W, U and b with H = 64, D = 3


def growth(run_python, analysis, leak="pass", rounds=30):
    """Bytes a round from the fifth on: what is made once is there by then. The slope of a straight line through all rounds."""
    said = run_python(ROUNDS.format(tests=str(Path(__file__).parent), analysis=analysis, rounds=rounds, leak=leak))
    sizes = np.array([int(word) for word in said.split("live")[-1].split()], float)[5:]
    return np.polyfit(np.arange(len(sizes)), sizes, 1)[0]


needs_mallinfo2 = pytest.mark.skipif(
    not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "mallinfo2"),
    reason="the C library has no mallinfo2 (glibc 2.33)",
)


@needs_mallinfo2
@pytest.mark.parametrize("analysis", ["Classification", "Multiclass", "Regression"])
def test_repeated_trainings_keep_nothing(folder, run_python, analysis):
    assert growth(run_python, analysis) < PARAMETERS / 4


@needs_mallinfo2
def test_what_is_kept_would_be_seen(folder, run_python):
    """The measurement itself: one copy of the largest weights kept from each training is well above the bound."""
    kept = "kept = globals().setdefault('kept', []); kept.append(ctypes.create_string_buffer(4 * 64 * 64 * 4))"
    assert growth(run_python, "Classification", leak=kept) > PARAMETERS / 2
