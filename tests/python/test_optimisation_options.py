"""The options of optimiser and schedule through Python's and the configuration's door: handed on, kept, and refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tmva_lstm_plugin import LSTMClassifier, Sequences, load_model
from tmva_lstm_plugin.config import make_config
from tmva_lstm_plugin.errors import OptionError
from tmva_lstm_plugin.optimisation import OPTIMISATION

EVERYTHING = {
    "optimizer": "adamw",
    "weight_decay": 0.1,
    "l1": 1e-4,
    "l2": 1e-4,
    "clip_value": 0.01,
    "clip_norm": 0.05,
    "ema_decay": 0.9,
    "schedule": "cosine",
    "warmup_epochs": 1,
    "batch_growth": 2.0,
    "max_batch_size": 32,
}


def small_events():
    rng = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(0, 6, 45))]).astype(np.int64)
    values = rng.normal(size=(offsets[-1], 3)).astype(np.float32)
    return Sequences.from_arrays(values, offsets, labels=rng.integers(0, 2, 45))


def test_the_classifier_hands_all_of_it_on_and_keeps_it_in_its_file(tmp_path):
    events = small_events()
    options = {"hidden": 4, "epochs": 4, "batch_size": 8, **EVERYTHING}
    model = LSTMClassifier(**options).fit(events)
    rates = model.history.columns["learning_rate"]
    assert len(set(rates)) == 4
    assert rates[1] > rates[2] > rates[3] > 0
    model.save(tmp_path / "model.xml")
    read = load_model(tmp_path / "model.xml")
    assert read.get_params() == model.get_params() | {"n_threads": None}
    assert read.history.columns == model.history.columns
    assert np.array_equal(read.predict_proba(events), model.predict_proba(events))
    # every one of them matters
    for name in EVERYTHING:
        fewer = {key: value for key, value in options.items() if key != name}
        if name == "optimizer":
            del fewer["weight_decay"]
        if name in ("batch_growth", "max_batch_size"):
            fewer = {key: value for key, value in fewer.items() if key not in ("batch_growth", "max_batch_size")}
        other = LSTMClassifier(**fewer).fit(events)
        assert not np.array_equal(other.predict_proba(events), model.predict_proba(events)), name


def test_what_is_not_asked_for_is_not_in_the_file(tmp_path):
    path = tmp_path / "model.xml"
    LSTMClassifier(hidden=3, epochs=1).fit(small_events()).save(path)
    text = path.read_text()
    assert 'optimizer="adam"' in text
    assert "ema_decay" not in text
    assert "momentum" not in text


def test_the_configuration_takes_the_same_names():
    section = {"epochs": 20, "batch_size": 8, **EVERYTHING}
    config = make_config({"input": {"files": ["a.root"], "features": ["E"], "label": "x"}, "model": section})
    assert LSTMClassifier(**config.model.model_dump()).get_params() == LSTMClassifier(**section).get_params()


OUT_OF_RANGE = [
    ("optimizer", "adamm", "expected 'adam', 'sgd', 'adamw', 'rmsprop', 'adagrad' or 'adadelta'"),
    ("schedule", "cos", "expected 'constant', 'step', 'exponential', 'cosine', 'one_cycle' or 'plateau'"),
    ("momentum", 1, "expected a number from 0 to less than 1"),
    ("nesterov", 1, "expected (True or False|true or false)"),
    ("beta1", 1.0, "expected a number from 0 to less than 1"),
    ("beta2", -0.1, "expected a number from 0 to less than 1"),
    ("epsilon", 0, "expected a number above 0"),
    ("rho", 1, "expected a number from 0 to less than 1"),
    ("weight_decay", -1, "expected a number of at least 0"),
    ("l1", -1, "expected a number of at least 0"),
    ("l2", True, "expected a number of at least 0"),
    ("clip_value", 0, "expected a number above 0"),
    ("decay_epochs", 0, "expected a whole number of at least 1"),
    ("decay_factor", 1.0, "expected a number between 0 and 1"),
    ("min_learning_rate", -1, "expected a number of at least 0"),
    ("plateau_patience", 1.5, "expected a whole number of at least 0"),
    ("rise_fraction", 0, "expected a number between 0 and 1"),
    ("start_divisor", 0.5, "expected a number of at least 1"),
    ("end_divisor", 0.5, "expected a number of at least 1"),
    ("warmup_epochs", -1, "expected a whole number of at least 0"),
    ("warmup_start", 0, "expected a number above 0, at most 1"),
    ("ema_decay", 1.0, "expected a number from 0 to less than 1"),
    ("batch_growth", 0.5, "expected a number of at least 1"),
    ("batch_growth_epochs", 0, "expected a whole number of at least 1"),
    ("max_batch_size", 2.5, "expected a whole number of at least 1"),
]


DOORS = {
    "python": lambda options: LSTMClassifier(**options),
    "toml": lambda options: make_config(
        {"input": {"files": ["a.root"], "features": ["E"], "label": "x"}, "model": options}
    ),
}


def refusal(door, options):
    with pytest.raises(OptionError) as caught:
        DOORS[door](options)
    return str(caught.value)


@pytest.mark.parametrize("door", ["python", "toml"])
@pytest.mark.parametrize(("name", "value", "message"), OUT_OF_RANGE)
def test_values_out_of_range_are_refused(door, name, value, message):
    start = f"{name} is {re.escape(repr(value))}, " if door == "python" else rf"model\.{name}: found .*, "
    assert re.search(start + message, refusal(door, {name: value}))


def test_every_option_has_a_range_that_is_tested():
    assert {name for name, _, _ in OUT_OF_RANGE} | {"clip_norm"} == set(OPTIMISATION)


CONTRADICTIONS = [
    ({"momentum": 0.9}, "momentum", "the optimiser 'adam' has none; set optimizer = 'sgd' or 'rmsprop', or drop momentum"),
    ({"optimizer": "adagrad", "momentum": 0.9}, "momentum", "the optimiser 'adagrad' has none"),
    ({"nesterov": True}, "nesterov", "the optimiser 'adam' has none; set optimizer = 'sgd'"),
    ({"optimizer": "sgd", "momentum": 0.0, "nesterov": True}, "nesterov", "momentum is 0"),
    ({"optimizer": "sgd", "beta1": 0.9}, "beta1", "the optimiser 'sgd' has none; set optimizer = 'adam' or 'adamw'"),
    ({"optimizer": "sgd", "beta2": 0.9}, "beta2", "the optimiser 'sgd' has none"),
    ({"optimizer": "sgd", "epsilon": 1e-8}, "epsilon", "the optimiser 'sgd' has none"),
    ({"rho": 0.9}, "rho", "the optimiser 'adam' has none; set optimizer = 'rmsprop' or 'adadelta'"),
    ({"weight_decay": 0.1}, "weight_decay", "set optimizer = 'adamw', or drop weight_decay; use l2 for a penalty"),
    ({"decay_epochs": 2}, "decay_epochs", "the schedule 'constant' has none; set schedule = 'step'"),
    ({"schedule": "cosine", "decay_factor": 0.5}, "decay_factor", "set schedule = 'step', 'exponential' or 'plateau'"),
    ({"schedule": "step", "min_learning_rate": 1e-4}, "min_learning_rate", "set schedule = 'cosine' or 'plateau'"),
    ({"plateau_patience": 2}, "plateau_patience", "set schedule = 'plateau'"),
    ({"rise_fraction": 0.2}, "rise_fraction", "set schedule = 'one_cycle'"),
    ({"start_divisor": 2.0}, "start_divisor", "set schedule = 'one_cycle'"),
    ({"end_divisor": 2.0}, "end_divisor", "set schedule = 'one_cycle'"),
    ({"epochs": 5, "warmup_epochs": 5}, "warmup_epochs", "a warm-up of 5 epochs is as long as the training, epochs = 5"),
    ({"warmup_epochs": 15}, "warmup_epochs", "is as long as the training, epochs = 15"),
    ({"warmup_start": 0.5}, "warmup_start", "there is no warm-up; set warmup_epochs"),
    ({"schedule": "one_cycle", "warmup_epochs": 1}, "warmup_epochs", "'one_cycle' has its own way up"),
    ({"schedule": "step", "epochs": 10}, "decay_epochs", "a decay every 10 epochs never comes in the 10"),
    ({"schedule": "step", "epochs": 12, "warmup_epochs": 3}, "decay_epochs", "never comes in the 9"),
    ({"schedule": "exponential", "epochs": 1}, "schedule", "decays between epochs"),
    ({"schedule": "cosine", "min_learning_rate": 3e-3}, "min_learning_rate", "is not below learning_rate = 0.003"),
    ({"schedule": "plateau", "epochs": 7}, "plateau_patience", "the learning rate falls after 7 epochs at the earliest"),
    ({"schedule": "plateau", "patience": 6}, "plateau_patience", "with patience = 6 the training stops before"),
    ({"batch_growth": 2.0}, "max_batch_size", "it is missing"),
    ({"batch_growth": 2.0, "max_batch_size": 64}, "max_batch_size", "64 is not above batch_size = 64"),
    ({"max_batch_size": 100}, "max_batch_size", "the batches do not grow; set batch_growth above 1"),
    ({"batch_growth_epochs": 3}, "batch_growth_epochs", "the batches do not grow"),
    (
        {"batch_growth": 2.0, "max_batch_size": 99, "batch_growth_epochs": 15},
        "batch_growth_epochs",
        "grow every 15 epochs never do in epochs = 15",
    ),
]  # fmt: skip


@pytest.mark.parametrize("door", ["python", "toml"])
@pytest.mark.parametrize(("options", "name", "message"), CONTRADICTIONS)
def test_contradictions_are_refused_by_name(door, options, name, message):
    text = refusal(door, options)
    line = f"{name}: " if door == "python" else f"model.{name}: "
    assert line in text
    assert message in text.split(line, 1)[1]


@pytest.mark.parametrize("door", ["python", "toml"])
def test_all_at_once(door):
    text = refusal(
        door, {"schedul": "step", "rho": 0.5, "ema_decay": 1.5, "warmup_epochs": 40, "beta1": 2, "batch_growth": 2.0}
    )
    for part in ("schedul", "did you mean 'schedule'", "rho", "ema_decay", "warmup_epochs", "beta1", "max_batch_size"):
        assert part in text


@pytest.mark.parametrize(
    "options",
    [
        {"momentum": 0.0},
        {"nesterov": False},
        {"optimizer": "rmsprop", "momentum": 0.9},
        {"schedule": "plateau", "epochs": 8, "patience": 7},
        {"schedule": "step", "epochs": 11},
        {"warmup_epochs": 0},
        {"batch_growth": 1.0},
    ],
)
def test_what_has_a_meaning_is_not_refused(options):
    for door in DOORS.values():
        door(options)


def test_every_option_has_its_key_in_tmva():
    source = Path(__file__).resolve().parents[2] / "tmva_lstm_plugin" / "cpp" / "tmva" / "StrategyOptions.cxx"
    keys = re.search(r"keys\{(.*?)\};", source.read_text(), re.DOTALL)
    assert keys is not None
    known = set(re.findall(r'"(\w+)"', keys[1]))
    assert len(known) > 30
    for option in OPTIMISATION.values():
        named = {text.split("=")[0].split()[-1] for text in option.tmva.split(", ")}
        assert named <= known, option.name
        assert named
