"""The events of a training: which of them train, which validate, and in what order they come.

`MemoryEvents` holds them all; `StreamEvents` reads them a chunk at a time, every epoch in a new order of chunks and through
a shuffle buffer.  Both prepare a training in the same way, so that the same events in the same order give the same
model, to the bit.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import _engine
from .errors import InputError
from .event_weights import EventWeights
from .preprocessing import FeatureSummary, StandardisationFit
from .sequences import Sequences
from .truth import Truth

if TYPE_CHECKING:
    from .streaming import SequenceStream

__all__ = ["MemoryEvents", "Prepared", "StreamEvents", "as_arrays"]

_log = logging.getLogger("tmva_lstm_plugin")

PROBES = 16
"""Events stored in a model file with their scores."""
PROBE_STEPS = 256
"""Longest sequence that is stored so."""

_NO_TARGETS = FeatureSummary(*(np.zeros(0, dtype=np.float32) for _ in range(4)))


def as_arrays(
    events: Sequences, truth: Truth, weights: NDArray[np.float64] | None, targets: NDArray[np.float32] | None = None
) -> tuple[Any, ...]:
    """Return what the engine takes: values, offsets, event values, labels, weights, standardised targets."""
    return events.values, events.offsets, events.event_values, truth.labels(events), weights, targets


@dataclass(frozen=True, eq=False)
class Prepared:
    """What is known of the events before the first epoch.

    Attributes
    ----------
    features, event_features, targets : FeatureSummary
        Over the training part; in a classification there are no targets.
    probes : Sequences
        The first events that are short enough, to be stored with their scores.
    weight_scale : float
        Factor that makes the mean weight of the training part 1.
    longest : int
        Steps of its longest sequence.
    figures : dict
        For the summary: how many events train and validate, of which class, and their weights.
    """

    features: FeatureSummary
    event_features: FeatureSummary
    targets: FeatureSummary
    probes: Sequences
    weight_scale: float
    longest: int
    figures: dict[str, Any]


class _Roles:
    """Which events train and which validate; the same for events in memory and streamed.

    `labels` are None in a regression.  `weights` are those that count: an event of weight 0 does neither.  Where steps have
    labels or targets, `steps` counts them (N, classes or 1), and an event whose steps are all masked does neither.
    """

    def __init__(
        self,
        labels: NDArray[np.int32] | None,
        weights: NDArray[np.float64] | None,
        lengths: NDArray[np.int64],
        class_names: tuple[str, ...],
        source: str,
        figures: dict[str, Any],
        *,
        fraction: float,
        seed: int,
        steps: NDArray[np.int64] | None = None,
    ) -> None:
        used = np.ones(len(lengths), dtype=bool) if weights is None else weights != 0
        classes = labels is not None if steps is None else steps.shape[1] > 1
        # a regression has one group of events, without a name
        names: tuple[str, ...] = class_names if classes else ("",)
        groups = np.zeros(len(lengths), dtype=np.int32) if labels is None else labels
        what = "events" if steps is None else "steps"
        if steps is not None:
            used &= steps.any(axis=1)

        def counted(events: NDArray[np.bool_]) -> NDArray[np.int64]:
            if steps is not None:
                return np.asarray(steps[events].sum(axis=0))
            return np.bincount(groups[events], minlength=len(names))

        counts = counted(used)
        found = ", ".join(f"{count} {name or what}" for name, count in zip(names, counts, strict=True))
        weighted = "" if weights is None else " with a weight other than 0"
        if steps is not None and not counts.any():
            raise InputError(
                f"{source}: all {int(lengths.sum())} steps of {len(lengths)} events{weighted} are masked, so there is nothing "
                f"to learn; give some of them a {'label of 0 or above' if classes else 'target that is a number'}"
            )
        if not classes and counts[0] < 2:
            raise InputError(f"{source}: a regression needs at least 2 {what}{weighted}, found {found}")
        if classes and np.count_nonzero(counts) < 2:
            raise InputError(
                f"{source}: a classifier needs {what} of at least two classes, found {found}{weighted}; check the label "
                "and the selection"
            )
        validates = np.zeros(len(lengths), dtype=bool)
        drawn = _engine.draw_validation(groups[used], int(used.sum()), len(names), fraction, seed)
        validates[used] = drawn == 1
        self.trains = used & ~validates
        self.validates = validates
        trained = counted(self.trains)
        if np.any((trained == 0) & (counts > 0)):
            name = names[int(np.flatnonzero((trained == 0) & (counts > 0))[0])]
            raise InputError(
                f"{source}: validation_fraction={fraction} leaves no {what[:-1]} {f'of class {name!r} ' if name else ''}to train "
                f"on (found {found}); give more events or a smaller fraction"
            )
        self.longest = int(lengths[self.trains].max(initial=0))
        self.weight_scale = 1.0
        self.figures: dict[str, Any] = {
            "training_events": int(self.trains.sum()),
            "validation_events": int(validates.sum()),
            "weighted": weights is not None,
        } | figures
        if steps is not None:  # those that are not masked
            self.figures["training_steps"] = int(trained.sum())
            self.figures["validation_steps"] = int(counted(validates).sum())
        if classes:
            self.figures["class_counts"] = {name: int(n) for name, n in zip(names, trained, strict=True)}
        if weights is not None:
            self._scale(groups, weights, names, source, steps)

    def _scale(
        self,
        groups: NDArray[np.int32],
        weights: NDArray[np.float64],
        names: tuple[str, ...],
        source: str,
        steps: NDArray[np.int64] | None,
    ) -> None:
        own = weights[self.trains]
        for index, name in enumerate(names):
            rows = groups[self.trains] == index if steps is None else steps[self.trains, index]  # of each event
            total, count = float((own * rows).sum()), int(rows.sum())
            if count and total <= 0:
                raise InputError(
                    f"{source}: the weights {f'of class {name!r} ' if name else ''}sum to {total:.6g} over "
                    f"{count} training {'events' if steps is None else 'steps'}, expected a sum above 0; check the weight, or "
                    "train without weights (use_weights=False)"
                )
        every = np.ones(len(own), dtype=np.int64) if steps is None else steps[self.trains].sum(axis=1)
        # one event after the other, as the TMVA method sums: numpy's own sum goes in pairs and ends in other last bits
        self.weight_scale = int(every.sum()) / float(np.cumsum(own * every)[-1])


def _standardised(events: Sequences, summary: FeatureSummary, truth: Truth) -> NDArray[np.float32] | None:
    """Return the targets as the network sees them, (N, K) or (S, K); None in a classification."""
    targets = truth.targets(events)
    if not len(summary.mean) or targets is None:
        return None
    return np.asarray(_engine.standardise_targets(targets, summary.mean, summary.scale))


def _checked_targets(summary: FeatureSummary, names: tuple[str, ...], source: str, truth: Truth) -> FeatureSummary:
    for name, low, high in zip(names, summary.minimum, summary.maximum, strict=False):
        if low == high:
            raise InputError(
                f"{source}: target '{name}' is {low:g} in every {'step' if truth.every_step else 'event'} that trains, so there "
                "is nothing to learn; check its expression and the selection"
            )
    return summary


def _probes(events: Sequences, have: Sequences | None) -> Sequences:
    fit = np.flatnonzero((events.lengths > 0) & (events.lengths <= PROBE_STEPS))
    left = PROBES - (0 if have is None else len(have))
    taken = events[fit[:left]]
    return taken if have is None else Sequences.concatenate([have, taken])


def _not_looked_at(events: Sequences) -> None:
    """Do nothing."""


class MemoryEvents:
    """Events that are all in memory.

    Parameters
    ----------
    events : Sequences
        The events.
    regression, every_step : bool
        Whether targets are learnt, not labels, and whether each step has its own.
    weights : EventWeights
        What their weights become.
    fraction, seed
        Validation part and where it is drawn from.
    """

    def __init__(
        self,
        events: Sequences,
        *,
        regression: bool,
        weights: EventWeights,
        fraction: float,
        seed: int,
        every_step: bool = False,
    ) -> None:
        self.events, self._truth = events, Truth(regression, every_step)
        self._truth.check(events, events.source)
        labels = None if every_step else self._truth.labels(events)
        figures: dict[str, Any] = {}
        names = self._truth.class_names(events)
        self._weights = weights.fit(events.weights, labels, names, events.source, figures)
        self._roles = _Roles(
            labels, self._weights, events.lengths, names, events.source, figures,
            fraction=fraction, seed=seed, steps=self._truth.counts(events),
        )  # fmt: skip
        self._targets: NDArray[np.float32] | None = None

    def prepare(self, check: Callable[[], None], seen: Callable[[Sequences], None] = _not_looked_at) -> Prepared:
        """Fit the standardisation and choose the probes; `check` may raise to stop, `seen` is called with all events."""
        check()
        seen(self.events)
        roles, events = self._roles, self.events
        names = self._truth.target_names(events)
        fit = StandardisationFit(events.n_features, events.n_event_features, len(names))
        fit.add(events, roles.trains, self._truth.targets(events))
        features, event_features, targets = fit.result()
        self._targets = _standardised(events, _checked_targets(targets, names, events.source, self._truth), self._truth)
        probes = _probes(events, None)
        return Prepared(
            features, event_features, targets, probes, roles.weight_scale, roles.longest, dict(roles.figures)
        )

    def longest_event(self) -> tuple[int, int]:
        """Return the steps of the longest sequence of all events, and its entry."""
        longest = int(np.argmax(self.events.lengths))
        entries = self.events.entries
        return int(self.events.lengths[longest]), longest if entries is None else int(entries[longest])

    def fit(
        self, trainer: Any, shuffle: bool, keep_going: Any, epoch_done: Any, control: dict[str, Any] | None = None
    ) -> str:
        """Run the core's training loop."""
        train, validate = np.flatnonzero(self._roles.trains), np.flatnonzero(self._roles.validates)
        arrays = as_arrays(self.events, self._truth, self._weights, self._targets)
        return str(trainer.fit_memory(arrays, train, validate, shuffle, keep_going, epoch_done, control or {}))


class StreamEvents:
    """Events read from ROOT files a chunk at a time.

    Before the first epoch the stream is gone through twice: once for labels, weights and lengths, which decide what each
    event is for, once for the standardisation and the validation part, which is then kept.  Memory: on top of the
    stream's own limit (a chunk in work and the one before), the validation part takes at most a quarter of it, the shuffle
    buffer a quarter, twice that while it is put together; labels, weights and lengths take some 22 bytes an event, and 8 bytes a
    class more where labels are of steps.

    Parameters
    ----------
    stream : SequenceStream
        The stream.
    regression, every_step : bool
        Whether targets are learnt, not labels, and whether each step has its own.
    weights : EventWeights
        What event weights become.
    fraction, seed
        Validation part and where it is drawn from.
    check : callable
        Called between chunks; may raise to stop.
    """

    def __init__(
        self,
        stream: SequenceStream,
        *,
        regression: bool,
        weights: EventWeights,
        fraction: float,
        seed: int,
        check: Callable[[], None],
        every_step: bool = False,
    ) -> None:
        self.stream = stream
        self._rule, self._truth = weights, Truth(regression, every_step)
        self._seed = seed
        self._shuffle = True
        self._buffer_bytes = stream.memory_limit // 4
        self._source = f"{stream.files[0]}{' and others' if len(stream.files) > 1 else ''}"
        labels, own, lengths, steps, sizes, nbytes = [], [], [], [], [], 0
        self._longest = (0, 0)
        for chunk in stream:
            check()
            sizes.append(len(chunk))
            nbytes += chunk.values.nbytes
            if len(chunk) == 0:
                continue
            self._truth.check(chunk, self._source)
            counts = self._truth.counts(chunk)
            if counts is not None:
                steps.append(counts)
            elif chunk.labels is not None:
                labels.append(chunk.labels)
            lengths.append(chunk.lengths)
            at = int(np.argmax(chunk.lengths))
            if int(chunk.lengths[at]) > self._longest[0]:
                self._longest = int(chunk.lengths[at]), int(chunk.entries[at]) if chunk.entries is not None else at
            if weights.use and chunk.weights is not None:
                own.append(chunk.weights)
        if not lengths:
            raise InputError(f"{self._source}: the selection leaves none of {stream.n_entries} entries; loosen it")
        if fraction * nbytes > self._buffer_bytes:
            capped = self._buffer_bytes / nbytes
            _log.warning(
                "%s: a validation part of %.3g would not fit into a quarter of the stream's memory limit; %.3g is used",
                self._source, fraction, capped,
            )  # fmt: skip
            fraction = capped
        classes = None if regression or every_step else np.concatenate(labels)
        names = self._truth.class_names(stream)
        figures: dict[str, Any] = {}
        counted = weights.fit(np.concatenate(own) if own else None, classes, names, self._source, figures)
        self._roles = _Roles(
            classes, counted, np.concatenate(lengths), names, self._source, figures,
            fraction=fraction, seed=seed, steps=np.concatenate(steps) if every_step else None,
        )  # fmt: skip
        self._targets = _NO_TARGETS
        self._first = np.concatenate([[0], np.cumsum(sizes)])
        self._validation: Sequences | None = None
        self._portions: Iterator[tuple[tuple[Any, ...], NDArray[np.int64]]] = iter(())

    def prepare(self, check: Callable[[], None], seen: Callable[[Sequences], None] = _not_looked_at) -> Prepared:
        """Fit the standardisation, keep the validation part and choose the probes; `seen` is called with each chunk."""
        names = self._truth.target_names(self.stream)
        fit: StandardisationFit | None = None
        probes: Sequences | None = None
        validation = []
        for i, chunk in enumerate(self.stream):
            check()
            seen(chunk)
            fit = fit or StandardisationFit(chunk.n_features, chunk.n_event_features, len(names))
            part = slice(self._first[i], self._first[i + 1])
            fit.add(chunk, self._roles.trains[part], self._truth.targets(chunk))
            if probes is None or len(probes) < PROBES:
                probes = _probes(chunk, probes)
            kept = chunk[np.flatnonzero(self._roles.validates[part])]
            if len(kept):
                validation.append(kept)
        assert fit is not None  # there are events: __init__ saw them
        assert probes is not None
        self._validation = Sequences.concatenate(validation) if validation else None
        roles = self._roles
        features, event_features, targets = fit.result()
        self._targets = _checked_targets(targets, names, self._source, self._truth)
        return Prepared(
            features, event_features, targets, probes, roles.weight_scale, roles.longest, dict(roles.figures)
        )

    def _arrays(self, events: Sequences) -> tuple[Any, ...]:
        # classes of steps have no factors: class_balance is refused for them
        labels = None if self._truth.every_step else self._truth.labels(events)
        weights = self._rule.apply(events.weights, labels)
        return as_arrays(events, self._truth, weights, _standardised(events, self._targets, self._truth))

    def longest_event(self) -> tuple[int, int]:
        """Return the steps of the longest sequence of all events, and its entry."""
        return self._longest

    def fit(
        self, trainer: Any, shuffle: bool, keep_going: Any, epoch_done: Any, control: dict[str, Any] | None = None
    ) -> str:
        """Run the core's training loop, reading ahead while it computes."""
        self._shuffle = shuffle
        validation = None
        if self._validation is not None:
            validation = self._arrays(self._validation)
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tmva-lstm-read")
        try:
            return str(trainer.fit_source(self, validation, keep_going, epoch_done, control or {}))
        finally:
            self._portions = iter(())
            self._reader.shutdown(cancel_futures=True)
            self.stream.close()

    # what the core asks for, see EpochSource in core/trainer.h

    def epoch_events(self) -> int:
        """Return how many events an epoch has."""
        return int(np.count_nonzero(self._roles.trains))

    def begin(self, epoch: int, batch_size: int) -> None:
        """Begin an epoch, in batches of this size."""
        self._portions = self._epoch(epoch, batch_size)

    def next(self) -> tuple[tuple[Any, ...], NDArray[np.int64]] | None:
        """Return the next portion and the order of its events, or None when the epoch is over."""
        return next(self._portions, None)

    def _epoch(self, epoch: int, batch_size: int) -> Iterator[tuple[tuple[Any, ...], NDArray[np.int64]]]:
        order = np.arange(self.stream.n_chunks, dtype=np.int64)
        if self._shuffle:
            order = _engine.shuffled(order, self._seed, "chunks", epoch)
        buffer: list[Sequences] = []
        portion = 0
        for last, chunk in self._chunks(order):
            if len(chunk):
                buffer.append(chunk)
            del chunk
            if not buffer or (not last and sum(part.nbytes for part in buffer) < self._buffer_bytes):
                continue
            events = buffer[0] if len(buffer) == 1 else Sequences.concatenate(buffer)
            buffer = []
            picked = np.arange(len(events), dtype=np.int64)
            if self._shuffle:
                # one stream of draws a portion; the first is that of the same events in memory
                picked = _engine.shuffled(picked, self._seed, "events", epoch + (portion << 20))
            portion += 1
            # only whole batches, so that batches do not depend on the portions; the rest joins the next portion
            whole = len(picked) if last else len(picked) // batch_size * batch_size
            if whole:
                yield self._arrays(events), np.ascontiguousarray(picked[:whole])
            if whole < len(picked):
                buffer = [events[picked[whole:]]]
            del events

    def _chunks(self, order: NDArray[np.int64]) -> Iterator[tuple[bool, Sequences]]:
        """Give the training events of each chunk, reading the next one meanwhile, and whether it is the last."""
        ahead: Future[Sequences] = self._reader.submit(self.stream.read_chunk, int(order[0]))
        for place, i in enumerate(order):
            chunk = ahead.result()
            last = place + 1 == len(order)
            if not last:
                ahead = self._reader.submit(self.stream.read_chunk, int(order[place + 1]))
            mask = self._roles.trains[self._first[i] : self._first[i + 1]]
            yield last, chunk if mask.all() else chunk[np.flatnonzero(mask)]
