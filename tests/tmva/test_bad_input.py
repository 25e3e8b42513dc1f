"""What cannot be booked, trained or evaluated is refused by name: one line in the log, one exception with its text, one call."""

from __future__ import annotations

import array
import itertools
import re
import warnings

import numpy as np
import pytest

from tmva_lstm_plugin.errors import OptionError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the wheel says that it is an alpha version
    ROOT = pytest.importorskip("ROOT", reason="ROOT is not installed")

from tmva_lstm_plugin import tmva  # noqa: E402

T, D = 4, 2
NUMBERS = itertools.count()
NAMES = [f"v{k}" for k in range(T * D)]
BOOK = f"InputLayout={T}|{D}:Length=length:Layout=LSTM|4:!Ranking:"
SHORT = BOOK + "TrainingStrategy=MaxEpochs=2,BatchSize=20"
WRONG_LAYOUT = "InputLayout=9|9:!Ranking"
LAYOUT_MESSAGE = "InputLayout=9|9 asks for 81 variables, but 8 are declared; check AddVariable and AddVariablesArray"


pytestmark = pytest.mark.usefixtures("registered")


@pytest.fixture
def log(capfd):
    """TMVA's log since the last look."""

    def read():
        ROOT.gROOT.ProcessLine("std::cout.flush(); fflush(stdout);")
        captured = capfd.readouterr()
        return captured.out + captured.err

    return read


class Booth:
    """A factory with its loader, kept alive together; hand-made trees with one branch a value, bad ones where asked."""

    def __init__(
        self, n=60, *, analysis="Classification", options="!V:!Silent:!Color:!DrawProgressBar", change=None, **kwargs
    ):
        self.file = ROOT.TFile("out.root", "RECREATE")
        self.factory = ROOT.TMVA.Factory("job", self.file, f"{options}:AnalysisType={analysis}")
        self.name = f"bad{next(NUMBERS)}"  # an old TMVA takes a name once in a process
        self.loader = ROOT.TMVA.DataLoader(self.name)
        for name in NAMES:
            self.loader.AddVariable(name, "F")
        self.loader.AddSpectator("length")
        rng = np.random.default_rng(1)
        self.trees = []
        names = ("Signal", "Background") if analysis == "Classification" else ("a", "b", "c")
        for k, name in enumerate(names if analysis != "Regression" else ("Regression",)):
            rows = np.concatenate(
                [rng.normal(k, 1, (n, T * D)), rng.integers(1, T + 1, (n, 1)), np.ones((n, 1))], axis=1
            )
            if change:
                change(name, rows)
            self.trees.append(tree_of(name, rows))
        self.add(analysis, names, **kwargs)
        tmva.prepare(self.loader, NormMode="None", SplitMode="Block", V=False)

    def add(self, analysis, names, *, signal_use=""):
        if analysis == "Classification":
            self.loader.AddSignalTree(self.trees[0], 1.0, *([signal_use] if signal_use else []))
            if signal_use:
                self.loader.AddBackgroundTree(self.trees[1], 1.0, "Training")
                self.loader.AddBackgroundTree(self.trees[1], 1.0, "Test")
            else:
                self.loader.AddBackgroundTree(self.trees[1], 1.0)
            self.loader.SetSignalWeightExpression("weight")
            self.loader.SetBackgroundWeightExpression("weight")
        elif analysis == "Multiclass":
            for tree, name in zip(self.trees, names, strict=True):
                self.loader.AddTree(tree, name)
        else:
            self.loader.AddTarget("v0+v1")
            self.loader.AddRegressionTree(self.trees[0], 1.0)

    def book(self, options=SHORT, title="LSTM"):
        return self.factory.BookMethod(self.loader, "LSTM", title, options)

    def weights(self, folder, title="LSTM"):
        return folder / self.name / "weights" / f"job_{title}.weights.xml"


def tree_of(name, rows):
    tree = ROOT.TTree(name, name, 99, ROOT.nullptr)
    branches = [*NAMES, "length", "weight"]
    places = [array.array("f", [0]) for _ in branches]
    for branch, place in zip(branches, places, strict=True):
        tree.Branch(branch, place, f"{branch}/F")
    for row in rows:
        for place, value in zip(places, row, strict=True):
            place[0] = value
        tree.Fill()
    tree.ResetBranchAddresses()
    return tree


def errors_in(text):
    return [line for line in text.splitlines() if "<ERROR>" in line]


def refused(log, call, message):
    """Call, and see one line in the log and one exception, both with `message`; give the exception."""
    log()
    with pytest.raises(Exception) as caught:  # noqa: PT011 -- what type, the callers say
        call()
    assert not isinstance(caught.value, TypeError), caught.value
    assert message in str(caught.value)
    lines = errors_in(log())
    assert len(lines) == 1, lines
    assert message in lines[0]
    return caught.value


def throws():
    """FATAL throws in every TMVA since 6.08; before that it ends the process with code 1."""
    return hasattr(ROOT.TMVA.DataLoader, "AddVariablesArray")


# --- one call, whatever the form -------------------------------------------------------------------------------------


def test_every_form_of_booking_is_called_once_and_says_why(folder, log):
    booth = Booth()
    factory, loader = booth.factory, booth.loader
    kind = ROOT.TMVA.Types.EMVA(ROOT.TMVA.MethodLSTM.kTypeValue)
    forms = {
        "text": lambda: factory.BookMethod(loader, "LSTM", "LSTM", WRONG_LAYOUT),
        "ROOT's text": lambda: factory.BookMethod(
            loader, ROOT.TString("LSTM"), ROOT.TString("LSTM"), ROOT.TString(WRONG_LAYOUT)
        ),
        "enumerator": lambda: factory.BookMethod(loader, kind, "LSTM", WRONG_LAYOUT),
        "keywords": lambda: factory.BookMethod(loader, "LSTM", "LSTM", InputLayout="9|9", Ranking=False),
        "enumerator and keywords": lambda: factory.BookMethod(loader, kind, "LSTM", InputLayout="9|9", Ranking=False),
    }
    for form in forms.values():
        error = refused(log, form, LAYOUT_MESSAGE)
        assert error.what() == LAYOUT_MESSAGE  # a C++ exception, its text whole and nothing else
    own = refused(log, lambda: tmva.book(factory, loader, "LSTM", WRONG_LAYOUT), LAYOUT_MESSAGE)
    assert isinstance(own, OptionError)
    # nothing half-booked is left: the title is free, and all trains
    assert booth.book()
    factory.TrainAllMethods()
    assert booth.weights(folder).is_file()
    booth.file.Close()


def test_enumerators_book_what_they_name(folder):
    booth = Booth()
    kind = ROOT.TMVA.Types.EMVA(ROOT.TMVA.MethodLSTM.kTypeValue)
    assert str(booth.factory.BookMethod(booth.loader, kind, "byEnum", SHORT).GetMethodName()) == "byEnum"
    assert str(booth.factory.BookMethod(booth.loader, kind, "short").GetMethodName()) == "short"  # all defaults
    booth.file.Close()


def test_all_that_is_wrong_is_said_in_one_exception(folder, log):
    booth = Booth()
    log()
    with pytest.raises(Exception, match="unknown key 'LearnRate'") as caught:
        booth.book(BOOK + "TrainingStrategy=LearnRate=1:Architecture=GPU")
    lines = caught.value.what().splitlines()
    assert len(lines) == 2
    assert "did you mean 'LearningRate'?" in caught.value.what()
    assert "Architecture=GPU is not offered; this method runs on CPU" in lines
    assert len(errors_in(log())) == 2  # one message, a line for each
    booth.file.Close()


@pytest.mark.parametrize(
    "arguments",
    [
        ("", "SplitMode=Nonsense:V"),
        ("", "", "SplitMode=Nonsense:V"),
        ("", 10, 10, 10, 10, "SplitMode=Nonsense:V"),
    ],
)
def test_the_split_is_refused_with_its_reason(run_python, registered, arguments):
    """TMVA's own FATAL; with an old TMVA that is the end of the process."""
    out = run_python(
        f"""
        import ROOT, tmva_lstm_plugin
        tmva_lstm_plugin.register(quiet=True)
        loader = ROOT.TMVA.DataLoader("ds")
        loader.AddVariable("x", "F")
        file = ROOT.TFile("o.root", "RECREATE")
        factory = ROOT.TMVA.Factory("job", file, "!V:!Color:AnalysisType=Classification")
        trees = [ROOT.TTree(n, n) for n in "sb"]
        import array
        x = array.array("f", [0])
        for t in trees:
            t.Branch("x", x, "x/F")
            for n in range(50):
                x[0] = n % 7
                t.Fill()
        loader.AddSignalTree(trees[0])
        loader.AddBackgroundTree(trees[1])
        try:
            loader.PrepareTrainingAndTestTree(*{arguments!r})
            factory.BookMethod(loader, "LSTM", "LSTM", "TrainingStrategy=MaxEpochs=1")
            factory.TrainAllMethods()
        except Exception as error:
            print("CAUGHT", type(error).__name__, error)
        else:
            print("NOTHING")
        """,
        code=0 if throws() else 1,
    )
    assert "NOTHING" not in out
    assert "Nonsense" in out
    if throws():
        caught = out[out.index("CAUGHT") :]
        assert "CAUGHT runtime_error" in caught
        assert "FATAL error" in caught


@pytest.mark.parametrize(
    ("arguments", "n_train", "n_test"),
    [
        (("", "nTrain_Signal=11:nTrain_Background=12:nTest_Signal=13:nTest_Background=14:NormMode=None"), 23, 27),
        (("", "", "nTrain_Signal=11:nTrain_Background=12:nTest_Signal=13:nTest_Background=14:NormMode=None"), 23, 27),
        (("", 11, 12, 13, 14, "NormMode=None"), 23, 27),
        (("", 11, 12, 13, 14), 23, 27),
        (("", 11, 13), 22, 26),
        (
            ("v0>-100", "nTrain_Signal=11:nTrain_Background=12:nTest_Signal=13:nTest_Background=14:NormMode=None"),
            23,
            27,
        ),
    ],
)
def test_every_form_of_splitting_splits(folder, log, registered, arguments, n_train, n_test):
    if len(arguments) == 3 and isinstance(arguments[1], int) and not registered.host:
        pytest.skip(
            "not in this TMVA: PrepareTrainingAndTestTree(cut, n, n), which asks for an option that it does not know"
        )
    booth = Booth()
    booth.loader.PrepareTrainingAndTestTree(*arguments)
    assert booth.book(BOOK + "TrainingStrategy=MaxEpochs=1")
    booth.factory.TrainAllMethods()
    text = log()
    assert re.search(rf"Elapsed time for training with {n_train} events", text), text
    booth.factory.TestAllMethods()
    assert re.search(rf"\(?{n_test} events\)?", log())
    booth.file.Close()


def test_the_split_by_keywords(folder, log):
    booth = Booth()
    booth.loader.PrepareTrainingAndTestTree(
        ROOT.TCut(""), nTrain_Signal=7, nTrain_Background=8, NormMode="None", V=False
    )
    assert booth.book(BOOK + "TrainingStrategy=MaxEpochs=1")
    booth.factory.TrainAllMethods()
    assert "Elapsed time for training with 15 events" in log()
    booth.file.Close()


# --- events ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("length", "shown"), [(-1, "-1"), (T + 1, "5"), (1.5, "1.5"), (1e9, "1e+09")])
def test_a_length_out_of_range_names_the_training_event(folder, log, length, shown):
    def change(name, rows):
        if name == "Signal":
            rows[3, -2] = length

    booth = Booth(change=change)
    assert booth.book()
    message = f"the number of steps 'length' is {shown}, expected a whole number from 0 to {T}"
    error = refused(log, booth.factory.TrainAllMethods, message)
    event, of = map(int, re.search(r"training event (\d+) of (\d+): the number", str(error)).groups())
    assert of == 60
    if hasattr(booth.loader, "GetDataSetInfo"):
        data = booth.loader.GetDataSetInfo().GetDataSet()
        data.SetCurrentType(ROOT.TMVA.Types.kTraining)
        assert data.GetEvent(event).GetSpectator(0) == length
    assert not booth.weights(folder).exists()
    booth.file.Close()


def test_a_training_event_that_is_not_finite_is_refused(run_python, registered):
    """By TMVA itself, whose data sets hold no such events: with its FATAL; an old one warns and leaves the event out."""
    out = run_python(
        """
        import array, ROOT, tmva_lstm_plugin
        tmva_lstm_plugin.register(quiet=True)
        file = ROOT.TFile("o.root", "RECREATE")
        factory = ROOT.TMVA.Factory("job", file, "!V:!Color:AnalysisType=Classification")
        loader = ROOT.TMVA.DataLoader("ds")
        for k in range(4):
            loader.AddVariable(f"v{k}", "F")
        trees = [ROOT.TTree(n, n, 99, ROOT.nullptr) for n in ("Signal", "Background")]
        x = [array.array("f", [0]) for k in range(4)]
        for t in trees:
            for k in range(4):
                t.Branch(f"v{k}", x[k], f"v{k}/F")
            for n in range(50):
                for k in range(4):
                    x[k][0] = n % (7 + k)
                if n == 17 and t is trees[0]:
                    x[2][0] = float("nan")
                t.Fill()
        loader.AddSignalTree(trees[0])
        loader.AddBackgroundTree(trees[1])
        loader.PrepareTrainingAndTestTree("", "V")
        try:
            factory.BookMethod(loader, "LSTM", "LSTM", "InputLayout=2|2:TrainingStrategy=MaxEpochs=1")
            factory.TrainAllMethods()
        except Exception as error:
            print("CAUGHT", error)
        else:
            print("NOTHING")
        """,
    )
    assert re.search(r"<WARNING>.*Input expression .*NaN.*v2", out)
    assert ("CAUGHT" in out) == throws()
    assert ("NOTHING" in out) != throws()
    if registered.host:
        assert re.search(r"CAUGHT .*such as entry 17: .*Input expression gives NaN: v2", out, re.DOTALL)


def test_a_class_without_training_events_is_named(folder, log):
    booth = Booth(signal_use="Test")
    assert booth.book()
    refused(log, booth.factory.TrainAllMethods, "class 'Signal' has no event to train on among 60")
    booth.file.Close()


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (0, "class 'Background' has no event to train on among 30"),
        (-1, "the weights of class 'Background' sum to -24.000000 over 24 training events"),
    ],
)
def test_a_class_without_weight_is_named(folder, log, weight, message):
    if weight < 0 and not throws():
        pytest.skip("not in this TMVA: a class whose weights sum to less than 0, for which it ends the process itself")

    def change(name, rows):
        if name == "Background":
            rows[:, -1] = weight

    booth = Booth(change=change)
    assert booth.book()
    refused(log, booth.factory.TrainAllMethods, message)
    booth.file.Close()


def test_a_batch_larger_than_the_training_part(folder, log, registered):
    booth = Booth()
    assert booth.book(BOOK + "TrainingStrategy=MaxEpochs=2,BatchSize=100")
    message = (
        "TrainingStrategy asks for BatchSize=100, but there are 48 events to train on (12 validate); ask for a smaller one, or "
        "give more events"
    )
    refused(log, booth.factory.TrainAllMethods, message)
    # the factory goes on: what was not trained says so, again and again, and nothing crashes
    refused(log, booth.factory.TrainAllMethods, message)
    if registered.host:
        booth.factory.TestAllMethods()
        assert "Method LSTM has not been trained and is left out" in log()
    else:
        refused(log, booth.factory.TestAllMethods, "method 'LSTM' has no network yet")
    booth.file.Close()
    # the default of 64 is then a batch of all
    booth = Booth()
    assert booth.book(BOOK + "TrainingStrategy=MaxEpochs=2")
    booth.factory.TrainAllMethods()
    assert "48 events trained, 12 validated, 2 epochs" in log()
    booth.file.Close()


def test_after_a_refused_training_negative_weights_count_again(folder, log):
    """TMVA switches them off for the time of a training, for the whole process."""
    booth = Booth()
    assert booth.book(BOOK + "IgnoreNegWeightsInTraining:TrainingStrategy=BatchSize=100")
    refused(log, booth.factory.TrainAllMethods, "BatchSize=100")
    if not hasattr(ROOT.TMVA, "Event"):
        pytest.skip("not in this TMVA: the class Event in PyROOT")
    values = ROOT.std.vector["float"]([0.0])
    assert ROOT.TMVA.Event(values, 0, -2.0).GetWeight() == -2
    booth.file.Close()


# --- answers ---------------------------------------------------------------------------------------------------------


def trained(folder, analysis):
    booth = Booth(analysis=analysis)
    assert booth.book()
    booth.factory.TrainAllMethods()
    booth.file.Close()
    return booth.weights(folder)


def reader_of(weights, *, names=NAMES):
    reader = ROOT.TMVA.Reader("!Color:!Silent")
    places = [array.array("f", [0.5]) for _ in names]
    for name, place in zip(names, places, strict=True):
        reader.AddVariable(name, place)
    length = array.array("f", [float(T)])
    reader.AddSpectator("length", length)
    reader.BookMVA("LSTM", str(weights))
    return reader, places, length


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_an_event_that_is_not_finite_has_the_answer_of_tmva_for_it(folder, log, bad):
    reader, places, length = reader_of(trained(folder, "Classification"))
    good = reader.EvaluateMVA("LSTM")
    assert 0 < good < 1
    places[5][0] = bad
    log()
    assert reader.EvaluateMVA("LSTM") == -999
    lines = errors_in(log())
    assert lines, "not a word of it"
    if not np.isnan(bad):
        assert len(lines) == 1
        assert f"variable 'v5' is {bad}, expected a finite number; the answer is -999" in lines[0]
    if not np.isnan(bad):  # NaN never reaches the method in a TMVA that looks for it
        length[0] = 2  # steps 2 and 3 are padding now: nobody reads v5
        assert 0 < reader.EvaluateMVA("LSTM") < 1
    length[0], places[5][0] = T, 0.5
    assert reader.EvaluateMVA("LSTM") == good


@pytest.mark.parametrize("analysis", ["Multiclass", "Regression"])
def test_and_so_have_several_answers(folder, log, analysis):
    reader, places, _ = reader_of(trained(folder, analysis))
    evaluate = reader.EvaluateMulticlass if analysis == "Multiclass" else reader.EvaluateRegression
    n = 3 if analysis == "Multiclass" else 1
    good = list(evaluate("LSTM"))
    assert len(good) == n
    assert -999 not in good
    places[5][0] = float("inf")
    log()
    assert list(evaluate("LSTM")) == [-999] * n
    assert len(errors_in(log())) == 1
    places[5][0] = 0.5
    assert list(evaluate("LSTM")) == good


@pytest.mark.parametrize(("length", "shown"), [(-1, "-1"), (T + 1, "5"), (0.5, "0.5"), (float("nan"), "nan")])
def test_a_length_out_of_range_is_refused_by_the_reader(folder, log, length, shown):
    reader, _, place = reader_of(trained(folder, "Classification"))
    place[0] = length
    message = f"event to be evaluated: the number of steps 'length' is {shown}, expected a whole number from 0 to {T}"
    refused(log, lambda: reader.EvaluateMVA("LSTM"), message)
    place[0] = T
    assert 0 < reader.EvaluateMVA("LSTM") < 1


# --- boosting and other things that are not offered ------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 5])
def test_boosting_is_refused_by_name(folder, log, registered, number):
    booth = Booth()
    if registered.host:  # the host has no method Boost, and says so when booked
        with pytest.raises(Exception, match=f"Boost_num={number} is not available"):
            booth.book(f"{SHORT}:Boost_num={number}")
    else:  # TMVA makes its method Boost of it, which makes ours when it trains
        assert booth.book(f"{SHORT}:Boost_num={number}")
        refused(log, booth.factory.TrainAllMethods, "Boost_num is not offered: an LSTM is not boosted")
    booth.file.Close()


def test_one_class_is_no_classification(folder, log):
    file = ROOT.TFile("out.root", "RECREATE")
    factory = ROOT.TMVA.Factory("job", file, "!V:!Silent:!Color:AnalysisType=Classification")
    loader = ROOT.TMVA.DataLoader(f"bad{next(NUMBERS)}")
    loader.AddVariable("v0", "F")
    tree = tree_of("Signal", np.ones((20, T * D + 2)))
    loader.AddSignalTree(tree, 1.0)
    with pytest.raises(OptionError, match="TMVA booked nothing as 'LSTM'"):
        tmva.book(factory, loader, "LSTM", "InputLayout=1|1")
    file.Close()
