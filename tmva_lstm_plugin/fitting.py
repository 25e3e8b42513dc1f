"""One call of ``fit``: its epochs and callbacks, its checkpoints, and how it ends."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__, _engine
from .architecture import layer_widths
from .callbacks import StopTraining, epoch_functions
from .checkpoint import Checkpoint, DataDigest, differences, read_checkpoint, write_checkpoint
from .control import parse_seconds
from .errors import CheckpointError, OptionError, OutputError
from .files import check_writable_folder
from .history import EpochRecord, History
from .interruption import StopRequest
from .model_options import MODEL_OPTIONS

if TYPE_CHECKING:
    from .sequence_model import SequenceModel
    from .sequences import Sequences
    from .streaming import SequenceStream
    from .training_events import MemoryEvents, StreamEvents

__all__ = ["HOW_IT_IS_RUN", "Fitting"]

_log = logging.getLogger("tmva_lstm_plugin")

HOW_IT_IS_RUN = ("n_threads", "memory_limit", "max_time", "checkpoint_epochs", "checkpoint_minutes")
"""Parameters that change how long a training takes and where it is interrupted, and not what comes out."""

_MINUTES = 10.0  # between two checkpoints, where nothing is said


class Fitting:
    """A training under way.

    Parameters
    ----------
    model : SequenceModel
        What is trained; its history is kept up to date.
    progress : callable, optional
        Called with an `EpochRecord` after each epoch.
    callbacks : iterable
        See :func:`tmva_lstm_plugin.callbacks.epoch_functions`.
    checkpoint, resume : path, optional
        Where the state is kept, and where it is taken from.

    Attributes
    ----------
    resumed_epochs : int
        Complete epochs of the checkpoint.

    Raises
    ------
    OptionError
        Callbacks that are none, or options of checkpoints without a file for them.
    OutputError
        The checkpoint cannot be written.
    CheckpointError
        A checkpoint that cannot be read, or of another training.
    """

    def __init__(
        self,
        model: SequenceModel,
        *,
        progress: Callable[[EpochRecord], object] | None,
        callbacks: Iterable[Any],
        checkpoint: str | os.PathLike[str] | None,
        resume: str | os.PathLike[str] | None,
    ) -> None:
        self._model = model
        self._progress = progress
        self._callbacks = epoch_functions(callbacks)
        self._path = checkpoint if checkpoint is not None else resume
        self._started = time.perf_counter()
        self._began = self._started
        self._error: BaseException | None = None
        self._ended_by_callback = False
        self.resumed_epochs = 0
        asked = [name for name in ("checkpoint_epochs", "checkpoint_minutes") if getattr(model, name) is not None]
        if asked and self._path is None:
            raise OptionError(
                f"{asked[0]} is given, but no file for it; call fit(..., checkpoint='FILE'), or drop {asked[0]}"
            )
        self._resumed = None if resume is None else read_checkpoint(resume)
        self._resumed_from = "" if resume is None else f"checkpoint '{os.fspath(resume)}'"
        self._facts: dict[str, Any] = {
            "model": type(model).__name__,
            "options": {k: v for k, v in model.get_params().items() if k not in HOW_IT_IS_RUN}
            | {"hidden": layer_widths(model.hidden)},
            "version": __version__,
            "instruction_set": _engine.instruction_set(),
        }
        self._refuse_differences()
        if self._path is not None:
            check_writable_folder(Path(self._path).parent, purpose="the checkpoint")
        self._digest = DataDigest(bool(model.use_weights))

    def _refuse_differences(self) -> None:
        if self._resumed is None:
            return
        epochs = self._resumed.history["epoch"]
        defaults = {name: option.default for name, option in MODEL_OPTIONS.items()}
        wrong = list(differences(self._resumed.facts, self._facts, defaults, epochs[-1] if epochs else 0))
        if wrong:
            raise CheckpointError(
                f"{self._resumed_from} is of another training: {'; '.join(wrong)}. Resume with the options and events it was "
                "made with, or train from the beginning"
            )

    def seen(self, events: Sequences) -> None:
        """Take note of the next events, while they are gone through for the first time."""
        if self._path is not None:
            self._digest.add(events)

    def train(
        self, events: MemoryEvents | StreamEvents, data: Sequences | SequenceStream, trainer: Any, stop: StopRequest
    ) -> str | None:
        """Run the epochs.

        Parameters
        ----------
        events : MemoryEvents or StreamEvents
            The events, prepared.
        data : Sequences or SequenceStream
            Where they come from.
        trainer : Trainer of the compiled core
            It is as it has been set up.
        stop : StopRequest
            Whether a signal has come.

        Returns
        -------
        str or None
            What ended the training early, if anything: ``"early stopping"``, ``"max_time"``, ``"callback"`` or a signal.

        Raises
        ------
        CheckpointError
            The checkpoint is of other events.
        """
        model = self._model
        model.history = History.of_monitor(model.monitor)
        if self._path is not None:
            self._facts["data"] = self._digest.facts(data)
        if self._resumed is not None:
            self._refuse_differences()
            self._take_up(trainer)
        self._began = time.perf_counter()

        def epoch_done(result: Any) -> bool:
            record = self._record(result)
            model.history.append(record)
            return self._tell(record) and stop.signal_name is None

        reason = events.fit(trainer, bool(model.shuffle), lambda: stop.signal_name is None, epoch_done, self._control())
        if reason == "interrupted":
            return "callback" if self._ended_by_callback else stop.signal_name
        return None if reason == "all epochs" else reason

    def raise_error(self) -> None:
        """Raise what a callback has raised, if one has: the training has come to its end in good order meanwhile."""
        if self._error is not None:
            raise self._error

    def _take_up(self, trainer: Any) -> None:
        assert self._resumed is not None
        try:
            trainer.set_state(self._resumed.state)
        except ValueError as error:
            raise CheckpointError(f"{self._resumed_from} cannot be used: {error}") from error
        self._model.history = History({name: list(values) for name, values in self._resumed.history.items()})
        self.resumed_epochs = len(self._model.history)
        for name in ("version", "instruction_set"):
            before, now = self._resumed.facts[name], self._facts[name]
            if before != now:
                _log.warning(
                    "%s was made with %s %s, this is %s: the training goes on, and may end in other last bits",
                    self._resumed_from, name.replace("_", " "), before, now,
                )  # fmt: skip

    def _record(self, result: Any) -> EpochRecord:
        now = time.perf_counter()
        seconds, self._began = now - self._began, now
        return EpochRecord(
            epoch=result.epoch,
            epochs=int(self._model.epochs),
            loss=result.loss,
            validation_loss=result.validation_loss,
            learning_rate=result.learning_rate,
            seconds=seconds,
            events_per_second=result.events / seconds,
            best=result.best,
            monitor=self._model.monitor,
            monitored=result.monitored,
        )

    def _tell(self, record: EpochRecord) -> bool:
        """Tell progress and all callbacks of an epoch; False if one of them ends the training."""
        try:
            if self._progress is not None:
                self._progress(record)
            for function in self._callbacks:
                if function(record, self._model) is False:
                    self._ended_by_callback = True
        except StopTraining:
            self._ended_by_callback = True
        except BaseException as error:  # kept until the core has come to its end
            self._error, self._ended_by_callback = error, True
        return not self._ended_by_callback

    def _control(self) -> dict[str, Any]:
        model = self._model
        control: dict[str, Any] = {}
        if model.max_time is not None:
            control["max_seconds"] = max(0.0, parse_seconds(model.max_time) - (time.perf_counter() - self._started))
        if self._path is not None:
            minutes = model.checkpoint_minutes
            if minutes is None and model.checkpoint_epochs is None:
                minutes = _MINUTES
            if minutes is not None:
                control["checkpoint_seconds"] = 60.0 * minutes
            control |= {"save": self._save, "checkpoint_epochs": model.checkpoint_epochs or 0}
        return control

    def _save(self, state: bytes) -> None:
        assert self._path is not None
        try:
            write_checkpoint(self._path, Checkpoint(self._facts, self._model.history.columns, state))
        except OutputError as error:  # hours of training are worth more than this file
            _log.warning("%s; the training goes on", error)
