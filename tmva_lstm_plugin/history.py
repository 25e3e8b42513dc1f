"""What a training says of itself: a record an epoch, and the history of all of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["EpochRecord", "History"]


@dataclass(frozen=True)
class EpochRecord:
    """One epoch of a training, as given to a progress callback.

    Attributes
    ----------
    epoch, epochs : int
        This epoch, from 1, and how many are planned.
    loss : float
        Mean cross entropy over the epoch's batches, while the weights moved.
    validation_loss : float
        Mean cross entropy over the validation part after the epoch; NaN without one.
    learning_rate : float
        Of the epoch's last batch.
    seconds : float
        Time the epoch took.
    events_per_second : float
        Training events over that time.
    best : bool
        Whether the validation loss is the best so far.
    """

    epoch: int
    epochs: int
    loss: float
    validation_loss: float
    learning_rate: float
    seconds: float
    events_per_second: float
    best: bool


@dataclass
class History:
    """How a training went.

    Attributes
    ----------
    columns : dict of list
        ``epoch``, ``loss``, ``validation_loss`` (NaN without validation) and ``learning_rate``, one entry an epoch.  In models
        of earlier versions the last is missing.
    """

    columns: dict[str, list[Any]] = field(
        default_factory=lambda: {"epoch": [], "loss": [], "validation_loss": [], "learning_rate": []}
    )

    def __len__(self) -> int:
        return len(self.columns["epoch"])

    @property
    def best_epoch(self) -> int | None:
        """The epoch with the best validation loss, whose weights were kept; the last one without validation."""
        losses = self.columns["validation_loss"]
        if not losses:
            return None
        if math.isnan(losses[-1]):
            return int(self.columns["epoch"][-1])
        return int(self.columns["epoch"][int(np.argmin(losses))])

    def append(self, record: EpochRecord) -> None:
        """Add an epoch."""
        for name, values in self.columns.items():
            values.append(getattr(record, name))
