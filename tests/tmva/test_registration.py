"""register(), and feeding a DataLoader, in ROOT itself. Each script runs in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

PREPARE = """
    import numpy as np
    import ROOT
    import tmva_lstm_plugin
    from tmva_lstm_plugin import Sequences, tmva
    tmva_lstm_plugin.register(quiet=True)
    rng = np.random.default_rng(1)

    def jagged(n, T=5, D=3, classes=2, **kwargs):
        lengths = rng.integers(0, T + 1, n)
        lengths[0] = T
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        return Sequences.from_arrays(rng.normal(size=(offsets[-1], D)), offsets, np.arange(n) % classes,
            rng.uniform(0.5, 2, n), event_values=rng.normal(size=(n, 1)), event_feature_names=["sum pt"], **kwargs)

    def events_of(loader, kind):
        data = loader.GetDataSetInfo().GetDataSet()
        data.SetCurrentType(kind)
        return [data.GetEvent(i) for i in range(data.GetNEvents(kind))]
"""


def script(body):
    return "\n".join(line[4:] for text in (PREPARE, body) for line in text.splitlines())


@pytest.mark.parametrize(
    "order",
    [
        "import ROOT, tmva_lstm_plugin\nr = tmva_lstm_plugin.register()",
        "import tmva_lstm_plugin\nr = tmva_lstm_plugin.register()\nimport ROOT",
        "import tmva_lstm_plugin.tmva\nimport ROOT\nROOT.gROOT\nr = tmva_lstm_plugin.register(quiet=True)",
    ],
)
def test_in_any_order_with_import_root(run_python, order):
    out = run_python(order + "\nprint(r)\nprint(ROOT.TMVA.MethodLSTM.kTypeValue)")
    assert re.search(
        r"^LSTM is registered with (the embedded host|TMVA) .* in ROOT \d\.\d+.*libTMVALSTM\.so", out, re.MULTILINE
    )
    assert out.endswith("\n60\n")


def test_it_says_nothing_of_roots_warning():
    """Importing ROOT's wheel warns; register() does not, even where warnings are errors."""
    code = "import tmva_lstm_plugin; tmva_lstm_plugin.register(quiet=True)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_second_call_does_nothing_and_a_second_process_compiles_nothing(run_python):
    """How long both take is measured in benchmarks/registration.py."""
    out = run_python(
        """
        import tmva_lstm_plugin
        first = tmva_lstm_plugin.register(quiet=True)
        assert tmva_lstm_plugin.register() is first
        print("same")
        """
    )
    assert "same" in out
    out = run_python("import tmva_lstm_plugin\nprint(tmva_lstm_plugin.register().built)")
    assert out.split()[-1] == "False"


def test_a_library_loaded_by_a_macro_is_not_loaded_again(run_python):
    out = run_python(
        """
        import ROOT
        from tmva_lstm_plugin.plugin_build import ensure_plugin
        plugin = ensure_plugin(echo=None)
        ROOT.gSystem.AddDynamicPath(str(plugin.folder))
        assert ROOT.gSystem.Load("libTMVALSTM") == 0
        import tmva_lstm_plugin
        made = tmva_lstm_plugin.register()
        print(made.notes, made.library == plugin.path)
        try:
            tmva_lstm_plugin.register(rebuild=True)
        except Exception as error:
            print(error)
        """
    )
    assert "the library was loaded before, by other means" in out
    assert "True" in out
    assert "is loaded already and cannot be exchanged within a process" in out


def test_without_a_compiler_and_without_a_cache(run_python, tmp_path):
    out = run_python(
        """
        import tmva_lstm_plugin
        try:
            tmva_lstm_plugin.register()
        except tmva_lstm_plugin.errors.LSTMError as error:
            print(error)
        """,
        CXX="no-such-compiler",
        XDG_CACHE_HOME=str(tmp_path / "empty"),
        TMPDIR=str(tmp_path),
    )
    assert re.search(r"compiled once for ROOT .* and there is no C\+\+ compiler: install one", out)


def test_without_a_compiler_the_cache_serves(run_python):
    out = run_python("import tmva_lstm_plugin\nprint(tmva_lstm_plugin.register())", CXX="no-such-compiler")
    assert "there is no compiler here: a library made earlier by" in out


def test_what_the_loader_holds_is_what_was_given(run_python, needs):
    needs("events shown by the DataLoader")
    run_python(
        script(
            """
    train, test = jagged(200), jagged(80)
    loader = ROOT.TMVA.DataLoader("ds")
    layout = tmva.fill_dataloader(loader, train, test=test, steps=5)
    assert layout.n_events == {"Background": 140, "Signal": 140}, layout
    assert layout.class_names == ("Background", "Signal")
    tmva.prepare(loader, SplitMode="Block", NormMode="None")
    info = loader.GetDataSetInfo()
    assert (info.GetNVariables(), info.GetNSpectators()) == (16, 1)
    for sample, kind in ((train, ROOT.TMVA.Types.kTraining), (test, ROOT.TMVA.Types.kTesting)):
        by_weight = {np.float32(w): n for n, w in enumerate(sample.weights)}
        events = events_of(loader, kind)
        assert len(events) == len(sample)
        for event in events:
            n = by_weight[np.float32(event.GetWeight())]
            steps = sample.values[sample.offsets[n]:sample.offsets[n + 1]].ravel()
            values = np.array([event.GetValue(i) for i in range(16)], dtype=np.float32)
            np.testing.assert_array_equal(values[:len(steps)], steps)
            assert not values[len(steps):15].any()
            assert values[15] == sample.event_values[n, 0]
            assert event.GetSpectator(0) == sample.lengths[n]
            assert event.GetClass() == (0 if sample.labels[n] == 1 else 1)  # TMVA's signal is number 0
            """
        )
    )


def test_many_classes_and_targets(run_python):
    run_python(
        script(
            """
    events = jagged(90, classes=3, class_names=("a", "b", "c"))
    loader = ROOT.TMVA.DataLoader("many")
    layout = tmva.fill_dataloader(loader, events, steps=3)
    assert layout.n_events == {"a": 30, "b": 30, "c": 30}
    assert layout.n_cut == np.count_nonzero(events.lengths > 3)
    tmva.prepare(loader)
    if hasattr(loader, "GetDataSetInfo"):
        assert [str(loader.GetDataSetInfo().GetClassInfo(i).GetName()) for i in range(3)] == ["a", "b", "c"]
    loader = ROOT.TMVA.DataLoader("targets")
    layout = tmva.fill_dataloader(loader, events, targets={"E": np.arange(90), "p T": np.arange(90)})
    assert (layout.targets, layout.n_events) == (("E", "p_T"), {"Regression": 90})
    tmva.prepare(loader)
            """
        )
    )


def test_the_padded_file_is_read_by_the_loader(run_python, needs):
    needs("arrays in the DataLoader", "events shown by the DataLoader")
    run_python(
        script(
            """
    events = jagged(120)
    layout = tmva.write_tmva_tree("padded.root", events)
    file = ROOT.TFile("padded.root")
    loader = ROOT.TMVA.DataLoader("ds")
    loader.AddVariablesArray("vars", layout.width)
    loader.AddSpectator("length")
    loader.AddSignalTree(file.Get("signal"))
    loader.AddBackgroundTree(file.Get("background"))
    loader.SetSignalWeightExpression("weight")
    loader.SetBackgroundWeightExpression("weight")
    tmva.prepare(loader, SplitMode="Block", NormMode="None")
    found = sorted(event.GetSpectator(0) for kind in (0, 1) for event in events_of(loader, kind))
    assert found == sorted(events.lengths)
            """
        )
    )


def test_errors_of_a_booking_arrive_as_they_are(run_python):
    out = run_python(
        script(
            """
    loader = ROOT.TMVA.DataLoader("ds")
    layout = tmva.fill_dataloader(loader, jagged(100))
    tmva.prepare(loader)
    file = ROOT.TFile("out.root", "RECREATE")
    factory = ROOT.TMVA.Factory("job", file, "Silent:!DrawProgressBar:AnalysisType=Classification")
    assert tmva.book(factory, loader, "good", layout, Layout="LSTM|4", TrainingStrategy="MaxEpochs=1")
    try:
        tmva.book(factory, loader, "bad", layout, Layuot="LSTM|4")
    except Exception as error:
        print(type(error).__name__, error)
            """
        )
    )
    assert re.search(
        r"OptionError booking 'bad' with the options 'InputLayout=5\|3:Length=length:Layuot=.*"
        r"unknown option 'Layuot=LSTM\|4'; did you mean 'Layout'\?",
        out,
    )


def test_a_reader_of_a_file_that_is_not_there(run_python):
    out = run_python(
        script(
            """
    try:
        tmva.book_reader(ROOT.TMVA.Reader(), "nowhere.weights.xml")
    except Exception as error:
        print(type(error).__name__, error)
            """
        )
    )
    assert "InputError no weights file 'nowhere.weights.xml'" in out
