"""Progress of a training: lines in a batch log, a bar on a terminal."""

from __future__ import annotations

import io
import math
import os
import pty
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tmva_lstm_plugin.progress import EntryProgress, LineProgress, TerminalProgress, make_progress


def record(epoch=3, epochs=15, loss=0.12341, validation=0.13009, best=True, monitor="loss", monitored=math.nan):
    """One epoch's figures, with the fields of EpochRecord."""
    return SimpleNamespace(
        epoch=epoch,
        epochs=epochs,
        loss=loss,
        validation_loss=validation,
        learning_rate=0.003,
        seconds=0.5,
        events_per_second=12345.4,
        best=best,
        monitor=monitor,
        monitored=monitored,
    )


def test_one_aligned_line_an_epoch():
    stream = io.StringIO()
    with LineProgress(stream) as progress:
        progress(record())
        progress(record(epoch=12, best=False))
    assert stream.getvalue().splitlines() == [
        "epoch  3/15  loss 0.1234  validation 0.1301  rate 0.003  12345 events/s  best",
        "epoch 12/15  loss 0.1234  validation 0.1301  rate 0.003  12345 events/s",
    ]


@pytest.mark.parametrize("missing", [None, math.nan])
def test_without_validation_nothing_is_said_of_it(missing):
    stream = io.StringIO()
    LineProgress(stream)(record(validation=missing, best=False))
    assert stream.getvalue() == "epoch  3/15  loss 0.1234  rate 0.003  12345 events/s\n"


def test_lines_do_not_wait_in_a_buffer(tmp_path):
    path = tmp_path / "log"
    with open(path, "w") as stream:
        LineProgress(stream)(record())
        assert path.read_text().startswith("epoch  3/15")


def test_default_stream_is_the_current_standard_output(capsys):
    with make_progress() as progress:
        progress(record())
    assert capsys.readouterr().out.startswith("epoch  3/15")


def test_a_stream_that_is_no_terminal_gets_lines(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert isinstance(make_progress(io.StringIO()), LineProgress)


@pytest.mark.parametrize(("term", "kind"), [("xterm", TerminalProgress), ("dumb", LineProgress)])
def test_only_a_terminal_that_can_redraw_gets_a_bar(monkeypatch, term, kind):
    monkeypatch.setenv("TERM", term)
    ours, theirs = pty.openpty()
    try:
        with open(theirs, "w", closefd=False) as stream:
            assert type(make_progress(stream)) is kind
    finally:
        os.close(ours)
        os.close(theirs)


def test_entries_are_told_by_lines_at_intervals():
    stream = io.StringIO()
    with EntryProgress("scoring", stream, interval=0.0) as progress:
        progress(10, 30)
        progress(30, 30)
    assert stream.getvalue() == "scoring: 10 of 30 entries\nscoring: 30 of 30 entries\n"
    quiet = io.StringIO()
    with EntryProgress("scoring", quiet, interval=1000.0) as progress:
        progress(10, 30)
    assert quiet.getvalue() == ""


def test_what_is_monitored_is_shown():
    stream = io.StringIO()
    LineProgress(stream)(record(monitor="auc", monitored=0.98765))
    assert "validation 0.1301  auc 0.9877  rate 0.003" in stream.getvalue()


CODE = """
from types import SimpleNamespace
from tmva_lstm_plugin.progress import EntryProgress, make_progress
with EntryProgress("reading it") as progress:
    progress(5, 7)
with make_progress(title="training it") as progress:
    for epoch in (1, 2):
        progress(SimpleNamespace(epoch=epoch, epochs=2, loss=0.5, validation_loss=0.25, seconds=1.0,
                                 events_per_second=321.0, learning_rate=3e-3, best=True, monitor="loss"))
"""


def test_bar_on_a_real_terminal():
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    child = subprocess.Popen([sys.executable, "-c", CODE], stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:
        pass  # Linux reports the end of a terminal's other side as an error
    os.close(ours)
    assert child.wait() == 0
    plain = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", shown).decode()
    assert "training it" in plain
    assert "2/2" in plain
    assert "reading it" in plain
    assert "5/7" in plain
    assert "loss 0.5000  validation 0.2500  rate 0.003  321 events/s" in plain
    assert shown.rstrip().endswith(b"\x1b[?25h")  # the cursor is given back
