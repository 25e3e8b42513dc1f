"""Cross-validation and search of regressions, and of events that are streamed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import uproot
from click.testing import CliRunner

from tmva_lstm_plugin import (
    Folds,
    LSTMClassifier,
    LSTMRegressor,
    Sequences,
    _engine,
    cross_validate,
    event_numbers,
    load_folds,
    read_sequences,
    search,
    stream_sequences,
)
from tmva_lstm_plugin.cli import main
from tmva_lstm_plugin.config import make_config
from tmva_lstm_plugin.deviations import evaluate_regression
from tmva_lstm_plugin.errors import InputError, OptionError
from tmva_lstm_plugin.study_figures import mean_target_loss
from tmva_lstm_plugin.testing import write_toy_root

DATA = Path(__file__).resolve().parents[2] / "data" / "gibuu_neutrino.root"
READING = {"features": {"log_E": "log(E)", "Pz": "Pz"}, "order_by": "E", "event_selection": "evType != 35"}
SMALL = {"hidden": 3, "epochs": 2, "seed": 4, "n_threads": 1}
LEARNT = SMALL | {"epochs": 8, "learning_rate": 0.02}
N = 300


@pytest.fixture(scope="module")
def events():
    """Two targets in units far apart, negative weights among the others."""
    rng = np.random.default_rng(5)
    steps = [rng.exponential(size=(length, 2)) for length in rng.integers(0, 6, N)]
    targets = np.array([[1000 * s[:, 0].sum() - 50, len(s)] for s in steps])
    weights = np.where(rng.random(N) < 0.1, -0.5, 1.5)
    return Sequences.from_lists(steps, weights=weights, targets=targets, target_names=["sum", "n"])


@pytest.fixture(scope="module")
def result(events, tmp_path_factory):
    folder = tmp_path_factory.mktemp("folds")
    return cross_validate(LSTMRegressor(**LEARNT), events, 3, folder=folder), folder


# ------------------------------------------------------------------------------------------------------------- figures


def test_estimates_are_those_of_models_trained_by_hand(events, result):
    found, _ = result
    number = np.arange(N)
    assert np.array_equal(found.truth, events.targets)
    for fold in range(3):
        by_hand = LSTMRegressor(**LEARNT).fit(events[number % 3 != fold])
        assert np.array_equal(found.outputs[number % 3 == fold], by_hand.predict(events[number % 3 == fold]))


def test_figures_are_weighted_means_in_spreads_of_the_targets(events, result):
    found, _ = result
    y, w = events.targets.astype(float), events.weights
    means = np.average(y, axis=0, weights=w)
    spreads = np.sqrt(np.average((y - means) ** 2, axis=0, weights=w))
    for fold in range(3):
        own = np.arange(N) % 3 == fold
        relative = (found.outputs[own] - y[own]) / spreads
        assert found.figures["rms"][fold] == pytest.approx(
            np.sqrt(np.average((relative**2).mean(axis=1), weights=w[own])), rel=1e-9
        )
        assert found.figures["mae"][fold] == pytest.approx(
            np.average(np.abs(relative).mean(axis=1), weights=w[own]), rel=1e-9
        )
        expected = evaluate_regression(found.outputs[own], events.targets[own], ("sum", "n"), w[own])
        assert found.evaluations[fold].to_dict() == expected.to_dict()
    # a model that says nothing but the mean has an rms of 1: these have learnt something
    assert found.mean("rms")[0] < 0.95
    assert found.overall.to_dict() == evaluate_regression(found.outputs, y, ("sum", "n"), w).to_dict()


@pytest.mark.parametrize(
    "options", [{"loss": "mse"}, {"loss": "mae"}, {"loss": "huber"}, {"loss": "huber", "huber_delta": 0.3}], ids=str
)
def test_the_loss_is_the_one_that_is_trained(events, options):
    model = LSTMRegressor(**SMALL, **options).fit(events[:200])
    judged = events[200:]
    standardised = np.asarray(_engine.standardise_targets(judged.targets, *model._target_scale))
    arrays = (judged.values, judged.offsets, judged.event_values, None, judged.weights, standardised)
    # the core scales weights to a mean of 1 in the training part
    total = judged.weights.sum() * model._prepared.weight_scale
    core = model._trainer.loss(arrays, np.arange(len(judged)))[0] / total
    # single precision on either way
    assert mean_target_loss(model, model.predict(judged), judged.targets, judged.weights) == pytest.approx(
        core, rel=2e-5
    )


def test_the_table_has_each_target_in_its_units(result):
    found, _ = result
    lines = found.table().splitlines()
    assert lines[0].split("  ")[-2:] == ["RMS of sum", "RMS of n"]
    rms = [e.weighted[0].rms for e in found.evaluations]
    assert min(rms) > 100  # in the target's units
    for line, value in zip(lines[1:4], rms, strict=True):
        assert line.split()[-2] == f"{value:.4g}"
    assert lines[-2].split()[-2] == f"{np.mean(rms):.4g}"
    assert lines[-1].split()[-2] == f"{np.std(rms, ddof=1) / np.sqrt(3):.4g}"
    summary = json.loads(json.dumps(found.to_dict()))["summary"]
    assert set(summary) == {"loss", "rms", "mae"}


def test_models_read_back_estimate_with_the_one_that_has_not_seen_the_event(events, result):
    found, folder = result
    models = load_folds(folder)
    assert models.regression
    assert models.output_names == ("sum", "n")
    assert np.array_equal(models.predict(events), found.outputs)
    with pytest.raises(OptionError, match="these models estimate sum, n; call predict"):
        models.predict_proba(events)


def test_what_cannot_be_cross_validated_is_refused_before_any_training(events):
    def refused(data, *arguments, kind=LSTMRegressor):
        def trained(*_):
            raise AssertionError("a training began")

        with pytest.raises(InputError) as caught:
            cross_validate(kind(**SMALL), data, *arguments, progress=trained)
        return str(caught.value)

    assert "the events have no targets, so there is nothing to learn; give targets (targets=)" in refused(
        replace(events, targets=None, target_names=())
    )
    assert "for their targets use LSTMRegressor" in refused(events, kind=LSTMClassifier)
    constant = np.column_stack([events.targets[:, 0], np.full(N, 3)]).astype(np.float32)
    assert "target 'n' has a variance of 0 in 300 events" in refused(replace(events, targets=constant))
    weights = np.where(np.arange(N) % 3 == 2, -1.0, 1.0)
    assert "fold 2 of 3: the weights of its 100 events sum to -100" in refused(replace(events, weights=weights), 3)
    assert "fold 1 of 5 has no event (0 events in all)" in refused(replace(events, entries=5 * np.arange(N)), 5)


# ------------------------------------------------------------------------------------------------------------- streams


@pytest.mark.parametrize("regression", [True, False])
def test_a_stream_in_one_piece_gives_the_same_bits_as_events_in_memory(regression):
    more = {"targets": {"nu": "lepIn_E"}} if regression else {"label": "evType == 34"}
    model = (LSTMRegressor if regression else LSTMClassifier)(**SMALL)
    events = read_sequences(DATA, **READING, **more)
    assert len(events) < events.n_entries  # the selection leaves some out
    folds = Folds(3, "floor(1000 * lepIn_E)", seed=2)
    numbers = event_numbers(DATA, folds.number)
    expected = cross_validate(model, events, folds, fold_of=folds.of(numbers)[events.entries])
    with stream_sequences(DATA, **READING, **more) as stream:
        found = cross_validate(model, stream, folds, fold_of=folds.of(numbers))
    assert np.array_equal(found.fold_of, expected.fold_of)
    assert np.array_equal(found.outputs, expected.outputs)
    assert found.figures == expected.figures


def test_a_stream_in_many_pieces_is_dealt_as_the_rule_says(tmp_path):
    toys = [write_toy_root(tmp_path / f"toy{n}.root", "gaussian_sum", 300, seed=n) for n in range(4)]
    reading = {"features": ["x"], "label": "label", "event_selection": "event % 7 != 1"}
    events = read_sequences(toys, **reading)
    with stream_sequences(toys, **reading) as stream:
        assert stream.n_chunks == 4
        found = cross_validate(LSTMClassifier(**SMALL), stream, 3, folder=tmp_path)
        # the models hold what the streams of their folds had
        training = [
            int(model.summary["training_events"] + model.summary["validation_events"]) for model in found.models
        ]
    assert np.array_equal(found.fold_of, events.entries % 3)
    assert training == [int(np.count_nonzero(events.entries % 3 != fold)) for fold in range(3)]
    assert np.array_equal(found.truth, events.labels)
    assert np.array_equal(load_folds(tmp_path).predict_proba(events), found.outputs)


def test_a_stream_of_some_entries(tmp_path):
    toy = write_toy_root(tmp_path / "toy.root", "gaussian_sum", 100, seed=2)
    with stream_sequences(toy, features=["x"], label="label") as stream:
        use = np.arange(100) % 4 == 1
        left = np.concatenate([part.entries for part in stream.of_entries(use).of_entries(np.arange(100) > 50)])
        assert left.tolist() == [53, 57, 61, 65, 69, 73, 77, 81, 85, 89, 93, 97]
        assert sum(len(part) for part in stream) == 100
        with pytest.raises(
            InputError, match=r"found shape \(3,\) and type bool, expected one truth value for each of 100"
        ):
            stream.of_entries(np.ones(3, dtype=bool))
        with pytest.raises(OptionError, match=r"fold_of=folds.of\(event_numbers\(files, folds.number\)\)$"):
            cross_validate(LSTMClassifier(**SMALL), stream, Folds(3, "event"))
        with pytest.raises(InputError, match="read a part of the events"):
            search(LSTMClassifier(**SMALL), {"hidden": [2, 3]}, stream, tmp_path / "search")


# -------------------------------------------------------------------------------------------------------------- search


SPACE = {"hidden": [2, 3], "loss": ["mse", "mae", "huber"], "learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}}


def run_search(events, folder, **options):
    model = LSTMRegressor(epochs=4, seed=4)
    return search(model, SPACE, events, folder, trials=6, method="halving", reduction=2, **options)


def test_the_best_trial_has_the_least_rms_and_is_the_model_trained_by_hand(events, tmp_path):
    found = run_search(events, tmp_path / "one", workers=1)
    order = np.random.default_rng(1).permutation(N)
    train, judged = events[np.sort(order[75:])], events[np.sort(order[:75])]
    y, w = judged.targets.astype(float), judged.weights
    spreads = np.sqrt(np.average((y - np.average(y, axis=0, weights=w)) ** 2, axis=0, weights=w))
    whole = [t for t in found.trials if t.epochs == 4]
    rms = []
    for trial in whole:
        by_hand = LSTMRegressor(**found.options[trial.trial]).fit(train)
        relative = (by_hand.predict(judged) - y) / spreads
        rms.append(np.sqrt(np.average((relative**2).mean(axis=1), weights=w)))
        assert trial.figures["rms"] == pytest.approx(rms[-1], rel=1e-9)
    assert rms == sorted(rms)
    assert set(found.best.figures) == {"loss", "rms", "mae"}
    assert found.best_model().regression
    assert found.table().splitlines()[0].split()[:5] == ["trial", "epochs", "loss", "rms", "mae"]
    assert "loss = " in found.best_as_toml()
    # in processes of their own, judged by another figure: the same trials
    other = run_search(events, tmp_path / "two", workers=2, judge_by="mae")
    assert {t.trial: t.figures for t in other.trials if t.epochs == 1}.items() <= {
        t.trial: t.figures for t in map(read_first(tmp_path / "one"), range(6))
    }.items()


def read_first(folder):
    from tmva_lstm_plugin.search_trials import read_result

    return lambda trial: read_result(folder, trial, 1)


def test_what_cannot_be_searched_is_refused(events, tmp_path):
    def refused(kind=OptionError, data=events, model=LSTMRegressor, space=SPACE, **options):
        with pytest.raises(kind) as caught:
            search(model(epochs=1), space, data, tmp_path, **options)
        return str(caught.value)

    assert "judge_by is 'auc', expected for a regression 'loss' or 'rms' or 'mae'" in refused(judge_by="auc")
    assert "judge_by is 'rms', expected for classes" in refused(model=LSTMClassifier, judge_by="rms")
    assert "the space has loss, so the losses of trials cannot be compared" in refused(judge_by="loss")
    assert "have no targets" in refused(InputError, data=replace(events, targets=None, target_names=()))
    assert "the events to judge by: target 'sum' has a variance of 0 in 1 events" in refused(
        InputError, judged=events[:1]
    )
    assert (
        "nothing in the space of the search goes with the other options: loss: 'cross_entropy' is for classes"
        in refused(space={"loss": ["cross_entropy"]})
    )
    assert list(tmp_path.iterdir()) == []


# -------------------------------------------------------------------------------------------------------- command line


def run(*arguments, code=0):
    outcome = CliRunner().invoke(main, [str(a) for a in arguments])
    assert outcome.exit_code == code, outcome.output
    return outcome.output


COMMAND = [DATA, "--feature", "log_E=log(E)", "--feature", "Pz", "--order-by", "E", "--target", "nu=lepIn_E"]


def test_the_commands_take_targets_and_streams(tmp_path):
    options = [*COMMAND, "--hidden", "3", "--epochs", "2", "--folds", "2"]
    output = run("cross-validate", *options, "-o", tmp_path / "a", "--json", tmp_path / "a.json")
    assert "figures of each fold; rms and mae in standard deviations of a target" in output
    assert "RMS of nu" in output
    events = read_sequences(DATA, features=READING["features"], order_by="E", targets={"nu": "lepIn_E"})
    expected = cross_validate(LSTMRegressor(hidden=3, epochs=2), events, 2)
    assert json.loads((tmp_path / "a.json").read_text())["figures"]["rms"] == list(expected.figures["rms"])
    assert {"deviation.png", "residuals.png", "folds.json"} <= {path.name for path in (tmp_path / "a").iterdir()}
    run("apply", tmp_path / "a" / "folds.json", DATA, "-o", tmp_path / "again.root")
    for file in (tmp_path / "a" / "scores.root", tmp_path / "again.root"):
        with uproot.open(file) as opened:
            assert np.array_equal(opened["scores"]["lstm_nu"].array(library="np"), expected.outputs[:, 0])
    streamed = run(
        "cross-validate", *options, "--stream", "--no-plots", "-o", tmp_path / "b", "--json", tmp_path / "b.json"
    )
    assert "cross-validating a stream of 4755 entries in 1 pieces in 2 folds" in streamed
    assert json.loads((tmp_path / "b.json").read_text())["figures"]["rms"] == list(expected.figures["rms"])


def test_the_command_searches_and_judges_the_best_by_the_test_part(tmp_path):
    config = tmp_path / "c.toml"
    config.write_text(
        f"""
        [input]
        files = "{DATA}"
        features = ["log(E)", "Pz"]
        targets = {{ nu = "lepIn_E" }}
        [model]
        epochs = 1
        [search]
        trials = 2
        [search.space]
        hidden = [2, 3]
        [output]
        folder = "{tmp_path}"
        """
    )
    output = run("search", config, "--json", tmp_path / "s.json")
    figures = json.loads((tmp_path / "s.json").read_text())
    assert figures["judge_by"] == "rms"
    assert figures["trials"][0]["figures"]["rms"] <= figures["trials"][1]["figures"]["rms"]
    assert "resolution (68 %)" in output  # the best one on the test part
    assert (tmp_path / "search.png").stat().st_size > 1000
    assert "the events in memory; set input.stream = false" in run(
        "search", config, "--stream", "--test-fraction", 0, code=2
    )


def test_a_figure_of_another_task_is_told_with_all_else():
    with pytest.raises(OptionError) as caught:
        make_config({"input": {"files": "a.root", "features": ["x"], "targets": ["y"]}, "search": {"judge_by": "auc"}})
    assert "search.judge_by: found 'auc', expected 'rms', 'mae' or 'loss' for targets" in str(caught.value)
    with pytest.raises(OptionError) as caught:
        make_config({"input": {"files": "a.root", "features": ["x"], "label": "y"}, "search": {"judge_by": "mae"}})
    assert "search.judge_by: found 'mae', expected 'auc', 'accuracy' or 'loss' for classes" in str(caught.value)
