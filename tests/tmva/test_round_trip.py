"""From a booking to a Reader in another process: kinds of analysis, names, ways to say the length, and what is in the files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from booking import (
    QUIET,
    ROOT,
    D,
    Reading,
    T,
    events_of_tree,
    fresh,
    jagged,
    padded,
    train,
    weights_node,
)

from tmva_lstm_plugin import load_model, tmva

SHORT = "Layout=LSTM|6:!Ranking:TrainingStrategy=MaxEpochs=4,BatchSize=50,LearningRate=5e-3"


pytestmark = pytest.mark.usefixtures("registered")


READ = """
import json, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
sys.path.insert(0, {tests!r})
from booking import Reading
from pathlib import Path
import tmva_lstm_plugin
tmva_lstm_plugin.register(quiet=True)
rows = np.load({rows!r})
reading = Reading(Path({weights!r}), tag={tag!r})
answers = reading.all(rows["rows"], rows["lengths"], {what!r}).astype(np.float32)
np.save({answers!r}, answers)
print("read")
"""


def read_elsewhere(folder: Path, weights: Path, rows, lengths, what="EvaluateMVA", tag="LSTM"):
    """What a Reader in a process of its own, and in another folder, says to these events; as floats."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    np.savez(folder / "rows.npz", rows=rows, lengths=lengths)
    values = {
        "tests": str(Path(__file__).parent), "rows": str(folder / "rows.npz"), "weights": str(weights), "tag": tag, "what": what,
        "answers": str(folder / "answers.npy"),
    }  # fmt: skip
    code = READ.format(**values)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=elsewhere, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return np.load(folder / "answers.npy")


def targets_of(events):
    """Two things to learn of an event: one of the size of an energy, one of a fraction."""
    sums = np.array([events.values[a:b].sum() for a, b in zip(events.offsets[:-1], events.offsets[1:], strict=True)])
    return {"energy": 100 + 7 * sums, "fraction": 1 / (1 + np.exp(-sums))}


@pytest.mark.parametrize("analysis", ["Classification", "Multiclass", "Regression"])
def test_a_reader_in_another_process_gives_what_the_test_gave(folder, analysis):
    what = {"Classification": "EvaluateMVA", "Multiclass": "EvaluateMulticlass", "Regression": "EvaluateRegression"}[
        analysis
    ]
    events = jagged(600, 1, classes=3 if analysis == "Multiclass" else 2)
    if analysis == "Regression":
        options = SHORT.replace("MaxEpochs=4", "MaxEpochs=25")
        trained = train(folder, events, analysis=analysis, options=options, targets=targets_of(events))
    else:
        trained = train(
            folder, events, jagged(200, 2, classes=len(events.class_names)), analysis=analysis, options=SHORT
        )
    columns = trained.tree()
    seen = events_of_tree(columns)
    answers = read_elsewhere(folder, trained.weights, padded(seen), seen.lengths, what)
    assert answers.shape == (
        (len(seen),) if analysis == "Classification" else (len(seen), 3 if analysis == "Multiclass" else 2)
    )
    assert np.array_equal(answers, trained.scores().astype(np.float32))
    if analysis == "Regression":
        truth = np.stack([columns["energy"], columns["fraction"]], axis=1)
        correlations = [np.corrcoef(answers[:, k], truth[:, k])[0, 1] for k in (0, 1)]
        assert min(correlations) > 0.8  # learnt, and in this order
        assert abs(answers[:, 0].mean() - truth[:, 0].mean()) < truth[:, 0].std()  # in the units of the target
    else:
        assert answers.std() > 0.01


@pytest.mark.parametrize(
    ("title", "job", "name"),
    [
        ("My_LSTM_2", "my_job_1", "data_set_v2"),
        ("My LSTM", "my job", "my data"),
        ("LSTM-32.b", "job-1.5", "data-1.b"),
        ("LSTM_\u00e9t\u00e9_\u03b1", "t\u00e2che_\u03b2", "donn\u00e9es_\u6570"),
    ],
)
def test_names_with_underscores_spaces_dots_and_unicode(folder, title, job, name):
    trained = train(folder, jagged(300, 3), jagged(120, 4), title=title, job=job, name=fresh(name), options=SHORT)
    assert trained.weights.is_file()
    assert f'Method="LSTM::{title}"' in trained.weights.read_text(encoding="utf-8")
    assert 0.5 < trained.roc <= 1
    seen = events_of_tree(trained.tree())
    answers = read_elsewhere(folder, trained.weights, padded(seen), seen.lengths, tag=title)
    assert np.array_equal(answers, trained.scores().astype(np.float32))
    assert load_model(trained.weights).class_names == ("Background", "Signal")


@pytest.mark.parametrize("where", ["with space", "under_score.d/deep", "\u00fcber \u03b1"])
def test_paths_with_spaces_underscores_and_unicode(folder, monkeypatch, where):
    place = folder / where
    place.mkdir(parents=True)
    monkeypatch.chdir(place)
    trained = train(place, jagged(300, 5), jagged(120, 6), options=SHORT)
    seen = events_of_tree(trained.tree())
    scores = trained.scores().astype(np.float32)
    assert np.array_equal(read_elsewhere(folder, trained.weights, padded(seen), seen.lengths), scores)
    # a file found somewhere else, by another name
    moved = folder / f"{Path(where).name} moved.xml"
    moved.write_bytes(trained.weights.read_bytes())
    assert np.array_equal(read_elsewhere(folder, moved, padded(seen), seen.lengths), scores)


# --- ways to say the same --------------------------------------------------------------------------------------------


def book_scalars(folder, events, *, options, mask=None, length="spectator", name=None, transform=""):
    """One variable an element, as VarTransform needs them, and the length as spectator, variable, or not at all."""
    import array

    output = ROOT.TFile(str(folder / "out.root"), "RECREATE")
    factory = ROOT.TMVA.Factory("job", output, f"{QUIET}:AnalysisType=Classification")
    loader = ROOT.TMVA.DataLoader(name or fresh())
    for n in range(T * D):
        loader.AddVariable(f"v{n}", "F")
    if length == "variable":
        loader.AddVariable("length", "F")
    elif length == "spectator":
        loader.AddSpectator("length")
    rows = padded(events, 0.0 if mask is None else mask)
    trees = []
    for label, kind in ((1, "Signal"), (0, "Background")):
        tree = ROOT.TTree(kind, kind, 99, ROOT.nullptr)
        places = [array.array("f", [0.0]) for _ in range(T * D + 1)]
        for n, place in enumerate(places):
            branch = f"v{n}" if n < T * D else "length"
            tree.Branch(branch, place, f"{branch}/F")
        for row, steps, at in zip(rows, events.lengths, events.labels, strict=True):
            if at != label:
                continue
            for place, value in zip(places, [*row, steps], strict=True):
                place[0] = value
            tree.Fill()
        tree.ResetBranchAddresses()
        trees.append(tree)
    loader.AddSignalTree(trees[0], 1.0)
    loader.AddBackgroundTree(trees[1], 1.0)
    loader._tmva_lstm_trees = trees
    tmva.prepare(loader, SplitMode="Random", NormMode="None")
    said = [
        f"InputLayout={T}|{D}",
        "Length=length" if length else "",
        f"MaskValue={mask}" if mask is not None else "",
        options,
    ]
    said += [f"VarTransform={transform}"] if transform else []
    assert tmva.book(factory, loader, "LSTM", ":".join(part for part in said if part))
    factory.TrainAllMethods()
    factory.TestAllMethods()
    factory.EvaluateAllMethods()
    output.Close()
    from booking import Trained

    weights = folder / str(loader.GetName()) / "weights" / "job_LSTM.weights.xml"
    return Trained(factory, loader, folder / "out.root", weights, "LSTM", float("nan"))


def scalars_of(columns):
    return np.stack([columns[f"v{n}"] for n in range(T * D)], axis=1).astype(np.float32)


def test_lengths_by_mask_spectator_or_variable_train_the_same_network(folder):
    events = jagged(500, 7)
    parameters, scores = [], []
    for number, how in enumerate(
        [
            {"length": "spectator"},
            {"length": "variable"},
            {"length": "", "mask": -999.0},
            {"length": "spectator", "mask": -999.0},
        ]
    ):
        place = folder / str(number)
        place.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(place)
            trained = book_scalars(place, events, options=SHORT, **how)
        parameters.append(load_model(trained.weights)._trainer.parameters)
        columns = trained.tree()
        scores.append(columns["LSTM"])
        # the Reader, too, finds the length where the booking did
        reading = Reading(trained.weights)
        rows = scalars_of(columns)
        lengths = columns["length"] if "length" in columns else np.zeros(len(rows))
        given = np.column_stack([rows, lengths]) if how["length"] == "variable" else rows
        answers = reading.all(given[:60], lengths[:60]).astype(np.float32)
        assert np.array_equal(answers, columns["LSTM"][:60].astype(np.float32)), how
    for other in range(1, 4):
        assert np.array_equal(parameters[0], parameters[other])
        assert np.array_equal(scores[0], scores[other])
    # without any length the padding counts, and the network is another
    place = folder / "full"
    place.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        whole = book_scalars(place, events, options=SHORT, length="")
    assert not np.array_equal(load_model(whole.weights)._trainer.parameters, parameters[0])


def test_a_transformation_of_the_variables_is_undone_by_nobody(folder):
    """VarTransform=N is in the file, and the Reader applies it to raw values; padding is transformed and still not looked at."""
    trained = book_scalars(folder, jagged(500, 8), options=SHORT, transform="N")
    columns = trained.tree()
    rows = scalars_of(columns)
    answers = read_elsewhere(folder, trained.weights, rows, columns["length"])
    assert np.array_equal(answers, columns["LSTM"].astype(np.float32))
    assert answers.std() > 0.01
    assert "Normalize" in trained.weights.read_text()


def test_event_features_behind_the_steps(folder):
    events, test = jagged(500, 9, event_feature=True), jagged(200, 10, event_feature=True)
    trained = train(folder, events, test, options=SHORT)
    columns = trained.tree()
    seen = events_of_tree(columns)
    rows = np.column_stack([padded(seen), columns["sum_E"]])
    answers = read_elsewhere(folder, trained.weights, rows, seen.lengths)
    assert np.array_equal(answers, columns["LSTM"].astype(np.float32))
    model = load_model(trained.weights)
    assert model.event_feature_names == ("sum_E",)
    # the feature is looked at: with that of another event the score is another
    rows[:, -1] = rows[::-1, -1]
    changed = read_elsewhere(folder, trained.weights, rows, seen.lengths)
    assert np.mean(changed != answers) > 0.9


# --- the weights file ------------------------------------------------------------------------------------------------

AGAIN = """
namespace lstm_tests {
/// The weights file of a method that was itself read from one.
void write_again(TMVA::IMethod *method) { dynamic_cast<TMVA::MethodBase &>(*method).WriteStateToFile(); }
}
"""


@pytest.mark.parametrize("analysis", ["Classification", "Multiclass", "Regression"])
def test_weights_read_and_written_again_are_the_same_bytes(folder, analysis):
    events = jagged(400, 11, classes=3 if analysis == "Multiclass" else 2, event_feature=True)
    layout = "Layout=LSTM|5|3|5|0|1,RESHAPE|FLAT,DENSE|7|SOFTSIGN,LINEAR:!Ranking:TrainingStrategy=MaxEpochs=3"
    if analysis == "Regression":
        trained = train(folder, events, analysis=analysis, options=layout, targets=targets_of(events))
    else:
        trained = train(folder, events, jagged(120, 12, classes=len(events.class_names), event_feature=True), analysis=analysis,
                        options=layout)  # fmt: skip
    first = trained.weights.read_bytes()
    # the Factory has made the method anew from its file, without ProcessOptions; it writes what it has read
    method = trained.factory.GetMethod(trained.loader.GetName(), "LSTM")
    if not hasattr(ROOT, "lstm_tests") or not hasattr(ROOT.lstm_tests, "write_again"):
        assert ROOT.gInterpreter.Declare('#include "TMVA/MethodBase.h"\n' + AGAIN)
    trained.weights.unlink()
    ROOT.lstm_tests.write_again(method)
    again = trained.weights.read_bytes()
    node = re.compile(rb"<Weights>.*</Weights>", re.DOTALL)
    assert node.search(again).group() == node.search(first).group()  # provenance and all
    # what was booked is there as well, but for a mark of which options the user gave, which TMVA does not restore
    option = re.compile(rb'<Option name="(\w+)"[^>]*>([^<]*)<')
    assert len(option.findall(first)) > 10
    assert option.findall(again) == option.findall(first)


def test_the_same_booking_twice_writes_the_same_weights(folder):
    events, test = jagged(300, 13, weights=True), jagged(100, 14)
    nodes = []
    for threads in (1, 2):
        place = folder / str(threads)
        place.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(place)
            nodes.append(weights_node(train(place, events, test, options=f"{SHORT}:NumThreads={threads}").weights))
    assert nodes[0] == nodes[1]


def test_a_ranking_is_apart_has_a_tenth_of_the_time_and_can_be_off(folder, run_python):
    script = """
    import sys
    sys.path.insert(0, {tests!r})
    from pathlib import Path
    import booking, tmva_lstm_plugin
    tmva_lstm_plugin.register(quiet=True)
    booking.QUIET = "!V:!Silent:!Color:!DrawProgressBar"
    booking.train(Path("."), booking.jagged({n}, 1), booking.jagged(100, 2), evaluate=False,
        options="Layout=LSTM|{H}:{ranking}NumThreads=2:TrainingStrategy=MaxEpochs={epochs}")
    """
    long, tiny = (script.format(tests=str(Path(__file__).parent), ranking="", **sizes) for sizes in (
        {"n": 6000, "H": 24, "epochs": 25}, {"n": 20, "H": 2, "epochs": 1},
    ))  # fmt: skip
    said = run_python(long)
    found = re.search(r"ranking by permutation took (\S+) s, the training (\S+) s", said)
    assert found, said[-3000:]
    print(f"ranking / training {float(found[1]) / float(found[2]):.3f}")  # a speed is measured, not asserted
    for name in ("vars[0]", "vars[1]", "vars[2]", *(f"step {t}" for t in range(T))):
        assert name in said
    # one that is over at once leaves no time for a ranking, and says so
    said = run_python(tiny)
    assert "ranking by permutation" not in said
    assert "was too short to rank" in said
    said = run_python(script.format(tests=str(Path(__file__).parent), n=300, H=4, epochs=2, ranking="!Ranking:"))
    assert "ranking by permutation" not in said
    assert "No variable ranking supplied" in said
