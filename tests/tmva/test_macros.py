"""The macros, run by the root program: in the three ways a library can be brought to them, without it, and when they fail."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from tmva_lstm_plugin import load_model
from tmva_lstm_plugin.plugin_build import ensure_plugin

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the wheel says that it is an alpha version
    ROOT = pytest.importorskip("ROOT", reason="ROOT is not installed")

PROGRAM = os.environ.get("TMVA_LSTM_ROOT_EXE") or str(Path(ROOT.__file__).parent / "bin" / "root.exe")
SOURCES = Path(__file__).parents[2] / "macros"
WAYS = ["load_plugin.C", "the line of config --load", "config --env"]
TRAIN = '("train_lstm.root", 300, 3)'
COMPARE = '("compare.root", "roc.png", 300, 3)'

pytestmark = pytest.mark.skipif(not Path(PROGRAM).exists(), reason="no root program beside this ROOT")


@pytest.fixture(scope="session", autouse=True)
def plugin(plugin_cache):
    return ensure_plugin(echo=None)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # the command of the package under test, as in a virtual environment that is active
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.delenv("TMVA_LSTM_LIBDIR", raising=False)
    return tmp_path


def run(command, **environment):
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=600, check=False, env={**os.environ, **environment}
    )
    return result.returncode, (result.stdout + result.stderr).replace("\r", "\n")


def run_root(*macros, **environment):
    return run([PROGRAM, "-l", "-b", "-q", *map(str, macros)], **environment)


def config(what):
    return subprocess.run(["tmva-lstm", "config", what], capture_output=True, text=True, check=True).stdout.strip()


def run_macro(way, name, arguments=""):
    """Run a macro in one of the three ways."""
    if way == "load_plugin.C":
        return run_root(SOURCES / "load_plugin.C", f"{SOURCES / name}{arguments}")
    if way == "config --env":
        script = 'eval "$(tmva-lstm config --env)" && exec "$@"'
        macro = f"{SOURCES / name}{arguments}"
        return run(["sh", "-c", script, "sh", PROGRAM, "-l", "-b", "-q", macro])
    # a home that the cache is in, so that the line starts from $HOME
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(Path(os.environ["XDG_CACHE_HOME"]).parent))
        line = config("--load")
        assert re.fullmatch(r"R__LOAD_LIBRARY\(\$HOME/.*/current/libTMVALSTM\.so\)", line)
        shutil.copy(SOURCES / "lstm_macros.h", ".")
        before, first, after = (SOURCES / name).read_text().partition('#include "lstm_macros.h"')
        Path(name).write_text(f"{before}{line}\n{first}{after}")
        return run_root(f"{name}{arguments}")


def area(output):
    return re.search(r"area below the ROC curve (\S+),", output).group(1)


def auc_in(path):
    import uproot

    from tmva_lstm_plugin.evaluation import auc

    tree = uproot.open(path)["dataset/TestTree"].arrays(["LSTM", "classID"], library="np")
    return auc(tree["LSTM"], tree["classID"] == 0)


@pytest.mark.parametrize("way", WAYS)
def test_train_and_apply(folder, way):
    code, output = run_macro(way, "train_lstm.C", TRAIN)
    assert code == 0, output
    # TMVA of 2015 integrates a curve of bins
    assert float(area(output)) == pytest.approx(auc_in("train_lstm.root"), abs=0.03)
    assert len(load_model("dataset/weights/train_lstm_LSTM.weights.xml").feature_names) == 30
    code, output = run_macro(way, "apply_lstm.C")
    assert code == 0, output
    assert "apply_lstm.C: 120 events, 0 with another score than in the training" in output


@pytest.mark.parametrize("way", WAYS)
def test_compare(folder, way):
    code, output = run_macro(way, "compare_methods.C", COMPARE)
    assert code == 0, output
    table = output[output.index("compare_methods.C: area below the ROC curve, 600 toy sequences") :]
    rows = dict(re.findall(r"^   (\w+) +(\d\.\d{4})   ", table, re.MULTILINE))
    assert float(rows["LSTM"]) == pytest.approx(auc_in("compare.root"), abs=0.03)
    for method, title in (("BDT", "BDTG"), ("MLP", "MLP"), ("DL", "DL_LSTM")):
        assert (f"compare_methods.C: no {method}, " in output) != (title in rows)
    assert ("There is no other method in this TMVA" in table) == (list(rows) == ["LSTM"])
    picture = Path("roc.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 4000


def test_python_trains_the_same_as_the_macro(folder):
    trained = []
    for command in (
        [PROGRAM, "-l", "-b", "-q", str(SOURCES / "load_plugin.C"), f"{SOURCES / 'train_lstm.C'}{TRAIN}"],
        [sys.executable, "-W", "ignore", str(SOURCES / "train_lstm.py"), "--events", "300", "--epochs", "3"],
    ):
        shutil.rmtree("dataset", ignore_errors=True)
        code, output = run(command)
        assert code == 0, output
        model = load_model("dataset/weights/train_lstm_LSTM.weights.xml")
        trained.append((area(output), model._trainer.parameters.tobytes(), auc_in("train_lstm.root")))
    assert trained[0] == trained[1]


@pytest.mark.parametrize("name", ["train_lstm.C", "apply_lstm.C", "compare_methods.C"])
def test_without_the_plugin_a_macro_says_what_to_run(folder, name):
    # another macro after it, which must not be reached: its return value would be the exit code
    (folder / "next.C").write_text('int next() { printf("went on\\n"); return 0; }\n')
    code, output = run_root(SOURCES / name, folder / "next.C")
    assert code == 2, output
    assert "went on" not in output
    assert f"{name}: TMVA does not know the LSTM here, the plugin is not loaded. Run" in output
    assert f"root -l -b -q macros/load_plugin.C macros/{name}" in output


def test_load_plugin_fails(folder, plugin):
    code, output = run_root(SOURCES / "load_plugin.C", SOURCES / "train_lstm.C", PATH="/usr/bin:/bin")
    assert code == 2, output
    assert "load_plugin.C: there is no library of the plugin, or no tmva-lstm on the PATH" in output
    # a library of this name that is none
    (folder / "libTMVALSTM.so").write_text("")
    code, output = run_root(SOURCES / "load_plugin.C", SOURCES / "train_lstm.C", TMVA_LSTM_LIBDIR=str(folder))
    assert code == 2, output
    assert f"load_plugin.C: libTMVALSTM in '{folder}' cannot be loaded" in output
    code, output = run_root(SOURCES / "load_plugin.C", TMVA_LSTM_LIBDIR=str(plugin.folder), PATH="/usr/bin:/bin")
    assert code == 0, output


@pytest.mark.parametrize("name", ["train_lstm.C", "train_lstm.py"])
def test_a_training_fails(folder, name):
    """What goes wrong, in TMVA or with the files, ends in an exit code other than 0."""

    def train(output, options):
        if name == "train_lstm.C":
            return run_macro("load_plugin.C", name, f'("{output}", 300, 3, "{options}")')
        more = ["--events", "300", "--epochs", "3", "--output", output, "--options", options]
        return run([sys.executable, "-W", "ignore", str(SOURCES / name), *more])

    code, output = train("out.root", "Layuot=LSTM|3")
    assert code == 1, output
    assert "'Layuot=LSTM|3'" in output
    assert "area below" not in output
    code, output = train("no/such/folder/out.root", "")
    assert code == 1, output
    assert f"{name}: cannot write 'no/such/folder/out.root'" in output


def test_apply_fails(folder):
    code, output = run_macro("load_plugin.C", "apply_lstm.C")
    assert code == 1, output
    assert "run train_lstm.C first" in output
    for arguments in ('("other.root", 300, 3)', '("train_lstm.root", 300, 2)'):
        assert run_macro("load_plugin.C", "train_lstm.C", arguments)[0] == 0
    # scores of one training, weights of another
    code, output = run_macro("load_plugin.C", "apply_lstm.C", '("other.root")')
    assert code == 1, output
    assert "apply_lstm.C: 120 events, 120 with another score than in the training" in output


def test_compare_fails(folder):
    code, output = run_macro("load_plugin.C", "compare_methods.C", '("compare.root", "no/such/folder/roc.png", 300, 2)')
    assert code == 1, output
    assert "the ROC curves could not be drawn into no/such/folder/roc.png" in output


def test_a_program_that_reads(folder, plugin):
    """What --cflags and --libs print is enough to compile a program with TMVA::Reader, and to run it as it is."""
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if compiler is None:
        pytest.skip("no compiler")
    code, output = run_macro("load_plugin.C", "train_lstm.C", TRAIN)
    assert code == 0, output
    (folder / "my_reader.cpp").write_text('#include "apply_lstm.C"\nint main() { return apply_lstm(); }\n')
    options = " ".join(config(what) for what in ("--cflags", "--libs"))
    code, output = run(["sh", "-c", f"'{compiler}' my_reader.cpp -Wall -I'{SOURCES}' {options} -o my_reader"])
    assert code == 0, output
    code, output = run(["./my_reader"], XDG_CACHE_HOME=str(folder))
    assert code == 0, output
    assert "apply_lstm.C: 120 events, 0 with another score than in the training" in output
