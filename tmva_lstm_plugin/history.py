"""What a training says of itself: a record an epoch, and the history of all of them."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .files import write_text

__all__ = ["EpochRecord", "History"]

_ALWAYS = ("epoch", "loss", "validation_loss", "learning_rate")


@dataclass(frozen=True)
class EpochRecord:
    """One epoch of a training, as given to progress and callbacks.

    Attributes
    ----------
    epoch, epochs : int
        This epoch, from 1, and how many are planned.
    loss : float
        Mean loss over the epoch's batches, while the weights moved.
    validation_loss : float
        Mean loss over the validation part after the epoch; NaN without one.
    learning_rate : float
        Of the epoch's last batch.
    seconds : float
        Time the epoch took.
    events_per_second : float
        Training events over that time.
    best : bool
        Whether what is monitored is the best so far.
    monitor : {"loss", "auc", "accuracy"}
        What is monitored, of the validation part.
    monitored : float
        Its value after the epoch; NaN without a validation part.
    """

    epoch: int
    epochs: int
    loss: float
    validation_loss: float
    learning_rate: float
    seconds: float
    events_per_second: float
    best: bool
    monitor: str = "loss"
    monitored: float = math.nan


@dataclass
class History:
    """How a training went.

    Attributes
    ----------
    columns : dict of list
        ``epoch``, ``loss``, ``validation_loss`` (NaN without validation) and ``learning_rate``, one entry an epoch; where
        another figure than the loss was monitored, ``validation_auc`` or ``validation_accuracy`` as well.  In models
        of earlier versions the learning rate is missing.
    """

    columns: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in _ALWAYS})

    @classmethod
    def of_monitor(cls, monitor: str) -> History:
        """Return an empty history with the columns of a training that monitors this."""
        return cls({name: [] for name in (*_ALWAYS, *([] if monitor == "loss" else [f"validation_{monitor}"]))})

    def __len__(self) -> int:
        return len(self.columns["epoch"])

    @property
    def monitor(self) -> str:
        """What was monitored: ``"loss"``, ``"auc"`` or ``"accuracy"``."""
        return next((name for name in ("auc", "accuracy") if f"validation_{name}" in self.columns), "loss")

    @property
    def best_epoch(self) -> int | None:
        """The epoch with the best figure of those monitored, whose weights were kept; the last one without validation."""
        figures = np.array(self.columns[f"validation_{self.monitor}"], dtype=np.float64)
        if not len(figures):
            return None
        if math.isnan(figures[-1]):
            return int(self.columns["epoch"][-1])
        best = np.nanargmin(figures) if self.monitor == "loss" else np.nanargmax(figures)
        return int(self.columns["epoch"][int(best)])

    def append(self, record: EpochRecord) -> None:
        """Add an epoch."""
        for name, values in self.columns.items():
            known = name in _ALWAYS
            values.append(getattr(record, name) if known else record.monitored)

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the history as a table: a line with the names of the columns, then one an epoch, with commas between.

        Numbers are written so that they are read back exactly; what is not known is ``nan``.

        Parameters
        ----------
        path : path
            The file; an earlier one is replaced when the new one is on disk.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        rows = [self.columns, *zip(*self.columns.values(), strict=True)]
        lines = [",".join(value if isinstance(value, str) else repr(value) for value in row) for row in rows]
        return write_text(path, "\n".join(lines) + "\n", purpose="the history of the training")
