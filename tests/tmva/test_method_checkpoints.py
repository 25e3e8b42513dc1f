"""Checkpoints through TMVA: a training that was cut off, however often, ends in the same bits as one that was not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

booking = pytest.importorskip("booking")

from test_interruption import SCRIPT  # noqa: E402

from tmva_lstm_plugin import load_model  # noqa: E402
from tmva_lstm_plugin.errors import OptionError  # noqa: E402

pytestmark = pytest.mark.usefixtures("registered")

PHASES = (
    "LearningRate=1e-2,MaxEpochs=2,BatchSize=20|LearningRate=1e-3,MaxEpochs=2,BatchSize=24,Optimizer=SGD,Momentum=0.9"
)
OPTIONS = f"Layout=LSTM|4:!Ranking:TrainingStrategy={PHASES}"
EVENTS = booking.jagged(120, 5, shortest=1)


def checkpoint_of(trained):
    return trained.weights.with_name(trained.weights.name.replace(".weights.xml", ".checkpoint"))


def train(folder, options, *, going_on=None, events=EVENTS, strategy_of=OPTIONS):
    """Train; with `going_on` behind that checkpoint.  An old TMVA takes the name of a loader once, so each gets its own."""
    name = booking.fresh()
    if going_on is not None:
        target = folder / name / "weights" / "job_LSTM.checkpoint"
        target.parent.mkdir(parents=True)
        shutil.copytree(going_on, target) if going_on.is_dir() else shutil.copy(going_on, target)
    return booking.train(folder, events, options=f"{strategy_of}:{options}", name=name, evaluate=False)


def parameters(trained):
    return load_model(trained.weights)._trainer.parameters


@pytest.fixture(scope="module")
def undisturbed(registered, tmp_path_factory):
    """A training to its end, and its last checkpoint."""
    folder = tmp_path_factory.mktemp("undisturbed")
    before = os.getcwd()
    os.chdir(folder)
    try:
        return train(folder, "CheckpointEpochs=1")
    finally:
        os.chdir(before)


def test_cut_off_after_every_batch_it_ends_in_the_same_bits(folder, undisturbed):
    whole = load_model(undisturbed.weights)
    assert len(whole.history) == 4
    runs, last, epochs = 0, None, -1
    while epochs < 4 and runs < 50:
        done = train(folder, "MaxTime=1e-6s:Resume", going_on=last)
        last = folder / f"kept{runs}"
        shutil.copy(checkpoint_of(done), last)
        epochs = len(load_model(done.weights).history)
        runs += 1
    assert runs > 6  # so many batches at least
    again = load_model(done.weights)
    assert np.array_equal(again._trainer.parameters, whole._trainer.parameters)
    for name, column in whole.history.columns.items():
        if name not in ("seconds", "events_per_second"):
            assert again.history.columns[name] == column, name


def test_a_finished_training_is_not_trained_on(folder, undisturbed):
    again = train(folder, "Resume", going_on=checkpoint_of(undisturbed))
    assert np.array_equal(parameters(again), parameters(undisturbed))


def test_without_a_checkpoint_it_begins(folder, undisturbed):
    done = train(folder, "Resume")
    assert np.array_equal(parameters(done), parameters(undisturbed))
    assert checkpoint_of(done).is_file()
    assert not list(checkpoint_of(done).parent.glob("*.part*"))


def test_nothing_is_kept_unasked(folder):
    assert not checkpoint_of(train(folder, "")).exists()


def test_a_seed_that_was_drawn_goes_on(folder):
    first = train(folder, "RandomSeed=0:CheckpointEpochs=1:MaxTime=1e-6s")
    second = train(folder, "RandomSeed=0:Resume", going_on=checkpoint_of(first))
    third = train(folder, "RandomSeed=0:Resume", going_on=checkpoint_of(first))
    assert np.array_equal(parameters(second), parameters(third))
    assert not np.array_equal(parameters(second), parameters(train(folder, "RandomSeed=0")))


def test_another_training_is_refused_with_all_that_differs(folder, undisturbed):
    other = OPTIONS.replace("LSTM|4", "LSTM|5").replace("1e-2", "2e-2")
    with pytest.raises(Exception, match="is of another training") as error:
        train(
            folder,
            "ForgetBias=0:Resume",
            going_on=checkpoint_of(undisturbed),
            events=booking.jagged(130, 5, shortest=1),
            strategy_of=other,
        )
    said = str(error.value)
    for part in (
        "job_LSTM.checkpoint",
        "Layout was 'LSTM|4' and is 'LSTM|5'",
        "2e-2",
        "ForgetBias was '1",
        "training data was '60 events",
    ):
        assert part in said


@pytest.mark.parametrize("change", ["last byte", "cut", "other file", "empty", "other format", "folder"])
def test_a_damaged_one_is_refused(folder, undisturbed, change):
    content = checkpoint_of(undisturbed).read_bytes()
    broken = folder / "broken"
    if change == "folder":
        broken.mkdir()
    else:
        broken.write_bytes(
            {
                "last byte": content[:-1] + bytes([content[-1] ^ 1]),
                "cut": content[: len(content) // 2],
                "other file": b"PK\3\4 something else\nentirely\n",
                "empty": b"",
                "other format": content.replace(b"checkpoint 1\n", b"checkpoint 7\n"),
            }[change]
        )
    with pytest.raises(Exception, match=r"checkpoint '.*job_LSTM\.checkpoint'.*(Resume|remove it)"):
        train(folder, "Resume", going_on=broken)


def test_where_none_can_be_written_the_training_goes_on(folder, undisturbed):
    occupied = folder / "occupied"
    occupied.mkdir()
    (occupied / "file").touch()
    done = train(folder, "CheckpointEpochs=1", going_on=occupied)
    assert np.array_equal(parameters(done), parameters(undisturbed))
    assert not list(checkpoint_of(done).parent.glob("*.part*"))


@pytest.mark.parametrize("wrong", ["CheckpointEpochs=-1", "CheckpointMinutes=-2"])
def test_a_count_below_zero_is_refused(folder, wrong):
    with pytest.raises(OptionError, match=r"Checkpoint(Epochs|Minutes)=-.*expected numbers from 0"):
        train(folder, wrong)


def test_killed_and_called_again_it_ends_in_the_same_bits(folder):
    def run(options, where):
        where.mkdir(exist_ok=True)
        script = SCRIPT.format(n=1500, units=48, epochs=60, options=",BatchSize=50")
        script = script.replace("Ranking=False", "Ranking=False" + options)
        return subprocess.Popen(
            [sys.executable, "-c", script], cwd=where, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    whole, cut = folder / "whole", folder / "cut"
    process = run("", whole)
    assert process.wait(300) == 0, process.stderr.read().decode()
    killed = run(", CheckpointEpochs=1", cut)
    kept = cut / "ds" / "weights" / "job_LSTM.checkpoint"
    deadline = time.monotonic() + 200
    while not kept.exists() and time.monotonic() < deadline and killed.poll() is None:
        time.sleep(0.005)
    killed.kill()
    assert killed.wait(60) == -signal.SIGKILL
    killed.stderr.close()
    process.stderr.close()
    process = run(", CheckpointEpochs=1, Resume=True", cut)
    assert process.wait(300) == 0, process.stderr.read().decode()
    process.stderr.close()
    models = [load_model(where / "ds" / "weights" / "job_LSTM.weights.xml") for where in (whole, cut)]
    assert np.array_equal(models[0]._trainer.parameters, models[1]._trainer.parameters)
