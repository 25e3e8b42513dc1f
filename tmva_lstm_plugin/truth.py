"""What a model is to learn of events: classes or targets, one for the event or one for each of its steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .sequences import Sequences

if TYPE_CHECKING:
    from .streaming import SequenceStream

__all__ = ["Truth", "labelled_steps"]


@dataclass(frozen=True)
class Truth:
    """Finds in events what a model is to learn.

    Attributes
    ----------
    regression : bool
        Whether targets are learnt, not classes.
    every_step : bool
        Whether each step has its own.
    """

    regression: bool
    every_step: bool = False

    def labels(self, events: Sequences) -> NDArray[np.int32] | None:
        """Return the classes, (N,) or (S,); None in a regression."""
        if self.regression:
            return None
        return events.step_labels if self.every_step else events.labels

    def targets(self, events: Sequences) -> NDArray[np.float32] | None:
        """Return the targets in their own units, (N, K) or (S, K); None where classes are learnt."""
        if not self.regression:
            return None
        return events.step_targets if self.every_step else events.targets

    def class_names(self, data: Sequences | SequenceStream) -> tuple[str, ...]:
        """Return the names of the classes."""
        return tuple(data.step_class_names if self.every_step else data.class_names)

    def target_names(self, data: Sequences | SequenceStream) -> tuple[str, ...]:
        """Return the names of the targets; none where classes are learnt."""
        if not self.regression:
            return ()
        return tuple(data.step_target_names if self.every_step else data.target_names)

    def counts(self, events: Sequences) -> NDArray[np.int64] | None:
        """Return how many steps of each event are of each class, (N, classes), or have targets, (N, 1); None for events."""
        if not self.every_step:
            return None
        if self.regression:
            assert events.step_targets is not None  # checked
            return labelled_steps(np.isfinite(events.step_targets[:, 0]).astype(np.int32) - 1, events.offsets, 1)
        assert events.step_labels is not None
        return labelled_steps(events.step_labels, events.offsets, len(events.step_class_names))

    def check(self, events: Sequences, source: str) -> None:
        """Find out whether there is something to learn.

        Parameters
        ----------
        events : Sequences
            The events.
        source : str
            Where they come from, for messages.

        Raises
        ------
        InputError
            They have none of what is to be learnt; the message says what they have, and what to do.
        """
        what = "targets" if self.regression else "labels"
        if (self.targets if self.regression else self.labels)(events) is not None:
            return
        if self.every_step:
            raise InputError(
                f"{source}: the events have no {what} of their steps, which every_step=True is to learn; give them, "
                f"fit(events, y) with one a step, or with_step_{what}(events, y)"
            )
        of_steps = events.step_targets if self.regression else events.step_labels
        if of_steps is not None:
            raise InputError(
                f"{source}: the events have {what} of their steps only; take every_step=True to learn one a step, or give "
                f"{what} of the events"
            )
        if self.regression:
            raise InputError(
                f"{source}: the events have no targets, so there is nothing to learn; give targets (targets=), or use "
                "LSTMClassifier for classes"
            )
        hint = "; for their targets use LSTMRegressor" if events.targets is not None else ""
        raise InputError(
            f"{source}: the events have no labels, so there is nothing to learn; give labels (label=){hint}"
        )


def labelled_steps(labels: NDArray[np.int32], offsets: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Count the steps of each class in each event.

    Parameters
    ----------
    labels : ndarray of int32, shape (S,)
        The class of each step; below 0 where it is masked.
    offsets : ndarray of int64, shape (N + 1,)
        Where each event's steps begin.
    classes : int
        How many classes there are.

    Returns
    -------
    ndarray of int64, shape (N, classes)
    """
    n_events = len(offsets) - 1
    of_step = np.repeat(np.arange(n_events), np.diff(offsets))
    labelled = labels >= 0
    cells = of_step[labelled] * classes + labels[labelled]
    return np.bincount(cells, minlength=n_events * classes).reshape(n_events, classes)
