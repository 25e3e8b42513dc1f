"""Search: spaces and draws, the arithmetic of halving, the same results for any workers, after any end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from tmva_lstm_plugin import LSTMClassifier, search
from tmva_lstm_plugin.cli import main
from tmva_lstm_plugin.errors import InputError, LSTMError, OptionError
from tmva_lstm_plugin.evaluation import auc
from tmva_lstm_plugin.model_options import MODEL_OPTIONS
from tmva_lstm_plugin.search import Rung, default_workers, halving
from tmva_lstm_plugin.search_plot import plot_search
from tmva_lstm_plugin.search_space import Choice, Range, draw_trials, parse_space
from tmva_lstm_plugin.search_trials import read_result
from tmva_lstm_plugin.search_workers import Workers, share
from tmva_lstm_plugin.testing import make_task, write_toy_root

SPACE = {
    "hidden": [2, 3, [3, 2]],
    "learning_rate": {"low": 1e-3, "high": 1e-1, "log": True},
    "optimizer": ["adam", "sgd"],
    "momentum": {"low": 0.1, "high": 0.9},
}
FIXED = {name: option.default for name, option in MODEL_OPTIONS.items()}

# ------------------------------------------------------------------------------------------------------------- space


def test_a_space_of_lists_and_ranges():
    space = parse_space(SPACE | {"batch_size": {"low": 16, "high": 64, "log": True}, "clip_norm": [0, 1.0]})
    assert list(space) == sorted(space)
    assert space["hidden"] == Choice((2, 3, (3, 2)))
    assert space["batch_size"] == Range(16, 64, log=True, whole=True)
    assert space["learning_rate"] == Range(1e-3, 1e-1, log=True, whole=False)
    assert space["clip_norm"] == Choice((None, 1.0))
    assert parse_space(space) == space
    assert (
        parse_space({name: spec.to_plain() for name, spec in space.items() if name != "clip_norm"}).items()
        <= space.items()
    )


WRONG = [
    ({}, "expected for at least one option a list or a range"),
    ({"hiden": [1]}, "there is no option 'hiden' to search for; did you mean 'hidden'"),
    ({"n_threads": [1, 2]}, "n_threads says how a training is run and not what it learns"),
    ({"hidden": []}, "hidden: found [], expected a list of values, or a range"),
    ({"optimizer": "adam"}, "optimizer: found 'adam', expected a list"),
    ({"optimizer": ["adam", "adamm"]}, "optimizer: 'adamm' is no value of it, expected 'adam'"),
    ({"hidden": [2, 2]}, "hidden: 2 is there twice"),
    ({"learning_rate": {"low": 0.1, "hihg": 1.0}}, "a range has no 'hihg'; did you mean 'high'?"),
    ({"learning_rate": {"low": 0.1}}, "learning_rate: high is None"),
    ({"learning_rate": {"low": 0.0, "high": 1.0}}, "learning_rate: low is 0.0, which is no value of it"),
    ({"learning_rate": {"low": 0.1, "high": 0.1}}, "expected low below high"),
    ({"l2": {"low": 0.0, "high": 0.1, "log": True}}, "l2: log is True with low = 0.0"),
    ({"optimizer": {"low": 1, "high": 2}}, "optimizer: low is 1, which is no value of it"),
    ({"epochs": {"low": 1.5, "high": 2}}, "epochs: low is 1.5"),
]


@pytest.mark.parametrize(("space", "message"), WRONG)
def test_spaces_that_are_none_are_refused(space, message):
    with pytest.raises(OptionError) as caught:
        parse_space(space)
    assert message in str(caught.value)


def test_all_that_is_wrong_with_a_space_is_told_at_once():
    with pytest.raises(OptionError) as caught:
        parse_space({"hiden": [1], "epochs": [0]})
    assert "hiden" in str(caught.value)
    assert "epochs: 0 is no value" in str(caught.value)


def test_draws_are_spread_as_the_range_says():
    u = (np.arange(3000) + 0.5) / 3000
    whole = [Range(2, 4, whole=True).draw(x) for x in u]
    assert np.bincount(whole)[2:].tolist() == [1000, 1000, 1000]
    log = np.array([Range(1e-4, 1e-1, log=True).draw(x) for x in u])
    assert np.quantile(log, [1 / 3, 2 / 3]) == pytest.approx([1e-3, 1e-2], rel=0.02)
    linear = np.array([Range(1.0, 3.0).draw(x) for x in u])
    assert np.quantile(linear, [0.25, 0.75]) == pytest.approx([1.5, 2.5], rel=0.002)
    powers = [Range(1, 7, log=True, whole=True).draw(x) for x in u]
    # 1 has log(2/1), 7 has log(8/7), of log(8)
    assert np.bincount(powers)[[1, 7]] == pytest.approx([1000, 3000 * np.log(8 / 7) / np.log(8)], abs=2)
    assert Range(0.0, 1.0).draw(0.123456789) == 0.1235
    assert {Choice((1, None, "x")).draw(x) for x in u} == {1, None, "x"}


def test_trials_are_a_function_of_the_seed_and_more_begin_with_the_same():
    space = parse_space(SPACE)
    trials = draw_trials(space, FIXED, 40, 3)
    assert draw_trials(dict(reversed(space.items())), FIXED, 25, 3) == trials[:25]
    assert draw_trials(space, FIXED, 5, 4) != trials[:5]
    counts = {str(h): sum(t["hidden"] == h for t in draw_trials(space, FIXED, 600, 1)) for h in (2, 3, (3, 2))}
    assert min(counts.values()) > 200 - 5 * 12  # binomial: a standard deviation is 12


def test_what_belongs_to_another_optimiser_is_left_out():
    for trial in draw_trials(parse_space(SPACE), FIXED, 30, 1):
        assert (trial["momentum"] is None) == (trial["optimizer"] == "adam")
    only = parse_space({"optimizer": ["adam", "adamw"]})
    drawn = draw_trials(only, FIXED | {"weight_decay": 0.1}, 2, 1)
    assert {t["optimizer"]: t["weight_decay"] for t in drawn} == {"adam": None, "adamw": 0.1}


def test_contradictions_are_drawn_again_and_a_space_has_an_end():
    space = parse_space({"warmup_epochs": [0, 1, 2, 3, 4], "epochs": [2, 3]})
    trials = draw_trials(space, FIXED, 100, 1)
    assert sorted((t["epochs"], t["warmup_epochs"]) for t in trials) == [(2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]
    with pytest.raises(
        OptionError, match=r"goes with the other options: warmup_epochs: a warm-up of 5 epochs is as long"
    ):
        draw_trials(parse_space({"warmup_epochs": [5, 6]}), FIXED | {"epochs": 5}, 2, 1)


# ----------------------------------------------------------------------------------------------- halving and workers


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        # n, eta, R: rungs of (trials, epochs); a rung costs the same in each row but for rounding
        ((27, 3, 27), [(27, 1), (9, 3), (3, 9), (1, 27)]),
        ((81, 3, 27), [(81, 1), (27, 3), (9, 9), (3, 27)]),
        ((16, 2, 100), [(16, 7), (8, 13), (4, 25), (2, 50), (1, 100)]),
        ((10, 3, 20), [(10, 3), (3, 7), (1, 20)]),
        ((27, 3, 27, 3), [(27, 3), (9, 9), (3, 27)]),
        ((2, 3, 27), [(2, 27)]),
        ((9, 3, 2), [(9, 2)]),
        ((1, 2, 1), [(1, 1)]),
    ],
)
def test_the_rungs_of_halving(arguments, expected):
    epochs = arguments[2]
    assert [(rung.trials, rung.epochs(epochs)) for rung in halving(*arguments)] == expected


def test_trials_of_other_lengths_get_their_part():
    assert [rung.epochs(10) for rung in halving(9, 3, 9)] == [2, 4, 10]
    assert Rung(9, 9).epochs(10, least=3) == 3
    assert Rung(9, 9).epochs(2, least=3) == 2


def test_processors_are_shared_and_none_is_taken_twice():
    assert share(7, 2) == [4, 3]
    assert share(8, 3) == [3, 3, 2]
    assert share(2, 2) == [1, 1]
    assert share(1, 3) == [1, 1, 1]
    assert [default_workers(p, 20) for p in (1, 2, 4, 8, 64, 256)] == [1, 1, 1, 2, 16, 20]


# ------------------------------------------------------------------------------------------------------------ search


@pytest.fixture(scope="module")
def events():
    return make_task("gaussian_sum", 400, seed=3).sequences


TEMPLATE = {"epochs": 4, "n_threads": 2, "batch_size": 32}


def run_search(events, folder, **options):
    model = LSTMClassifier(**TEMPLATE)
    return search(model, SPACE, events, folder, **{"trials": 4, "method": "halving", "reduction": 2, **options})


@pytest.fixture(scope="module")
def done(events, tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    return run_search(events, folder, workers=1)


def bits(folder):
    """All results and scores' weights, without times."""
    found = {}
    for path in sorted(folder.glob("trial_*.json")):
        found[path.name] = json.loads(path.read_text()) | {"seconds": 0}
    return found


def parameters(result, events):
    return [search_model(result, trial).predict_proba(events) for trial in result.trials if not trial.error]


def search_model(result, trial):
    return replace(result, trials=(trial,)).best_model()


def test_halving_trains_what_its_rungs_say(done):
    assert [(t.trial, t.epochs) for t in done.trials][0][1] == 4
    assert sorted(t.epochs for t in done.trials) == [1, 1, 2, 4]
    assert {(int(n[6:10]), int(n[17:22])) for n in bits(done.folder)} == {
        *((t, 1) for t in range(4)),
        *((t.trial, 2) for t in done.trials[:2]),
        (done.best.trial, 4),
    }
    # and no epoch more
    assert all(len(search_model(done, trial).history) == trial.epochs for trial in done.trials)
    first = {r["trial"]: r["figures"]["auc"] for r in bits(done.folder).values() if r["epochs"] == 1}
    assert {t.trial for t in done.trials[:2]} == set(sorted(first, key=lambda t: -first[t])[:2])


def test_a_trial_is_the_training_that_its_options_describe(done, events):
    """Though it was stopped at each rung and went on from there."""
    order = np.random.default_rng(1).permutation(400)
    train, judged = events[np.sort(order[100:])], events[np.sort(order[:100])]
    best = done.best
    by_hand = LSTMClassifier(**done.options[best.trial]).fit(train)
    scores = by_hand.predict_proba(judged)
    assert np.array_equal(done.best_model().predict_proba(judged), scores)
    assert best.figures["auc"] == auc(scores[:, 1], judged.labels == 1)
    assert done.best_model().history.columns == by_hand.history.columns
    assert f"learning_rate = {best.options['learning_rate']}" in done.best_as_toml()


def test_two_workers_find_the_same(done, events, tmp_path):
    other = run_search(events, tmp_path, workers=2)
    assert other.table() == done.table()
    assert bits(tmp_path) == bits(done.folder)
    for a, b in zip(parameters(other, events), parameters(done, events), strict=True):
        assert np.array_equal(a, b)
    assert not (tmp_path / "events").exists()


def test_a_finished_search_trains_nothing_again(done, events, tmp_path):
    calls = []
    folder = shutil.copytree(done.folder, tmp_path / "copy")
    again = run_search(events, folder, workers=2, progress=calls.append)
    assert again.table() == done.table()
    assert calls == []
    # another figure, another method, more trials: what is known is taken
    more = run_search(events, folder, workers=1, judge_by="loss", method="random", progress=calls.append)
    assert sorted(t.trial for t in calls) == [t for t in range(4) if t != done.best.trial]
    losses = [t.figures["loss"] for t in more.trials]
    assert losses == sorted(losses)


def test_another_search_in_the_folder_is_refused_by_name(done, events):
    def refused(space=SPACE, data=events, template=TEMPLATE, **options):
        with pytest.raises(OptionError) as caught:
            search(LSTMClassifier(**template), space, data, done.folder, trials=4, **options)
        assert "has the trials of another search" in str(caught.value)
        return str(caught.value)

    assert "space: hidden was [2, 3, [3, 2]] and is [2, 4]; go on" in refused(SPACE | {"hidden": [2, 4]})
    fewer = {name: SPACE[name] for name in SPACE if name != "momentum"}
    assert 'space: momentum was {"high": 0.9, "log": false, "low": 0.1} and is not there' in refused(fewer)
    assert "options: batch_size was 32 and is 16" in refused(template=TEMPLATE | {"batch_size": 16})
    assert "the seed was 1 and is 2" in refused(seed=2)
    changed = events.values.copy()
    changed[-1] += 1
    assert "the events are others" in refused(data=replace(events, values=changed))


def test_numbers_and_events_that_make_no_sense_are_refused(events, tmp_path):
    def refused(kind=OptionError, data=events, **options):
        with pytest.raises(kind) as caught:
            run_search(data, tmp_path, **options)
        return str(caught.value)

    text = refused(trials=0, reduction=1, workers=0, method="grid", judge_by="f1")
    for part in ("trials is 0", "reduction is 1", "workers is 0", "method is 'grid'", "judge_by is 'f1'"):
        assert part in text
    assert "judged is 1.5" in refused(judged=1.5)
    assert "expected Sequences" in refused(InputError, data=[1])
    assert "have no labels" in refused(InputError, data=replace(events, labels=None))
    assert "none of 4 events to judge by is of class" in refused(InputError, judged=events[events.labels == 1][:4])
    assert list(tmp_path.glob("*")) == []


def test_a_trial_that_fails_is_last_and_says_why(events, tmp_path):
    # a sequence as long as this needs more memory than the limit with many hidden units
    long = make_task("gaussian_sum", 60, seed=3).sequences
    model = LSTMClassifier(epochs=1, memory_limit="300 kB")
    found = search(model, {"hidden": [2, 4000]}, long, tmp_path, trials=2, workers=1)
    assert found.trials[0].options == {"hidden": 2}
    assert "memory_limit" in found.trials[1].error
    assert "failed" in found.table().splitlines()[-1]
    with pytest.raises(LSTMError, match="no best trial; the first one failed: .*memory_limit"):
        replace(found, trials=found.trials[1:]).best_model()


def test_a_trial_that_stopped_early_goes_on_as_it_is(events, tmp_path):
    model = LSTMClassifier(epochs=64, patience=1, learning_rate=0.5, hidden=2)
    space = {"batch_size": [8, 16, 32, 64]}
    found = search(model, space, events, tmp_path, trials=4, method="halving", reduction=2, workers=1)
    best = found.best
    by_hand = LSTMClassifier(**found.options[best.trial]).fit(
        events[np.sort(np.random.default_rng(1).permutation(400)[100:])]
    )
    assert by_hand.stopped_by == best.stopped_by == "early stopping"
    assert best.epochs == 64
    assert len(by_hand.history) <= 16
    assert np.array_equal(found.best_model().predict_proba(events), by_hand.predict_proba(events))


# ----------------------------------------------------------------------------------------------------- interruptions


def interrupting(number, at):
    seen = []

    def progress(trial):
        seen.append(trial)
        if len(seen) == at:
            os.kill(os.getpid(), number)

    return progress


@pytest.mark.parametrize("workers", [1, 2])
def test_a_signal_ends_it_in_good_order_and_it_goes_on(done, events, tmp_path, workers):
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        cut = run_search(events, tmp_path, workers=workers, progress=interrupting(signal.SIGINT, 2))
    finally:
        signal.signal(signal.SIGINT, previous)
    assert cut.stopped_by == "SIGINT"
    assert 2 <= len(cut.trials) < 4 or all(t.epochs < 4 for t in cut.trials)
    kept = bits(tmp_path)
    assert len(kept) >= 2
    rest = run_search(events, tmp_path, workers=3 - workers)
    assert rest.stopped_by is None
    assert rest.table() == done.table()
    assert bits(tmp_path) == bits(done.folder)


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGTERM, 1), (signal.SIGINT, 2)])
def test_a_signal_within_a_trial_leaves_nothing_of_it(events, tmp_path, number, workers):
    """The trial would take hours."""
    previous = signal.signal(number, signal.default_int_handler)
    timer = threading.Timer(1.0, os.kill, (os.getpid(), number))
    timer.start()
    try:
        cut = search(LSTMClassifier(epochs=10**7), {"hidden": [2, 3]}, events, tmp_path, trials=2, workers=workers)
    finally:
        timer.join()
        signal.signal(number, previous)
    assert cut.stopped_by == signal.Signals(number).name
    assert cut.trials == ()
    assert cut.best is None
    assert bits(tmp_path) == {}


SCRIPT = """
import sys
from tmva_lstm_plugin import LSTMClassifier, search
from tmva_lstm_plugin.testing import make_task
events = make_task("gaussian_sum", 400, seed=3).sequences
space = {space!r}
def progress(trial):
    print("done", trial.trial, flush=True)
    if {slow}:
        import time
        time.sleep(60)
result = search(LSTMClassifier(**{template!r}), space, events, sys.argv[1], trials=4, method="halving", reduction=2,
                workers=int(sys.argv[2]), progress=progress)
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_and_begun_again_it_ends_in_the_same_table(done, events, tmp_path, workers):
    code = SCRIPT.format(space=SPACE, template=TEMPLATE, slow=True)
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), str(workers)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("done")
    children = children_of(process.pid)
    assert len(children) == (workers if workers > 1 else 0)
    # with two workers, when both wait for what comes next
    wait_for(lambda: len(bits(tmp_path)) >= (3 if workers == 2 else 1), "no more trials were done")
    process.kill()
    process.wait()
    process.stdout.close()
    wait_for(lambda: not any(is_alive(pid) for pid in children), "a worker outlived its search")
    before = bits(tmp_path)
    assert 1 <= len(before) < len(bits(done.folder))
    (tmp_path / ".trial.1.part.json").write_text("{")  # as a process leaves it that is killed while it writes
    again = run_search(events, tmp_path, workers=workers)
    assert again.table() == done.table()
    assert bits(tmp_path) == bits(done.folder)
    assert not list(tmp_path.glob(".*"))
    assert not (tmp_path / "events").exists()


def wait_for(condition, otherwise):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.02)


def children_of(pid):
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return [int(child) for child, parent in map(str.split, listed.splitlines()) if int(parent) == pid]


def is_alive(pid):
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(listed) and not listed.startswith("Z")


def test_a_worker_that_dies_is_told(events, tmp_path):
    tmp_path.joinpath("nothing").mkdir()
    workers = Workers(tmp_path, tmp_path / "nothing", ("hidden",), [1])
    try:
        with pytest.raises(LSTMError, match=r"a worker of the search ended with exit code 1.* run the search again"):
            list(workers.run([(0, 1, {"hidden": 2})], lambda: False))
    finally:
        workers.close()


def test_a_result_without_its_model_is_none(done, tmp_path):
    trial = done.best
    name = f"trial_{trial.trial:04d}_epoch_{trial.epochs:05d}"
    (tmp_path / f"{name}.json").write_text((done.folder / f"{name}.json").read_text())
    assert read_result(done.folder, trial.trial, trial.epochs) is not None
    assert read_result(tmp_path, trial.trial, trial.epochs) is None


# ------------------------------------------------------------------------------------------------ plot, command line


def test_the_plot_has_a_panel_an_option(done):
    pytest.importorskip("matplotlib")
    axes = plot_search(done).axes
    assert [a.get_xlabel() for a in axes] == sorted(SPACE)
    optimisers = {t.options["optimizer"] for t in done.trials}
    assert [t.get_text() for t in axes[3].get_xticklabels()] == sorted(optimisers)
    points = np.concatenate([c.get_offsets() for c in axes[1].collections[:-1]])
    expected = {(t.options["learning_rate"], t.figures["auc"]) for t in done.trials}
    assert {tuple(p) for p in points.tolist()} == expected
    ring = axes[1].collections[-1].get_offsets().tolist()[0]
    assert ring == [done.best.options["learning_rate"], done.best.figures["auc"]]


def run(*arguments, code=0):
    outcome = CliRunner().invoke(main, [str(a) for a in arguments])
    assert outcome.exit_code == code, outcome.output
    return outcome.output


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toml")
    write_toy_root(folder / "toy.root", "gaussian_sum", 500, seed=2)
    path = folder / "c.toml"
    path.write_text(
        f"""
        [input]
        files = "{folder / "toy.root"}"
        features = ["x"]
        label = "label"
        [model]
        epochs = 2
        [search]
        trials = 3
        workers = 1
        [search.space]
        hidden = [2, 3]
        learning_rate = {{ low = 0.01, high = 0.1, log = true }}
        """
    )
    return path


def test_the_command_writes_table_plot_and_best_model(config, tmp_path):
    output = run("search", config, "-o", tmp_path, "--json", tmp_path / "f.json")
    assert "searching with 375 events, testing on 125 events" in output
    assert {"lstm.weights.xml", "search.txt", "search.png", "trials"} <= set(os.listdir(tmp_path))
    figures = json.loads((tmp_path / "f.json").read_text())
    assert len(figures["trials"]) == 3
    aucs = [t["figures"]["auc"] for t in figures["trials"]]
    assert aucs == sorted(aucs, reverse=True)
    assert (tmp_path / "search.txt").read_text() in output
    assert figures["evaluation"]["unweighted"]["auc"] > 0
    # the section that is printed is one that trains the best model again
    section = output[output.index("[model]") : output.index("\n\ntable")]
    assert f"hidden = {figures['best_options']['hidden']}" in section.splitlines()
    again = run("search", config, "-o", tmp_path, "--no-plots")
    assert "trial 0  epoch" not in again
    assert (tmp_path / "search.txt").read_text() in again


def test_mistakes_in_the_section_are_told_at_once(config, tmp_path):
    text = config.read_text().replace("hidden = [2, 3]", "hiden = [2, 3]").replace("trials = 3", "trails = 3")
    other = tmp_path / "wrong.toml"
    other.write_text(text)
    output = run("search", other, "--reduction", 1, code=2)
    assert "search.space: there is no option 'hiden' to search for; did you mean 'hidden'" in output
    assert "search.trails: key 'trails' is unknown; did you mean 'trials'?" in output
    assert "command line: --reduction: found 1, expected a whole number, at least 2" in output
    other.write_text(config.read_text().split("[search.space]")[0])
    assert "search.space is missing" in run("search", other, code=2)
    # the same file trains as it is
    assert "training on 375 events" in run("train", config, "-o", tmp_path, "--no-plots")
