"""`LSTMClassifier`: train an LSTM to tell classes of jagged events apart; `load_model`: read a trained model."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .history import EpochRecord, History
from .model_options import takes_options
from .sequence_model import SequenceModel
from .sequences import Sequences
from .truth import Truth

if TYPE_CHECKING:
    from .streaming import SequenceStream

__all__ = ["EpochRecord", "History", "LSTMClassifier", "load_model"]


@takes_options
class LSTMClassifier(SequenceModel):
    """A classifier of jagged events: LSTM layers, the last state of the last one joined with event features, a dense head.

    Parameters
    ----------
    hidden : int or sequence of int
        H, the size of the LSTM's state; several numbers are layers on top of each other, the lowest first.
    epochs : int
        How often all training events are gone through.
    batch_size : int
        Events in a step of the optimiser.
    learning_rate : float
        Step size of the optimiser.
    bidirectional : bool
        Whether all layers go through time in both directions: each layer is two of its size, one from the first step to the
        last and one from the last to the first, and what goes on are the states of both.
    every_step : bool
        Whether each step has outputs of its own, in place of one for the event: what is learnt are labels of steps
        (:func:`tmva_lstm_plugin.with_step_labels`), what comes back has a row for each step.
    seed : int
        Decides the initial weights, the validation part and the order of the events.  The same seed, data and options
        give the same model, to the bit, for any number of threads.
    n_threads : int, optional
        Threads; all processors this process may use by default.
    optimizer : {"adam", "sgd", "adamw", "rmsprop", "adagrad", "adadelta"}
        As in PyTorch.
    momentum : float, optional
        Momentum of SGD (0.9) and RMSProp (0).
    clip_norm : float or None
        Gradients with a larger Euclidean norm are shortened to it; None for no limit.
    forget_bias : float
        Initial bias of the forget gate.
    validation_fraction : float
        Part of the training events, of each class, that does not train: after every epoch its loss (or what `monitor` asks for)
        decides whether the weights are the best so far.  0 for none: then the last weights are kept.
    patience : int, optional
        Training stops after so many epochs without a better validation loss, or whatever else `monitor` asks for.
    use_weights : bool
        Whether event weights, if there are any, enter the loss.  Negative ones keep their sign, unless `negative_weights` says
        otherwise.
    shuffle : bool
        Whether the events come in a new order each epoch.
    memory_limit : int or str
        Bytes that the activations of a block of sequences may take in each thread while training, such as ``"1 GB"``.  Where
        they take more, the block is cut in time and its forward pass computed once more on the way back: the results are the
        same, to the bit.  A sequence for which that does not do either is refused.
    **options
        All else, such as ``schedule="cosine"``, ``warmup_epochs=1``, ``ema_decay=0.999``: the options of
        :data:`tmva_lstm_plugin.model_options.MODEL_OPTIONS`.

    Attributes
    ----------
    feature_names, event_feature_names, class_names : tuple of str
        What the model was trained on.
    history : History
        Losses and learning rate of each epoch.
    stopped_by : str or None
        None when all epochs were run, else ``"early stopping"``, ``"max_time"``, ``"callback"``, ``"SIGINT"`` or ``"SIGTERM"``.
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
    >>> from tmva_lstm_plugin import LSTMClassifier
    >>> from tmva_lstm_plugin.testing import order_task
    >>> events = order_task(2000).sequences
    >>> model = LSTMClassifier(hidden=8, epochs=3).fit(events)
    >>> model.predict_proba(events).shape
    (2000, 2)
    """

    class_names: tuple[str, ...] = ()
    regression = False
    _default_loss = "cross_entropy"

    @property
    def task(self) -> str:
        """What is learnt: ``"binary"`` or ``"multiclass"``."""
        return "binary" if len(self.class_names) == 2 else "multiclass"

    @property
    def output_names(self) -> tuple[str, ...]:
        """The classes."""
        return self.class_names

    def _adopt(self, data: Sequences | SequenceStream) -> None:
        self.class_names = Truth(self.regression, self.every_step).class_names(data)

    def _network_outputs(self) -> int:
        return 1 if len(self.class_names) == 2 else len(self.class_names)

    def _columns(self, arrays: tuple[Any, ...]) -> NDArray[np.float32]:
        return np.asarray(self._trainer.probabilities(arrays, self._threads()))

    def predict_proba(self, data: Sequences | SequenceStream) -> NDArray[np.float32]:
        """Score events.

        An event's score depends on nothing but the event: not on the batch, its place in it, nor the number of threads.

        Parameters
        ----------
        data : Sequences or SequenceStream
            Events with the features the model was trained on.

        Returns
        -------
        ndarray of float32, shape (N, classes)
            The probability of each class, in the order of `class_names`; (S, classes), a row a step, with ``every_step=True``.

        Raises
        ------
        InputError
            The events have other features.
        LSTMError
            The model is not trained.
        """
        return self.outputs(data)

    def predict(self, data: Sequences | SequenceStream) -> NDArray[np.int64]:
        """Return the most probable class of each event, or step with ``every_step=True``, as an index into `class_names`."""
        return np.asarray(np.argmax(self.predict_proba(data), axis=1), dtype=np.int64)


def load_model(path: str | os.PathLike[str], *, n_threads: int | None = None) -> Any:
    """Read a trained model from its weights file, whether Python or TMVA wrote it.

    Parameters
    ----------
    path : path
        The weights file.
    n_threads : int, optional
        Threads for scoring; all processors this process may use by default.

    Returns
    -------
    LSTMClassifier or LSTMRegressor
        By what was learnt.  It gives the same scores, to the bit on the same instruction set.

    Raises
    ------
    ModelFileError
        The file is missing, truncated, damaged, of another format, or of another method.
    """
    from .model_document import model_of
    from .model_file import read_model_file

    document, _ = read_model_file(path)
    return model_of(document, str(path), n_threads=n_threads)
