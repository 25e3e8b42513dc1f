"""The command line, from files to files, and what it says when something is wrong."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
import uproot
from click.testing import CliRunner

from tmva_lstm_plugin import demo_factory, load_model, read_sequences
from tmva_lstm_plugin.cli import main
from tmva_lstm_plugin.cli.common import CommandGroup, write_json
from tmva_lstm_plugin.demo import DEMO_READING, find_data, run_demo
from tmva_lstm_plugin.errors import InputError, MissingNameError
from tmva_lstm_plugin.evaluation import auc
from tmva_lstm_plugin.model_file import read_model_file, write_model_file
from tmva_lstm_plugin.testing import write_toy_root
from tmva_lstm_plugin.training_run import random_test_mask, read_event_numbers

ROOT = Path(__file__).parents[2]
COMMANDS = ["train", "cross-validate", "search", "evaluate", "apply", "inspect", "check", "options", "demo"]
SMALL = ["--hidden", "4", "--epochs", "2", "--no-plots"]
READ = ["--feature", "x", "--label", "label", "--weight", "weight"]


def run(*arguments, code=0):
    """Run a command in this process and return the result; the exit code must be as expected."""
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    if result.exit_code != code:
        raise AssertionError(f"exit code {result.exit_code}, expected {code}:\n{result.output}") from result.exception
    return result


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with two toy files: sign-weighted events, and others of the same kind."""
    folder = tmp_path_factory.mktemp("data")
    write_toy_root(folder / "a.root", "gaussian_sum", 2000, seed=1)
    write_toy_root(folder / "b.root", "gaussian_sum", 1000, seed=2)
    return folder


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A folder with a trained model and the figures of its training."""
    folder = tmp_path_factory.mktemp("trained")
    options = ["--hidden", "4", "--epochs", "3", "-o", folder, "--scored-file", "scores.root"]
    result = run("train", data / "a.root", *READ, *options, "--json", folder / "train.json")
    return folder, result.output, json.loads((folder / "train.json").read_text())


# ------------------------------------------------------------------------------------------------------------- train


def test_train_writes_everything_and_says_where(trained):
    folder, output, figures = trained
    assert "training on 1500 events, testing on 500 events" in output
    assert [line.split("  ")[0] for line in output.splitlines() if line.startswith("epoch")] == [
        "epoch 1/3",
        "epoch 2/3",
        "epoch 3/3",
    ]
    for name in ("lstm.weights.xml", "scores.root", "roc.png", "loss.png", "overtraining.png"):
        assert (folder / name).stat().st_size > 0
        assert str(folder / name) in output
    assert figures["weights_file"] == str(folder / "lstm.weights.xml")
    assert figures["stopped_by"] is None
    assert figures["history"]["epoch"] == [1, 2, 3]
    assert set(figures["evaluation"]) >= {"class_names", "unweighted", "weighted"}


def test_the_figures_are_those_of_the_test_part(data, trained):
    folder, _, figures = trained
    model = load_model(folder / "lstm.weights.xml")
    events = read_sequences(data / "a.root", recipe=model.recipe)
    test = events[np.sort(np.random.default_rng(1).permutation(2000)[1500:])]
    expected = auc(model.predict_proba(test)[:, 1], test.labels == 1)
    assert figures["evaluation"]["unweighted"]["auc"] == pytest.approx(expected, abs=1e-12)


def test_scored_file_is_a_friend_of_the_input(data, trained):
    folder, _, _ = trained
    with uproot.open(data / "a.root") as file, uproot.open(folder / "scores.root") as scores:
        assert scores.classnames() == {"scores;1": "TTree"}
        assert scores["scores"].num_entries == file["events"].num_entries


def test_train_from_a_file_with_an_override(data, tmp_path):
    config = tmp_path / "train.toml"
    config.write_text(
        f"""
        [input]
        files = "{data / "a.root"}"
        features = {{ first = "x" }}
        label = "label"
        classes = ["noise", "bump"]
        [model]
        hidden = 3
        epochs = 7
        [output]
        folder = "{tmp_path / "out"}"
        title = "MINE"
        plots = false
        [split]
        test_files = "{data / "b.root"}"
        """
    )
    output = run("train", config, "--epochs", 2).output
    assert "training on 2000 events, testing on 1000 events" in output
    assert sum(line.startswith("epoch ") for line in output.splitlines()) == 2
    model = load_model(tmp_path / "out" / "lstm.weights.xml")
    assert (model.class_names, model.feature_names) == (("noise", "bump"), ("first",))
    assert read_model_file(tmp_path / "out" / "lstm.weights.xml")[1] == "MINE"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["history.csv", "lstm.weights.xml"]
    run("train", "--config", config, "--epochs", 1)
    result = run("train", config, "--config", config, code=2)
    assert "found 2 configuration files" in result.stderr


def test_train_on_a_stream_and_on_files_by_class(data, tmp_path):
    output = run(
        "train", data / "a.root", *READ, *SMALL, "--stream", "-o", tmp_path, "--test-file", data / "b.root"
    ).output
    assert "training on a stream of 2000 entries" in output
    assert "AUC" in output
    for name, low in (("one", 0), ("two", 1)):
        run(
            *("train", f"low={data / 'a.root'}", f"high={data / 'b.root'}", "--feature", f"first=x + {low}"),
            *(*SMALL, "-o", tmp_path / name),
        )
        assert load_model(tmp_path / name / "lstm.weights.xml").class_names == ("low", "high")
    result = run("train", f"low={data / 'a.root'}", data / "b.root", "--feature", "x", code=2)
    assert "has no class and others have; give all as CLASS=FILE" in result.stderr


def test_without_a_test_part_only_the_loss_is_drawn(data, tmp_path):
    options = ["--hidden", "2", "--epochs", "1", "--test-fraction", "0", "-o", tmp_path]
    output = run("train", data / "a.root", *READ, *options).output
    assert "testing" not in output
    assert "AUC" not in output
    assert sorted(p.name for p in tmp_path.iterdir()) == ["history.csv", "loss.pdf", "loss.png", "lstm.weights.xml"]


def test_an_unwritable_folder_is_found_before_training(data, tmp_path):
    (tmp_path / "file").write_text("")
    result = run("train", data / "a.root", *READ, "-o", tmp_path / "file" / "out", code=2)
    assert "tmva-lstm: error: cannot write the results of the training into folder" in result.stderr
    assert "epoch" not in result.output
    result = run("train", data / "a.root", *READ, *SMALL, "--json", tmp_path / "file" / "x.json", code=2)
    assert "cannot write the JSON file into folder" in result.stderr
    assert "epoch" not in result.output


def test_all_errors_of_the_options_at_once(data):
    result = run("train", data / "a.root", "--feature", "log(", "--hidden", "0", "--test-fraction", "2", code=2)
    message = result.stderr
    assert message.startswith("tmva-lstm: error: 4 errors in the configuration:\n")
    assert "command line: --feature: cannot read the expression" in message
    assert "command line: --hidden: found 0, expected a whole number from 1 to 65535" in message
    assert "command line: --test-fraction: found 2.0, expected a number from 0 to less than 1" in message
    assert "label: it is missing" in message
    assert "Traceback" not in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--label", "a == 1", "--label", "b=c"],
            "--label 'a == 1' has no name; give one, such as --label 'DIS=evType",
        ),
        (["--feature", "a=x", "--feature", "a=y"], "--feature has the name 'a' more than once; names must differ"),
        (["--steps", "x0,x1"], "--steps 'x0,x1' has no name; give one, such as --steps x=x1,x2,x3"),
    ],
)
def test_options_that_cannot_be_sorted(arguments, message):
    assert message in run("train", "a.root", *arguments, code=2).stderr


def test_names_of_expressions_and_comparisons_are_told_apart(data, tmp_path):
    run(
        *("train", data / "a.root", "--feature", "up = x > 0", "--feature", "x"),
        *("--label", "low=label == 0", "--label", "high=label==1", *SMALL, "-o", tmp_path),
    )
    model = load_model(tmp_path / "lstm.weights.xml")
    assert dict(model.recipe.features) == {"up": "x > 0", "x": "x"}
    assert model.class_names == ("low", "high")


# --------------------------------------------------------------------------------------------------- other commands


def test_evaluate_gives_the_same_figures_as_the_training(data, trained, tmp_path):
    folder, _, figures = trained
    numbers = np.random.default_rng(1).permutation(2000)[1500:]
    (tmp_path / "test.txt").write_text("# the test part\n" + "\n".join(map(str, numbers)))
    result = run(
        *("evaluate", folder / "lstm.weights.xml", data / "a.root", "--events", tmp_path / "test.txt"),
        *("--json", tmp_path / "e.json", "--plots", tmp_path / "plots"),
    )
    found = json.loads((tmp_path / "e.json").read_text())
    for name in ("unweighted", "weighted"):
        assert found[name]["auc"] == pytest.approx(figures["evaluation"][name]["auc"], abs=1e-12)
    assert "AUC" in result.output
    assert str(tmp_path / "plots" / "roc.png") in result.output
    assert not (tmp_path / "plots" / "loss.png").exists()


def test_evaluate_with_another_label_and_weight(data, trained, tmp_path):
    model = trained[0] / "lstm.weights.xml"
    run("evaluate", model, data / "b.root", "--json", tmp_path / "plain.json")
    options = ["--label", "label == 0", "--weight", "2 * weight", "--json", tmp_path / "other.json"]
    run("evaluate", model, data / "b.root", *options)
    plain, other = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("plain", "other"))
    assert other["unweighted"]["auc"] == pytest.approx(1 - plain["unweighted"]["auc"], abs=1e-12)
    assert other["events"][0]["sum_of_weights"] == pytest.approx(2 * plain["events"][1]["sum_of_weights"])


def test_apply_writes_scores(data, trained, tmp_path):
    folder, _, _ = trained
    output = tmp_path / "s.root"
    result = run(
        *("apply", folder / "lstm.weights.xml", data / "b.root", data / "a.root", "-o", output),
        *("--output-tree", "mine", "--n-threads", 1, "--json", tmp_path / "a.json"),
    )
    assert "3000, of which 3000 are selected and scored" in result.output
    figures = json.loads((tmp_path / "a.json").read_text())
    assert (figures["n_entries"], figures["tree"], figures["output"]) == (3000, "mine", str(output))
    assert figures["events_per_second"] > 0
    model = load_model(folder / "lstm.weights.xml")
    events = read_sequences([data / "b.root", data / "a.root"], recipe=model.recipe, with_labels=False)
    with uproot.open(output) as file:
        found = file["mine"]["lstm_score"].array(library="np")
    np.testing.assert_array_equal(found, model.predict_proba(events)[:, 1])


def test_inspect_shows_what_is_in_the_file(trained, tmp_path):
    folder, _, _ = trained
    result = run("inspect", folder / "lstm.weights.xml", "--json", tmp_path / "i.json")
    for text in ("LSTM, binary classifier", "4 hidden units", "background (background), signal (signal)", "weight"):
        assert text in result.output
    figures = json.loads((tmp_path / "i.json").read_text())
    assert figures["hidden"] == 4
    # W, U, b of four gates, then a weight each and a bias for the score
    assert figures["n_parameters"] == 4 * 4 * (1 + 4 + 1) + 4 + 1
    assert figures["recipe"]["features"] == [["x", "x"]]
    assert figures["history"]["epoch"] == [1, 2, 3]
    assert [f["name"] for f in figures["features"]] == ["x"]
    assert result.output.count("\n") < 70


def test_check_passes_and_fails(trained, tmp_path):
    folder, _, _ = trained
    result = run("check", folder / "lstm.weights.xml", "--json", tmp_path / "c.json")
    assert "passed" in result.output
    figures = json.loads((tmp_path / "c.json").read_text())
    assert (figures["passed"], figures["same_instruction_set"], figures["max_difference"]) == (True, True, 0.0)
    document, title = read_model_file(folder / "lstm.weights.xml")
    parameters = document.parameters.copy()
    parameters[-1] += 1e-3  # the last bias moves every score
    document.parameters = parameters
    write_model_file(tmp_path / "other.xml", document, title=title)
    result = run("check", tmp_path / "other.xml", "--json", tmp_path / "c.json", code=1)
    assert "FAILED" in result.output
    figures = json.loads((tmp_path / "c.json").read_text())
    assert figures["passed"] is False
    assert 0 < figures["max_difference"] < 1e-3


def test_check_on_another_instruction_set(trained, tmp_path):
    command = [sys.executable, "-c", "from tmva_lstm_plugin.cli import main; main()", "check"]
    environment = {**os.environ, "TMVA_LSTM_ISA": "plain"}
    done = subprocess.run(
        [*command, trained[0] / "lstm.weights.xml"], env=environment, capture_output=True, text=True, check=True
    )
    assert "checked on plain: allowed is 1e-06" in done.stdout


# ------------------------------------------------------------------------------------------------- help and mistakes


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example_and_json(command):
    output = run(command, "--help").output
    assert f"tmva-lstm {command}" in output
    assert "Example" in output
    assert "--json FILE" in output


def test_main_help_lists_the_commands_in_order():
    output = run("--help").output
    listed = output[output.index("Commands:") :]
    assert sorted(COMMANDS, key=lambda name: listed.index(f"  {name} ")) == COMMANDS


def test_unknown_options_and_commands_offer_the_nearest_name():
    assert "--hidden" in run("train", "--hiden", "3", code=2).stderr
    assert "No such command" in run("aply", code=2).stderr


def test_missing_files_are_one_clean_message(trained, data, tmp_path):
    folder, _, _ = trained
    for arguments, message in [
        (["inspect", folder / "lstm.weight.xml"], "did you mean 'lstm.weights.xml'?"),
        (["apply", folder / "lstm.weights.xml", data / "aa.root", "-o", tmp_path / "s.root"], "did you mean 'a.root'"),
        (["train", "nowhere.toml"], "'nowhere.toml' does not exist"),
    ]:
        result = run(*arguments, code=2)
        assert message in result.stderr
        assert result.stderr.startswith("tmva-lstm: error: ")
        assert "Traceback" not in result.stderr


def test_debug_shows_where_an_error_came_up(tmp_path):
    result = run("inspect", tmp_path / "none.xml", "--debug", code=2)
    assert "Traceback" in result.stderr
    assert "tmva-lstm: error: " in result.stderr


def test_json_has_null_for_what_is_not_finite(tmp_path):
    write_json(
        str(tmp_path / "x.json"), {"a": np.float64("nan"), "b": [np.inf, np.int64(3)], "c": (tmp_path,), "d": None}
    )
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": None, "b": [None, 3], "c": [str(tmp_path)], "d": None}


# ------------------------------------------------------------------------------------------------------ interruption


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_training_keeps_what_was_learnt(data, tmp_path, number, code):
    arguments = ["train", data / "a.root", *READ, "--epochs", 1_000_000, "-o", tmp_path, "--json", tmp_path / "t.json"]
    command = [sys.executable, "-c", "from tmva_lstm_plugin.cli import main; main()", *map(str, arguments)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        while not child.stdout.readline().startswith("epoch "):
            assert child.poll() is None, child.stderr.read()
        child.send_signal(number)
        output, errors = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode == code, errors
    assert "what was learnt is kept" in output
    assert "Traceback" not in errors
    figures = json.loads((tmp_path / "t.json").read_text())
    assert figures["stopped_by"] == number.name
    model = load_model(tmp_path / "lstm.weights.xml")
    assert len(model.history.columns["epoch"]) >= 1
    assert run("check", tmp_path / "lstm.weights.xml").exit_code == 0


@pytest.mark.parametrize(("text", "code"), [("", 130), ("stopped by SIGINT", 130), ("stopped by SIGTERM", 143)])
def test_a_signal_before_there_is_anything_to_keep(text, code):
    @click.command()
    def work():
        raise KeyboardInterrupt(text)

    result = CliRunner().invoke(CommandGroup("tool", commands={"work": work}), ["work"])
    assert result.exit_code == code
    assert result.stderr == f"tmva-lstm: {text or 'interrupted'}\n"


# ------------------------------------------------------------------------------------------------ split and demo


def test_random_split_is_the_one_that_is_stored():
    mask = random_test_mask(4755, 0.25, 1)
    stored = read_event_numbers(find_data(ROOT / "data")[1], 4755)
    assert np.array_equal(np.flatnonzero(mask), np.sort(stored))
    assert np.array_equal(np.sort(np.random.default_rng(1).permutation(4755)[3566:]), np.sort(stored))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3\nx\n", r"line 2: found 'x', expected one entry number"),
        ("3\n-1\n", r"line 2: found '-1', expected one entry number"),
        ("3\n4 5\n", r"line 2: found '4 5', expected one entry number"),
        ("3,test\n", r"line 1: found '3,test', expected one entry number"),
        ("3\n10\n", r"line 2: entry 10 does not exist; the input has 10 entries"),
        ("3\n\n3\n", r"line 3: entry 3 is there already, in line 1"),
        ("# nothing\n", r"there is no test entry in it"),
        ("event,part\n1,train\n", r"there is no test entry in it"),
        ("event,part\n1,tests\n", r"line 2: found '1,tests', expected an entry number and train or test"),
    ],
)
def test_lists_of_event_numbers_are_checked(tmp_path, text, message):
    (tmp_path / "events.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        read_event_numbers(tmp_path / "events.txt", 10)


def test_lists_of_event_numbers(tmp_path):
    (tmp_path / "a.txt").write_text("7  # seven\n\n3\n")
    (tmp_path / "b.csv").write_text("event,part\n5,train\n7,test\n3,test\n")
    for name in ("a.txt", "b.csv"):
        assert read_event_numbers(tmp_path / name, 10).tolist() == [7, 3]
    with pytest.raises(InputError, match=r"none\.txt' cannot be read"):
        read_event_numbers(tmp_path / "none.txt", 10)


def test_a_split_that_leaves_nothing_is_refused(data, tmp_path):
    (tmp_path / "one.txt").write_text("0\n")
    options = ["--event-selection", "event > 10", "--test-events", tmp_path / "one.txt", "-o", tmp_path]
    result = run("train", data / "a.root", *READ, *SMALL, *options, code=2)
    assert "the split leaves no events for the test part" in result.stderr


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demonstration, run once, as it is without ROOT; tests/tmva has the rest of it."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_factory.importlib.util, "find_spec", without_root)
        result = run("demo", "--output", folder, "--data", ROOT / "data", "--json", folder / "demo.json")
    return folder, result.output, json.loads((folder / "demo.json").read_text())


def without_root(name, package=None, *, original=importlib.util.find_spec):
    return None if name == "ROOT" else original(name, package)


def test_demo_learns(demo):
    _, _, figures = demo
    plain, weighted = (training["evaluation"] for training in figures["trainings"])
    assert (figures["n_train"], figures["n_test"]) == (3566, 1189)
    # a PyTorch LSTM of this size reaches 0.989 to 0.992 without weights, and 0.973 to 0.981 with
    assert 0.985 < plain["unweighted"]["auc"] < 0.996
    assert 0.96 < weighted["unweighted"]["auc"] < plain["unweighted"]["auc"]
    assert 0.99 < weighted["weighted"]["auc"] <= 1
    assert 0 < plain["unweighted"]["auc_uncertainty"] < 0.01
    effective, count = figures["effective_events"]["rest"]
    assert (round(effective), count) == (109, 1499)


def test_demo_says_what_happened_and_what_to_do_next(demo):
    folder, output, figures = demo
    for text in ("AUC, unweighted", "AUC, weighted", "at 50 % signal", "at 90 % signal", "events/s", "training time"):
        assert text in output
    assert "rest 109 of 1499" in output
    for name in (
        "lstm.weights.xml",
        "lstm_weighted.weights.xml",
        "scores.root",
        "roc.png",
        "loss.png",
        "overtraining.png",
    ):
        assert (folder / name).is_file()
        assert str(folder / name) in output
    assert f"tmva-lstm inspect {folder / 'lstm.weights.xml'}" in output
    assert sum(line.startswith("epoch ") for line in output.splitlines()) == 30
    assert figures["scored_file"] == str(folder / "scores.root")


def test_demo_without_root_says_what_it_leaves_out(demo):
    folder, output, figures = demo
    left_out = [line for line in output.splitlines() if line.startswith("left out: ")]
    assert len(left_out) == 1
    assert "no ROOT for Python" in left_out[0]
    assert figures["factory"] == {"left_out": left_out[0].removeprefix("left out: ")}
    assert not list(folder.glob("*tmva*"))


def test_demo_model_checks_and_scores(demo):
    folder, _, _ = demo
    run("check", folder / "lstm.weights.xml")
    events = read_sequences(find_data(ROOT / "data")[0], **DEMO_READING)
    model = load_model(folder / "lstm.weights.xml")
    with uproot.open(folder / "scores.root") as file:
        found = file["scores"]["lstm_score"].array(library="np")
    np.testing.assert_array_equal(found, model.predict_proba(events)[:, 1])


def test_every_hadron_is_of_one_kind():
    events = read_sequences(find_data(ROOT / "data")[0], **DEMO_READING)
    flags = [events.feature_names.index(name) for name in ("is_nucleon", "is_pion", "is_other")]
    np.testing.assert_array_equal(events.values[:, flags].sum(axis=1), 1.0)


def test_demo_without_its_data(tmp_path):
    with pytest.raises(MissingNameError, match=r"needs gibuu_neutrino\.root and gibuu_split\.csv, looked for in '.*'"):
        run_demo(tmp_path / "out", data_folder=tmp_path)
