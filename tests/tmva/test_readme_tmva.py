"""What README shows of TMVA runs as it stands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.md").read_text(encoding="utf-8")


def blocks(language, containing):
    return [
        block
        for block in re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
        if containing in block
    ]


@pytest.fixture
def folder(tmp_path):
    """Where README's commands are meant to be run."""
    for name in ("data", "macros"):
        (tmp_path / name).symlink_to(PROJECT / name)
    return tmp_path


def test_python(folder, run_python):
    """The block of section "In TMVA" goes on where that of reading and training ends."""
    (reading,) = blocks("python", "read_sequences")
    (booking,) = blocks("python", "import ROOT")
    try:
        out = run_python(f"{reading}\n{booking}")
    except AssertionError as error:
        if "is constant. Please remove the variable" in str(error):
            pytest.skip("not in this TMVA: a step that few events have")
        raise
    assert float(re.search(r"^ROC integral (\S+)$", out, re.MULTILINE).group(1)) > 0.95
    assert (folder / "dataset" / "weights" / "dis_LSTM.weights.xml").is_file()


def test_macros(folder, plugin_cache):
    program = shutil.which("root", path=str(Path(sys.executable).parent)) or shutil.which("root")
    if program is None:
        pytest.skip("no root program")
    (block,) = blocks("console", "macros/load_plugin.C")
    commands = [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]
    assert len(commands) == 4
    environment = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    environment.pop("TMVA_LSTM_LIBDIR", None)
    done = subprocess.run(
        ["sh", "-e", "-c", "\n".join(commands)],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "train_lstm.C: area below the ROC curve" in done.stdout
    assert re.search(r"^R__LOAD_LIBRARY\(.*libTMVALSTM\.so\)$", done.stdout, re.MULTILINE)
    assert "800 events, 0 with another score than in the training" in done.stdout
