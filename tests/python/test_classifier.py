"""The classifier: what it learns, what it refuses, and that nothing but the data, options and seed decides the model."""

from __future__ import annotations

import logging
import math
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from tmva_lstm_plugin import LSTMClassifier, Sequences, load_model, read_sequences
from tmva_lstm_plugin.errors import InputError, LSTMError, MemoryLimitError, OptionError, OutputError
from tmva_lstm_plugin.evaluation import auc
from tmva_lstm_plugin.model_file import without_provenance
from tmva_lstm_plugin.testing import first_step_sign, gaussian_classes, order_task, signed_weights

DATA = Path(__file__).parents[2] / "data"


def small_events(n=200, seed=0, **kwargs):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 6, n)
    events = [rng.normal(size=(length, 2)) for length in lengths]
    return Sequences.from_lists(events, labels=kwargs.pop("labels", np.arange(n) % 2), **kwargs)


def gibuu_parts():
    events = read_sequences(
        DATA / "gibuu_neutrino.root",
        tree="RootTuple",
        features={
            "log_E": "log(E)",
            "log_pT": "log(sqrt(Px**2 + Py**2))",
            "asinh_pz": "asinh(Pz)",
            "nucleon": "abs(barcode) == 2112 || abs(barcode) == 2212",
            "pion": "abs(barcode) == 211 || barcode == 111",
            "other": "!(abs(barcode) == 2112 || abs(barcode) == 2212 || abs(barcode) == 211 || barcode == 111)",
        },
        order_by="E",
        label="evType == 34",
        classes=("rest", "DIS"),
        weight="weight",
    )
    order = np.random.default_rng(1).permutation(4755)
    assert np.array_equal(events.entries, np.arange(4755))
    return events[order[:3566]], events[order[3566:]]


# --- what it learns ----------------------------------------------------------------------------------------------------


def test_gibuu_mean_auc_of_five_seeds_is_that_of_a_pytorch_lstm():
    train, test = gibuu_parts()
    values = []
    for seed in range(1, 6):
        model = LSTMClassifier(hidden=32, epochs=15, seed=seed, use_weights=False).fit(train)
        values.append(auc(model.predict_proba(test)[:, 1], test.labels == 1))
    assert np.mean(values) >= 0.990, values


def test_gibuu_with_weights_costs_unweighted_auc_but_no_weighted_one():
    train, test = gibuu_parts()
    is_signal = test.labels == 1
    plain, weighted = (
        LSTMClassifier(hidden=32, epochs=15, use_weights=use).fit(train).predict_proba(test)[:, 1]
        for use in (False, True)
    )
    assert auc(plain, is_signal) - auc(weighted, is_signal) > 0.005
    assert auc(weighted, is_signal, test.weights) > 0.99


@pytest.mark.parametrize(
    "task", [order_task(12000, seed=5), first_step_sign(12000, lengths=(8, 16), seed=5)], ids=["order", "memory"]
)
def test_reaches_the_known_optimum(task):
    events = task.sequences
    model = LSTMClassifier(hidden=16, epochs=12, batch_size=100).fit(events[:9000])
    scores = model.predict_proba(events[9000:])[:, 1]
    reached, best = (auc(s, events.labels[9000:] == 1) for s in (scores, task.posterior[9000:, 1]))
    assert reached > best - 0.015


def test_multiclass_reaches_the_accuracy_of_the_exact_posterior():
    task = gaussian_classes(9000, seed=2)
    events = task.sequences
    model = LSTMClassifier(hidden=12, epochs=8).fit(events[:6000])
    probabilities = model.predict_proba(events[6000:])
    assert probabilities.shape == (3000, 3)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    best = np.mean(np.argmax(task.posterior[6000:], axis=1) == events.labels[6000:])
    assert np.mean(model.predict(events[6000:]) == events.labels[6000:]) > best - 0.03


def test_negative_weights_are_kept_and_lead_to_the_weighted_optimum(caplog):
    task = signed_weights(12000, seed=3)
    events = task.sequences
    with caplog.at_level(logging.WARNING, "tmva_lstm_plugin"):
        model = LSTMClassifier(hidden=12, epochs=10, batch_size=256).fit(events[:9000])
    negative = int((events.weights[:9000] < 0).sum())
    assert f"{negative} of 9000 events have a negative weight" in caplog.text
    assert model.summary["weight_negative_events"] == negative
    share = np.abs(events.weights[:9000][events.weights[:9000] < 0]).sum() / np.abs(events.weights[:9000]).sum()
    assert model.summary["weight_negative_share"] == pytest.approx(share)
    test = events[9000:]
    reached = auc(model.predict_proba(test)[:, 1], test.labels == 1, test.weights)
    assert reached > auc(task.posterior[9000:, 1], test.labels == 1, test.weights) - 0.03


# --- what does not matter ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_threads", [2, 3, 7])
def test_same_bytes_for_any_number_of_threads(tmp_path, n_threads):
    events = signed_weights(3000, seed=4).sequences
    for n in (1, n_threads):
        LSTMClassifier(hidden=9, epochs=3, n_threads=n).fit(events).save(tmp_path / f"{n}.xml")
    one, many = ((tmp_path / f"{n}.xml").read_bytes() for n in (1, n_threads))
    assert one != many  # the thread count stands in the provenance
    assert without_provenance(one) == without_provenance(many)


def test_another_seed_gives_another_model():
    events = small_events()
    first, second = (LSTMClassifier(epochs=1, hidden=4, seed=s).fit(events).predict_proba(events) for s in (1, 2))
    assert not np.array_equal(first, second)


def test_events_of_weight_zero_change_nothing(caplog):
    events = small_events(seed=1, weights=np.ones(200))
    rng = np.random.default_rng(2)
    extra = Sequences.from_lists(
        [1e6 * rng.normal(size=(40, 2)) for _ in range(50)], labels=np.arange(50) % 2, weights=np.zeros(50) + 1e-300
    )
    extra.weights[:] = 0
    both = Sequences.concatenate([events, extra])
    with caplog.at_level(logging.WARNING, "tmva_lstm_plugin"):
        without, with_ = (LSTMClassifier(epochs=2, hidden=4).fit(e).predict_proba(events) for e in (events, both))
    assert np.array_equal(without, with_)
    assert "50 of 250 events have weight 0 and are left out" in caplog.text


def test_scores_do_not_depend_on_company_place_or_threads():
    events = small_events(300, seed=6)
    model = LSTMClassifier(epochs=1, hidden=5).fit(events)
    together = model.predict_proba(events)
    order = np.random.default_rng(0).permutation(300)
    assert np.array_equal(model.predict_proba(events[order]), together[order])
    for n in (0, 17, 299):
        assert np.array_equal(model.predict_proba(events[n : n + 1])[0], together[n])
    model.n_threads = 1
    assert np.array_equal(model.predict_proba(events), together)


def test_empty_sequences_train_and_are_scored():
    events = Sequences.from_lists([np.zeros((0, 2)), np.ones((3, 2))] * 60, labels=[0, 1] * 60)
    model = LSTMClassifier(epochs=25, hidden=4, batch_size=16).fit(events)
    assert np.array_equal(model.predict(events), events.labels)


def test_event_features_reach_the_head():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 600)
    events = Sequences.from_lists(
        [rng.normal(size=(3, 1)) for _ in labels],
        labels=labels,
        event_values=np.c_[labels * 5.0 + 100, rng.normal(size=600)],
    )
    model = LSTMClassifier(epochs=20, hidden=3, learning_rate=0.03).fit(events)
    assert np.mean(model.predict(events) == labels) > 0.99


# --- stopping ----------------------------------------------------------------------------------------------------------


def test_early_stopping_keeps_the_best_weights():
    rng = np.random.default_rng(0)
    events = Sequences.from_lists(
        [rng.normal(size=(4, 3)) for _ in range(150)], labels=rng.integers(0, 2, 150)
    )  # noise
    model = LSTMClassifier(hidden=24, epochs=200, learning_rate=0.02, validation_fraction=0.3, patience=4).fit(events)
    losses = model.history.columns["validation_loss"]
    assert model.stopped_by == "early stopping"
    assert len(losses) == model.history.best_epoch + 4 < 200
    assert min(losses) == losses[model.history.best_epoch - 1]
    again = LSTMClassifier(hidden=24, epochs=model.history.best_epoch, learning_rate=0.02, validation_fraction=0.3).fit(
        events
    )
    assert np.array_equal(again.predict_proba(events), model.predict_proba(events))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_training_and_keeps_what_was_learnt(number):
    events = order_task(4000).sequences
    before = signal.getsignal(number)

    def after_two(record):
        if record.epoch == 2:
            threading.Timer(0.02, os.kill, (os.getpid(), number)).start()

    model = LSTMClassifier(hidden=16, epochs=100_000).fit(events, progress=after_two)
    assert model.stopped_by == number.name
    assert 2 <= len(model.history) < 100_000
    assert auc(model.predict_proba(events)[:, 1], events.labels == 1) > 0.7
    assert signal.getsignal(number) == before


def test_an_error_in_the_progress_callback_reaches_the_caller():
    def fail(record):
        raise RuntimeError("disk of the log is full")

    with pytest.raises(RuntimeError, match="disk of the log"):
        LSTMClassifier(epochs=2, hidden=3).fit(small_events(), progress=fail)


def test_without_validation_the_last_weights_are_kept():
    model = LSTMClassifier(epochs=3, hidden=3, validation_fraction=0).fit(small_events())
    assert all(math.isnan(v) for v in model.history.columns["validation_loss"])
    assert model.history.best_epoch == 3


# --- files -------------------------------------------------------------------------------------------------------------


def test_a_saved_model_is_the_same_model(tmp_path):
    events = small_events(300, seed=8, weights=np.linspace(-0.1, 2, 300))
    model = LSTMClassifier(epochs=2, hidden=7, patience=2, clip_norm=None, learning_rate=0.0123).fit(events)
    model.save(tmp_path / "a.weights.xml", title="first")
    read = load_model(tmp_path / "a.weights.xml")
    assert np.array_equal(read.predict_proba(events), model.predict_proba(events))
    assert read.history == model.history
    assert read.summary == model.summary
    assert {**read.get_params(), "n_threads": 0} == {**model.get_params(), "n_threads": 0}
    assert read.class_names == ("background", "signal")
    read.save(tmp_path / "b.weights.xml", title="first")
    assert (tmp_path / "a.weights.xml").read_bytes() == (tmp_path / "b.weights.xml").read_bytes()


def test_saving_where_nothing_can_be_written(tmp_path):
    model = LSTMClassifier(epochs=1, hidden=2).fit(small_events())
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write the model file '.*file/m\.xml'"):
        model.save(tmp_path / "file" / "m.xml")


# --- what it refuses ---------------------------------------------------------------------------------------------------


def test_all_wrong_parameters_are_named_at_once():
    with pytest.raises(OptionError) as caught:
        LSTMClassifier(
            hidden=0, epochs=2.5, learning_rate=-1, optimizer="adaam", validation_fraction=1, memory_limit="much"
        )
    for part in (
        "hidden is 0",
        "epochs is 2.5",
        "learning_rate is -1",
        "optimizer is 'adaam', expected 'adam', 'sgd', 'adamw', 'rmsprop', 'adagrad' or 'adadelta'",
        "validation_fraction is 1",
        "much",
    ):
        assert part in str(caught.value)


def test_patience_without_validation_is_refused():
    with pytest.raises(OptionError, match="stopping early needs validation events"):
        LSTMClassifier(patience=3, validation_fraction=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": None}, "have no labels"),
        ({"labels": np.zeros(200, int)}, "at least two classes, found 200 background, 0 signal"),
        ({"weights": np.where(np.arange(200) % 2, 1.0, 0.0)}, "found 0 background, 100 signal with a weight other than 0"),
        ({"weights": np.where(np.arange(200) % 2, 1.0, -1.0)}, r"weights of class 'background' sum to -\d+"),
    ],
)  # fmt: skip
def test_events_nothing_can_be_learnt_from(change, message):
    with pytest.raises(InputError, match=message):
        LSTMClassifier(epochs=1).fit(small_events(**change))


def test_all_weights_zero_and_labels_out_of_range_are_refused_when_the_events_are_made():
    with pytest.raises(InputError, match="all 200 weights are zero"):
        small_events(weights=np.zeros(200))
    with pytest.raises(InputError, match="label 2 of event 3 is out of range, expected 0 to 1"):
        small_events(labels=np.where(np.arange(200) == 3, 2, 1), class_names=("a", "b"))
    with pytest.raises(InputError, match="class_names has .* more than once"):
        small_events(class_names=("a", "a"))


def test_a_sequence_beyond_the_memory_limit_is_named_with_entry_length_and_bytes():
    events = Sequences.from_lists(
        [np.zeros((5, 1)), np.zeros((3000, 1))] * 5, labels=[0, 1] * 5, entries=np.arange(10) + 70
    )
    model = LSTMClassifier(hidden=8, memory_limit="400 kB", epochs=1)
    with pytest.raises(MemoryLimitError, match=r"entry 71 has 3000 steps, .* at least \d+ bytes .* allows \d+ steps"):
        model.fit(events)
    small = Sequences.from_lists([np.zeros((5, 1)), np.ones((5, 1))] * 50, labels=[0, 1] * 50)
    model.fit(small)
    assert model.predict_proba(events).shape == (10, 2)  # to score one takes no activations


def test_little_memory_for_long_sequences_changes_nothing():
    rng = np.random.default_rng(4)
    events = Sequences.from_lists([rng.normal(size=(n, 1)) for n in (5, 3000, 0, 700) * 10], labels=[0, 1] * 20)
    options = {"hidden": 8, "epochs": 2, "batch_size": 16, "validation_fraction": 0.2}
    # 3000 steps take 22 MB in one piece
    little = LSTMClassifier(**options, memory_limit="500 kB", n_threads=2).fit(events)
    plenty = LSTMClassifier(**options, memory_limit="1 GB", n_threads=1).fit(events)
    assert little.history.columns == plenty.history.columns
    assert little.predict_proba(events).tobytes() == plenty.predict_proba(events).tobytes()


def test_events_with_other_features_are_refused_by_name():
    model = LSTMClassifier(epochs=1, hidden=2).fit(small_events(feature_names=["pt", "eta"]))
    with pytest.raises(InputError, match="trained on pt, eta; 'eta' is missing, did you mean 'Eta'"):
        model.predict_proba(small_events(feature_names=["pt", "Eta"]))
    with pytest.raises(InputError, match="only the order differs"):
        model.predict_proba(small_events(feature_names=["eta", "pt"]))


def test_divergence_is_said():
    rng = np.random.default_rng(0)
    events = Sequences.from_lists([rng.normal(size=(3, 1)) for _ in range(100)], labels=np.arange(100) % 2)
    with pytest.raises(LSTMError, match="training diverged in epoch 1: .* lower the learning rate"):
        LSTMClassifier(epochs=3, hidden=3, learning_rate=1e38, clip_norm=None).fit(events)


def test_untrained_models_say_so(tmp_path):
    model = LSTMClassifier()
    with pytest.raises(LSTMError, match="not trained yet; call fit"):
        model.predict_proba(small_events())
    with pytest.raises(LSTMError, match="nothing to save"):
        model.save(tmp_path / "m.xml")


def test_fit_on_something_else():
    with pytest.raises(InputError, match="fit was given list, expected Sequences"):
        LSTMClassifier().fit([1, 2, 3])
    with pytest.raises(InputError, match="no events to train on"):
        LSTMClassifier().fit(small_events()[:0])
