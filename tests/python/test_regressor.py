"""`LSTMRegressor`: losses against PyTorch's definitions and finite differences, units, bits, streams, files."""

from __future__ import annotations

import numpy as np
import pytest
import uproot

from tmva_lstm_plugin import (
    LSTMClassifier,
    LSTMRegressor,
    Sequences,
    _engine,
    load_model,
    read_sequences,
    stream_sequences,
)
from tmva_lstm_plugin.errors import InputError, ModelFileError, OptionError

CORE_NAMES = {"mse": "mean squared error", "mae": "mean absolute error", "huber": "huber"}


def sums(n=400, seed=1, *, scale=1.0, shift=0.0, weights=False):
    """Exponential steps; the targets are their sum, in any unit, and their number."""
    rng = np.random.default_rng(seed)
    steps = [rng.exponential(size=(length, 2)) for length in rng.integers(0, 6, n)]
    targets = np.array([[s[:, 0].sum() * scale + shift, len(s)] for s in steps])
    return Sequences.from_lists(
        steps,
        weights=np.where(rng.random(n) < 0.1, -0.5, 1.5) if weights else None,
        targets=targets,
        target_names=["sum", "n"],
    )


def parameters(model):
    return model._trainer.parameters


# --- the losses ------------------------------------------------------------------------------------------------------


def trainer_of(loss, delta, rng):
    K, D, H = 3, 2, 4
    options = {"loss": CORE_NAMES[loss], "huber_delta": delta, "seed": 3}
    zero, one = np.zeros(D), np.ones(D)
    trainer = _engine.Trainer64(D, 0, H, K, zero, one, np.zeros(0), np.ones(0), options)
    lengths = rng.integers(0, 5, 30)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    arrays = (
        rng.normal(size=(offsets[-1], D)),
        offsets,
        None,
        None,
        rng.normal(1, 1, 30),
        2 * rng.normal(size=(30, K)),
    )
    return trainer, arrays


@pytest.mark.parametrize(("loss", "delta"), [("mse", 1.0), ("mae", 1.0), ("huber", 0.7), ("huber", 2.0)])
def test_gradients_against_finite_differences(loss, delta):
    trainer, arrays = trainer_of(loss, delta, np.random.default_rng(5))
    batch = np.arange(30)
    _, gradient = trainer.gradient(arrays, batch)
    at = trainer.parameters
    step = 1e-6
    for index in range(len(at)):
        values = []
        for sign in (1, -1):
            moved = at.copy()
            moved[index] += sign * step
            trainer.parameters = moved
            values.append(trainer.loss(arrays, batch)[0])
        # both losses are sums of about 30 terms in double precision; second derivatives are of order 10
        assert gradient[index] == pytest.approx((values[0] - values[1]) / (2 * step), abs=2e-7)


@pytest.mark.parametrize(("loss", "delta"), [("mse", 1.0), ("mae", 1.0), ("huber", 0.7), ("huber", 2.0)])
def test_values_and_gradients_against_pytorch(loss, delta):
    torch = pytest.importorskip("torch")
    trainer, arrays = trainer_of(loss, delta, np.random.default_rng(6))
    batch = np.arange(30)
    outputs = torch.tensor(trainer.raw_outputs(arrays, 1), requires_grad=True)
    functions = {
        "mse": torch.nn.MSELoss(reduction="none"),
        "mae": torch.nn.L1Loss(reduction="none"),
        "huber": torch.nn.HuberLoss(reduction="none", delta=delta),
    }
    each = functions[loss](outputs, torch.tensor(arrays[5])).mean(axis=1)
    total = (torch.tensor(arrays[4]) * each).sum()
    total.backward()
    (found, _, _), gradient = trainer.gradient(arrays, batch)
    assert found == pytest.approx(total.item(), rel=1e-13)
    # the gradient of the head's bias is the sum of those of the outputs
    assert gradient[-3:] == pytest.approx(outputs.grad.sum(axis=0).numpy(), rel=1e-12, abs=1e-14)


def test_the_loss_by_its_definition():
    """Without PyTorch too: from the outputs, in numpy."""
    for loss, delta in [("mse", 1.0), ("mae", 1.0), ("huber", 0.7)]:
        trainer, arrays = trainer_of(loss, delta, np.random.default_rng(7))
        d = np.abs(trainer.raw_outputs(arrays, 1) - arrays[5])
        each = {"mse": d**2, "mae": d, "huber": np.where(d < delta, d**2 / 2, delta * (d - delta / 2))}[loss]
        found, _, n = trainer.loss(arrays, np.arange(30))
        assert found == pytest.approx((arrays[4] * each.mean(axis=1)).sum(), rel=1e-13)
        assert n == 30


# --- training --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_a_sum_is_learnt(loss):
    events = sums(3000, scale=1000.0, shift=-5e4)
    model = LSTMRegressor(hidden=16, epochs=30, loss=loss).fit(events[:2000])
    test = events[2000:]
    deviation = model.predict(test) - test.targets
    assert np.all(deviation.std(axis=0) < 0.15 * test.targets.std(axis=0))
    assert np.all(np.abs(deviation.mean(axis=0)) < 0.05 * test.targets.std(axis=0))


def test_losses_lead_to_mean_and_median():
    """Nothing to learn but a skewed distribution: mse ends at its mean, mae at its median."""
    rng = np.random.default_rng(2)
    truth = rng.lognormal(0, 1, 4000)
    events = Sequences.from_lists([np.ones((1, 1))] * len(truth), targets=truth)
    options = {
        "hidden": 2,
        "epochs": 60,
        "batch_size": 500,
        "learning_rate": 0.02,
        "validation_fraction": 0,
        "schedule": "cosine",
    }
    mean = LSTMRegressor(**options).fit(events).predict(events)[0, 0]
    median = LSTMRegressor(**options, loss="mae").fit(events).predict(events)[0, 0]
    # the optimiser's last steps move either by some hundredths of the deviation, 2.2
    assert mean == pytest.approx(truth.mean(), abs=0.08)
    assert median == pytest.approx(np.median(truth), abs=0.08)


def test_the_same_bits_for_any_number_of_threads():
    events = sums(weights=True)
    models = [LSTMRegressor(hidden=8, epochs=3, loss="huber", n_threads=n).fit(events) for n in (1, 2, 5)]
    for model in models[1:]:
        assert np.array_equal(parameters(model), parameters(models[0]))
        assert np.array_equal(model.predict(events), models[0].predict(events))
    other = LSTMRegressor(hidden=8, epochs=3, loss="huber", huber_delta=0.5).fit(events)
    assert not np.array_equal(parameters(other), parameters(models[0]))


def test_units_of_a_target_do_not_matter():
    """Powers of two are exact, so that every bit must be the same."""
    events, larger = sums(), sums(scale=1024.0)
    first, second = (LSTMRegressor(hidden=8, epochs=3).fit(e) for e in (events, larger))
    assert np.array_equal(parameters(first), parameters(second))
    assert np.array_equal(first.predict(events)[:, 0] * 1024, second.predict(events)[:, 0])


def test_saved_and_read(tmp_path):
    events = sums()
    model = LSTMRegressor(hidden=8, epochs=2, loss="huber", huber_delta=0.5).fit(events)
    model.save(tmp_path / "m.weights.xml")
    read = load_model(tmp_path / "m.weights.xml")
    assert isinstance(read, LSTMRegressor)
    assert (read.target_names, read.loss, read.huber_delta) == (("sum", "n"), "huber", 0.5)
    assert np.array_equal(read.predict(events), model.predict(events))
    read.save(tmp_path / "again.weights.xml")
    assert np.array_equal(load_model(tmp_path / "again.weights.xml").predict(events), model.predict(events))
    text = (tmp_path / "m.weights.xml").read_text()
    (tmp_path / "bad.weights.xml").write_text(text.replace('Loss="huber"', 'Loss="hubris"'))
    with pytest.raises(ModelFileError, match="bad.weights.xml"):
        load_model(tmp_path / "bad.weights.xml")


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path):
    import awkward as ak

    events = sums(600)
    path = tmp_path / "sums.root"
    lists = ak.unflatten(ak.Array(events.values), events.lengths)
    with uproot.recreate(path) as out:
        out.mktree("t", {"x": "var * float32", "y": "var * float32", "s": "float64", "w": "float64"})
        out["t"].extend(
            {
                "x": lists[:, :, 0],
                "y": lists[:, :, 1],
                "s": events.targets[:, 0].astype(float),
                "w": np.where(np.arange(600) % 9, 1.0, -0.25),
            }
        )
    return path, events


def test_targets_are_read_and_streamed(file):
    path, made = file
    how = {"features": ["x", "y"], "targets": {"sum": "s", "twice": "2 * s"}, "weight": "w"}
    events = read_sequences(path, **how)
    assert events.target_names == ("sum", "twice")
    assert events.labels is None
    assert np.array_equal(events.targets[:, 0], made.targets[:, 0])
    assert np.array_equal(events[::7].targets, events.targets[::7])
    assert "targets sum, twice" in repr(events)
    stream = stream_sequences(path, **how, memory_limit="200 MB")
    options = {"hidden": 8, "epochs": 2, "batch_size": 50, "negative_weights": "absolute"}
    in_memory, streamed = LSTMRegressor(**options).fit(events), LSTMRegressor(**options).fit(stream)
    assert np.array_equal(parameters(in_memory), parameters(streamed))
    assert np.array_equal(in_memory.predict(stream), streamed.predict(events))
    assert in_memory.recipe.targets == (("sum", "s"), ("twice", "2 * s"))
    without = read_sequences(path, recipe=in_memory.recipe, with_labels=False)
    assert without.targets is None
    assert np.array_equal(in_memory.predict(without), in_memory.predict(events))


def test_targets_that_are_not_finite(file):
    path, _ = file
    with pytest.raises(InputError, match=r"entry \d+: target 'log', 'log\(s\)', is -inf"):
        read_sequences(path, features=["x"], targets={"log": "log(s)"})
    dropped = read_sequences(path, features=["x"], targets={"log": "log(s)"}, on_invalid="drop")
    assert dropped.n_invalid > 0
    assert np.isfinite(dropped.targets).all()


# --- what is refused -------------------------------------------------------------------------------------------------


def test_options_that_have_no_meaning():
    with pytest.raises(OptionError) as caught:
        LSTMRegressor(loss="cross_entropy", class_balance="equal", huber_delta=2.0)
    for part in (
        "loss: 'cross_entropy' is for classes",
        "class_balance: a regression has no classes",
        "huber_delta: it belongs",
    ):
        assert part in str(caught.value)
    with pytest.raises(OptionError, match="loss: 'mae' is for a regression; for classes expected 'cross_entropy'"):
        LSTMClassifier(loss="mae")
    with pytest.raises(OptionError, match="negative_weights: there are no weights"):
        LSTMClassifier(use_weights=False, negative_weights="ignore")


def test_events_without_what_is_to_be_learnt():
    events = sums()
    with pytest.raises(InputError, match="have no labels.*for their targets use LSTMRegressor"):
        LSTMClassifier().fit(events)
    labelled = Sequences.from_lists([np.ones((1, 1))] * 4, labels=[0, 1, 0, 1])
    with pytest.raises(InputError, match="have no targets.*use LSTMClassifier"):
        LSTMRegressor().fit(labelled)
    constant = Sequences.from_lists([np.ones((1, 1))] * 4, targets=[2, 2, 2, 2])
    with pytest.raises(InputError, match="target 'y0' is 2 in every event that trains"):
        LSTMRegressor().fit(constant)
    with pytest.raises(InputError, match="targets has 3 rows, expected 4"):
        Sequences.from_lists([np.ones((1, 1))] * 4, targets=[1, 2, 3])
