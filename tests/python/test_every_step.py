"""Models with outputs for every step: masks, bits, figures, files, and what is refused; of the core against PyTorch see
`test_network_variants.py`."""

from __future__ import annotations

from dataclasses import replace

import awkward as ak
import numpy as np
import pytest

from tmva_lstm_plugin import (
    LSTMClassifier,
    LSTMRegressor,
    Sequences,
    _engine,
    explain,
    load_model,
    with_step_labels,
    with_step_targets,
)
from tmva_lstm_plugin.callbacks import StopTraining
from tmva_lstm_plugin.errors import CheckpointError, InputError, LSTMError, ModelFileError, OptionError
from tmva_lstm_plugin.evaluation import auc
from tmva_lstm_plugin.model_document import document_of
from tmva_lstm_plugin.model_file import write_model_file
from tmva_lstm_plugin.training_run import evaluate_parts, score_part

SMALL = {"hidden": 6, "epochs": 3, "every_step": True}


def walks(n=400, seed=1, *, masked=0.2, weights=False, event_values=False):
    """Normal steps; each is labelled by the sign of the sum so far, or masked."""
    rng = np.random.default_rng(seed)
    steps = [rng.normal(size=(length, 2)) for length in rng.integers(0, 12, n)]
    events = Sequences.from_lists(
        steps,
        weights=rng.choice([-0.5, 1.0, 2.5], n, p=[0.05, 0.45, 0.5]) if weights else None,
        event_values=rng.normal(size=(n, 1)) if event_values else None,
    )
    sums = np.concatenate([np.cumsum(s[:, 0]) for s in steps])
    return with_step_labels(events, np.where(rng.random(len(sums)) < masked, -1, sums > 0), ["down", "up"])


def with_sums(events, scale=1.0, **names):
    """The same with the running sums of both features as targets, masked where the labels are."""
    sums = np.concatenate([np.cumsum(v, axis=0) for v in events.split(events.values.astype(np.float64))]) * scale
    return with_step_targets(events, np.where(events.step_labels[:, None] < 0, np.nan, sums), **names)


def parameters(model):
    return model._trainer.parameters


def arrays(events, labels=None, targets=None, kind=np.float64):
    """What the engine takes."""
    weights = None if events.weights is None else events.weights
    return events.values.astype(kind), events.offsets, None, labels, weights, targets


def trainer(K=1, loss="cross entropy", seed=3, **options):
    zero, one, none = np.zeros(2), np.ones(2), np.zeros(0)
    return _engine.Trainer64(2, 0, 5, K, zero, one, none, none, {"loss": loss, "seed": seed} | options)


# --- learning --------------------------------------------------------------------------------------------------------


def test_the_sign_of_a_sum_is_learnt_at_every_step():
    events = walks(3000)
    model = LSTMClassifier(hidden=16, epochs=10, learning_rate=0.01, every_step=True).fit(events[:2000])
    test = events[2000:]
    found = model.predict(test)
    assert found.shape == (len(test.values),)
    labelled = test.step_labels >= 0
    # always the more frequent class: 0.53
    assert np.mean(found[labelled] == test.step_labels[labelled]) > 0.95
    truth = np.concatenate([np.cumsum(v[:, 0]) > 0 for v in test.split(test.values)])
    assert np.mean(found[~labelled] == truth[~labelled]) > 0.93  # what had no label is answered like all else


def test_three_classes_and_event_features():
    events = replace(walks(2000, event_values=True), step_labels=None, step_class_names=())
    sums = [np.cumsum(v[:, 0]) for v in events.split(events.values)]
    labels = [
        1 + (s > b + 0.5).astype(int) - (s < b - 0.5) for s, b in zip(sums, events.event_values[:, 0], strict=True)
    ]
    model = LSTMClassifier(hidden=16, epochs=15, learning_rate=0.01, every_step=True).fit(events[:1500], labels[:1500])
    assert model.class_names == ("class0", "class1", "class2")
    test = events[1500:]
    assert model.predict_proba(test).shape == (len(test.values), 3)
    assert np.mean(model.predict(test) == np.concatenate(labels[1500:])) > 0.85


def test_sums_are_estimated_at_every_step_in_their_own_units():
    events = with_sums(walks(3000), 1000.0, target_names=["x", "y"])
    model = LSTMRegressor(hidden=16, epochs=15, learning_rate=0.01, every_step=True).fit(events[:2000])
    assert model.target_names == ("x", "y")
    test = events[2000:]
    found = model.predict(test)
    assert found.shape == test.step_targets.shape
    labelled = test.step_labels >= 0
    deviation = (found - test.step_targets)[labelled]
    assert np.all(deviation.std(axis=0) < 0.2 * test.step_targets[labelled].std(axis=0))


def test_units_of_targets_do_not_matter():
    """Powers of two are exact, so that every bit must be the same."""
    events = walks()
    one, other = (LSTMRegressor(**SMALL).fit(with_sums(events, scale)) for scale in (1.0, 1024.0))
    assert np.array_equal(parameters(one), parameters(other))
    assert np.array_equal(1024 * one.predict(events), other.predict(events))


# --- masks -----------------------------------------------------------------------------------------------------------


def test_what_a_masked_step_says_changes_no_bit():
    events = walks(60)
    batch, labels = np.arange(len(events)), events.step_labels
    network = trainer(every_step=True)
    others = np.where(labels < 0, -7, labels).astype(np.int32)
    (sum_a, gradient_a), (sum_b, gradient_b) = (network.gradient(arrays(events, y), batch) for y in (labels, others))
    assert sum_a == sum_b
    assert sum_a[2] == np.count_nonzero(labels >= 0)
    assert np.array_equal(gradient_a, gradient_b)
    # of targets the first one tells
    network = trainer(K=2, loss="mean squared error", every_step=True)
    targets = with_sums(events).step_targets.astype(np.float64)
    garbage = targets.copy()
    garbage[labels < 0, 1] = 1e6
    (sum_a, gradient_a), (sum_b, gradient_b) = (
        network.gradient(arrays(events, targets=y), batch) for y in (targets, garbage)
    )
    assert sum_a == sum_b
    assert np.isfinite(gradient_a).all()
    assert np.array_equal(gradient_a, gradient_b)


def test_a_mask_is_minus_one_none_or_nan():
    events = walks()
    lists = [[None if y < 0 else int(y) for y in of_event] for of_event in events.split(events.step_labels)]
    numbers = np.where(events.step_labels < 0, np.nan, events.step_labels)
    expected = parameters(LSTMClassifier(**SMALL).fit(events))
    for y in (lists, numbers, ak.Array(lists), ak.unflatten(events.step_labels, events.lengths), events.step_labels):
        assert np.array_equal(parameters(LSTMClassifier(**SMALL).fit(events, y)), expected)
    given = with_sums(events)
    keep = np.flatnonzero(
        [np.isfinite(y).any() for y in given.split(given.step_targets)]
    )  # else how long a row is, is unknown
    events, given = events[keep], given[keep]
    rows = [
        [None if np.isnan(y).any() else y.tolist() for y in of_event] for of_event in given.split(given.step_targets)
    ]
    single = [[None if np.isnan(y[0]) else y[0] for y in of_event] for of_event in given.split(given.step_targets)]
    assert np.array_equal(with_step_targets(events, single).step_targets, given.step_targets[:, :1], equal_nan=True)
    for y in (rows, ak.Array(rows), given.step_targets):
        assert np.array_equal(with_step_targets(events, y).step_targets, given.step_targets, equal_nan=True)


def test_events_whose_steps_are_all_masked_are_left_out():
    events = walks(weights=True)
    extra = with_step_labels(
        walks(50, seed=9, weights=True), np.full(len(walks(50, seed=9).values), -1), ["down", "up"]
    )
    both = Sequences.concatenate([events, extra])
    options = SMALL | {"validation_fraction": 0.0, "shuffle": False, "batch_size": 70}
    one, other = (LSTMClassifier(**options).fit(e) for e in (events, both))
    labelled = [(y >= 0).any() for y in events.split(events.step_labels)]
    for model in (one, other):
        assert model.summary["training_events"] == np.sum(labelled)
        assert model.summary["training_steps"] == np.count_nonzero(events.step_labels >= 0)
        assert sum(model.summary["class_counts"].values()) == model.summary["training_steps"]
    assert np.array_equal(parameters(one), parameters(other))


@pytest.mark.parametrize("regression", [False, True])
@pytest.mark.parametrize("shape", [{}, {"cell": "gru", "lower": [4]}, {"layer_norm": True, "dense": [(3, "TANH")]}])
def test_with_the_last_step_alone_it_is_the_usual_model(regression, shape):
    """Loss and gradient in double precision: the same terms, which blocks add in another order."""
    events = walks(80, weights=True)
    events = events[np.flatnonzero(events.lengths > 0)]
    rng = np.random.default_rng(5)
    last = events.offsets[1:] - 1
    if regression:
        y = rng.normal(size=(len(events), 2))
        of_steps = np.full((len(events.values), 2), np.nan)
        usual, stepwise = arrays(events, targets=y), (lambda: arrays(events, targets=of_steps))
        options = shape | {"loss": "huber"}
    else:
        y = rng.integers(0, 2, len(events)).astype(np.int32)
        of_steps = np.full(len(events.values), -1, dtype=np.int32)
        usual, stepwise = arrays(events, y), (lambda: arrays(events, of_steps))
        options = shape
    of_steps[last] = y
    K, batch = 2 if regression else 1, np.arange(len(events))
    (expected, gradient), (found, of_step) = (
        trainer(K, every_step=every, **options).gradient(given, batch)
        for every, given in ((False, usual), (True, stepwise()))
    )
    assert found[2] == expected[2] == len(events)
    assert found[:2] == pytest.approx(expected[:2], rel=1e-13)
    assert np.abs(of_step - gradient).max() < 1e-12 * np.abs(gradient).max()


def test_with_the_last_step_alone_a_training_is_the_usual_one():
    """Weights and their scale too; in single precision, after three epochs."""
    events = walks(weights=True)
    events = events[np.flatnonzero(events.lengths > 0)]
    y = (events.values[events.offsets[:-1], 1] > 0).astype(int)
    of_steps = [np.r_[np.full(n - 1, -1), label] for n, label in zip(events.lengths, y, strict=True)]
    options = {"hidden": 6, "epochs": 3, "validation_fraction": 0.0}
    usual = LSTMClassifier(**options).fit(events, y)
    model = LSTMClassifier(**options, every_step=True).fit(events, of_steps)
    assert model.history.columns["loss"] == pytest.approx(usual.history.columns["loss"], rel=1e-5)
    assert model.summary["training_steps"] == usual.summary["training_events"]
    assert model.predict_proba(events)[events.offsets[1:] - 1] == pytest.approx(usual.predict_proba(events), abs=1e-4)


def test_the_mean_weight_of_a_step_becomes_one():
    """Powers of two are exact, so that every bit must be the same."""
    events = walks()
    plain, weighted = (LSTMClassifier(**SMALL).fit(replace(events, weights=w)) for w in (None, np.full(400, 4.0)))
    assert np.array_equal(parameters(plain), parameters(weighted))
    assert plain.history.columns == weighted.history.columns


# --- bits ------------------------------------------------------------------------------------------------------------

EVERYTHING_ON = {
    "hidden": [5, 6], "bidirectional": True, "layer_norm": True, "dropout": 0.2, "dense": ["4 tanh"], "ema_decay": 0.9,
}  # fmt: skip


@pytest.mark.parametrize("variant", [{}, EVERYTHING_ON, {"cell": "gru"}], ids=["plain", "everything", "gru"])
def test_the_same_bits_for_any_number_of_threads_and_in_any_pieces(variant):
    events = walks(weights=True, event_values=True)
    options = SMALL | variant
    models = [LSTMClassifier(**options, n_threads=n).fit(events) for n in (1, 2, 5)]
    scores = models[0].predict_proba(events)
    for model in models[1:]:
        assert np.array_equal(parameters(model), parameters(models[0]))
        assert np.array_equal(model.predict_proba(events), scores)
    pieces = [models[0].predict_proba(events[a:b]) for a, b in ((0, 1), (1, 4), (4, 37), (37, 400))]
    assert np.array_equal(np.concatenate(pieces), scores)
    assert len(np.unique(scores)) > 1000


def test_the_same_bits_where_blocks_are_cut_in_time():
    rng = np.random.default_rng(2)
    events = Sequences.from_lists([rng.normal(size=(n, 1)) for n in rng.integers(100, 200, 80)])
    y = [np.cumsum(v[:, 0]) > 0 for v in events.split(events.values)]
    least = _engine.block_bytes(1, 0, 6, 1, 200, {"every_step": True})
    little, plenty = (LSTMClassifier(**SMALL, memory_limit=limit).fit(events, y) for limit in (least, "1 GB"))
    assert 200 * 32 * 4 * 4 * 6 > least  # the gates of all steps alone are more: there was a cut
    assert np.array_equal(parameters(little), parameters(plenty))


@pytest.mark.parametrize("kind", [LSTMClassifier, LSTMRegressor])
def test_a_model_is_read_back_with_the_same_bits(kind, tmp_path):
    events = with_sums(walks(weights=True), target_names=["a", "b"])
    model = kind(**SMALL, monitor="loss").fit(events)
    path = tmp_path / "model.weights.xml"
    model.save(path)
    loaded = load_model(path)
    assert loaded.every_step
    assert loaded.output_names == model.output_names
    assert np.array_equal(loaded.outputs(events), model.outputs(events))
    probes = loaded._document.probes
    assert probes.scores.shape == (probes.offsets[-1], 2)
    loaded.save(tmp_path / "again.weights.xml")
    assert (tmp_path / "again.weights.xml").read_text() == path.read_text()


def test_a_file_with_scores_of_another_shape_is_refused(tmp_path):
    events = walks()
    model = LSTMClassifier(**SMALL).fit(events)
    document = document_of(model)
    document.every_step = False
    with pytest.raises(ModelFileError, match=r"probes, scores: found \d+ numbers, expected 32 = 16 events x 2 classes"):
        write_model_file(tmp_path / "model.weights.xml", document)


def test_a_resumed_training_ends_in_the_same_bits(tmp_path):
    events, options = walks(weights=True), SMALL | {"epochs": 5, "monitor": "auc"}
    whole = LSTMClassifier(**options).fit(events)

    def stop(record, model):
        if record.epoch == 2:
            raise StopTraining

    LSTMClassifier(**options).fit(events, checkpoint=tmp_path / "c", callbacks=[stop])
    rest = LSTMClassifier(**options).fit(events, resume=tmp_path / "c")
    assert np.array_equal(parameters(rest), parameters(whole))
    other = np.where(events.step_labels == 0, -1, events.step_labels)
    other[:100] = 0
    with pytest.raises(CheckpointError, match="the events have other labels of steps"):
        LSTMClassifier(**options).fit(events, other, resume=tmp_path / "c")
    with pytest.raises(CheckpointError, match="every_step was True and is False"):
        LSTMClassifier(**options | {"every_step": False}).fit(events, resume=tmp_path / "c")


# --- figures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("monitor", ["loss", "accuracy", "auc"])
def test_figures_of_an_epoch_count_the_steps_that_are_not_masked(monitor):
    events = walks(weights=True)
    model = LSTMClassifier(**SMALL | {"epochs": 1}, monitor=monitor, validation_fraction=0.3).fit(events)
    labelled = events.step_labels >= 0
    used = np.array([y.any() for y in events.split(labelled)])
    validates = np.zeros(len(events), dtype=bool)
    drawn = _engine.draw_validation(np.zeros(int(used.sum()), np.int32), int(used.sum()), 2, 0.3, 1)
    validates[used] = drawn == 1
    counted = labelled & np.repeat(validates, events.lengths)
    assert model.summary["validation_steps"] == np.count_nonzero(counted)
    p, y = model.predict_proba(events)[counted].astype(np.float64), events.step_labels[counted]
    w = np.repeat(events.weights, events.lengths)[counted]
    losses = -np.log(p[np.arange(len(y)), y])
    columns = model.history.columns
    assert columns["validation_loss"][0] == pytest.approx((w * losses).sum() / w.sum(), rel=1e-5)
    if monitor == "accuracy":
        assert columns["validation_accuracy"][0] == pytest.approx(
            (w * (p.argmax(axis=1) == y)).sum() / w.sum(), rel=1e-12
        )
    if monitor == "auc":
        assert columns["validation_auc"][0] == pytest.approx(auc(p[:, 1], y == 1, w), rel=1e-12)


def test_patience_and_a_monitor_without_a_class():
    events = walks()
    model = LSTMClassifier(**SMALL | {"epochs": 200, "learning_rate": 0.05}, monitor="accuracy", patience=2).fit(events)
    assert model.stopped_by == "early stopping"
    only = np.where(
        np.repeat(np.arange(len(events)) > 2, events.lengths), np.minimum(events.step_labels, 0), events.step_labels
    )
    only[:3] = [0, 1, 1]  # the second class is in the first events alone, which train
    with pytest.raises(
        LSTMError, match=r"monitor is 'auc', but of class 1 \(from 0\) the weights of the validation events"
    ):
        LSTMClassifier(**SMALL, monitor="auc").fit(events, only)


def test_evaluation_counts_steps_that_are_not_masked():
    events = with_sums(walks(weights=True))
    labelled = events.step_labels >= 0
    model = LSTMClassifier(**SMALL).fit(events[:300])
    part = score_part(model, [events[:100], events[100:]])
    assert np.array_equal(part.truth, events.step_labels[labelled])
    assert np.array_equal(part.outputs, model.predict_proba(events)[labelled])
    assert np.array_equal(part.weights, np.repeat(events.weights, events.lengths)[labelled])
    evaluation, _, _ = evaluate_parts(model, events[:300], events[300:])
    assert evaluation.unweighted.accuracy == np.mean(
        model.predict(events[300:])[events[300:].step_labels >= 0]
        == events[300:].step_labels[events[300:].step_labels >= 0]
    )
    regression = LSTMRegressor(**SMALL).fit(events[:300])
    found, _, scored = evaluate_parts(regression, None, events[300:])
    truth = events[300:].step_targets
    truth = truth[np.isfinite(truth[:, 0])]
    assert found.n_events == len(truth)
    assert np.array_equal(scored.truth, truth)
    nothing = with_step_labels(events, np.full(len(events.values), -1))
    with pytest.raises(InputError, match="there are no steps to evaluate: all are masked"):
        score_part(model, nothing)
    plain = Sequences.from_arrays(events.values, events.offsets)
    with pytest.raises(InputError, match="the events have no labels of their steps, so the scores cannot be judged"):
        score_part(model, plain)


# --- what is refused -------------------------------------------------------------------------------------------------


def three():
    return Sequences.from_lists([[[1.0], [2.0]], [[3.0]], [[4.0], [5.0], [6.0]]], entries=[4, 7, 9], source="three")


@pytest.mark.parametrize(
    ("give", "message"),
    [
        (lambda e: with_step_labels(e, [0, 1]), r"three: there are 2 labels, expected 6, one for each step of the 3 events"),
        (lambda e: with_step_labels(e, [[0, 1], [1]]), r"three: there are 2 lists of labels, expected 3, one an event"),
        (
            lambda e: with_step_labels(e, [[0, 1], [1, 0], [0, 0, 0]]),
            r"three: event 1 \(entry 7\) has 1 step\(s\) and 2 labels, expected one a step; mask a step that has none with -1",
        ),
        (
            lambda e: with_step_labels(e, [0, 1, 1, 0, 2, 0], ["a", "b"]),
            r"three: event 2 \(entry 9\), step 1 has the label 2, expected a whole number from 0 to 1 for the classes a, b",
        ),
        (lambda e: with_step_labels(e, [0, 1, 1, 0.5, 1, 0]), r"event 2 \(entry 9\), step 0 has the label 0.5, expected a whole"),
        (lambda e: with_step_labels(e, [0, -2, 1, 0, 1, 0]), r"event 0 \(entry 4\), step 1 has the label -2, expected a whole"),
        (lambda e: with_step_labels(e, np.zeros((6, 2))), "three: labels of steps have 2 numbers a step, expected one"),
        (lambda e: with_step_labels(e, np.zeros(6), ["a"]), "three: class_names are .*, expected at least two names"),
        (lambda e: with_step_labels(e, np.array(list("abcdef"))), r"of steps: found shape \(6,\) and type <U1, expected"),
        (lambda e: with_step_labels(e, [["a", 1], [0], [0, 0, 0]]), r"labels of event 0 \(entry 4\): found shape .* type <U"),
        (lambda e: with_step_labels(e, [[0, {}], [0], [0, 0, 0]]), r"labels of event 0 \(entry 4\): .*; found dict"),
        (lambda e: with_step_targets(e, np.zeros(5)), "three: there are 5 targets, expected 6, one for each step"),
        (
            lambda e: with_step_targets(e, [[1, 2], [np.inf], [1, 2, 3]], ["E"]),
            r"three: target 'E' of event 1 \(entry 7\), step 0 is inf, which is not finite in single precision",
        ),
        (
            lambda e: with_step_targets(e, [[[1, np.nan]] * 2, [[1, 2]], [[1, 2]] * 3]),
            r"three: target 'y1' of event 0 \(entry 4\), step 0 is nan and others are numbers; a step is masked as a whole",
        ),
        (lambda e: with_step_targets(e, [[1, 2], [[1, 2]], [1, 2, 3]]), r"the targets have \[1, 2\] numbers a step, expected"),
        (lambda e: with_step_targets(e, np.zeros((6, 2)), ["a"]), r"target_names are \('a',\) for 2 targets a step"),
        (lambda e: e.split(np.zeros(5)), "three: found 5 rows, expected 6, one a step"),
        (
            lambda e: LSTMClassifier(every_step=True).fit(e),
            r"three: the events have no labels of their steps, which every_step=True is to learn; give them, fit\(events, y\)",
        ),
        (lambda e: LSTMRegressor(every_step=True).fit(e), r"no targets of their steps, .* or with_step_targets\(events, y\)"),
        (
            lambda e: LSTMClassifier().fit(with_step_labels(e, [0, 1, 1, 0, 1, 0])),
            "three: the events have labels of their steps only; take every_step=True",
        ),
        (
            lambda e: LSTMClassifier(every_step=True).fit(e, [-1] * 6),
            r"three: all 6 steps of 3 events are masked, so there is nothing to learn; give some of them a label of 0 or above",
        ),
        (
            lambda e: LSTMRegressor(every_step=True).fit(e, [None] * 6),
            "three: all 6 steps of 3 events are masked, .*; give some of them a target that is a number",
        ),
        (
            lambda e: LSTMClassifier(every_step=True).fit(e, [-1, 1, 1, 1, 1, 1]),
            "three: a classifier needs steps of at least two classes, found 0 background, 5 signal",
        ),
        (lambda e: LSTMRegressor(every_step=True).fit(e, [None] * 5 + [1.0]), "needs at least 2 steps, found 1 steps"),
        (lambda e: LSTMRegressor(every_step=True).fit(e, [2.0] * 6), "target 'y0' is 2 in every step that trains"),
        (lambda e: LSTMClassifier().fit(e, [0, 1]), "three: labels has 2 rows, expected 3, one an event"),
    ],
)  # fmt: skip
def test_wrong_truth_is_refused(give, message):
    with pytest.raises(InputError, match=message):
        give(three())


def test_weights_of_a_class_of_steps_need_a_positive_sum():
    events = Sequences.from_lists([[[1.0], [2.0]], [[3.0]]] * 10, weights=[1.0, -1.0] * 10)
    with pytest.raises(
        InputError, match=r"the weights of class 'signal' sum to -9 over 9 training steps, expected a sum above 0"
    ):
        LSTMClassifier(every_step=True).fit(events, [[0, 0], [1]] * 10)


def test_contradictions_are_named_all_at_once():
    with pytest.raises(OptionError) as error:
        LSTMClassifier(every_step=True, pooling="mean", class_balance="equal", momentum=0.5)
    message = str(error.value)
    for part in (
        "pooling: there is nothing to pool where every step has outputs (every_step); drop one of them",
        "class_balance: a weight is an event's, and with every_step classes are those of steps; drop one of them",
        "momentum: ",
    ):
        assert part in message
    with pytest.raises(OptionError, match="pooling: there is nothing to pool"):
        LSTMClassifier(every_step=True, pooling="flat")
    with pytest.raises(OptionError, match="every_step is 'yes', expected True or False"):
        LSTMClassifier(every_step="yes")


def test_what_looks_at_one_answer_an_event_refuses_it():
    events = with_sums(walks(50))
    both = Sequences.from_arrays(events.values, events.offsets, labels=np.arange(50) % 2)
    model = LSTMClassifier(**SMALL).fit(events)
    for look in (explain.integrated_gradients, explain.gate_activations, explain.permutation_ranking):
        with pytest.raises(LSTMError, match="one answer for an event; this one has outputs for every step"):
            look(model, both)
    trainer64 = trainer(every_step=True)
    with pytest.raises(InputError, match=r"there are 50 labels, expected \d+"):
        trainer64.loss(arrays(events, np.zeros(50, np.int32)), np.arange(50))


# --- the events ------------------------------------------------------------------------------------------------------


def test_what_is_of_steps_goes_with_its_events():
    events = with_sums(walks(30))
    picked = np.array([7, 3, 3, 29])
    for chosen in (events[picked], events[5:9], events[np.arange(30) % 2 == 0], events[::-3]):
        assert len(chosen.step_labels) == len(chosen.step_targets) == chosen.offsets[-1] == len(chosen.values)
        # labels and targets are functions of the values
        sums = np.concatenate([np.cumsum(v[:, 0].astype(np.float64)) > 0 for v in chosen.split(chosen.values)])
        labelled = chosen.step_labels >= 0
        assert np.array_equal(chosen.step_labels[labelled], sums[labelled])
        again = with_sums(replace(chosen, step_targets=None))
        assert np.array_equal(chosen.step_targets, again.step_targets, equal_nan=True)
    joined = Sequences.concatenate([events[:10], events[10:]])
    assert np.array_equal(joined.step_labels, events.step_labels)
    assert np.array_equal(joined.step_targets, events.step_targets, equal_nan=True)
    assert joined.nbytes == events.nbytes
    assert [len(rows) for rows in events.split(events.values)] == events.lengths.tolist()
    assert "labels of steps down, up" in repr(events)
    with pytest.raises(InputError, match="some have step_labels and some have not"):
        Sequences.concatenate([events, replace(events, step_labels=None)])
    other = with_step_labels(events, events.step_labels, ["one", "two"])
    with pytest.raises(InputError, match="step_class_names"):
        Sequences.concatenate([events, other])


def test_labels_of_events_may_be_given_to_fit_as_well():
    events = walks(100)
    y = np.arange(100) % 2
    one = LSTMClassifier(6, epochs=2).fit(events, y)
    other = LSTMClassifier(6, epochs=2).fit(Sequences.from_arrays(events.values, events.offsets, labels=y))
    assert np.array_equal(parameters(one), parameters(other))
    regression = LSTMRegressor(6, epochs=2).fit(events, np.arange(100.0))
    assert regression.target_names == ("y0",)
    with pytest.raises(InputError, match="fit was given list and y, expected Sequences"):
        LSTMClassifier().fit([1], y)


def test_studies_of_events_refuse_it_by_name(tmp_path):
    from tmva_lstm_plugin import cross_validate, search

    events = with_step_labels(
        Sequences.from_lists([[[0.5], [2.0]], [[1.5]]] * 10, labels=[0, 1] * 10), [[0, 1], [1]] * 10
    )
    with pytest.raises(OptionError, match=r"a cross-validation judges one answer an event.*every_step"):
        cross_validate(LSTMClassifier(every_step=True), events, folds=2)
    with pytest.raises(OptionError, match=r"a search judges one answer an event.*every_step"):
        search(LSTMClassifier(every_step=True), {"hidden": [2, 3]}, events, tmp_path)
