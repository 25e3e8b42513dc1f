"""The method in TMVA, the same tests on the embedded host and on a real TMVA; what a TMVA lacks is listed at the end."""

from __future__ import annotations

import itertools
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest

from tmva_lstm_plugin import Sequences, load_model

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the wheel says that it is an alpha version
    ROOT = pytest.importorskip("ROOT", reason="ROOT is not installed")

from tmva_lstm_plugin import tmva  # noqa: E402

T, D = 5, 3
NUMBERS = itertools.count()
FEATURES = ("x", "y", "z")
TUTORIAL = (  # the LSTM part of ROOT's TMVA_RNN_Classification.C, its numbers and all
    "!H:V:ErrorStrategy=CROSSENTROPY:VarTransform=None:WeightInitialization=XAVIERUNIFORM:ValidationSize=0.2:RandomSeed=1234:"
    "InputLayout=5|3:Layout=LSTM|10|3|5|0|1,RESHAPE|FLAT,DENSE|64|TANH,LINEAR:"
    "TrainingStrategy=LearningRate=1e-3,Momentum=0.0,Repetitions=1,ConvergenceSteps=5,BatchSize=100,TestRepetitions=1,"
    "WeightDecay=1e-2,Regularization=None,MaxEpochs=20,DropConfig=0.0+0.+0.+0.,Optimizer=ADAM:Architecture=CPU"
)


pytestmark = pytest.mark.usefixtures("registered")


def events(n=1200, seed=0, classes=2, weights=False, event_feature=False):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    lengths = rng.integers(0, T + 1, n)
    lists = [rng.normal(0.8 * label, 1, (length, D)) for label, length in zip(labels, lengths, strict=True)]
    more = (
        {"event_values": (labels + rng.normal(size=n))[:, None], "event_feature_names": ["sum_E"]}
        if event_feature
        else {}
    )
    return Sequences.from_lists(
        lists,
        labels=labels,
        weights=np.where(rng.random(n) < 0.1, -0.5, 1.0) if weights else None,
        feature_names=FEATURES,
        class_names=("background", "signal") if classes == 2 else tuple(f"c{k}" for k in range(classes)),
        **more,
    )


def padded(sequences):
    rows = np.zeros((len(sequences), T, D), np.float32)
    for n in range(len(sequences)):
        steps = sequences.values[sequences.offsets[n] : sequences.offsets[n + 1]]
        rows[n, : len(steps)] = steps
    return rows.reshape(len(sequences), T * D)


def run(folder, train, test, options, *, analysis="Classification", title="LSTM", layout=None, **kwargs):
    """Book, train, test, evaluate; (output file, method's ROC integral)."""
    output = ROOT.TFile(str(folder / "out.root"), "RECREATE")
    factory = ROOT.TMVA.Factory("job", output, f"!V:Silent:!DrawProgressBar:AnalysisType={analysis}")
    name = f"ds{next(NUMBERS)}"  # an old TMVA takes a name once in a process
    (folder / "name").write_text(name)
    loader = ROOT.TMVA.DataLoader(name)
    made = tmva.fill_dataloader(loader, train, test=test, **kwargs)
    tmva.prepare(loader, NormMode="None", V=False)
    assert tmva.book(factory, loader, title, made if layout is None else layout, **options)
    factory.TrainAllMethods()
    factory.TestAllMethods()
    factory.EvaluateAllMethods()
    roc = factory.GetROCIntegral(loader, title) if analysis == "Classification" else None
    output.Close()
    return made, roc


def dataset(folder):
    return (folder / "name").read_text()


def weights_of(folder):
    return folder / dataset(folder) / "weights"


def test_tree(folder):
    import uproot

    return uproot.open(folder / "out.root")[f"{dataset(folder)}/TestTree"]


test_tree.__test__ = False

SHORT = {"TrainingStrategy": "MaxEpochs=8,BatchSize=50,LearningRate=5e-3"}


def test_a_training_separates_and_python_reads_the_same_scores_from_its_file(folder):
    train, test = events(seed=1), events(600, seed=2)
    _, roc = run(folder, train, test, SHORT)
    assert roc > 0.7
    model = load_model(weights_of(folder) / "job_LSTM.weights.xml")
    assert model.class_names == ("Background", "Signal")
    arrays = test_tree(folder).arrays(library="np")
    in_tmva = arrays["LSTM"]
    assert len(in_tmva) == len(test)
    # the tree has its own order: events are told by their values
    key = {row.tobytes(): n for n, row in enumerate(padded(test))}
    names = [name for name in arrays if name.startswith("vars")]
    rows = np.stack([arrays[name] for name in names], axis=1).reshape(len(in_tmva), T * D).astype(np.float32)
    order = [key[row.tobytes()] for row, length in zip(rows, arrays["length"], strict=True) if length > 0]
    with_steps = arrays["length"] > 0
    renamed = Sequences.from_arrays(test.values, test.offsets, feature_names=model.feature_names)
    scores = model.predict_proba(renamed)[:, 1]
    assert np.array_equal(scores[order], in_tmva[with_steps].astype(np.float32))
    assert (arrays["classID"][with_steps] == 0).sum() == sum(test.labels[n] == 1 for n in order)


def read_with_reader(weights_file, names, sequences, spectator="length", what="EvaluateMVA"):
    import array

    reader = ROOT.TMVA.Reader("!Color:Silent")
    buffers = [array.array("f", [0.0]) for _ in names]
    for name, buffer in zip(names, buffers, strict=True):
        reader.AddVariable(name, buffer)
    length = array.array("f", [0.0])
    if spectator:
        reader.AddSpectator(spectator, length)
    tmva.book_reader(reader, weights_file)
    scores = []
    more = sequences.event_values if sequences.event_values is not None else np.zeros((len(sequences), 0))
    for row, steps, extra in zip(padded(sequences), sequences.lengths, more, strict=True):
        for buffer, value in zip(buffers, [*row, *extra], strict=True):
            buffer[0] = value
        length[0] = steps
        answer = getattr(reader, what)("LSTM")
        scores.append(answer if what == "EvaluateMVA" else list(answer))
    return np.array(scores)


def test_a_file_written_by_python_is_read_by_tmvas_reader_with_the_same_scores(folder):
    from tmva_lstm_plugin import LSTMClassifier

    train = events(seed=3, event_feature=True)
    assert train.lengths.max() == T
    model = LSTMClassifier(hidden=7, epochs=3).fit(train)
    model.save(folder / "job_LSTM.weights.xml")
    names = [f"{feature}[{t}]" for t in range(T) for feature in FEATURES] + ["sum_E"]
    test = events(150, seed=4, event_feature=True)
    scores = read_with_reader(str(folder / "job_LSTM.weights.xml"), names, test)
    assert np.array_equal(scores.astype(np.float32), model.predict_proba(test)[:, 1])


@pytest.mark.parametrize("options", [{}, {"loss": "huber", "huber_delta": 0.5}], ids=["mse", "huber"])
def test_a_regression_written_by_python_is_read_by_tmvas_reader_with_the_same_estimates(folder, options):
    from dataclasses import replace

    from tmva_lstm_plugin import LSTMRegressor

    train, test = (events(n, seed=seed, event_feature=True) for n, seed in ((600, 3), (150, 4)))
    means = np.array([part[:, 0].mean() if len(part) else 0 for part in np.split(train.values, train.offsets[1:-1])])
    targets = np.stack([100 + 7 * means, train.lengths], axis=1)
    model = LSTMRegressor(hidden=7, epochs=3, **options).fit(
        replace(train, targets=targets, target_names=("energy", "steps"))
    )
    model.save(folder / "job_LSTM.weights.xml")
    names = [f"{feature}[{t}]" for t in range(T) for feature in FEATURES] + ["sum_E"]
    estimates = read_with_reader(str(folder / "job_LSTM.weights.xml"), names, test, what="EvaluateRegression")
    assert estimates.shape == (150, 2)
    assert np.array_equal(estimates, model.predict(test))


def test_the_tutorials_option_string_books_unchanged(folder):
    train, test = events(seed=5), events(400, seed=6)
    _, roc = run(folder, train, test, {}, layout=TUTORIAL)
    assert roc > 0.6


def test_the_same_bits_as_python_and_for_any_number_of_threads(folder):
    train = events(900, seed=7)
    parameters = []
    for threads in (1, 3):
        part = folder / str(threads)
        part.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(part)
            run(part, train, events(200, seed=8), {**SHORT, "NumThreads": threads, "Layout": "LSTM|6"})
        parameters.append(load_model(weights_of(part) / "job_LSTM.weights.xml")._trainer.parameters)
    assert np.array_equal(*parameters)


def test_multiclass(folder):
    train, test = events(1500, seed=9, classes=3), events(600, seed=10, classes=3)
    run(folder, train, test, SHORT, analysis="Multiclass")
    scores = test_tree(folder)["LSTM"].array(library="np")
    table = np.stack([scores[name] for name in scores.dtype.names], axis=1) if scores.dtype.names else scores
    assert table.shape == (600, 3)
    assert np.allclose(table.sum(axis=1), 1, atol=1e-5)
    truth = test_tree(folder)["classID"].array(library="np")
    assert np.mean(np.argmax(table, axis=1) == truth) > 0.5


def test_regression(folder):
    rng = np.random.default_rng(11)

    def sample(n):
        lists = [rng.normal(size=(length, D)) for length in rng.integers(1, T + 1, n)]
        return Sequences.from_lists(lists, feature_names=FEATURES), np.array([100 + 7 * x[:, 0].sum() for x in lists])

    events, energy = sample(3000)  # half to train on, half to test
    options = {"TrainingStrategy": "MaxEpochs=40,BatchSize=50,LearningRate=1e-2", "Layout": "LSTM|12"}
    run(folder, events, None, options, analysis="Regression", targets={"energy": energy})
    arrays = test_tree(folder).arrays(["LSTM", "energy"], library="np")
    answer = arrays["LSTM"]["energy"] if arrays["LSTM"].dtype.names else arrays["LSTM"]
    assert np.std(answer - arrays["energy"]) < 0.35 * np.std(energy)


@pytest.mark.parametrize(
    "layout",
    [
        "LSTM|5,DENSE|4|SOFTSIGN,LINEAR",
        "LSTM|4|3|5|0|1,LSTM|5,LINEAR",
        "BILSTM|4|3|5|0|1,BILSTM|3|8|5|0|1,RESHAPE|FLAT,DENSE|4|TANH,LINEAR",
        "GRU|4|3|5|0|1,GRU|3|4|5|0|1,POOL|MAX,LINEAR",
        "GRU|4|3|5|0|1|0,GRU|3|4|5|0|0|0,LINEAR",
        "BIGRU|4|3|5|0|1|0,BIGRU|3|8|5|0|1|0|LNORM,POOL|MAX,DENSE|4|TANH,LINEAR",
        "BIRNN|4|3|5|0|1,BIRNN|3|8|5|0|1|LNORM,POOL|ATTENTION,DENSE|4|TANH,LINEAR",
        "LSTM|4|3|5|0|0|PEEPHOLES|LNORM,LINEAR",
        "BILSTM|4|3|5|0|1|PEEPHOLES|COUPLED,POOL|MEAN,LINEAR",
    ],
)
def test_class_file_compiles_and_agrees_with_the_reader(folder, layout):
    train = events(900, seed=12)
    run(folder, train, events(200, seed=13), {**SHORT, "Layout": layout})
    weights = weights_of(folder) / "job_LSTM.weights.xml"
    class_file = weights_of(folder) / "job_LSTM.class.C"
    test = events(40, seed=14)
    program = folder / "use.cpp"
    program.write_text(
        "#include <cstdio>\n#include <cmath>\n#include <vector>\n#include <string>\n#include <iostream>\n"
        f'#include "{class_file}"\n'
        + textwrap.dedent(
            """
            int main() {
               std::vector<std::string> names;
               for (int n = 0; n < 15; ++n) names.push_back(NAMES[n]);
               ReadLSTM method(names);
               int length; std::vector<double> values(15);
               while (std::scanf("%d", &length) == 1) {
                  for (double &v : values) if (std::scanf("%lf", &v) != 1) return 1;
                  method.SetLength(length);
                  std::printf("%.9g\\n", method.GetMvaValue(values));
               }
            }
            """
        ).replace(
            "int main()",
            "const char *NAMES[] = {" + ", ".join(f'"{n}"' for n in variable_expressions(weights)) + "};\nint main()",
        )
    )
    binary = folder / "use"
    subprocess.run(["c++", "-std=c++17", "-w", str(program), "-o", str(binary)], check=True, capture_output=True)
    text = "\n".join(
        f"{length} " + " ".join(repr(float(v)) for v in row)
        for row, length in zip(padded(test), test.lengths, strict=True)
    )
    printed = subprocess.run([str(binary)], input=text, capture_output=True, text=True, check=True).stdout
    values = [float(line) for line in printed.splitlines() if line[:1].isdigit()]
    model = load_model(weights)
    renamed = Sequences.from_arrays(test.values, test.offsets, feature_names=model.feature_names)
    assert np.abs(values - model.predict_proba(renamed)[:, 1]).max() < 1e-6


def test_negative_weights_are_kept_and_can_be_left_out(folder):
    train, test = events(seed=15, weights=True), events(300, seed=16)
    run(folder, train, test, SHORT)
    kept = load_model(weights_of(folder) / "job_LSTM.weights.xml")
    assert kept.summary["weight_negative_events"] == (train.weights < 0).sum()
    other = folder / "without"
    other.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(other)
        run(other, train, test, {**SHORT, "IgnoreNegWeightsInTraining": True})
    left = load_model(weights_of(other) / "job_LSTM.weights.xml")
    assert left.summary["weight_negative_events"] == 0
    assert left.summary["training_events"] < kept.summary["training_events"]


def keys_of_the_method(folder):
    import uproot

    run(folder, events(600, seed=17), events(200, seed=18), SHORT)
    return set(uproot.open(folder / "out.root")[f"{dataset(folder)}/Method_LSTM/LSTM"].keys(cycle=False))


def test_monitoring_histograms_are_in_the_output_file(folder):
    keys = keys_of_the_method(folder)
    assert {"LSTM_trainingLoss", "LSTM_validationLoss", "LSTM_learningRate"} <= keys
    assert {"MVA_LSTM_S", "MVA_LSTM_B", "MVA_LSTM_rejBvsS"} <= keys


def test_training_histories_are_in_the_output_file(folder, needs):
    needs("training histories")
    assert {"TrainingHistory_LSTM_trainingError", "TrainingHistory_LSTM_valError"} <= keys_of_the_method(folder)


BAD = """
import warnings; warnings.simplefilter("ignore")
import numpy as np, ROOT, tmva_lstm_plugin
from tmva_lstm_plugin import Sequences, tmva
tmva_lstm_plugin.register(quiet=True)
events = Sequences.from_lists([np.ones((3, 2)) * (n % 2) for n in range(40)], labels=[0, 1] * 20)
output = ROOT.TFile("out.root", "RECREATE")
factory = ROOT.TMVA.Factory("job", output, "!V:!Silent:!Color:AnalysisType=Classification")
loader = ROOT.TMVA.DataLoader("ds")
layout = tmva.fill_dataloader(loader, events)
tmva.prepare(loader, NormMode="None")
tmva.book(factory, loader, "LSTM", {options!r})
print("BOOKED")
"""


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        (
            "InputLayout=3|2:TrainingStrategy=LearnRate=1e-3,BatchSize=many",
            ["unknown key 'LearnRate'; did you mean 'LearningRate'", "BatchSize=many, expected a whole number"],
        ),
        ("InputLayout=3|2:Layout=CONV|10|2|3|0|1,LINEAR", ["CONV layers are not offered"]),
        ("InputLayout=3|2:Layout=LSTM|10|2|3|1|0,LINEAR", ["rememberState=1 is not offered"]),
        ("InputLayout=3|2:Layout=LSTM|10|2|3|0|1,LINEAR", ["RESHAPE|FLAT has to follow"]),
        ("InputLayout=9|9", ["asks for 81 variables, but 6 are declared"]),
        ("InputLayout=3|2:Layout=LSTM|10,DENSE|3|TAN,LINEAR", ["'TAN' is no layer, activation or width; did you mean 'TANH'"]),
        (
            "InputLayout=3|2:Architecture=GPU:ErrorStrategy=CROSSENTROPIE",
            ["Architecture=GPU is not offered", "did you mean 'CROSSENTROPY'"],
        ),
        ("InputLayout=3|2:Length=lenght", ["Length=lenght is neither a variable nor a spectator; did you mean 'length'"]),
        (
            "InputLayout=3|2:TrainingStrategy=DropConfig=1.5,Optimizer=RMSPROB,EmaDecay=1|Schedule=STEP,DecayEpochs=60,Nesterov=T",
            [
                "phase 1: DropConfig=1.5: found '1.5', expected numbers from 0 to less than 1",
                "phase 1: Optimizer=RMSPROB is unknown; did you mean 'RMSPROP'?",
                "EmaDecay=1, expected",
                "phase 2: Nesterov belongs to Optimizer=SGD, not to ADAM",
            ],
        ),
    ],
)  # fmt: skip
def test_bad_options_are_named_all_at_once(folder, options, messages):
    result = subprocess.run(
        [sys.executable, "-c", BAD.replace("{options!r}", repr(options))],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    output = result.stdout + result.stderr
    assert result.returncode != 0
    assert "BOOKED" not in output
    for message in messages:
        assert message in output, output[-3000:]


def test_a_damaged_weights_file_is_refused(folder):
    run(folder, events(300, seed=19), events(100, seed=20), SHORT)
    path = weights_of(folder) / "job_LSTM.weights.xml"
    text = path.read_text()
    place = text.index("<Parameters")
    place = text.index(">", place) + 30
    changed = "B" if text[place] == "A" else "A"
    damaged = folder / "damaged_LSTM.weights.xml"
    damaged.write_text(text[:place] + changed + text[place + 1 :])
    code = f"""
import warnings; warnings.simplefilter("ignore")
import array, ROOT, tmva_lstm_plugin
from tmva_lstm_plugin import tmva
tmva_lstm_plugin.register(quiet=True)
reader = ROOT.TMVA.Reader("!Color:!Silent")
b = array.array("f", [0.0])
for name in {variable_expressions(path)!r}: reader.AddVariable(name, b)
reader.AddSpectator("length", b)
reader.BookMVA("LSTM", {str(damaged)!r})
print("BOOKED")
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "BOOKED" not in result.stdout
    assert "the content has checksum" in result.stdout + result.stderr


def variable_expressions(path):
    import xml.etree.ElementTree as ET

    return [v.get("Expression") for v in ET.parse(path).find("Variables")]
