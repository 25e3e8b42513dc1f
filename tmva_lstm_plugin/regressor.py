"""`LSTMRegressor`: train an LSTM to estimate numbers from jagged events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import _engine
from .model_options import takes_options
from .sequence_model import SequenceModel
from .sequences import Sequences
from .truth import Truth

if TYPE_CHECKING:
    from .streaming import SequenceStream

__all__ = ["LSTMRegressor"]


@takes_options
class LSTMRegressor(SequenceModel):
    """An estimator of one or several numbers an event: the network of :class:`LSTMClassifier` with one output a target.

    Each target is standardised with mean and deviation of the training part before it is learnt, and what the network says is
    mapped back: scale and unit of a target do not matter, and all targets count alike.

    Parameters
    ----------
    hidden, epochs, batch_size, learning_rate, **options
        As for :class:`LSTMClassifier`, which describes them; `class_balance` has no meaning here.
    loss : {"mse", "mae", "huber"}, optional
        Mean over the targets of the squared deviation (the default, which estimates the mean of a target), of the absolute one
        (the median), or of Huber's, which is half the square up to `huber_delta` and linear beyond: far outliers pull less.  As
        in PyTorch, on standardised targets.
    huber_delta : float, optional
        Where Huber's loss becomes linear, in standard deviations of the target; 1 by default.

    Attributes
    ----------
    feature_names, event_feature_names, target_names : tuple of str
        What the model was trained on.
    history : History
        Losses and learning rate of each epoch; losses are those of standardised targets.
    stopped_by : str or None
        None when all epochs were run, else ``"early stopping"``, ``"SIGINT"`` or ``"SIGTERM"``.
    summary : dict
        Figures of the training.
    recipe : Recipe or None
        How the events were read.

    Raises
    ------
    OptionError
        Parameters that are unknown, out of range or contradict each other; all of them are named at once.

    Examples
    --------
    >>> import numpy as np
    >>> from tmva_lstm_plugin import LSTMRegressor, Sequences
    >>> rng = np.random.default_rng(1)
    >>> steps = [rng.exponential(size=(n, 1)) for n in rng.integers(1, 6, 500)]
    >>> events = Sequences.from_lists(steps, targets=[s.sum() for s in steps], target_names=["sum"])
    >>> model = LSTMRegressor(hidden=8, epochs=3).fit(events)
    >>> model.predict(events).shape
    (500, 1)
    """

    target_names: tuple[str, ...] = ()
    regression = True
    _default_loss = "mse"
    # mean and deviation of each target, set by fit() and by load_model()
    _target_scale: tuple[NDArray[np.float32], NDArray[np.float32]]

    @property
    def task(self) -> str:
        """What is learnt: ``"regression"``."""
        return "regression"

    @property
    def output_names(self) -> tuple[str, ...]:
        """The targets."""
        return self.target_names

    def _adopt(self, data: Sequences | SequenceStream) -> None:
        assert self._prepared is not None
        self.target_names = Truth(self.regression, self.every_step).target_names(data)
        self._target_scale = self._prepared.targets.mean, self._prepared.targets.scale

    def _network_outputs(self) -> int:
        return len(self.target_names)

    def _columns(self, arrays: tuple[Any, ...]) -> NDArray[np.float32]:
        raw = self._trainer.raw_outputs(arrays, self._threads())
        return np.asarray(_engine.restore_targets(raw, *self._target_scale))

    def predict(self, data: Sequences | SequenceStream) -> NDArray[np.float32]:
        """Estimate the targets of events.

        An event's estimate depends on nothing but the event: not on the batch, its place in it, nor the number of threads.

        Parameters
        ----------
        data : Sequences or SequenceStream
            Events with the features the model was trained on.

        Returns
        -------
        ndarray of float32, shape (N, targets)
            In the units of the targets, in the order of `target_names`; (S, targets), a row a step, with ``every_step=True``.

        Raises
        ------
        InputError
            The events have other features.
        LSTMError
            The model is not trained.
        """
        return self.outputs(data)
