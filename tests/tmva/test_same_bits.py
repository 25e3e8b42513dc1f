"""One network, whichever way it is trained or asked: equal weights and equal scores, to the last bit."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from booking import QUIET, ROOT, D, Reading, T, Trained, events_of_tree, fresh, from_rows, jagged, padded, train

from tmva_lstm_plugin import LSTMClassifier, LSTMRegressor, Sequences, load_model, tmva

STRATEGY = "TrainingStrategy=MaxEpochs=5,BatchSize=50,LearningRate=5e-3,ConvergenceSteps=3"
OPTIONS = f"Layout=LSTM|6:ValidationSize=0.25:RandomSeed=7:!Ranking:{STRATEGY}"


def in_python(events: Sequences, n_threads=1, **changed) -> LSTMClassifier:
    """The same training by the Python door."""
    options = {
        "hidden": 6, "epochs": 5, "batch_size": 50, "learning_rate": 5e-3, "patience": 3, "validation_fraction": 0.25, "seed": 7,
    }  # fmt: skip
    return LSTMClassifier(**(options | changed), n_threads=n_threads).fit(events)


pytestmark = pytest.mark.usefixtures("registered")


def training_events(trained, *, negative=True) -> Sequences:
    """What the method was trained on, in the loader's order and with its weights."""
    loader = trained.loader
    if hasattr(loader, "GetDataSetInfo"):
        info = loader.GetDataSetInfo()
        rows, lengths, weights, labels, more = [], [], [], [], []
        for event in info.GetDataSet().GetEventCollection(ROOT.TMVA.Types.kTraining):
            values = np.array(list(event.GetValues()), np.float32)
            rows.append(values[: T * D])
            more.append(values[T * D :])
            lengths.append(event.GetSpectator(0))
            weights.append(event.GetWeight())
            labels.append(int(event.GetClass() == info.GetSignalClassIndex()))
        rows, weights, labels, more = np.array(rows), np.array(weights), np.array(labels), np.array(more)
    else:  # the tree has what the loader does not show
        columns = trained.tree("TrainTree")
        events = events_of_tree(columns)
        rows, lengths, weights = padded(events), events.lengths, columns["weight"].astype(float)
        labels = (columns["className"] == "Signal").astype(int)
        more = columns["sum_E"][:, None] if "sum_E" in columns else np.zeros((len(labels), 0))
    kept = np.full(len(labels), True) if negative else weights > 0
    named = {"event_values": more[kept].astype(np.float32), "event_feature_names": ["sum_E"]} if more.shape[1] else {}
    return from_rows(
        rows[kept], np.array(lengths)[kept], labels=labels[kept], weights=weights[kept],
        class_names=("Background", "Signal"), **named,
    )  # fmt: skip


def assert_same_training(weights: Path, model: LSTMClassifier, given: Sequences) -> None:
    """Weights, standardisation, and the losses of every epoch, which depend on what was put aside for validation."""
    read = load_model(weights)
    assert np.array_equal(read._trainer.parameters, model._trainer.parameters)
    assert read.history.columns == model.history.columns
    assert read.history.best_epoch == model.history.best_epoch
    for figure in ("training_events", "validation_events", "weight_negative_events"):
        assert read.summary[figure] == model.summary[figure], figure
    assert np.array_equal(read.predict_proba(renamed(given, read)), model.predict_proba(given))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_python_and_the_factory_train_the_same_network(folder, threads):
    events, test = jagged(700, 1, weights=True), jagged(100, 2)
    trained = train(folder, events, test, options=f"{OPTIONS}:NumThreads={threads}")
    given = training_events(trained)
    assert len(given) == len(events)
    assert (given.weights < 0).any()
    model = in_python(given, n_threads=3 - threads % 3)
    assert_same_training(trained.weights, model, given)
    # weights count, and their order does: neither would be seen if the comparison were blind
    assert not np.array_equal(in_python(given, use_weights=False)._trainer.parameters, model._trainer.parameters)
    assert not np.array_equal(in_python(given[::-1])._trainer.parameters, model._trainer.parameters)


@pytest.mark.parametrize(
    ("layout", "network"),
    [
        ("LSTM|5|3|5|0|1,LSTM|6", {"hidden": (5, 6)}),
        ("BILSTM|6", {"bidirectional": True}),
        ("BILSTM|4|3|5|0|1,BILSTM|6|8", {"hidden": [4, 6], "bidirectional": True}),
        (
            "GRU|5|3|5|0|1,GRU|6|0|0|0|1|1,POOL|MEAN,DENSE|4|TANH,LINEAR",
            {"cell": "gru", "hidden": [5, 6], "pooling": "mean", "dense": ["4 tanh"]},
        ),
        ("GRU|5|3|5|0|1|0,GRU|6|5|5|0|0|0", {"cell": "gru", "reset_gate": "before", "hidden": [5, 6]}),
        (
            "BIGRU|5|3|5|0|1|0|LNORM,POOL|MEAN",
            {
                "cell": "gru",
                "reset_gate": "before",
                "hidden": 5,
                "bidirectional": True,
                "layer_norm": True,
                "pooling": "mean",
            },
        ),
        (
            "BIRNN|6|3|5|0|1|LNORM,POOL|ATTENTION",
            {"cell": "rnn", "bidirectional": True, "pooling": "attention", "layer_norm": True},
        ),
        ("LSTM|6|3|5|0|0|PEEPHOLES|COUPLED", {"peepholes": True, "coupled_gates": True}),
    ],
)
def test_stacked_layers_and_both_directions(folder, layout, network):
    events, test = jagged(500, 3), jagged(100, 4)
    options = OPTIONS.replace("Layout=LSTM|6:", f"Layout={layout}:")
    assert options != OPTIONS
    trained = train(folder, events, test, options=options)
    given = training_events(trained)
    model = in_python(given, **network)
    assert_same_training(trained.weights, model, given)
    columns = trained.tree()
    held_out = events_of_tree(columns)
    assert np.array_equal(trained.scores(), model.predict_proba(renamed(held_out, model))[:, 1])
    reading = Reading(trained.weights)
    answers = reading.all(padded(held_out)[:20], held_out.lengths[:20])
    assert np.array_equal(np.float32(answers), np.float32(trained.scores()[:20]))


def test_dropout(folder):
    events, test = jagged(500, 3), jagged(100, 4)
    options = OPTIONS.replace(
        "TrainingStrategy=", "WeightInitialization=ORTHOGONAL:TrainingStrategy=DropConfig=0.1+0.3,RecurrentDropout=0.2,"
    )
    assert options.count("RecurrentDropout") == 1
    trained = train(folder, events, test, options=options)
    given = training_events(trained)
    rates = {"input_dropout": 0.1, "dropout": 0.3, "recurrent_dropout": 0.2, "initialisation": "orthogonal"}
    model = in_python(given, **rates)
    assert_same_training(trained.weights, model, given)
    assert not np.array_equal(
        in_python(given, **rates | {"dropout": 0.4})._trainer.parameters, model._trainer.parameters
    )


def test_a_split_by_the_loader_and_event_features(folder):
    events = jagged(800, 3, weights=True, event_feature=True)
    trained = train(folder, events, options=OPTIONS, split={"SplitMode": "Random"})
    given = training_events(trained)
    assert 300 < len(given) < 500
    assert given.n_event_features == 1
    assert_same_training(trained.weights, in_python(given), given)


def test_without_the_negative_weights(folder):
    events, test = jagged(600, 4, weights=True), jagged(100, 5)
    trained = train(folder, events, test, options=f"{OPTIONS}:IgnoreNegWeightsInTraining")
    positive = training_events(trained, negative=False)
    assert len(positive) == (events.weights > 0).sum()
    read = load_model(trained.weights)
    model = in_python(positive)
    assert np.array_equal(read._trainer.parameters, model._trainer.parameters)
    assert read.history.columns == model.history.columns
    assert read.summary["training_events"] == model.summary["training_events"]


def test_negative_weights_left_out_by_the_option_of_either_side(folder):
    events, test = jagged(600, 4, weights=True), jagged(100, 5)
    trained = train(folder, events, test, options=f"{OPTIONS}:IgnoreNegWeightsInTraining")
    given = training_events(trained)
    model = in_python(given, negative_weights="ignore")
    assert model.summary["weight_negative_events"] == (events.weights < 0).sum() > 0
    assert np.array_equal(load_model(trained.weights)._trainer.parameters, model._trainer.parameters)


@pytest.mark.parametrize(("mode", "balance"), [("NumEvents", "events"), ("EqualNumEvents", "equal")])
def test_norm_mode_is_the_balance_of_classes(folder, monkeypatch, mode, balance):
    """TMVA's events come with scaled weights; Python scales those of the same events without NormMode."""
    events, test = jagged(500, 21, weights=True), jagged(100, 22)
    events = events[np.flatnonzero((events.labels == 1) | (np.arange(500) % 3 == 0))]  # classes of different size
    (folder / "plain").mkdir()
    plain = training_events(train(folder, events, test, options=OPTIONS, output="plain.root"))
    prepare = tmva.prepare
    monkeypatch.setattr(tmva, "prepare", lambda loader, **options: prepare(loader, **options | {"NormMode": mode}))
    trained = train(folder, events, test, options=OPTIONS)
    model = in_python(plain, class_balance=balance)
    read = load_model(trained.weights)
    assert np.array_equal(read._trainer.parameters, model._trainer.parameters)
    assert read.history.columns == model.history.columns
    assert not np.array_equal(in_python(plain)._trainer.parameters, model._trainer.parameters)


REGRESSIONS = [("", {}), ("ErrorStrategy=ABSOLUTEERROR", {"loss": "mae"}),
               ("ErrorStrategy=HUBER:HuberDelta=0.5", {"loss": "huber", "huber_delta": 0.5})]  # fmt: skip


@pytest.mark.parametrize(("booked", "options"), REGRESSIONS)
@pytest.mark.parametrize("threads", [1, 3])
def test_a_regression_in_python_and_in_the_factory(folder, booked, options, threads):
    events = jagged(600, 31, weights=True)
    rng = np.random.default_rng(3)
    first = np.array([step[:, 0].sum() for step in np.split(events.values, events.offsets[1:-1])])
    targets = {"sum": (100 * first + rng.normal(size=600)).astype(np.float32), "n": events.lengths.astype(np.float32)}
    more = f":{booked}" if booked else ""
    trained = train(
        folder, events, options=f"{OPTIONS}{more}:NumThreads={threads}", analysis="Regression", targets=targets,
        split={"SplitMode": "Random"},
    )  # fmt: skip
    columns = trained.tree("TrainTree")

    def with_targets(columns):
        seen = events_of_tree(
            columns, targets=np.stack([columns["sum"], columns["n"]], axis=1), target_names=["sum", "n"]
        )
        # the tree holds weights as floats, as they were given
        return renamed_to(seen, columns["weight"].astype(float))

    def renamed_to(seen, weights):
        return Sequences.from_arrays(
            seen.values, seen.offsets, weights=weights, feature_names=seen.feature_names, targets=seen.targets,
            target_names=seen.target_names,
        )  # fmt: skip

    given, held_out = with_targets(columns), with_targets(trained.tree("TestTree"))
    model = LSTMRegressor(
        hidden=6, epochs=5, batch_size=50, learning_rate=5e-3, patience=3, validation_fraction=0.25, seed=7,
        n_threads=4 - threads, **options,
    ).fit(given)  # fmt: skip
    read = load_model(trained.weights)
    assert isinstance(read, LSTMRegressor)
    assert read.loss == options.get("loss")
    assert read.get_params()["huber_delta"] == options.get("huber_delta")
    assert read.target_names == ("sum", "n")
    assert np.array_equal(read._trainer.parameters, model._trainer.parameters)
    assert read.history.columns == model.history.columns
    assert np.array_equal(read.predict(renamed(held_out, read)), model.predict(held_out))
    assert np.array_equal(trained.scores().astype(np.float32), model.predict(held_out))
    # and TMVA's Reader says the same
    rows = padded(held_out)[:50]
    reader = Reading(trained.weights)
    assert np.array_equal(reader.all(rows, held_out.lengths[:50], "EvaluateRegression"), model.predict(held_out[:50]))


def test_a_validation_part_given_as_a_number_of_events(folder):
    events, test = jagged(400, 6), jagged(100, 7)
    trained = train(folder, events, test, options=OPTIONS.replace("ValidationSize=0.25", "ValidationSize=100"))
    model = in_python(training_events(trained))
    assert model.summary["validation_events"] == 100
    assert np.array_equal(load_model(trained.weights)._trainer.parameters, model._trainer.parameters)


MACRO = """
#include <iostream>
#include "TFile.h"
#include "TTree.h"
#include "TCut.h"
#include "TMVA/DataLoader.h"
#include "TMVA/Factory.h"
#include "TMVA/Types.h"

int same_bits(const char *set)
{
   TFile input("toys.root");
   TFile output("macro.root", "RECREATE");
   TMVA::Factory factory("job", &output, "{quiet}:AnalysisType=Classification");
   TMVA::DataLoader loader(set);
   {variables}
   loader.AddSpectator("length", 'I');
   loader.AddSignalTree(static_cast<TTree *>(input.Get("Signal")), 1.);
   loader.AddBackgroundTree(static_cast<TTree *>(input.Get("Background")), 1.);
   loader.SetWeightExpression("weight");
   loader.PrepareTrainingAndTestTree(TCut(""), "SplitMode=Random:NormMode=None:!V");
   if (!factory.BookMethod(&loader, "LSTM", "LSTM", "InputLayout={T}|{D}:Length=length:NumThreads=2:{options}"))
      return 1;
   factory.TrainAllMethods();
   output.Close();
   std::cout << "the macro has trained" << std::endl;
   return 0;
}
"""


def declared(loader) -> list[tuple]:
    """How this TMVA takes the variables of toys.root: name of the call, and arguments."""
    if hasattr(loader, "AddVariablesArray"):
        return [("AddVariablesArray", ("vars", T * D))]
    return [("AddVariable", (f"vars[{n}]", "F")) for n in range(T * D)]


def macro_text(loader) -> str:
    calls = [
        f"loader.{call}("
        + ", ".join(f'"{a}"' if n == 0 else f"'{a}'" if a == "F" else str(a) for n, a in enumerate(args))
        + ");"
        for call, args in declared(loader)
    ]
    text = MACRO
    for key, value in {"quiet": QUIET, "variables": "\n   ".join(calls), "T": T, "D": D, "options": OPTIONS}.items():
        text = text.replace(f"{{{key}}}", str(value))
    return text


def root_program() -> str | None:
    program = os.environ.get("TMVA_LSTM_ROOT_EXE") or str(Path(ROOT.__file__).parent / "bin" / "root.exe")
    return program if Path(program).exists() else None


@pytest.mark.parametrize("way", ["root program", "ProcessLine"])
def test_pyroot_a_macro_and_python_train_the_same_network(folder, registered, run_python, way):
    tmva.write_tmva_tree(folder / "toys.root", jagged(900, 8, weights=True), steps=T)
    name = fresh()

    # from PyROOT, call by call what the macro does
    input_file = ROOT.TFile("toys.root")
    output = ROOT.TFile("pyroot.root", "RECREATE")
    factory = ROOT.TMVA.Factory("job", output, f"{QUIET}:AnalysisType=Classification")
    loader = ROOT.TMVA.DataLoader(name)
    for call, arguments in declared(loader):
        getattr(loader, call)(*arguments)
    loader.AddSpectator("length", "I")
    loader.AddSignalTree(input_file.Get("Signal"), 1.0)
    loader.AddBackgroundTree(input_file.Get("Background"), 1.0)
    loader.SetWeightExpression("weight")
    tmva.prepare(loader, SplitMode="Random", NormMode="None")
    assert tmva.book(factory, loader, "LSTM", f"InputLayout={T}|{D}:Length=length:NumThreads=3:{OPTIONS}")
    factory.TrainAllMethods()
    factory.TestAllMethods()
    factory.EvaluateAllMethods()
    output.Close()
    trained = Trained(
        factory, loader, folder / "pyroot.root", folder / name / "weights" / "job_LSTM.weights.xml", "LSTM", 0.0
    )
    given = training_events(trained)
    assert_same_training(trained.weights, in_python(given), given)

    # a macro of its own process, in a folder beside
    (folder / "same_bits.C").write_text(macro_text(loader))
    if way == "root program":
        program = root_program()
        if program is None:
            pytest.skip("no root program beside this ROOT")
        loading = Path(__file__).parents[2] / "macros" / "load_plugin.C"
        done = subprocess.run(
            [program, "-l", "-b", "-q", str(loading), 'same_bits.C("macro")'],
            env={**os.environ, "TMVA_LSTM_LIBDIR": str(Path(registered.library).parent)},
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        said = done.stdout + done.stderr
    else:
        said = run_python("""
            import ROOT, tmva_lstm_plugin
            tmva_lstm_plugin.register(quiet=True)
            print(ROOT.gROOT.ProcessLine('.x same_bits.C("macro")'))
        """)
    assert "the macro has trained" in said, said[-3000:]
    of_macro = load_model(folder / "macro" / "weights" / "job_LSTM.weights.xml")
    of_pyroot = load_model(trained.weights)
    assert np.array_equal(of_macro._trainer.parameters, of_pyroot._trainer.parameters)
    assert of_macro.history.columns == of_pyroot.history.columns


# --- scores ----------------------------------------------------------------------------------------------------------


def test_scores_of_python_reader_and_test_tree_are_the_same_floats(folder):
    events, test = jagged(500, 9, weights=True), jagged(400, 10)
    trained = train(folder, events, test, options=OPTIONS)
    columns = trained.tree()
    seen = events_of_tree(columns)
    assert len(seen) == len(test)
    model = load_model(trained.weights)
    python = model.predict_proba(renamed(seen, model))[:, 1]
    assert np.array_equal(columns["LSTM"].astype(np.float32), python)
    reader = Reading(trained.weights)
    rows = padded(seen)
    assert np.array_equal(reader.all(rows, seen.lengths).astype(np.float32), python)
    # padding is never looked at
    assert np.array_equal(reader.all(padded(seen, pad=17.0)[:50], seen.lengths[:50]).astype(np.float32), python[:50])
    # neither the batch nor the place in it matters
    order = np.random.default_rng(0).permutation(len(seen))
    assert np.array_equal(model.predict_proba(renamed(seen[order], model))[:, 1], python[order])
    for n in range(0, 400, 37):
        assert model.predict_proba(renamed(seen[n : n + 1], model))[0, 1] == python[n]


def renamed(events: Sequences, model) -> Sequences:
    """The tree knows features by another name than the model does."""
    more = {"event_values": events.event_values, "event_feature_names": model.event_feature_names}
    return Sequences.from_arrays(
        events.values, events.offsets, feature_names=model.feature_names, **(more if events.n_event_features else {})
    )


def test_multiclass_scores_of_python_reader_and_test_tree(folder):
    events, test = jagged(600, 11, classes=3), jagged(300, 12, classes=3)
    trained = train(folder, events, test, options=OPTIONS, analysis="Multiclass")
    seen = events_of_tree(trained.tree())
    model = load_model(trained.weights)
    python = model.predict_proba(renamed(seen, model))
    assert python.shape == (300, 3)
    assert np.array_equal(trained.scores().astype(np.float32), python)
    reader = Reading(trained.weights)
    assert np.array_equal(reader.all(padded(seen), seen.lengths, "EvaluateMulticlass"), python)


OPENED = """
#include <vector>
#include "MethodLSTM.h"

namespace lstm_scores_tests {
/// What a Factory calls, and nobody else may.
struct Opened : TMVA::MethodLSTM {
   static std::vector<double> values(TMVA::IMethod *method, TMVA::Types::ETreeType type, Long64_t first, Long64_t last)
   {
      TMVA::MethodLSTM &lstm = dynamic_cast<TMVA::MethodLSTM &>(*method);
      lstm.Data()->SetCurrentType(type);
      return (lstm.*(&Opened::GetMvaValues))(first, last, kFALSE);
   }
};
}
"""


def opened():
    """`GetMvaValues(method, type, first, last)` as numpy, though it is protected."""
    if not hasattr(ROOT, "lstm_scores_tests"):
        assert ROOT.gInterpreter.Declare(OPENED)
    return lambda *arguments: np.array(list(ROOT.lstm_scores_tests.Opened.values(*arguments)))


@pytest.mark.parametrize("threads", [1, 3])
def test_scores_of_any_range_of_events(folder, threads):
    events, test = jagged(300, 13), jagged(150, 14)
    trained = train(folder, events, test, options=f"{OPTIONS}:NumThreads={threads}")
    values = opened()
    method = trained.factory.GetMethod(trained.loader.GetName(), "LSTM")
    for kind, name in ((ROOT.TMVA.Types.kTesting, "TestTree"), (ROOT.TMVA.Types.kTraining, "TrainTree")):
        everything = trained.scores(name).astype(np.float32)
        n = len(everything)
        assert np.array_equal(values(method, kind, 0, -1).astype(np.float32), everything)
        for first, last in [(0, n), (0, 1), (1, 2), (40, 90), (7, n), (n - 1, n), (n - 33, n)]:
            assert np.array_equal(values(method, kind, first, last).astype(np.float32), everything[first:last])
        # TMVA takes an impossible end for the last event, and a first event below 0 for the first
        for first, last in [(5, -1), (60, 20), (3, n + 1), (3, 10 * n)]:
            assert np.array_equal(values(method, kind, first, last).astype(np.float32), everything[first:])
        assert np.array_equal(values(method, kind, -4, 10).astype(np.float32), everything[:10])
        for first, last in [(0, 0), (30, 30), (n, n), (n, -1), (n + 7, -1), (n + 7, n + 9)]:
            assert len(values(method, kind, first, last)) == 0


def test_more_events_than_one_batch_of_the_evaluation(folder):
    events, test = jagged(200, 15), jagged(9000, 16)
    trained = train(folder, events, test, options=f"{OPTIONS}:NumThreads=3")
    seen = events_of_tree(trained.tree())
    model = load_model(trained.weights)
    model.n_threads = 1
    assert np.array_equal(trained.scores().astype(np.float32), model.predict_proba(renamed(seen, model))[:, 1])
    method = trained.factory.GetMethod(trained.loader.GetName(), "LSTM")
    tail = opened()(method, ROOT.TMVA.Types.kTesting, 8190, 8200).astype(np.float32)
    assert np.array_equal(tail, trained.scores()[8190:8200].astype(np.float32))
