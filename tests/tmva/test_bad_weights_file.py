"""A weights file that is damaged, cut off, of a newer format or for other variables is refused; none is left half written."""

from __future__ import annotations

import array
import itertools
import re
import shutil
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import numpy as np
import pytest

from tmva_lstm_plugin import LSTMClassifier, Sequences, load_model
from tmva_lstm_plugin.errors import ModelFileError
from tmva_lstm_plugin.root_finder import find_root

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the wheel says that it is an alpha version
    ROOT = pytest.importorskip("ROOT", reason="ROOT is not installed")

import tmva_lstm_plugin  # noqa: E402
from tmva_lstm_plugin import tmva  # noqa: E402

NUMBERS = itertools.count()
ADAPTER = Path(tmva_lstm_plugin.__file__).parent / "cpp" / "tmva"
QUICK = "MaxEpochs=2,BatchSize=10,LearningRate=3e-2"


pytestmark = pytest.mark.usefixtures("registered")


def throws():
    """FATAL throws in every TMVA since 6.08; before that it ends the process with code 1."""
    return hasattr(ROOT.TMVA.DataLoader, "AddVariablesArray")


def train(folder, monkeypatch, *, factory_options="!V:!Silent", output=True):
    """Train three steps of two features; (factory, loader, weights file, the TFile)."""
    monkeypatch.chdir(folder)
    file = ROOT.TFile("out.root", "RECREATE") if output else None
    options = f"{factory_options}:!Color:!DrawProgressBar:AnalysisType=Classification"
    factory = ROOT.TMVA.Factory("job", file, options) if output else ROOT.TMVA.Factory("job", options)
    name = f"weights{next(NUMBERS)}"
    loader = ROOT.TMVA.DataLoader(name)
    rng = np.random.default_rng(1)
    lists = [rng.normal(n % 2, 1, (1 + n % 3, 2)) for n in range(200)]
    more = {"event_values": rng.normal(size=(200, 1)), "event_feature_names": ["extra"]}
    events = Sequences.from_lists(lists, labels=np.arange(200) % 2, **more)
    layout = tmva.fill_dataloader(loader, events, variables="x")
    tmva.prepare(loader, NormMode="None")
    tmva.book(factory, loader, "LSTM", layout, Layout="LSTM|4", Ranking=False, TrainingStrategy=QUICK)
    factory.TrainAllMethods()
    return factory, loader, folder / name / "weights" / "job_LSTM.weights.xml", file


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        _, _, path, file = train(tmp_path_factory.mktemp("trained"), patch)
        file.Close()
    return path


@pytest.fixture
def log(capfd):
    def read():
        ROOT.gROOT.ProcessLine("std::cout.flush(); fflush(stdout);")
        captured = capfd.readouterr()
        return captured.out + captured.err

    return read


def names_of(path):
    return re.findall(r'<Variable VarIndex="\d+" Expression="([^"]+)"', path.read_text())


def reader_for(names, spectators=("length",)):
    reader = ROOT.TMVA.Reader("!Color:!Silent")
    place = array.array("f", [1.0])
    for name in names:
        reader.AddVariable(name, place)
    for name in spectators:
        reader.AddSpectator(name, place)
    reader._tmva_lstm_place = place
    return reader


def changed(weights, tmp_path, change):
    path = tmp_path / "changed_LSTM.weights.xml"
    text = change(weights.read_text())
    assert text != weights.read_text(), "nothing was changed"
    path.write_text(text)
    return path


def flip(text, place):
    return text[:place] + ("B" if text[place] == "A" else "A") + text[place + 1 :]


def in_parameters(text):
    return text.index(">", text.index("<Parameters")) + 30


DAMAGES = {
    "base64": (lambda text: flip(text, in_parameters(text)), "the content has checksum"),
    "no base64": (
        lambda text: text[: in_parameters(text)] + "?" + text[in_parameters(text) + 1 :],
        "the content has checksum",
    ),
    "checksum": (
        lambda text: re.sub(r'(Checksum=")(.)', lambda m: m[1] + ("1" if m[2] == "0" else "0"), text),
        "checksum",
    ),
    "attribute": (lambda text: text.replace('Hidden="4"', 'Hidden="5"'), "checksum"),
    "newer format": (lambda text: re.sub(r'(<LSTMModel [^>]*Format=")\d+', r"\g<1>99", text), "99"),
    "no model": (
        lambda text: text[: text.index("<LSTMModel")] + text[text.index("</LSTMModel>") + len("</LSTMModel>") :],
        "there is no LSTMModel in <Weights>",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_once_and_by_its_path(weights, tmp_path, log, damage):
    change, message = DAMAGES[damage]
    path = changed(weights, tmp_path, change)
    names = names_of(weights)
    for book in (
        lambda: reader_for(names).BookMVA("LSTM", str(path)),
        lambda: reader_for(names).BookMVA(ROOT.TString("LSTM"), ROOT.TString(str(path))),
    ):
        log()
        with pytest.raises(Exception, match=re.escape(message)) as caught:
            book()
        assert type(caught.value).__name__ == "runtime_error"
        assert f"weights file '{path}': " in caught.value.what()
        errors = [line for line in log().splitlines() if "<ERROR>" in line]
        assert len(errors) == 1
        assert caught.value.what() in errors[0]
    with pytest.raises(ModelFileError, match=re.escape(message)) as caught:
        tmva.book_reader(reader_for(names), path)
    assert str(caught.value).startswith(f"reading '{path}': TMVA refused: weights file '{path}'")
    # the reader is fit for another file, under the same tag
    reader = reader_for(names)
    with pytest.raises(ModelFileError):
        tmva.book_reader(reader, path)
    assert tmva.book_reader(reader, weights)
    assert 0 < reader.EvaluateMVA("LSTM") < 1


def test_a_format_of_the_future_says_that_it_is_newer(weights, tmp_path):
    path = changed(weights, tmp_path, DAMAGES["newer format"][0])
    with pytest.raises(ModelFileError, match=r"format 99.*newer"):
        tmva.book_reader(reader_for(names_of(weights)), path)


CUTS = ("nothing", "first line", "variables", "parameters", "after the model", "last tag")


def cut(text, where):
    place = {
        "nothing": 0,
        "first line": 20,
        "variables": text.index("<Variables") + 60,
        "parameters": in_parameters(text),
        "after the model": text.index("</LSTMModel>") + len("</LSTMModel>"),
        "last tag": text.rindex("</MethodSetup>") + 5,
    }[where]
    return text[:place]


@pytest.mark.parametrize("where", CUTS)
def test_a_file_that_is_cut_off_is_refused(weights, tmp_path, where):
    path = changed(weights, tmp_path, lambda text: cut(text, where))
    expected = "no weights file of TMVA" if where in CUTS[:2] else "is cut off: it ends in"
    with pytest.raises(ModelFileError, match=expected):
        tmva.book_reader(reader_for(names_of(weights)), path)
    with pytest.raises(ModelFileError, match=expected):
        reader_for(names_of(weights)).BookMVA("LSTM", str(path))


@pytest.mark.parametrize("where", CUTS)
def test_and_so_it_is_in_cpp(weights, tmp_path, run_python, where):
    """By TMVA itself, whose parser sees it first; what it says is its own, but the process neither crashes nor goes on."""
    path = changed(weights, tmp_path, lambda text: cut(text, where))
    run_python(
        f"""
        import os, sys, ROOT, tmva_lstm_plugin
        tmva_lstm_plugin.register(quiet=True)
        ROOT.gInterpreter.Declare('''
        #include <iostream>
        #include "TMVA/Reader.h"
        int read(const char *file) {{
           TMVA::Reader reader("!Color:!Silent");
           static float x;
           for (const char *name : {{{", ".join(f'"{name}"' for name in names_of(weights))}}}) reader.AddVariable(name, &x);
           reader.AddSpectator("length", &x);
           try {{
              reader.BookMVA("LSTM", file);
           }} catch (const std::exception &error) {{
              std::cout << "CAUGHT " << error.what() << std::endl;
              return 1;
           }}
           return 0;
        }}''')
        code = ROOT.read({str(path)!r})
        sys.stdout.flush()
        os._exit(code)
        """,
        code=1,
    )


def test_other_variables_than_in_the_training_are_refused(weights, run_python):
    """By TMVA, which compares names and order, with its FATAL."""
    names = names_of(weights)
    assert names[-1] == "extra"
    for declared, spectators, shown in (
        (names[:-1], ["length"], r"\b6\b.*\b7\b"),
        ([names[-1], *names[:-1]], ["length"], r"\bextra\b"),
        (names, [], r"spectator"),
    ):
        out = run_python(
            f"""
            import array, ROOT
            from tmva_lstm_plugin import tmva
            tmva.register(quiet=True)
            reader = ROOT.TMVA.Reader("!Color:!Silent")
            x = array.array("f", [1])
            for name in {declared!r}:
                reader.AddVariable(name, x)
            for name in {spectators!r}:
                reader.AddSpectator(name, x)
            try:
                tmva.book_reader(reader, {str(weights)!r})
            except Exception as error:
                print("CAUGHT", type(error).__name__, error)
            """,
            code=0 if throws() else 1,
        )
        assert re.search(shown, out), out
        if throws():
            assert "CAUGHT ModelFileError" in out


# --- the library is not there, or for another ROOT -------------------------------------------------------------------


def test_without_the_library_a_reader_says_what_it_does_not_know(weights, run_python, registered):
    out = run_python(
        f"""
        import ROOT
        try:
            reader = ROOT.TMVA.Reader("!Color:!Silent")
        except AttributeError as error:
            print("NO TMVA", error)
            raise SystemExit(1)
        reader.BookMVA("LSTM", {str(weights)!r})
        """,
        code=1,
    )
    # the host is in the library: without it this ROOT has no TMVA at all
    assert ("NO TMVA" in out and "TMVA" in out) if registered.host else "LSTM" in out


def test_the_packages_own_reader_brings_the_library(weights, run_python, registered):
    out = run_python(
        f"""
        import array, ROOT
        import tmva_lstm_plugin.tmva as tmva
        if {registered.host}:
            tmva.register(quiet=True)  # there is no TMVA::Reader before
        reader = ROOT.TMVA.Reader("!Color:!Silent")
        x = array.array("f", [1])
        for name in {names_of(weights)!r}:
            reader.AddVariable(name, x)
        reader.AddSpectator("length", x)
        tmva.book_reader(reader, {str(weights)!r})
        print("SCORE", 0 < reader.EvaluateMVA("LSTM") < 1)
        """
    )
    assert "SCORE True" in out


def test_a_library_for_another_root_does_not_register(tmp_path, run_python, registered):
    """The registration is compiled as for another ROOT, and loaded: it says so in one sentence, and nothing else happens."""
    compiler = shutil.which("c++")
    if compiler is None:
        pytest.skip("no compiler")
    root = find_root()
    other = tmp_path / "other.h"
    other.write_text("#include <RVersion.h>\n#undef ROOT_VERSION_MINOR\n#define ROOT_VERSION_MINOR 4\n")
    library = tmp_path / "libOther.so"
    headers = Path(str(registered.library)).parent / "include"
    command = [compiler, f"-std=c++{root.cxx_standard}", "-fPIC", "-shared", "-w", "-Wl,-z,lazy", f"-I{headers}"]
    command += [f"-I{root.tmva_include}"] if root.tmva_include else []
    command += [f"-I{root.include}", "-include", str(other), str(ADAPTER / "Registration.cxx"), "-o", str(library)]
    subprocess.run(command, check=True)
    out = run_python(
        f"""
        import ROOT, sys, os
        os.dup2(1, 2)
        ROOT.gSystem.Load("libTMVA") if {not registered.host} else None
        print("LOADED", ROOT.gSystem.Load({str(library)!r}))
        sys.stdout.flush()
        os._exit(0)
        """
    )
    major = root.version.split(".")[0]
    assert re.search(
        rf"libTMVALSTM was compiled for ROOT {major}\.0?4\S*, this is ROOT {re.escape(root.version)}: the method LSTM is not "
        r"registered; compile it again with `tmva-lstm build-plugin`",
        out,
    )


# --- writing ---------------------------------------------------------------------------------------------------------


def test_a_full_disk_leaves_no_half_weights_file(tmp_path, registered):
    """A limit on the size of files stands for the full disk. TMVA's own writer is TMVA's: there the re-creation notices."""
    script = """
    import warnings; warnings.simplefilter("ignore")
    import resource, signal, sys
    import numpy as np, ROOT, tmva_lstm_plugin
    from tmva_lstm_plugin import Sequences, tmva
    tmva_lstm_plugin.register(quiet=True)
    file = ROOT.TFile("out.root", "RECREATE")
    factory = ROOT.TMVA.Factory("job", file, "!V:!Silent:!Color:!DrawProgressBar:AnalysisType=Classification")
    loader = ROOT.TMVA.DataLoader("ds")
    rng = np.random.default_rng(1)
    lists = [rng.normal(n % 2, 1, (1 + n % 3, 2)) for n in range(200)]
    layout = tmva.fill_dataloader(loader, Sequences.from_lists(lists, labels=np.arange(200) % 2), variables="x")
    tmva.prepare(loader, NormMode="None")
    tmva.book(factory, loader, "LSTM", layout, Layout="LSTM|64", Ranking=False, TrainingStrategy="MaxEpochs=1")
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))
    try:
        factory.TrainAllMethods()
    except Exception as error:
        print("CAUGHT", error)
        code = 3
    else:
        code = 0
    sys.stdout.flush()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    import os
    os._exit(code)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    out = done.stdout + done.stderr
    assert done.returncode == (3 if throws() else 1), out[-3000:]
    left = list((tmp_path / "ds" / "weights").glob("*"))
    if registered.host:
        assert left == [], out[-3000:]
        assert re.search(r"CAUGHT .*weights file ds/weights/job_LSTM.weights.xml cannot be written", out, re.DOTALL)


@pytest.mark.parametrize("options", ["!V:Silent", "!V:Silent:!ModelPersistence", "!V:!Silent:!ModelPersistence"])
@pytest.mark.parametrize("output", [True, False])
def test_silent_and_without_files(tmp_path, monkeypatch, log, options, output):
    persistent = "!ModelPersistence" not in options
    if not throws() and not (persistent and output):
        pytest.skip("not in this TMVA: ModelPersistence, and a Factory without an output file")
    log()
    factory, loader, weights, file = train(tmp_path, monkeypatch, factory_options=options, output=output)
    factory.TestAllMethods()
    factory.EvaluateAllMethods()
    assert factory.GetROCIntegral(loader, "LSTM") > 0.6
    said = log()
    assert ("Epoch | Train err." in said) == (":Silent" not in options)
    assert weights.is_file() == persistent
    if persistent:
        assert len(load_model(weights).history) == 2
    assert (tmp_path / "out.root").exists() == output
    if file:
        file.Close()


def test_silent_hides_the_line_and_not_the_reason(tmp_path, monkeypatch, log):
    monkeypatch.chdir(tmp_path)
    file = ROOT.TFile("out.root", "RECREATE")
    factory = ROOT.TMVA.Factory("job", file, "!V:Silent:!Color:!DrawProgressBar:AnalysisType=Classification")
    loader = ROOT.TMVA.DataLoader(f"weights{next(NUMBERS)}")
    lists = [np.full((2, 2), n % 2) for n in range(40)]
    tmva.fill_dataloader(loader, Sequences.from_lists(lists, labels=np.arange(40) % 2))
    with pytest.raises(Exception, match=r"InputLayout=9\|9 asks for 81 variables"):
        factory.BookMethod(loader, "LSTM", "LSTM", "InputLayout=9|9")
    file.Close()


def test_outputs_for_every_step_have_no_place_in_tmva(tmp_path, log):
    rng = np.random.default_rng(1)
    events = Sequences.from_lists([rng.normal(size=(1 + n % 3, 2)) for n in range(60)])
    model = LSTMClassifier(hidden=4, epochs=1, every_step=True).fit(events, events.values[:, 0] > 0)
    path = tmp_path / "steps_LSTM.weights.xml"
    model.save(path)
    with pytest.raises(
        ModelFileError, match="found outputs for every step, expected one answer for an event, which is all"
    ):
        tmva.book_reader(reader_for(names_of(path)), path)
    assert load_model(path).predict(events).shape == (len(events.values),)
