"""What a training watches: AUC and accuracy against formulas of their own, best weights by them, time, callbacks, its history."""

from __future__ import annotations

import math

import numpy as np
import pytest
import uproot

from tmva_lstm_plugin import LSTMClassifier, Sequences, _engine, load_model
from tmva_lstm_plugin.callbacks import StopTraining
from tmva_lstm_plugin.config import make_config
from tmva_lstm_plugin.control import parse_seconds
from tmva_lstm_plugin.errors import InputError, OptionError, OutputError
from tmva_lstm_plugin.history_files import write_history
from tmva_lstm_plugin.testing import gaussian_classes, order_task

SMALL = {"hidden": 5, "epochs": 4, "batch_size": 70}


def rank_auc(scores, signal, weights):
    """Mann-Whitney's U from mean ranks, each event standing for `weights` events of weight 1; the weights are whole numbers."""
    s, y = np.repeat(scores, weights), np.repeat(signal, weights)
    _, inverse, counts = np.unique(s, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n = y.sum()
    return (ranks[y].sum() - n * (n + 1) / 2) / (n * (len(y) - n))


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("weighted", [False, True])
def test_auc_and_accuracy_by_ranks(classes, weighted):
    rng = np.random.default_rng(classes)
    p = rng.integers(1, 9, (400, classes)).astype(np.float64)  # many are equal
    p /= p.sum(axis=1, keepdims=True)
    labels = rng.integers(0, classes, 400).astype(np.int32)
    w = rng.integers(0, 4, 400) if weighted else np.ones(400, int)
    each = [rank_auc(p[:, k], labels == k, w) for k in range(classes)]
    weights = w.astype(np.float64) if weighted else None
    expected = each[1] if classes == 2 else np.mean(each)
    assert _engine.macro_auc(p, labels, weights) == pytest.approx(expected, rel=1e-12)
    assert _engine.accuracy(p, labels, weights) == pytest.approx(
        w[np.argmax(p, axis=1) == labels].sum() / w.sum(), rel=1e-12
    )


def test_wrong_arrays_are_refused():
    with pytest.raises(InputError, match="a label is 2, and there are 2 classes"):
        _engine.macro_auc(np.ones((3, 2)), np.array([0, 1, 2], np.int32))
    with pytest.raises(InputError, match="as many labels and weights as events"):
        _engine.accuracy(np.ones((3, 2)), np.zeros(4, np.int32))


@pytest.mark.parametrize("monitor", ["auc", "accuracy"])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_best_weights_are_the_best_by_what_is_monitored(monitor, classes, tmp_path):
    task = order_task(900, lengths=(1, 6)) if classes == 2 else gaussian_classes(900)
    events = task.sequences
    weights = np.random.default_rng(1).integers(1, 4, 900).astype(np.float64)
    events = Sequences.from_arrays(events.values, events.offsets, events.labels, weights)
    options = SMALL | {"epochs": 25, "learning_rate": 0.01, "validation_fraction": 0.2, "monitor": monitor}
    validates = _engine.draw_validation(events.labels, 900, classes, 0.2, 1) == 1
    part, labels, w = events[np.flatnonzero(validates)], events.labels[validates], weights[validates].astype(int)
    after = []

    def judge(record, model):
        p = model.predict_proba(part)
        aucs = [rank_auc(p[:, k], labels == k, w) for k in range(classes)]
        right = w[np.argmax(p, axis=1) == labels].sum() / w.sum()
        after.append({"auc": aucs[1] if classes == 2 else np.mean(aucs), "accuracy": right}[monitor])
        assert record.monitored == pytest.approx(after[-1], rel=1e-12)

    model = LSTMClassifier(**options, n_threads=2).fit(events, callbacks=[judge])
    columns = model.history.columns
    assert list(columns) == ["epoch", "loss", "validation_loss", "learning_rate", f"validation_{monitor}"]
    assert columns[f"validation_{monitor}"] == pytest.approx(after, rel=1e-12)
    best = int(np.argmax(after))
    assert model.history.best_epoch == best + 1 == model.summary["best_epoch"]
    assert best != int(np.argmin(columns["validation_loss"]))  # or nothing is shown
    again = LSTMClassifier(**options | {"epochs": best + 1}, n_threads=1).fit(events)
    assert np.array_equal(model.predict_proba(part), again.predict_proba(part))
    model.save(tmp_path / "m.xml")
    read = load_model(tmp_path / "m.xml")
    assert read.history.columns == columns
    assert (read.monitor, read.history.best_epoch) == (monitor, best + 1)


def test_early_stopping_by_auc():
    rng = np.random.default_rng(0)
    events = Sequences.from_lists(
        [rng.normal(size=(4, 3)) for _ in range(150)], labels=rng.integers(0, 2, 150)
    )  # noise
    options = {"hidden": 24, "epochs": 200, "learning_rate": 0.02, "validation_fraction": 0.3, "patience": 4}
    model = LSTMClassifier(**options, monitor="auc").fit(events)
    assert model.stopped_by == "early stopping"
    assert len(model.history) == model.history.best_epoch + 4 < 200
    assert len(LSTMClassifier(**options).fit(events).history) != len(model.history)


def test_a_figure_without_meaning_is_refused():
    for door in (
        lambda **o: LSTMClassifier(**o),
        lambda **o: make_config({"input": {"files": ["a.root"], "features": ["E"], "label": "x"}, "model": o}),
    ):
        with pytest.raises(OptionError, match="monitor.*'auc' is of validation events, and validation_fraction is 0"):
            door(monitor="auc", validation_fraction=0.0)
        with pytest.raises(OptionError, match="monitor.*'f1'.*expected 'loss', 'auc' or 'accuracy'"):
            door(monitor="f1")

    class Regression(LSTMClassifier):
        _monitors = ("loss",)

    with pytest.raises(OptionError, match="monitor: 'auc' is of classes, and there are none; take 'loss'"):
        Regression(monitor="auc")
    events = Sequences.from_lists([np.ones((2, 1))] * 40, labels=[0] * 39 + [1])
    with pytest.raises(InputError, match=r"but of class 1 \(from 0\) the weights of the validation events sum to 0"):
        LSTMClassifier(**SMALL, monitor="auc").fit(events)


# --- time ----------------------------------------------------------------------------------------------------------------


def test_times():
    found = [parse_seconds(text) for text in (90, 0.5, "90", "90 s", "1.5min", "2 h", "1d")]
    assert found == [90, 0.5, 90, 90, 90, 7200, 86400]
    for wrong in ("", "h", "2 hours", "-1 s", "0 s", 0, -3, math.inf, "1 h 30 min"):
        with pytest.raises(OptionError, match="is not a time"):
            parse_seconds(wrong)
        with pytest.raises(OptionError, match="max_time is .*, expected a time such as '2 h' or '90 min', or seconds"):
            LSTMClassifier(max_time=wrong)


def test_time_that_is_over_ends_the_training_after_a_batch_and_keeps_what_was_learnt():
    events = order_task(700).sequences
    model = LSTMClassifier(**SMALL, max_time=1e-6).fit(events)
    assert model.stopped_by == "max_time"
    assert len(model.history) == 0
    untrained = LSTMClassifier(**SMALL, max_time=1e-6, learning_rate=1e-30).fit(events)
    assert not np.array_equal(model.predict_proba(events), untrained.predict_proba(events))
    assert LSTMClassifier(**SMALL, max_time="1 d").fit(events).stopped_by is None


def test_between_portions_time_is_seen_before_the_next_batch():
    """With a clock that counts the portions, a batch each, of which an epoch has three."""
    events = order_task(60, lengths=(1, 4)).sequences

    class Source:
        delivered = 0

        def epoch_events(self):
            return 60

        def begin(self, epoch, batch_size):
            self.left = 3

        def next(self):
            if self.left == 0:
                return None
            self.left -= 1
            self.delivered += 1
            first = 20 * self.left
            part = events[first : first + 20]
            return (part.values, part.offsets, None, part.labels, None), np.arange(20)

    zero, one = np.zeros(1, np.float32), np.ones(1, np.float32)
    for seconds, epochs in [(0, 0), (2.5, 0), (3.5, 1), (5.5, 1), (6.5, 2), (100, 4)]:
        source, records = Source(), []
        trainer = _engine.Trainer(1, 0, 3, 1, zero, one, zero[:0], one[:0], {"epochs": 4, "batch_size": 20})
        reason = trainer.fit_source(
            source, None, lambda: True, lambda r, to=records: to.append(r) is None,
            {"max_seconds": seconds, "clock": lambda s=source: float(s.delivered)},
        )  # fmt: skip
        assert len(records) == epochs
        assert reason == ("all epochs" if epochs == 4 else "max_time")
        assert source.delivered == (12 if epochs == 4 else max(2, math.ceil(seconds)))


# --- callbacks -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def events():
    return order_task(400).sequences


class Notes:
    def __init__(self):
        self.seen = []

    def on_epoch(self, record, model):
        self.seen.append((record.epoch, model.predict_proba(self.events[:5]).shape, len(model.history)))


def test_callbacks_are_called_in_their_order_with_the_model(events):
    notes, order = Notes(), []
    notes.events = events
    callbacks = [lambda r, m: order.append(("first", r.epoch)), notes, lambda r, m: order.append(("last", r.epoch))]
    model = LSTMClassifier(**SMALL).fit(
        events, callbacks=callbacks, progress=lambda r: order.append(("progress", r.epoch))
    )
    assert model.stopped_by is None
    assert notes.seen == [(n, (5, 2), n) for n in (1, 2, 3, 4)]
    assert order[:3] == [("progress", 1), ("first", 1), ("last", 1)]
    plain = LSTMClassifier(**SMALL).fit(events)
    assert np.array_equal(model.predict_proba(events), plain.predict_proba(events))  # looking changes nothing


@pytest.mark.parametrize("how", ["false", "raise"])
def test_a_callback_ends_the_training(events, how):
    def stop(record, model):
        if record.epoch == 2:
            if how == "raise":
                raise StopTraining
            return False
        return None

    model = LSTMClassifier(**SMALL).fit(events, callbacks=[stop])
    assert model.stopped_by == model.summary["stopped_by"] == "callback"
    assert len(model.history) == 2


def test_an_error_in_a_callback_ends_it_in_good_order_and_is_raised(events, tmp_path):
    def fail(record, model):
        if record.epoch == 3:
            raise ZeroDivisionError("of the callback")

    model = LSTMClassifier(**SMALL, learning_rate=0.3)
    with pytest.raises(ZeroDivisionError, match="of the callback"):
        model.fit(events, callbacks=[fail], checkpoint=tmp_path / "c")
    assert len(model.history) == 3
    twin = LSTMClassifier(**SMALL | {"epochs": 3}, learning_rate=0.3).fit(events)
    assert np.array_equal(model.predict_proba(events), twin.predict_proba(events))
    rest = LSTMClassifier(**SMALL, learning_rate=0.3).fit(events, resume=tmp_path / "c")
    assert rest.history.columns == LSTMClassifier(**SMALL, learning_rate=0.3).fit(events).history.columns


def test_what_is_no_callback_is_refused(events):
    for wrong in (print, "abc", [3], 5):
        with pytest.raises(OptionError, match="callbacks (is|has) .*, expected a"):
            LSTMClassifier(**SMALL).fit(events, callbacks=wrong)


# --- history -------------------------------------------------------------------------------------------------------------


def test_history_as_csv_tree_and_histograms(events, tmp_path):
    history = LSTMClassifier(**SMALL, monitor="auc", schedule="cosine").fit(events).history
    assert write_history(history, tmp_path / "h.csv") == tmp_path / "h.csv"
    lines = (tmp_path / "h.csv").read_text().splitlines()
    assert lines[0] == "epoch,loss,validation_loss,learning_rate,validation_auc"
    table = np.array([[float(cell) for cell in line.split(",")] for line in lines[1:]])
    write_history(history, tmp_path / "h.root")
    with uproot.open(tmp_path / "h.root") as file:
        tree = file["history"]
        assert tree.keys() == list(history.columns)
        for n, (name, values) in enumerate(history.columns.items()):
            assert table[:, n].tolist() == values
            assert tree[name].array(library="np").tolist() == values
            if name != "epoch":
                assert file[name].classname == "TH1D"
                assert file[name].values().tolist() == values
                assert file[name].axis().edges().tolist() == [0.5, *(epoch + 0.5 for epoch in history.columns["epoch"])]
    with pytest.raises(OptionError, match=r"h.txt' ends in '.txt', expected one that ends in .csv or .root"):
        write_history(history, tmp_path / "h.txt")
    (tmp_path / "file").write_text("")
    for name in ("h.csv", "h.root"):
        with pytest.raises(OutputError, match="cannot write the history of the training"):
            write_history(history, tmp_path / "file" / name)


def test_an_empty_history_and_one_without_validation(events, tmp_path):
    none = LSTMClassifier(**SMALL, max_time=1e-6).fit(events).history
    for name in ("h.csv", "h.root"):
        write_history(none, tmp_path / name)
    assert (tmp_path / "h.csv").read_text() == "epoch,loss,validation_loss,learning_rate\n"
    with uproot.open(tmp_path / "h.root") as file:
        assert file["history"].num_entries == 0
    blind = LSTMClassifier(**SMALL, validation_fraction=0.0).fit(events).history.to_csv(tmp_path / "h.csv")
    assert blind.read_text().splitlines()[1].split(",")[2] == "nan"
