"""`SequenceModel`: what every model of jagged events does, whatever it tells of them: options, training, saving.

:class:`LSTMClassifier` and :class:`LSTMRegressor` say what is learnt.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from . import _engine
from .architecture import core_shape, layer_widths
from .control import MONITORS
from .errors import InputError, LSTMError, MemoryLimitError, OptionError, near_miss
from .event_options import LOSSES, task_contradictions
from .event_weights import EventWeights
from .fitting import HOW_IT_IS_RUN, Fitting
from .history import EpochRecord, History
from .interruption import StopRequest
from .model_options import MODEL_OPTIONS, contradictions, engine_options, unknown_names, values_out_of_range
from .option_table import words
from .recipe import Recipe, parse_bytes
from .sequences import Sequences
from .steps import with_truth
from .training_events import MemoryEvents, Prepared, StreamEvents
from .truth import Truth

if TYPE_CHECKING:
    from .streaming import SequenceStream

__all__ = ["VOLATILE", "SequenceModel"]

_Model = TypeVar("_Model", bound="SequenceModel")

VOLATILE = HOW_IT_IS_RUN
"""Parameters that change how fast a training runs and not what comes out; they stand with the volatile facts of a file."""


class SequenceModel(ABC):
    """The common part of all models; its parameters are described at :class:`LSTMClassifier`.

    Attributes
    ----------
    feature_names, event_feature_names : tuple of str
        What the model was trained on.
    history : History
        Losses and learning rate of each epoch.
    stopped_by : str or None
        None when all epochs were run, else ``"early stopping"``, ``"max_time"``, ``"callback"``, ``"SIGINT"`` or ``"SIGTERM"``.
    summary : dict
        Figures of the training.
    recipe : Recipe or None
        How the events were read.
    """

    _monitors: tuple[str, ...] = MONITORS  # a model without classes has fewer

    # set from the table of options
    monitor: str
    max_time: float | str | None
    checkpoint_epochs: int | None
    checkpoint_minutes: float | None

    def __init__(
        self,
        hidden: int | Sequence[int] = 32,
        epochs: int = 15,
        batch_size: int = 64,
        learning_rate: float = 3e-3,
        *,
        bidirectional: bool = False,
        seed: int = 1,
        n_threads: int | None = None,
        optimizer: str = "adam",
        momentum: float | None = None,
        clip_norm: float | None = 1.0,
        forget_bias: float = 1.0,
        validation_fraction: float = 0.1,
        patience: int | None = None,
        use_weights: bool = True,
        shuffle: bool = True,
        memory_limit: int | str = "1 GB",
        **options: Any,
    ) -> None:
        self.hidden = hidden
        self.bidirectional = bidirectional
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.seed = seed
        self.n_threads = n_threads
        self.optimizer = optimizer
        self.momentum = momentum
        self.clip_norm = clip_norm
        self.forget_bias = forget_bias
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.use_weights = use_weights
        self.shuffle = shuffle
        self.memory_limit = memory_limit
        for name, option in MODEL_OPTIONS.items():
            if name not in self.__dict__:
                setattr(self, name, options.get(name, option.default))
        self._check_parameters(options)
        self.feature_names: tuple[str, ...] = ()
        self.event_feature_names: tuple[str, ...] = ()
        self.history = History()
        self.stopped_by: str | None = None
        self.summary: dict[str, Any] = {}
        self.recipe: Recipe | None = None
        # set by fit() and by load_model()
        self._trainer: Any = None
        self._prepared: Prepared | None = None
        self._timing: dict[str, float] = {}
        self._document: Any = None
        self._flat_steps = 1  # steps that are joined with pooling="flat"

    #: Whether targets are learnt, not classes.
    regression: ClassVar[bool]
    _default_loss: ClassVar[str]

    if TYPE_CHECKING:  # options that are taken by name only
        loss: str | None
        negative_weights: str
        class_balance: str
        pooling: str
        every_step: bool
        dense: Sequence[str]

    @property
    @abstractmethod
    def task(self) -> str:
        """What is learnt, as the model file calls it: ``"binary"``, ``"multiclass"`` or ``"regression"``."""

    @property
    @abstractmethod
    def output_names(self) -> tuple[str, ...]:
        """The columns of :meth:`outputs`."""

    @abstractmethod
    def _adopt(self, data: Sequences | SequenceStream) -> None:
        """Take over from the events what of them is learnt."""

    @abstractmethod
    def _network_outputs(self) -> int:
        """Return K, the outputs of the network."""

    @abstractmethod
    def _columns(self, arrays: tuple[Any, ...]) -> NDArray[np.float32]:
        """Return what the trained network says of checked events, shape (N, outputs), or (S, outputs) with every_step."""

    def get_params(self) -> dict[str, Any]:
        """Return the parameters of the constructor by name."""
        return {name: getattr(self, name) for name in MODEL_OPTIONS}

    def _check_parameters(self, names: Iterable[str] = ()) -> None:
        values = self.get_params()
        wrong = [*unknown_names(names), *values_out_of_range(values)]
        clashes = [*contradictions(values), *task_contradictions(values, regression=self.regression)]
        wrong += [f"{name}: {text}" for name, text in clashes]
        if self.monitor in MONITORS and self.monitor not in self._monitors:
            wrong.append(f"monitor: '{self.monitor}' is of classes, and there are none; take {words(self._monitors)}")
        if wrong:
            raise OptionError(f"{type(self).__name__}: " + "; ".join(wrong))

    def fit(
        self: _Model,
        data: Sequences | SequenceStream,
        y: Any = None,
        *,
        progress: Callable[[EpochRecord], object] | None = None,
        callbacks: Iterable[Any] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        resume: str | os.PathLike[str] | None = None,
    ) -> _Model:
        """Train on labelled events.

        Ctrl-C (SIGINT) and SIGTERM end the training at the next batch, as `max_time` does; the best weights so far are kept,
        the checkpoint is written, and `stopped_by` says so.  A second signal acts at once.

        Parameters
        ----------
        data : Sequences or SequenceStream
            The events; a stream is read anew each epoch, in bounded memory.
        y : array_like, optional
            What is to be learnt, in place of what the events hold: a class, or a row of targets, for each event or, with
            ``every_step=True``, for each step, as :func:`tmva_lstm_plugin.with_step_labels` and
            :func:`tmva_lstm_plugin.with_step_targets` take them; where a label is -1 or None, or a target NaN or None, the step
            is masked.  Not with a stream.
        progress : callable, optional
            Called with an `EpochRecord` after each epoch.
        callbacks : iterable
            Functions ``f(record, model)``, or objects with such a method ``on_epoch``, called after each epoch in their order;
            the model is as it is then, not the best.  One that returns False or raises
            :class:`tmva_lstm_plugin.callbacks.StopTraining` ends the training, `stopped_by` is then ``"callback"``.  Any other
            exception ends it as well, and is raised when the best weights are in place.
        checkpoint : path, optional
            File in which the state of the training is kept: after every `checkpoint_epochs` epochs and `checkpoint_minutes`
            minutes (every 10 minutes if neither is given) and when the training ends.  Where one cannot be written, a warning
            says so and the training goes on; the one before is untouched.
        resume : path, optional
            A checkpoint to go on from, with the same options and events; the training ends in the same bits as one that was never
            stopped.  `epochs` may be another number, where the schedule does not depend on it, and so may the number of threads,
            `max_time` and what is said of checkpoints.  Without `checkpoint`, it is also where the state is kept.

        Returns
        -------
        SequenceModel
            The model itself.

        Raises
        ------
        InputError
            Nothing to learn, such as no labels or one class only, or weights that cannot be trained with.
        MemoryLimitError
            A sequence too long for `memory_limit`, even with its forward pass computed twice.
        EngineError
            The training diverged.
        CheckpointError
            `resume` is missing, damaged, or of another training; what differs is named.
        OptionError, OutputError
            Callbacks that are none; a checkpoint that cannot be written at all.
        """
        self._check_parameters()
        data = self._with_truth(data, y)
        fitting = Fitting(self, progress=progress, callbacks=callbacks, checkpoint=checkpoint, resume=resume)
        started = time.perf_counter()
        with StopRequest() as stop:
            events = self._events(data, stop)
            self._check_longest(events.longest_event(), data)
            prepared = events.prepare(stop.raise_if_requested, fitting.seen)
            self._prepare_network(data, prepared)
            prepared_at = time.perf_counter()
            self.stopped_by = fitting.train(events, data, self._trainer, stop)
        now = time.perf_counter()
        n_events = prepared.figures["training_events"] * (len(self.history) - fitting.resumed_epochs)
        self._timing = {
            "seconds": now - started,
            "training_seconds": now - prepared_at,
            "events_per_second": n_events / (now - prepared_at),
        }
        self.summary = dict(prepared.figures) | {
            "longest_sequence": prepared.longest,
            "epochs": len(self.history),
            "best_epoch": self.history.best_epoch,
            "stopped_by": self.stopped_by,
        }
        fitting.raise_error()
        return self

    def _with_truth(self, data: Any, y: Any) -> Any:
        """Return the events with what is to be learnt of them, after refusing a forecast that sees the future."""
        learns_forecast = y is None and self.regression and self.every_step and getattr(data, "forecast", False)
        if learns_forecast and self.bidirectional:
            raise OptionError(
                f"{type(self).__name__}: bidirectional: the targets are those of later steps (next_step_targets), which a "
                "network in both directions of time has seen already; take bidirectional=False"
            )
        if y is None:
            return data
        if not isinstance(data, Sequences):
            raise InputError(f"fit was given {type(data).__name__} and y, expected Sequences, whose order y can follow")
        return with_truth(data, y, Truth(self.regression, self.every_step))

    def _events(self, data: Sequences | SequenceStream, stop: StopRequest) -> MemoryEvents | StreamEvents:
        weights = EventWeights(use=self.use_weights, negative=self.negative_weights, balance=self.class_balance)
        shared: dict[str, Any] = {
            "regression": self.regression, "weights": weights, "fraction": self.validation_fraction, "seed": self.seed,
            "every_step": self.every_step,
        }  # fmt: skip
        if isinstance(data, Sequences):
            if len(data) == 0:
                raise InputError(f"{data.source}: there are no events to train on")
            return MemoryEvents(data, **shared)
        if not hasattr(data, "read_chunk"):
            raise InputError(
                f"fit was given {type(data).__name__}, expected Sequences (from read_sequences, Sequences.from_arrays or "
                "Sequences.from_lists) or a SequenceStream (from stream_sequences)"
            )
        return StreamEvents(data, **shared, check=stop.raise_if_requested)

    def _shape(self) -> tuple[int, int, int, int]:
        last = layer_widths(self.hidden)[-1]
        return len(self.feature_names), len(self.event_feature_names), last, self._network_outputs()

    def _layers(self) -> dict[str, Any]:
        """Return what the engine has to know of the network beside the width of its last recurrent layer."""
        return core_shape(self.get_params(), self._flat_steps)

    def _check_longest(self, longest: tuple[int, int], data: Sequences | SequenceStream) -> None:
        steps, entry = longest
        limit = parse_bytes(self.memory_limit) or 0  # never None: checked
        shape = len(data.feature_names), len(data.event_feature_names), layer_widths(self.hidden)[-1], 1
        most = _engine.longest_sequence(*shape, limit, self._layers())
        if steps > most:
            needed = _engine.block_bytes(*shape, steps, self._layers())
            raise MemoryLimitError(
                f"{getattr(data, 'source', 'the stream')}: entry {entry} has {steps} steps, which with hidden={self.hidden} need "
                f"at least {needed} bytes a thread; memory_limit={self.memory_limit!r} ({limit} bytes) allows {most} steps: "
                "raise memory_limit, or keep fewer steps of a sequence with max_length"
            )

    def _prepare_network(self, data: Sequences | SequenceStream, prepared: Prepared) -> None:
        self.feature_names = tuple(data.feature_names)
        self.event_feature_names = tuple(data.event_feature_names)
        self._prepared = prepared
        self._adopt(data)
        self.recipe = data.recipe
        self._document = None
        self._flat_steps = max(1, (None if data.recipe is None else data.recipe.max_length) or prepared.longest)
        self._trainer = self._network(
            (
                prepared.features.mean,
                prepared.features.scale,
                prepared.event_features.mean,
                prepared.event_features.scale,
            ),
            **engine_options(self.get_params()),
            weight_scale=prepared.weight_scale,
            loss=LOSSES[self.loss or self._default_loss],
        )

    def _network(self, standardisation: tuple[Any, Any, Any, Any], **options: Any) -> Any:
        limits = {"n_threads": self._threads(), "bytes_per_thread": parse_bytes(self.memory_limit)}
        return _engine.Trainer(*self._shape(), *standardisation, options | self._layers() | limits)

    def _threads(self) -> int:
        return int(_engine.usable_processors() if self.n_threads is None else self.n_threads)

    def outputs(self, data: Sequences | SequenceStream) -> NDArray[np.float32]:
        """Score events, whatever the model tells of them.

        An event's score depends on nothing but the event: not on the batch, its place in it, nor the number of threads.

        Parameters
        ----------
        data : Sequences or SequenceStream
            Events with the features the model was trained on.

        Returns
        -------
        ndarray of float32, shape (N, outputs)
            One column for each of `output_names`.  With ``every_step=True`` of shape (S, outputs), a row for each step in the
            order of the events; ``events.split(rows)`` cuts it into one array an event.

        Raises
        ------
        InputError
            The events have other features.
        LSTMError
            The model is not trained.
        """
        if self._trainer is None:
            raise LSTMError("the model is not trained yet; call fit, or read one with load_model")
        if not isinstance(data, Sequences):
            parts = [self.outputs(chunk) for chunk in data]
            return np.concatenate(parts) if parts else np.zeros((0, len(self.output_names)), dtype=np.float32)
        self._check_features(data)
        if len(data) == 0:
            return np.zeros((0, len(self.output_names)), dtype=np.float32)
        return self._columns((data.values, data.offsets, data.event_values, None, None))

    def _check_features(self, data: Sequences) -> None:
        for what in ("feature_names", "event_feature_names"):
            found, expected = getattr(data, what), getattr(self, what)
            if found == expected:
                continue
            missing = [name for name in expected if name not in found]
            hint = (
                f"; '{missing[0]}' is missing, {near_miss(missing[0], found)}"
                if missing
                else "; only the order differs"
            )
            raise InputError(
                f"{data.source}: the events have {what} {', '.join(found) or 'none'}, the model was trained on "
                f"{', '.join(expected) or 'none'}{hint if expected else ''}"
            )

    def save(self, path: str | os.PathLike[str], title: str = "LSTM") -> None:
        """Write the model to a TMVA weights file; an earlier file is replaced only when the new one is on disk.

        Parameters
        ----------
        path : path
            The file; by TMVA's custom called ``<job>_<title>.weights.xml``.
        title : str
            The method's title in TMVA.

        Raises
        ------
        LSTMError
            The model is not trained.
        OutputError
            The file cannot be written; an earlier one is untouched.
        """
        from .model_document import document_of
        from .model_file import write_model_file

        if self._trainer is None:
            raise LSTMError("the model is not trained yet, so there is nothing to save; call fit first")
        if self._document is not None and dict(self._document.recipe[1]).get("Format") == "tmva":
            raise OptionError(
                "this model was trained in TMVA, and its file names TMVA's variables; copy the file instead"
            )
        # a model that was read is written as it was: it has no training data to make probes from
        document = self._document if self._document is not None else document_of(self)
        write_model_file(path, document, title=title)
