"""Cross-validation: each event scored by a model that has not seen it, the same as trainings by hand."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import uproot
from click.testing import CliRunner

from tmva_lstm_plugin import Folds, LSTMClassifier, cross_validate, event_numbers, load_folds, read_sequences
from tmva_lstm_plugin.cli import main
from tmva_lstm_plugin.cross_validation import FoldModels
from tmva_lstm_plugin.errors import InputError, ModelFileError, OptionError
from tmva_lstm_plugin.evaluation import auc, evaluate
from tmva_lstm_plugin.study_figures import mean_loss
from tmva_lstm_plugin.testing import make_task, write_toy_root

SMALL = {"hidden": 3, "epochs": 2, "seed": 4, "n_threads": 1}


@pytest.fixture(scope="module")
def events():
    return make_task("signed_weights", 400, seed=3).sequences


@pytest.fixture(scope="module")
def result(events, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return cross_validate(LSTMClassifier(**SMALL), events, folds=3, folder=folder), folder


def test_scores_are_those_of_models_trained_by_hand(events, result):
    found, _ = result
    number = np.arange(400)
    assert np.array_equal(found.fold_of, number % 3)
    for fold in range(3):
        by_hand = LSTMClassifier(**SMALL).fit(events[number % 3 != fold])
        expected = by_hand.predict_proba(events[number % 3 == fold])
        assert np.array_equal(found.probabilities[number % 3 == fold], expected)
        assert found.models[fold].history.columns == by_hand.history.columns


def test_figures_are_those_of_each_fold_and_their_mean(events, result):
    found, _ = result
    aucs = []
    for fold in range(3):
        own = found.fold_of == fold
        aucs.append(auc(found.probabilities[own, 1], events.labels[own] == 1, events.weights[own]))
        p = found.probabilities[own, events.labels[own]].astype(float)
        w = events.weights[own]
        assert found.figures["loss"][fold] == pytest.approx(np.sum(-w * np.log(p)) / np.sum(w), rel=1e-12)
    assert found.figures["auc"] == pytest.approx(aucs, abs=1e-12)
    mean, error = found.mean("auc")
    assert mean == pytest.approx(sum(aucs) / 3)
    assert error == pytest.approx(np.sqrt(sum((a - mean) ** 2 for a in aucs) / 2 / 3))
    whole = evaluate(found.probabilities, events.labels, events.class_names, events.weights)
    assert found.overall.to_dict() == whole.to_dict()
    lines = found.table().splitlines()
    assert len(lines) == 6
    assert f"{mean:.4f}" in lines[-2]
    assert f"{error:.4f}" in lines[-1]
    assert json.loads(json.dumps(found.to_dict()))["summary"]["auc"]["standard_error"] == pytest.approx(error)


def test_a_loss_of_certain_mistakes_is_finite():
    assert 80 < mean_loss(np.array([[1.0, 0.0]], dtype=np.float32), np.array([1], dtype=np.int32), None) < 100


def test_the_template_is_not_trained_and_threads_change_nothing(events, result):
    template = LSTMClassifier(**SMALL | {"n_threads": 2})
    again = cross_validate(template, events, Folds(3))
    assert len(template.history) == 0
    assert np.array_equal(again.probabilities, result[0].probabilities)


def test_folds_go_by_entries_and_not_by_places(events):
    rng = np.random.default_rng(0)
    numbered = replace(events, entries=rng.permutation(1000)[:400])
    model = LSTMClassifier(**SMALL)
    found = cross_validate(model, numbered, 2)
    assert np.array_equal(found.fold_of, numbered.entries % 2)
    same = cross_validate(model, events, 2, fold_of=numbered.entries % 2)
    assert np.array_equal(same.probabilities, found.probabilities)
    with pytest.raises(OptionError, match="not known how to tell them"):
        same.fold_models()


def test_models_read_back_score_each_event_with_the_one_that_has_not_seen_it(events, result):
    found, folder = result
    models = load_folds(folder)
    assert models.folds == Folds(3)
    assert np.array_equal(models.predict_proba(events), found.probabilities)
    order = np.random.default_rng(1).permutation(400)[:77]
    assert np.array_equal(models.predict_proba(events[order], numbers=order), found.probabilities[order])
    assert np.array_equal(
        models.predict_proba(replace(events, entries=np.arange(400))[order]), found.probabilities[order]
    )
    seen = np.array([model.predict_proba(events) for model in found.models])
    # the models differ, so the choice matters
    assert not np.array_equal(seen[0], seen[1])
    with pytest.raises(InputError, match="3 numbers for 400 events"):
        models.predict_proba(events, numbers=[1, 2, 3])


def test_saved_by_hand_and_read_back(events, result, tmp_path):
    path = result[0].fold_models().save(tmp_path, name="mine", title="MINE")
    assert path.name == "folds.json"
    assert sorted(os.listdir(tmp_path)) == ["folds.json", *(f"mine_fold{f}.weights.xml" for f in range(3))]
    assert np.array_equal(load_folds(path).predict_proba(events), result[0].probabilities)


def test_a_model_that_was_exchanged_is_refused(result, tmp_path):
    models = result[0].fold_models()
    path = models.save(tmp_path)
    models.models[1].save(tmp_path / "lstm_fold0.weights.xml")
    with pytest.raises(ModelFileError, match="lstm_fold0.weights.xml' is not the model"):
        load_folds(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "is no list of the folds' models"),
        ('{"format": "tmva_lstm_plugin folds", "version": 2}', "of version 1"),
        ('{"format": "tmva_lstm_plugin folds", "version": 1}', "is damaged"),
        (
            '{"format": "tmva_lstm_plugin folds", "version": 1, "folds": 2, "number": null, "seed": null, "models": []}',
            "0 models for 2 folds",
        ),
        (
            '{"format": "tmva_lstm_plugin folds", "version": 1, "folds": 2, "number": "a b", "seed": null, "models": []}',
            "is damaged",
        ),
    ],
)
def test_damaged_lists_are_refused(tmp_path, text, message):
    (tmp_path / "folds.json").write_text(text)
    with pytest.raises(ModelFileError, match=message):
        load_folds(tmp_path)


def test_what_cannot_be_cross_validated_is_refused_before_any_training(events):
    model = LSTMClassifier(**SMALL)

    def trained(*_):
        raise AssertionError("a training began")

    def refused(data, *arguments, **options):
        with pytest.raises((InputError, OptionError)) as caught:
            cross_validate(model, data, *arguments, progress=trained, **options)
        return str(caught.value)

    assert "folds is 1, expected" in refused(events, 1)
    assert "no labels" in refused(replace(events, labels=None))
    assert "list, expected Sequences (from read_sequences) or a SequenceStream" in refused([events])
    assert "shape (2,)" in refused(events, fold_of=[0, 1])
    assert "values from 0 to 7, expected 0 to 4" in refused(events, fold_of=np.arange(400) % 8)
    assert "fold 3 of 5 has no event of class 'negative'" in refused(
        replace(
            events, class_names=("negative", "positive"), labels=np.where(np.arange(400) % 5 == 3, 1, events.labels)
        )
    )
    weights = np.where(np.arange(400) % 5 == 2, -1.0, 1.0)
    assert "fold 2 of 5: the weights of its" in refused(replace(events, weights=weights))
    assert "give fold_of=folds.of(event_numbers(files" in refused(events, Folds(3, "number"))


def test_numbers_that_are_not_known_are_asked_for(events, result):
    models = FoldModels(result[0].models, Folds(3, "number"))
    with pytest.raises(
        InputError, match=r"tell folds by 'number', and the events' numbers are not known; give numbers="
    ):
        models.predict_proba(events)


def test_a_signal_ends_it_and_keeps_complete_folds(events, tmp_path):
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:

        def interrupt(fold, record):
            if (fold, record.epoch) == (1, 1):
                os.kill(os.getpid(), signal.SIGINT)

        with pytest.raises(KeyboardInterrupt, match=r"stopped by SIGINT in the training of fold 1 .*the 1 before it"):
            cross_validate(LSTMClassifier(**SMALL), events, 3, folder=tmp_path, progress=interrupt)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert os.listdir(tmp_path) == ["lstm_fold0.weights.xml"]


# ----------------------------------------------------------------------------------------------------- command line


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return write_toy_root(tmp_path_factory.mktemp("toy") / "toy.root", "gaussian_sum", 500, seed=2)


def run(*arguments, code=0):
    outcome = CliRunner().invoke(main, [str(a) for a in arguments])
    assert outcome.exit_code == code, outcome.output
    return outcome.output


READ = ["--feature", "x", "--label", "label", "--event-selection", "event % 5 != 1"]
NETWORK = ["--hidden", "3", "--epochs", "2", "--no-plots"]


def test_the_command_scores_every_entry_with_the_model_that_has_not_seen_it(toy, tmp_path):
    folding = ["--folds", "3", "--fold-by", "event * 3 + 1", "--fold-seed", "9"]
    output = run("cross-validate", toy, *READ, *NETWORK, *folding, "-o", tmp_path, "--json", tmp_path / "f.json")
    assert "cross-validating 400 events in 3 folds by 'event * 3 + 1', mixed with the seed 9" in output
    events = read_sequences(toy, features=["x"], label="label", event_selection="event % 5 != 1")
    fold_of = Folds(3, seed=9).of(event_numbers(toy, "event * 3 + 1")[events.entries])
    expected = cross_validate(LSTMClassifier(hidden=3, epochs=2), events, 3, fold_of=fold_of)
    figures = json.loads((tmp_path / "f.json").read_text())
    assert figures["figures"]["auc"] == list(expected.figures["auc"])
    assert expected.table() in output
    # scored from the files, once by the command and once by its models
    run("apply", tmp_path / "folds.json", toy, "-o", tmp_path / "again.root")
    for name in ("scores.root", "again.root"):
        with uproot.open(tmp_path / name) as file:
            scores, selected = (file["scores"][b].array(library="np") for b in ("lstm_score", "lstm_selected"))
        assert selected.sum() == 400
        assert np.array_equal(scores[events.entries], expected.probabilities[:, 1]), name
    text = run("evaluate", tmp_path / "folds.json", toy, "--json", tmp_path / "e.json")
    assert "AUC" in text
    assert json.loads((tmp_path / "e.json").read_text())["unweighted"] == figures["overall"]["unweighted"]


def test_the_configuration_has_its_section(toy, tmp_path):
    config = tmp_path / "c.toml"
    config.write_text(
        f"""
        [input]
        files = "{toy}"
        features = ["x"]
        label = "label"
        [model]
        hidden = 3
        epochs = 1
        [cross_validation]
        folds = 4
        fold_by = "event"
        [split]
        test_fraction = 0.5
        [output]
        folder = "{tmp_path}"
        plots = false
        weights_file = "dis.weights.xml"
        """
    )
    output = run("cross-validate", config, "--folds", 2)
    assert "section [split] is not used here" in output
    assert "500 events in 2 folds by 'event'" in output
    assert {"dis_fold0.weights.xml", "dis_fold1.weights.xml", "folds.json", "scores.root"} <= set(os.listdir(tmp_path))


def test_wrong_options_are_told(toy, tmp_path):
    assert "command line: --folds: found 1, expected a whole number from 2" in run(
        "cross-validate", toy, *READ, "--folds", 1, code=2
    )
    assert "--fold-by: " in run("cross-validate", toy, *READ, "--fold-by", "1 + 1", code=2)
    assert "has no branch 'evnt'" in run(
        "cross-validate", toy, *READ, *NETWORK, "--fold-by", "evnt", "-o", tmp_path, code=2
    )
