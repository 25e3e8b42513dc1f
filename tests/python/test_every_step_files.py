"""Labels and targets of steps from ROOT files to jagged scores: reading, streams, configuration, command line."""

from __future__ import annotations

import json
import shutil

import awkward as ak
import numpy as np
import pytest
import uproot
from click.testing import CliRunner

from tmva_lstm_plugin import LSTMClassifier, LSTMRegressor, Recipe, load_model, read_sequences, stream_sequences
from tmva_lstm_plugin.cli import main
from tmva_lstm_plugin.config import make_config
from tmva_lstm_plugin.errors import InputError, OptionError
from tmva_lstm_plugin.model_file import without_provenance
from tmva_lstm_plugin.scoring import score_file

READING = {"features": ["x", "z"], "step_label": "up", "classes": ["down", "up"], "weight": "w"}
OPTIONS = {"hidden": 5, "epochs": 2, "every_step": True}


@pytest.fixture(scope="module")
def hits(tmp_path_factory):
    path = tmp_path_factory.mktemp("hits") / "hits.root"
    write_hits(path)
    return path


def write_hits(path, n=700, seed=3, **changed):
    """Normal steps with the sign and the value of their running sum; every fifth has no label, and no sum."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 9, n)
    x = rng.normal(size=lengths.sum()).astype(np.float32)
    sums = np.concatenate([np.cumsum(v) for v in np.split(x, np.cumsum(lengths)[:-1])])
    masked = rng.random(len(x)) < 0.2
    flat = {
        "x": x,
        "z": rng.normal(size=len(x)).astype(np.float32),
        "up": np.where(masked, -1, sums > 0).astype(np.int32),
        "sum": np.where(masked, np.nan, sums).astype(np.float32),
    } | changed
    arrays = {name: ak.unflatten(values, lengths) for name, values in flat.items()}
    arrays |= {"w": rng.uniform(0.5, 2, n), "y": rng.integers(0, 2, n).astype(np.int32)}
    arrays["two"] = ak.unflatten(np.ones(2 * n, np.int32), np.full(n, 2))
    kinds = {name: "var * int32" if name in ("up", "two") else "var * float32" for name in (*flat, "two")}
    with uproot.recreate(path) as file:
        tree = file.mktree("hits", kinds | {"w": np.float64, "y": np.int32})
        for start in range(0, n, 100):
            tree.extend({name: array[start : start + 100] for name, array in arrays.items()})


def run(*arguments, code=0):
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result.output


def branch(path, name, tree="hits"):
    with uproot.open(path) as file:
        return file[tree][name].array()


# --- reading ---------------------------------------------------------------------------------------------------------


def test_labels_are_selected_ordered_and_cut_with_the_features(hits):
    events = read_sequences(hits, **READING, element_selection="z > -0.5", order_by="x", max_length=3)
    x, z, up = (branch(hits, name) for name in ("x", "z", "up"))
    x, up = x[z > -0.5], up[z > -0.5]
    order = ak.argsort(x, axis=1, ascending=False)[:, :3]
    assert np.array_equal(events.step_labels, ak.flatten(up[order]))
    assert np.array_equal(events.values[:, 0], ak.flatten(x[order]))
    assert events.step_class_names == ("down", "up")
    assert events.class_names == ()
    assert events.labels is None
    assert (events.step_labels == -1).any()


def test_targets_and_expressions(hits):
    events = read_sequences(hits, features=["x"], step_targets={"s": "2 * sum", "x2": "where(sum > -100, x, sum)"})
    expected = 2 * ak.to_numpy(ak.flatten(branch(hits, "sum")))
    assert events.step_target_names == ("s", "x2")
    assert np.array_equal(events.step_targets[:, 0], expected, equal_nan=True)
    assert events.values.flags.c_contiguous
    labelled = read_sequences(hits, features=["x"], step_label="x > 0")
    assert np.array_equal(labelled.step_labels, labelled.values[:, 0] > 0)
    assert labelled.step_class_names == ("background", "signal")
    without = read_sequences(hits, recipe=events.recipe, with_labels=False)
    assert without.step_targets is None
    assert np.array_equal(without.values, events.values)
    assert Recipe.from_dict(json.loads(json.dumps(events.recipe.to_dict()))) == events.recipe
    assert "step_label" not in events.recipe.to_dict()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"step_label": "w"}, r"hits': label of the steps, 'w', has one value an event, expected one an element"),
        ({"step_label": "two"}, r"entry \d+: 'x' has \d element\(s\) and 'two' has 2"),
        ({"step_label": "nothing"}, r"no branch 'nothing', which label of the steps needs"),
        (
            {"step_label": "3 * up"},
            r"event \d+ \(entry \d+\), step \d+ has the label -?3, expected a whole number from 0 to 1",
        ),
        ({"step_targets": "w"}, "target 'w' of the steps, 'w', has one value an event"),
        (
            {"step_targets": "1 / (x - x)"},
            r"target '1 / \(x - x\)' of event \d+ \(entry \d+\), step 0 is inf, which is not finite",
        ),
        (
            {"step_targets": ["x", "sum"]},
            r"target 'sum' of event \d+ \(entry \d+\), step \d+ is nan and others are numbers",
        ),
    ],
)
def test_what_is_no_truth_of_steps_is_refused(hits, arguments, message):
    with pytest.raises(InputError, match=message):
        read_sequences(hits, features=["x"], **arguments)


def test_contradicting_arguments_are_refused(hits, tmp_path):
    with pytest.raises(OptionError, match="label and step_label were both given; a model learns one of them"):
        read_sequences(hits, features=["x"], label="y", step_label="up")
    with pytest.raises(OptionError, match="targets and step_targets were both given"):
        read_sequences(hits, features=["x"], targets="w", step_targets="sum")
    with pytest.raises(OptionError, match="step_label and a mapping of class name to files or trees were both given"):
        read_sequences({"a": hits, "b": shutil.copy(hits, tmp_path)}, features=["x"], step_label="up")


def test_events_with_infinite_targets_are_dropped_on_request(tmp_path):
    rng = np.random.default_rng(3)
    lengths = rng.integers(0, 9, 700)
    infinite = np.zeros(lengths.sum(), np.float32)
    infinite[[5, 6, 90]] = np.inf
    write_hits(tmp_path / "hits.root", sum=infinite)
    events = read_sequences(tmp_path / "hits.root", features=["x"], step_targets="sum", on_invalid="drop")
    bad = np.unique(np.searchsorted(np.cumsum(lengths), [5, 6, 90], side="right"))
    assert events.n_invalid == len(bad)
    assert np.array_equal(events.entries, np.setdiff1d(np.arange(700), bad))


@pytest.mark.parametrize("regression", [False, True])
def test_a_stream_gives_the_bytes_that_memory_gives(hits, tmp_path, regression):
    kind = LSTMRegressor if regression else LSTMClassifier
    reading = {"features": ["x", "z"], "step_targets": {"s": "sum"}} if regression else READING
    options = OPTIONS | {"shuffle": False, "validation_fraction": 0.02, "batch_size": 50}
    models = [kind(**options).fit(read_sequences(hits, **reading))]
    with stream_sequences(hits, memory_limit=250_000, **reading) as stream:
        assert stream.n_chunks > 2
        assert stream.step_target_names == (("s",) if regression else ())
        models.append(kind(**options, n_threads=2).fit(stream))
        assert np.array_equal(models[1].outputs(stream), models[0].outputs(read_sequences(hits, **reading)))
    files = [tmp_path / "memory.xml", tmp_path / "stream.xml"]
    for model, file in zip(models, files, strict=True):
        model.save(file)
    assert without_provenance(files[0]) == without_provenance(files[1])


# --- scores ----------------------------------------------------------------------------------------------------------


def test_scores_are_jagged_branches_beside_the_input(hits, tmp_path):
    events = read_sequences(hits, **READING, event_selection="y == 1")
    model = LSTMClassifier(**OPTIONS).fit(events)
    score_file(model, hits, tmp_path / "scores.root", memory_limit=250_000)
    found = branch(tmp_path / "scores.root", "lstm_score", "scores")
    selected = branch(tmp_path / "scores.root", "lstm_selected", "scores")
    y, up = ak.to_numpy(branch(hits, "y")), branch(hits, "up")
    assert np.array_equal(ak.to_numpy(selected), y == 1)
    assert np.array_equal(ak.num(found), np.where(y == 1, ak.num(up), 0))
    assert np.array_equal(ak.flatten(found), model.predict_proba(events)[:, 1])


def test_estimates_of_steps_are_jagged_branches(hits, tmp_path):
    events = read_sequences(hits, features=["x"], step_targets={"s": "sum", "t": "3 * sum"})
    model = LSTMRegressor(**OPTIONS).fit(events)
    score_file(model, hits, tmp_path / "scores.root")
    for column, name in enumerate(("lstm_s", "lstm_t")):
        found = branch(tmp_path / "scores.root", name, "scores")
        assert np.array_equal(ak.num(found), events.lengths)
        assert np.array_equal(ak.flatten(found), model.predict(events)[:, column])


# --- command line ----------------------------------------------------------------------------------------------------


def test_train_evaluate_apply_check_from_a_configuration(hits, tmp_path):
    config = tmp_path / "hits.toml"
    config.write_text(f"""
[input]
files = "{hits}"
features = ["x", "z"]
step_label = "up"
classes = ["down", "up"]
weight = "w"

[model]
every_step = true
hidden = 8
epochs = 4
learning_rate = 0.01
monitor = "accuracy"

[output]
folder = "{tmp_path}/out"
scored_file = "scores.root"
""")
    figures = tmp_path / "figures.json"
    text = run("train", config, "--json", figures)
    assert "each step that is not masked counts as an event of its own" in text
    found = json.loads(figures.read_text())
    assert found["evaluation"]["unweighted"]["accuracy"] > 0.8  # 0.5 for always the same
    model_file = tmp_path / "out" / "lstm.weights.xml"
    model = load_model(model_file)
    assert model.every_step
    assert model.recipe.step_label == "up"
    events = read_sequences(hits, recipe=model.recipe)
    scores = branch(tmp_path / "out" / "scores.root", "lstm_score", "scores")
    assert np.array_equal(ak.flatten(scores), model.predict_proba(events)[:, 1])
    assert "every bit must agree\npassed" in run("check", model_file)
    shown = run("inspect", model_file)
    assert "outputs for every step" in shown
    assert "step_label  up" in shown
    again = run("evaluate", model_file, hits, "--label", "up", "--json", figures)
    assert "each step that is not masked counts" in again
    labelled = events.step_labels >= 0
    right = model.predict(events)[labelled] == events.step_labels[labelled]
    assert json.loads(figures.read_text())["unweighted"]["accuracy"] == pytest.approx(right.mean())
    for command in ("cross-validate", "search"):
        more = tmp_path / "more.toml"
        more.write_text(config.read_text() + "[search.space]\nhidden = [3, 4]\n")
        refused = run(command, more, code=2)
        assert "model.every_step: a" in refused
        assert "judges one answer an event, and this model has one a step" in refused


def test_options_train_a_regression_of_steps(hits, tmp_path):
    text = run(
        "train", hits, "--feature", "x", "--step-target", "s=sum", "--every-step", "--epochs", 8, "--learning-rate", 0.01,
        "--no-plots", "-o", tmp_path / "out",
    )  # fmt: skip
    assert "training part" in text
    events = read_sequences(hits, features=["x"], step_targets={"s": "sum"})
    model = load_model(tmp_path / "out" / "lstm.weights.xml")
    assert model.target_names == ("s",)
    labelled = np.isfinite(events.step_targets[:, 0])
    deviation = (model.predict(events) - events.step_targets)[labelled]
    assert deviation.std() < 0.4 * events.step_targets[labelled].std()


BASE = {"files": "a.root", "features": ["x"]}


@pytest.mark.parametrize(
    ("reading", "every_step", "messages"),
    [
        (
            {"step_label": "up"},
            False,
            ["input.step_label: it is of steps, and the model has one answer for an event; set model.every"],
        ),
        (
            {"label": "y"},
            True,
            ["model.every_step: it needs something to learn at each step; give input.step_label or"],
        ),
        ({}, True, ["model.every_step: it needs something to learn at each step"]),
        (
            {"step_label": "up", "label": "y", "step_targets": ["s"]},
            True,
            [
                "input.step_label: a model learns one thing, and input.step_targets is given; keep one",
                "input.label: it is for classes, and input.step_targets is given; keep one",
            ],
        ),
        (
            {"step_label": "up", "label": "y"},
            True,
            ["input.label: it is for classes of events, and input.step_label is given"],
        ),
        (
            {"step_targets": ["s"], "classes": ["a", "b"]},
            True,
            ["input.classes: it is for classes, and input.step_targets is given"],
        ),
        ({"step_label": "up", "files": {"a": "a.root", "b": "b.root"}}, True, ["input.files: a table is for classes"]),
    ],
)
def test_contradictions_of_a_configuration(reading, every_step, messages):
    with pytest.raises(OptionError) as error:
        make_config({"input": BASE | reading, "model": {"every_step": every_step}})
    assert str(error.value).count("\n") == len(messages)
    for message in messages:
        assert message in str(error.value)


def test_a_configuration_of_steps():
    config = make_config({"input": BASE | {"step_label": "up", "classes": ["a", "b"]}, "model": {"every_step": True}})
    assert config.input.reading_arguments()["step_label"] == "up"
    assert not config.input.regression
    config = make_config({"input": BASE | {"step_targets": {"s": "sum"}}, "model": {"every_step": True, "loss": "mae"}})
    assert config.input.regression
    with pytest.raises(OptionError, match="class_balance: a weight is an event's"):
        make_config({"input": BASE | {"step_label": "up"}, "model": {"every_step": True, "class_balance": "equal"}})
