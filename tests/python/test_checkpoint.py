"""Checkpoints: a training that was stopped, or killed, goes on and ends in the same bits; what does not fit is refused."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from tmva_lstm_plugin import LSTMClassifier, Sequences, stream_sequences
from tmva_lstm_plugin.callbacks import StopTraining
from tmva_lstm_plugin.checkpoint import read_checkpoint
from tmva_lstm_plugin.cli import main
from tmva_lstm_plugin.errors import CheckpointError, MemoryLimitError, OptionError, OutputError
from tmva_lstm_plugin.model_file import without_provenance
from tmva_lstm_plugin.testing import order_task, write_toy_root
from tmva_lstm_plugin.training_events import StreamEvents

SMALL = {"hidden": 5, "epochs": 5, "batch_size": 70}
OTHERS = [
    {"optimizer": "adam"},
    {"optimizer": "sgd", "nesterov": True},
    {"optimizer": "adamw"},
    {"optimizer": "rmsprop", "momentum": 0.5},
    {"optimizer": "adagrad"},
    {"optimizer": "adadelta"},
    {"schedule": "step", "decay_epochs": 2, "warmup_epochs": 1},
    {"schedule": "exponential"},
    {"schedule": "cosine", "warmup_epochs": 3},
    {"schedule": "one_cycle"},
    {"schedule": "plateau", "plateau_patience": 0, "learning_rate": 0.1},
    {"ema_decay": 0.9},
    {"batch_growth": 1.6, "max_batch_size": 150},
    {"patience": 2, "learning_rate": 0.2, "epochs": 30},
    {"monitor": "auc", "patience": 2, "learning_rate": 0.2, "epochs": 30},
    {"monitor": "accuracy"},
    {"shuffle": False, "validation_fraction": 0.0},
    {"hidden": [4, 3], "bidirectional": True},
]


@pytest.fixture(scope="module")
def events():
    sequences = order_task(700, lengths=(0, 9)).sequences
    weights = np.random.default_rng(4).normal(1, 0.7, len(sequences))
    return Sequences.from_arrays(sequences.values, sequences.offsets, sequences.labels, weights)


def saved(model, path):
    model.save(path)
    return without_provenance(path)


def stop_after(epoch):
    def stop(record, model):
        if record.epoch == epoch:
            raise StopTraining

    return stop


def interrupted(events, path, epoch=2, **options):
    model = LSTMClassifier(**options).fit(events, checkpoint=path, callbacks=[stop_after(epoch)])
    assert len(model.history) == epoch
    return model


@pytest.mark.parametrize("options", OTHERS, ids=lambda o: "-".join(map(str, o.values())))
def test_a_resumed_training_gives_the_bytes_of_one_that_was_never_stopped(events, tmp_path, options):
    options = SMALL | options
    whole = LSTMClassifier(**options, n_threads=1).fit(events)
    assert len(whole.history) > 2
    interrupted(events, tmp_path / "c", **options, n_threads=3)
    rest = LSTMClassifier(**options, n_threads=2, memory_limit="2 GB").fit(events, resume=tmp_path / "c")
    assert str(rest.history.columns) == str(whole.history.columns)  # nan is not equal to itself
    assert rest.stopped_by == whole.stopped_by
    assert saved(rest, tmp_path / "rest.xml") == saved(whole, tmp_path / "whole.xml")


def test_one_batch_a_job_ends_in_the_same_bytes(events, tmp_path):
    options = SMALL | {"epochs": 2, "ema_decay": 0.8, "schedule": "one_cycle"}
    jobs, model = 0, None
    while model is None or model.stopped_by == "max_time":
        resume = {"resume": tmp_path / "c"} if jobs else {"checkpoint": tmp_path / "c"}
        model = LSTMClassifier(**options, max_time=1e-9).fit(events, **resume)
        jobs += 1
    assert jobs == 18  # 630 events in batches of 70, twice
    whole = LSTMClassifier(**options).fit(events)
    assert saved(model, tmp_path / "jobs.xml") == saved(whole, tmp_path / "whole.xml")


KILLED = """
import os, signal, sys
from tmva_lstm_plugin import LSTMClassifier
from tmva_lstm_plugin.testing import order_task

def die(record, model):
    if record.epoch == 4:
        os.kill(os.getpid(), signal.SIGKILL)

model = LSTMClassifier(hidden=6, epochs=7, ema_decay=0.9, n_threads=2, {options})
model.fit(order_task(900).sequences, checkpoint="c", callbacks=[die])
"""


@pytest.mark.parametrize(
    ("options", "epoch", "batches"), [("checkpoint_epochs=2", 2, 0), ("checkpoint_minutes=1e-9", 3, 12)]
)
def test_a_training_that_is_killed_goes_on(tmp_path, options, epoch, batches):
    """With SIGKILL, so that nothing is cleaned up; within an epoch, too."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED.format(options=options)], cwd=tmp_path, timeout=120, check=False
    )
    assert done.returncode == -signal.SIGKILL
    (tmp_path / ".c.12345.part").write_text("what a process that died while writing leaves")
    kept = read_checkpoint(tmp_path / "c")
    assert kept.history["epoch"] == list(range(1, epoch + 1))
    assert numbers_of(kept.state, "epoch", "batches") == [epoch, batches]
    events = order_task(900).sequences
    options = {"hidden": 6, "epochs": 7, "ema_decay": 0.9}
    rest = LSTMClassifier(**options, n_threads=1).fit(events, resume=tmp_path / "c")
    whole = LSTMClassifier(**options, n_threads=3).fit(events)
    assert saved(rest, tmp_path / "rest.xml") == saved(whole, tmp_path / "whole.xml")


def numbers_of(state, *names):
    """Whole numbers of a state, found without the core: the name, the letter u, 64 bits."""
    places = [state.index(len(name).to_bytes(4, "little") + name.encode() + b"u") + 5 + len(name) for name in names]
    return [int.from_bytes(state[at : at + 8], "little") for at in places]


def streams(path, **reading):
    """Two streams of several pieces each, of one file and different numbers of pieces."""
    found = {}
    for limit in np.geomspace(3e5, 3e7, 40):
        try:
            stream = stream_sequences(path, memory_limit=int(limit), **reading)
        except MemoryLimitError:
            continue
        found.setdefault(stream.n_chunks, stream)
    several = [stream for n, stream in found.items() if n > 2]
    return several[0], several[1]


def test_a_stream_goes_on_too(tmp_path, monkeypatch):
    path = write_toy_root(tmp_path / "toys.root", "gaussian_sum", 30_000, seed=5, chunk=2000, lengths=(1, 20))
    stream, other = streams(path, features=["x"], label="label", weight="weight")
    options = {"hidden": 5, "epochs": 3, "batch_size": 20, "validation_fraction": 0.02}
    with stream, other:
        whole = LSTMClassifier(**options).fit(stream)
        read, portions = StreamEvents.next, []

        def stop_in_the_second_epoch(events):
            portions.append(read(events))
            if None in portions and len(portions) - portions.index(None) == 3:  # its second portion
                os.kill(os.getpid(), signal.SIGTERM)
            return portions[-1]

        with monkeypatch.context() as patch:
            patch.setattr(StreamEvents, "next", stop_in_the_second_epoch)
            first = LSTMClassifier(**options, n_threads=1).fit(stream, checkpoint=tmp_path / "c")
        assert first.stopped_by == "SIGTERM"
        epoch, batches = numbers_of(read_checkpoint(tmp_path / "c").state, "epoch", "batches")
        assert epoch == 1
        assert batches > 0
        rest = LSTMClassifier(**options, n_threads=1).fit(stream, resume=tmp_path / "c")
        with pytest.raises(CheckpointError, match=r"the stream had \d+ pieces within \d+ bytes and has \d+ within"):
            LSTMClassifier(**options).fit(other, resume=tmp_path / "c")
    assert saved(rest, tmp_path / "rest.xml") == saved(whole, tmp_path / "whole.xml")


def test_a_checkpoint_after_every_so_many_epochs_and_at_the_end(events, tmp_path):
    path, seen = tmp_path / "c", []

    def look(record, model):
        seen.append(read_checkpoint(path).history["epoch"][-1] if path.exists() else 0)

    LSTMClassifier(**SMALL, checkpoint_epochs=2).fit(events, checkpoint=path, callbacks=[look])
    assert seen == [0, 0, 2, 2, 4]
    assert read_checkpoint(path).history["epoch"][-1] == 5


def test_more_epochs(events, tmp_path):
    options = SMALL | {"schedule": "exponential", "patience": 4}
    path = tmp_path / "c"
    LSTMClassifier(**options).fit(events, checkpoint=path)
    more = LSTMClassifier(**options | {"epochs": 8}).fit(events, resume=path)
    whole = LSTMClassifier(**options | {"epochs": 8}).fit(events)
    assert saved(more, tmp_path / "more.xml") == saved(whole, tmp_path / "whole.xml")
    with pytest.raises(CheckpointError, match="epochs is 7, and the checkpoint is of epoch 8"):
        LSTMClassifier(**options | {"epochs": 7}).fit(events, resume=path)
    # once more: all is done, and what comes out is the same
    again = LSTMClassifier(**options | {"epochs": 8}).fit(events, resume=path)
    assert saved(again, tmp_path / "again.xml") == saved(whole, tmp_path / "whole.xml")


def test_a_signal_writes_the_checkpoint(events, tmp_path):
    path = tmp_path / "c"

    def signalled(record, model):
        if record.epoch == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    model = LSTMClassifier(**SMALL).fit(events, checkpoint=path, callbacks=[signalled])
    assert model.stopped_by == "SIGTERM"
    assert read_checkpoint(path).history == model.history.columns


# --- the command line --------------------------------------------------------------------------------------------------


def command(*arguments):
    return [sys.executable, "-c", "from tmva_lstm_plugin.cli import main; main()", *map(str, arguments)]


def test_the_command_line_resumes_after_sigterm(tmp_path):
    data = write_toy_root(tmp_path / "a.root", "gaussian_sum", 2000, seed=1)
    train = [
        "train",
        data,
        "--feature",
        "x",
        "--label",
        "label",
        "--hidden",
        4,
        "--epochs",
        400,
        "--no-plots",
        "--resume",
    ]
    child = subprocess.Popen(command(*train, "-o", tmp_path / "job"), stdout=subprocess.PIPE, text=True)
    try:
        output = child.stdout.readline() + child.stdout.readline()
        assert "lstm.checkpoint yet: training from the beginning" in output
        while not child.stdout.readline().startswith("epoch   3/400"):
            assert child.poll() is None
        child.send_signal(signal.SIGTERM)
        output = child.communicate(timeout=60)[0]
    finally:
        child.kill()
    assert child.returncode == 143
    assert f"checkpoint    {tmp_path / 'job' / 'lstm.checkpoint'}" in output
    resumed = subprocess.run(
        command(*train, "-o", tmp_path / "job"), capture_output=True, text=True, timeout=300, check=True
    )
    assert f"going on from {tmp_path / 'job' / 'lstm.checkpoint'}" in resumed.stdout
    first = re.search(r"^epoch +(\d+)/400", resumed.stdout, re.MULTILINE)
    assert int(first[1]) >= 4
    main([str(part) for part in [*train[:-1], "-o", tmp_path / "whole"]], standalone_mode=False)
    assert not (tmp_path / "whole" / "lstm.checkpoint").exists()
    for name in ("job", "whole"):
        assert len((tmp_path / name / "history.csv").read_text().splitlines()) == 401
    assert (tmp_path / "job" / "history.csv").read_bytes() == (tmp_path / "whole" / "history.csv").read_bytes()
    found, expected = (without_provenance(tmp_path / name / "lstm.weights.xml") for name in ("job", "whole"))
    assert found == expected


# --- what is refused ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kept(events, tmp_path_factory):
    path = tmp_path_factory.mktemp("kept") / "c"
    interrupted(events, path, **SMALL)
    return path


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": 0.001}, "learning_rate was 0.003 and is 0.001"),
        ({"optimizer": "sgd"}, "optimizer was 'adam' and is 'sgd'"),
        ({"hidden": 6}, r"hidden was \[5\] and is \[6\]"),
        ({"seed": 2, "clip_norm": None}, "clip_norm was 1.0 and is None; seed was 1 and is 2"),
        ({"ema_decay": 0.5}, "ema_decay was None and is 0.5"),
        ({"use_weights": False}, "use_weights was True and is False"),
        ({"monitor": "auc"}, "monitor was 'loss' and is 'auc'"),
        ({"epochs": 1}, "epochs is 1, and the checkpoint is of epoch 2"),
    ],
)
def test_other_options_are_refused_by_name_before_any_work(kept, options, message):
    with pytest.raises(
        CheckpointError, match=f"checkpoint '.*c' is of another training: {message}. Resume with the options"
    ):
        LSTMClassifier(**SMALL | options).fit("no events at all", resume=kept)


def test_the_schedule_may_depend_on_the_epochs(events, tmp_path):
    for schedule in ("cosine", "one_cycle"):
        interrupted(events, tmp_path / "c", **SMALL, schedule=schedule)
        with pytest.raises(
            CheckpointError, match=f"epochs was 5 and is 6, on which every step of the schedule '{schedule}'"
        ):
            LSTMClassifier(**SMALL | {"epochs": 6, "schedule": schedule}).fit(events, resume=tmp_path / "c")


def other_events(events, **changes):
    arrays = {
        name: getattr(events, name)
        for name in ("values", "offsets", "labels", "weights", "feature_names", "class_names")
    }
    return Sequences.from_arrays(**arrays | changes)


def test_other_events_are_refused_by_name(events, kept):
    values, labels, weights = events.values.copy(), events.labels.copy(), events.weights.copy()
    values[-1] += 1
    labels[3] = 1 - labels[3]
    weights[5] *= 2
    steps = events.offsets.copy()
    steps[10] += 1 if steps[11] > steps[10] else -1
    for other, message in [
        (events[:-1], "the number of events was 700 and is 699"),
        (other_events(events, values=values), "the events have other values of the features"),
        (other_events(events, labels=labels), "the events have other labels"),
        (other_events(events, weights=weights), "the events have other weights"),
        (other_events(events, weights=None), "the events have other weights"),
        (other_events(events, offsets=steps), "the events have other numbers of steps"),
        (other_events(events, feature_names=["y"]), "feature_names was x0 and is y"),
        (other_events(events, class_names=["a", "b"]), "class_names was background, signal and is a, b"),
    ]:
        with pytest.raises(CheckpointError, match=message):
            LSTMClassifier(**SMALL).fit(other, resume=kept)
    # in another portion, and read with other entries, they are the same
    again = Sequences.concatenate([events[:300], events[300:]])
    LSTMClassifier(**SMALL).fit(again, resume=kept, checkpoint=kept.with_name("other"))


def test_a_cut_or_damaged_file_is_refused(events, kept, tmp_path):
    content, path = kept.read_bytes(), tmp_path / "d"
    for size in [0, 5, 22, 30, 87, 95, 120, len(content) // 2, len(content) - 1]:
        path.write_bytes(content[:size])
        with pytest.raises(CheckpointError, match="checkpoint '.*d'(: this is no| has format|: its end|: it is cut)"):
            LSTMClassifier(**SMALL).fit(events, resume=path)
    for place in range(24, len(content), 997):
        damaged = bytearray(content)
        damaged[place] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"checkpoint '.*d'( is damaged|: it is cut|: its end)"):
            LSTMClassifier(**SMALL).fit(events, resume=path)
    path.write_bytes(content + b"x")
    with pytest.raises(CheckpointError, match="is damaged"):
        read_checkpoint(path)
    path.write_bytes(content.replace(b"checkpoint 1", b"checkpoint 2", 1))
    with pytest.raises(CheckpointError, match="has format 2, expected 1: it is of another version"):
        read_checkpoint(path)
    with pytest.raises(CheckpointError, match="cannot be read: No such file or directory; train from the beginning"):
        LSTMClassifier(**SMALL).fit(events, resume=tmp_path / "none")


def test_another_build_or_instruction_set_is_said(events, kept, monkeypatch, caplog):
    monkeypatch.setattr("tmva_lstm_plugin.fitting.__version__", "9.9")
    with caplog.at_level(logging.WARNING, "tmva_lstm_plugin"):
        LSTMClassifier(**SMALL).fit(events, resume=kept, checkpoint=kept.with_name("again"))
    assert "was made with version 0.1.0, this is 9.9" in caplog.text


def test_options_of_checkpoints_need_a_file(events, tmp_path):
    for name, value in (("checkpoint_epochs", 1), ("checkpoint_minutes", 5.0)):
        with pytest.raises(
            OptionError, match=rf"{name} is given, but no file for it; call fit\(..., checkpoint='FILE'\)"
        ):
            LSTMClassifier(**SMALL, **{name: value}).fit(events)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write the checkpoint into folder"):
        LSTMClassifier(**SMALL).fit(events, checkpoint=tmp_path / "file" / "c")


FULL = """
import hashlib, json, logging, resource, sys
from pathlib import Path
from tmva_lstm_plugin import LSTMClassifier
from tmva_lstm_plugin.testing import order_task

def fill(record, model):
    if record.epoch == 3:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
        sys.argv.append(hashlib.sha256(Path("c").read_bytes()).hexdigest())

model = LSTMClassifier(hidden=6, epochs=5, checkpoint_epochs=1)
model.fit(order_task(400).sequences, checkpoint="c", callbacks=[fill])
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert hashlib.sha256(Path("c").read_bytes()).hexdigest() == sys.argv[1]
print(json.dumps({"epochs": len(model.history), "files": sorted(str(p) for p in Path().iterdir())}))
"""


def test_a_full_disk_leaves_the_checkpoint_before_and_the_training_goes_on(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"epochs": 5, "files": ["c"]}
    said = "cannot write the checkpoint 'c': File too large; the earlier file is untouched; the training goes on"
    assert done.stderr.count(said) == 3
    assert read_checkpoint(tmp_path / "c").history["epoch"] == [1, 2]
