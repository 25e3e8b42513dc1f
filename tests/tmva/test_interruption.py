"""Ctrl-C and SIGTERM end a training in TMVA in good order: the best weights are kept, the factory writes them and goes on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import warnings
from pathlib import Path

import pytest

from tmva_lstm_plugin import load_model

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the wheel says that it is an alpha version
    ROOT = pytest.importorskip("ROOT", reason="ROOT is not installed")


PROGRAM = os.environ.get("TMVA_LSTM_ROOT_EXE") or str(Path(ROOT.__file__).parent / "bin" / "root.exe")
SIGNALS = (signal.SIGINT, signal.SIGTERM)
EPOCHS = 100_000  # nobody waits for these


pytestmark = pytest.mark.usefixtures("registered")


SCRIPT = """
import warnings; warnings.simplefilter("ignore")
import os, signal, sys, time
import numpy as np, ROOT, tmva_lstm_plugin
from tmva_lstm_plugin import Sequences, tmva

tmva_lstm_plugin.register(quiet=True)
rng = np.random.default_rng(1)
n, units, epochs, options = {n}, {units}, {epochs}, {options!r}
labels = np.arange(n) % 2
lists = [rng.normal(0.3 * label, 1, (length, 2)) for label, length in zip(labels, rng.integers(1, 9, n))]
events = Sequences.from_lists(lists, labels=labels)
file = ROOT.TFile("out.root", "RECREATE")
factory = ROOT.TMVA.Factory("job", file, "!V:!Silent:!Color:!DrawProgressBar:AnalysisType=Classification")
loader = ROOT.TMVA.DataLoader("ds")
layout = tmva.fill_dataloader(loader, events)
tmva.prepare(loader, NormMode="None")
tmva.book(factory, loader, "LSTM", layout, Layout=f"LSTM|{{units}}", Ranking=False,
          TrainingStrategy=f"MaxEpochs={{epochs}},ConvergenceSteps={{epochs}}" + options)
before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
factory.TrainAllMethods()
factory.TestAllMethods()
factory.EvaluateAllMethods()
file.Close()
assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == before
"""

AFTERWARDS = """
print("WAITING", flush=True)
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(30)
except KeyboardInterrupt:
    print("PYTHON IS ITSELF AGAIN", flush=True)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
"""


def _heed_ctrl_c():
    """Tests that a shell has put in the background ignore SIGINT, and so would the training."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Child:
    """A training in a process of its own: wait for lines of its log, send it signals."""

    def __init__(self, command, folder, **environment):
        self.process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", start_new_session=True, preexec_fn=_heed_ctrl_c,
        )  # fmt: skip
        self.text = ""
        self.alarm = threading.Timer(400, self.process.kill)
        self.alarm.start()

    def wait_for(self, pattern):
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.text += line
            if re.search(pattern, line):
                return
        raise AssertionError(f"it ended without {pattern!r}:\n{self.text[-4000:]}")

    def finish(self):
        """Give the exit code; all it said is in `text`."""
        assert self.process.stdout is not None
        self.text += self.process.stdout.read()
        code = self.process.wait()
        self.alarm.cancel()
        return code


@pytest.fixture
def start(tmp_path):
    children = []

    def run(command, **environment):
        children.append(Child(command, tmp_path, **environment))
        return children[-1]

    yield run
    for child in children:
        child.alarm.cancel()
        if child.process.poll() is None:
            child.process.kill()
        child.process.wait()
        child.process.stdout.close()


def python(start, after="", *, n=600, units=4, epochs=EPOCHS, options=",BatchSize=50"):
    return start([sys.executable, "-c", SCRIPT.format(n=n, units=units, epochs=epochs, options=options) + after])


EPOCH_3 = r": +3 \| +0\.\d+ \|"


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_a_training_from_python_and_the_factory_goes_on(start, tmp_path, number):
    child = python(start, AFTERWARDS)
    child.wait_for(EPOCH_3)
    child.process.send_signal(number)
    assert child.finish() == 0, child.text[-4000:]
    said = re.search(
        rf"<WARNING>.*stopped by {number.name} after (\d+) epoch\(s\); the best weights so far are kept", child.text
    )
    assert said, child.text[-4000:]
    epochs = int(said.group(1))
    assert 3 <= epochs < EPOCHS
    assert "PYTHON IS ITSELF AGAIN" in child.text
    model = load_model(tmp_path / "ds" / "weights" / "job_LSTM.weights.xml")
    assert len(model.history) == epochs
    # the best of them, not the last: what the history calls the least validation loss is what was kept
    assert model.summary["best_epoch"] == model.history.best_epoch
    assert (tmp_path / "ds" / "weights" / "job_LSTM.class.C").read_text().rstrip().endswith("}")
    import uproot

    tree = uproot.open(tmp_path / "out.root")["ds/TestTree"]
    assert len(tree["LSTM"].array(library="np")) == 300


def test_in_the_first_epoch_what_it_has_learnt_is_kept(start, tmp_path):
    child = python(start, n=20_000, units=128, options=",BatchSize=4")
    child.wait_for(r"Epoch \| Train err\.")
    threading.Event().wait(0.5)
    child.process.send_signal(signal.SIGINT)
    assert child.finish() == 0, child.text[-4000:]
    assert "stopped by SIGINT in the first epoch; what it has learnt so far is kept" in child.text
    model = load_model(tmp_path / "ds" / "weights" / "job_LSTM.weights.xml")
    assert len(model.history) == 0


def test_the_second_signal_acts_as_it_always_did(start, tmp_path):
    """SIGTERM twice, before the epoch can end: nobody is locked in, and no weights file is half there."""
    child = python(start, n=20_000, units=256, options=",BatchSize=10000")
    child.wait_for(r"Epoch \| Train err\.")
    child.process.send_signal(signal.SIGTERM)
    threading.Event().wait(0.1)
    child.process.send_signal(signal.SIGTERM)
    assert child.finish() == -signal.SIGTERM, child.text[-4000:]
    assert not list((tmp_path / "ds" / "weights").glob("*.xml"))


def test_an_ignored_signal_stays_ignored(start, tmp_path):
    """As for what a shell starts in the background: Ctrl-C is for the one in front."""
    script = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + SCRIPT.format(
        n=600, units=4, epochs=30, options=",BatchSize=50"
    )
    child = start([sys.executable, "-c", script])
    child.wait_for(EPOCH_3)
    child.process.send_signal(signal.SIGINT)
    assert child.finish() == 0, child.text[-4000:]
    assert "stopped by" not in child.text
    assert len(load_model(tmp_path / "ds" / "weights" / "job_LSTM.weights.xml").history) == 30


MACRO = """
#include <csignal>
#include <iostream>
#include "TFile.h"
#include "TRandom3.h"
#include "TString.h"
#include "TTree.h"
#include "TMVA/DataLoader.h"
#include "TMVA/Factory.h"
#include "TMVA/Types.h"

bool same(const struct sigaction &a, const struct sigaction &b)
{
   return a.sa_handler == b.sa_handler && a.sa_flags == b.sa_flags;
}

int endless()
{
   TFile file("out.root", "RECREATE");
   TRandom3 random(1);
   TTree *trees[2];
   float x[6];
   for (int k = 0; k < 2; ++k) {
      trees[k] = new TTree(k ? "background" : "signal", "");
      for (int n = 0; n < 6; ++n)
         trees[k]->Branch(Form("x%d", n), &x[n], Form("x%d/F", n));
      for (int event = 0; event < 400; ++event) {
         for (float &value : x)
            value = random.Gaus(k, 1);
         trees[k]->Fill();
      }
      trees[k]->ResetBranchAddresses();
   }
   TMVA::Factory factory("job", &file, "!V:!Silent:!Color:!DrawProgressBar:AnalysisType=Classification");
   TMVA::DataLoader loader("ds");
   for (int n = 0; n < 6; ++n)
      loader.AddVariable(Form("x%d", n), 'F');
   loader.AddSignalTree(trees[0], 1.);
   loader.AddBackgroundTree(trees[1], 1.);
   loader.PrepareTrainingAndTestTree("", "NormMode=None:!V");
   factory.BookMethod(&loader, "LSTM", "LSTM", "InputLayout=3|2:Layout=LSTM|4:!Ranking:"
                      "TrainingStrategy=MaxEpochs=100000,ConvergenceSteps=100000,BatchSize=50");
   struct sigaction before[2], after[2];
   sigaction(SIGINT, nullptr, &before[0]);
   sigaction(SIGTERM, nullptr, &before[1]);
   factory.TrainAllMethods();
   sigaction(SIGINT, nullptr, &after[0]);
   sigaction(SIGTERM, nullptr, &after[1]);
   factory.TestAllMethods();
   factory.EvaluateAllMethods();
   std::cout << "HANDLERS " << (same(before[0], after[0]) && same(before[1], after[1]) ? "restored" : "lost") << std::endl;
   file.Close();
   return 0;
}
"""


@pytest.mark.skipif(not Path(PROGRAM).exists(), reason="no root program beside this ROOT")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_a_training_in_a_macro(start, tmp_path, registered, number):
    (tmp_path / "endless.C").write_text(textwrap.dedent(MACRO))
    load = Path(__file__).parents[2] / "macros" / "load_plugin.C"
    child = start(
        [PROGRAM, "-l", "-b", "-q", str(load), "endless.C"],
        TMVA_LSTM_LIBDIR=str(Path(str(registered.library)).parent),
    )
    child.wait_for(EPOCH_3)
    child.process.send_signal(number)
    assert child.finish() == 0, child.text[-4000:]
    assert f"stopped by {number.name} after " in child.text
    assert "HANDLERS restored" in child.text
    assert "(int) 0" in child.text
    assert len(load_model(tmp_path / "ds" / "weights" / "job_LSTM.weights.xml").history) >= 3
