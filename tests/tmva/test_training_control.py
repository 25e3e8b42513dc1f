"""MaxTime and Monitor through TMVA: the training ends in good order, and keeps what is best by another figure than the loss."""

from __future__ import annotations

import numpy as np
import pytest

booking = pytest.importorskip("booking")

from test_same_bits import training_events  # noqa: E402

from tmva_lstm_plugin import LSTMClassifier, load_model  # noqa: E402

pytestmark = pytest.mark.usefixtures("registered")


def test_the_auc_decides_as_in_python(folder):
    events = booking.jagged(800, 3, shift=0.4, shortest=1)
    strategy = "LearningRate=1e-2,MaxEpochs=12,BatchSize=50,Monitor=AUC,ConvergenceSteps=100"
    done = booking.train(
        folder,
        events,
        options=f"Layout=LSTM|12:ValidationSize=30%:!Ranking:TrainingStrategy={strategy}",
    )
    model = load_model(done.weights)
    aucs = model.history.columns["validation_auc"]
    assert len(aucs) == 12
    assert model.history.best_epoch == int(np.argmax(aucs)) + 1 == model.summary["best_epoch"]
    assert model.history.best_epoch != int(np.argmin(model.history.columns["validation_loss"])) + 1
    twin = LSTMClassifier(
        hidden=12,
        epochs=12,
        batch_size=50,
        learning_rate=1e-2,
        validation_fraction=0.3,
        monitor="auc",
        use_weights=False,
    ).fit(training_events(done))
    assert twin.history.columns["validation_auc"] == aucs


def test_time_that_is_over_ends_a_training_and_the_factory_goes_on(folder, capfd):
    events = booking.jagged(400, 1)
    done = booking.train(
        folder, events, options="Layout=LSTM|4:!Ranking:MaxTime=1e-6s:TrainingStrategy=MaxEpochs=100000"
    )
    model = load_model(done.weights)
    assert len(model.history) == 0
    assert done.roc == done.roc  # a number
    assert np.isfinite(done.scores()).all()
