"""One trial of a search: a training up to some epoch, judged on events of its own, and what is kept of it on disk.

Every file is named by trial and epoch, so nothing is ever mixed; the result, a JSON file, is written last.  A trial goes on
from the checkpoint of an earlier rung and ends in the same bits as one that was never stopped.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pickle
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import LSTMError, OutputError
from .files import write_text
from .sequences import Sequences
from .study_figures import figures_of

if TYPE_CHECKING:
    from .sequence_model import SequenceModel

__all__ = ["TrialResult", "fingerprint", "load_events", "read_result", "run_trial", "store_events"]


@dataclass(frozen=True)
class TrialResult:
    """What came out of a trial.

    Attributes
    ----------
    trial : int
        Its number, from 0.
    epochs : int
        How many epochs it was given.
    options : dict
        What was searched for, as drawn.
    figures : dict of str to float
        Of the events it was judged on, see :func:`tmva_lstm_plugin.study_figures.figures_of`; empty for a failed trial.
    stopped_by : str or None
        ``"early stopping"`` or ``"max_time"``, where one of these ended it before.
    seconds : float
        Time of the training, of all its rungs.
    error : str
        Why it failed; empty if it did not.
    """

    trial: int
    epochs: int
    options: dict[str, Any]
    figures: dict[str, float]
    stopped_by: str | None = None
    seconds: float = 0.0
    error: str = ""


def _stem(folder: Path, trial: int, epochs: int) -> Path:
    return folder / f"trial_{trial:04d}_epoch_{epochs:05d}"


def model_path(folder: Path, trial: int, epochs: int) -> Path:
    """Return where the model of a trial is."""
    return _stem(folder, trial, epochs).with_suffix(".weights.xml")


def read_result(folder: Path, trial: int, epochs: int) -> TrialResult | None:
    """Return the result of a trial that is on disk with its model, or None."""
    path = _stem(folder, trial, epochs).with_suffix(".json")
    try:
        result = TrialResult(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise OutputError(
            f"the result of trial {trial} in '{path}' cannot be read: {error}; delete it to train again"
        ) from error
    return result if result.error or model_path(folder, trial, epochs).exists() else None


def _write_result(folder: Path, result: TrialResult) -> None:
    text = json.dumps(dataclasses.asdict(result), indent=1) + "\n"
    write_text(_stem(folder, result.trial, result.epochs).with_suffix(".json"), text, purpose="the result of a trial")


def _earlier(folder: Path, trial: int, epochs: int) -> tuple[TrialResult | None, Path | None]:
    """Return the latest earlier result of a trial and its checkpoint, if there is one to go on from."""
    for path in sorted(folder.glob(f"trial_{trial:04d}_epoch_*.json"), reverse=True):
        before = int(path.stem.rsplit("_", 1)[1])
        checkpoint = path.with_suffix(".checkpoint")
        if before < epochs and checkpoint.exists():
            result = read_result(folder, trial, before)
            if result is not None and not result.error:
                return result, checkpoint
    return None, None


def run_trial(
    folder: Path,
    events: tuple[Sequences, Sequences],
    trial: int,
    epochs: int,
    options: Mapping[str, Any],
    searched: tuple[str, ...],
    n_threads: int,
    kind: type[SequenceModel],
) -> TrialResult | str:
    """Train one trial up to an epoch and judge it.

    Parameters
    ----------
    folder : Path
        Where trials are kept.
    events : (Sequences, Sequences)
        To train on, and to be judged on.
    trial, epochs : int
        Which trial, and up to which epoch of the training that its options describe.
    options : mapping of str to object
        All options.
    searched : tuple of str
        Which of them were searched for.
    n_threads : int
        Threads; they change nothing but the time.
    kind : type
        LSTMClassifier or LSTMRegressor.

    Returns
    -------
    TrialResult or str
        It is on disk; or the name of the signal that came, and nothing is.
    """
    train, judged = events
    model = kind(**dict(options) | {"n_threads": n_threads})
    before, checkpoint = _earlier(folder, trial, epochs)
    stem = _stem(folder, trial, epochs)
    varied = {name: options[name] for name in searched}
    started = time.perf_counter()
    target = stem.with_suffix(".checkpoint")

    def enough(record: Any, _: Any) -> bool:
        return bool(record.epoch < epochs)

    error = ""
    figures: dict[str, float] = {}
    stopped_by: str | None = None
    try:
        model.fit(train, callbacks=[enough], checkpoint=target, resume=checkpoint)
        if model.stopped_by in ("SIGINT", "SIGTERM"):
            return str(model.stopped_by)
        stopped_by = None if model.stopped_by == "callback" else model.stopped_by
        truth = judged.targets if model.regression else judged.labels
        assert truth is not None  # checked before the first trial
        figures, _ = figures_of(model, model.outputs(judged), truth, judged.weights)
        model.save(model_path(folder, trial, epochs))
    except OutputError:
        raise
    except LSTMError as failure:
        error = str(failure)
    seconds = time.perf_counter() - started + (0.0 if before is None else before.seconds)
    result = TrialResult(trial, epochs, varied, figures, stopped_by, seconds, error)
    _write_result(folder, result)
    if checkpoint is not None:
        with suppress(OSError):
            checkpoint.unlink()
    return result


def fingerprint(events: Sequences) -> str:
    """Return a checksum of all that events consist of."""
    digest = hashlib.sha256()
    for field in dataclasses.fields(events):
        value = getattr(events, field.name)
        if isinstance(value, np.ndarray):
            digest.update(f"{field.name} {value.dtype} {value.shape}".encode())
            digest.update(np.ascontiguousarray(value).view(np.uint8).data)
        elif field.name.endswith("_names"):
            digest.update(f"{field.name} {value}".encode())
    return digest.hexdigest()


def store_events(folder: Path, name: str, events: Sequences) -> None:
    """Write events for :func:`load_events`: arrays that processes map into memory, so that all share one copy."""
    folder.mkdir(parents=True, exist_ok=True)
    rest = {}
    for field in dataclasses.fields(events):
        value = getattr(events, field.name)
        if isinstance(value, np.ndarray):
            np.save(folder / f"{name}_{field.name}.npy", value)
        else:
            rest[field.name] = value
    (folder / f"{name}.pickle").write_bytes(pickle.dumps(rest))


def load_events(folder: Path, name: str) -> Sequences:
    """Map events that :func:`store_events` of the same search wrote."""
    values = pickle.loads((folder / f"{name}.pickle").read_bytes())
    for field in dataclasses.fields(Sequences):
        path = folder / f"{name}_{field.name}.npy"
        if field.name not in values:
            array = np.load(path, mmap_mode="r")
            values[field.name] = array
    return Sequences(**values)
