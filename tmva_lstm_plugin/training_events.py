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
from .preprocessing import FeatureSummary, StandardisationFit
from .sequences import Sequences

if TYPE_CHECKING:
    from .streaming import SequenceStream

__all__ = ["MemoryEvents", "Prepared", "StreamEvents", "as_arrays"]

_log = logging.getLogger("tmva_lstm_plugin")

PROBES = 16
"""Events stored in a model file with their scores."""
PROBE_STEPS = 256
"""Longest sequence that is stored so."""


def as_arrays(events: Sequences, *, use_weights: bool = True) -> tuple[Any, ...]:
    """Return what the engine takes: values, offsets, event values, labels, weights."""
    return events.values, events.offsets, events.event_values, events.labels, events.weights if use_weights else None


@dataclass(frozen=True, eq=False)
class Prepared:
    """What is known of the events before the first epoch.

    Attributes
    ----------
    features, event_features : FeatureSummary
        Over the training part.
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
    probes: Sequences
    weight_scale: float
    longest: int
    figures: dict[str, Any]


class _Roles:
    """Which events train and which validate; the same for events in memory and streamed."""

    def __init__(
        self,
        labels: NDArray[np.int32] | None,
        weights: NDArray[np.float64] | None,
        lengths: NDArray[np.int64],
        class_names: tuple[str, ...],
        source: str,
        *,
        fraction: float,
        seed: int,
    ) -> None:
        if labels is None:
            raise InputError(f"{source}: the events have no labels, so there is nothing to learn; give labels (label=)")
        used = np.ones(len(labels), dtype=bool) if weights is None else weights != 0
        counts = np.bincount(labels[used], minlength=len(class_names))
        found = ", ".join(f"{count} {name}" for name, count in zip(class_names, counts, strict=True))
        if np.count_nonzero(counts) < 2:
            raise InputError(
                f"{source}: a classifier needs events of at least two classes, found {found}"
                f"{'' if weights is None else ' with a weight other than 0'}; check the label and the selection"
            )
        validates = np.zeros(len(labels), dtype=bool)
        validates[used] = _engine.draw_validation(labels[used], int(used.sum()), len(class_names), fraction, seed) == 1
        self.trains = used & ~validates
        self.validates = validates
        trained = np.bincount(labels[self.trains], minlength=len(class_names))
        if np.any((trained == 0) & (counts > 0)):
            name = class_names[int(np.flatnonzero((trained == 0) & (counts > 0))[0])]
            raise InputError(
                f"{source}: validation_fraction={fraction} leaves no event of class '{name}' to train on (found {found}); "
                "give more events or a smaller fraction"
            )
        self.longest = int(lengths[self.trains].max(initial=0))
        self.weight_scale = 1.0
        self.figures: dict[str, Any] = {
            "training_events": int(self.trains.sum()),
            "validation_events": int(validates.sum()),
            "class_counts": {name: int(n) for name, n in zip(class_names, trained, strict=True)},
            "weighted": weights is not None,
        }
        if weights is not None:
            self._weigh(labels, weights, class_names, source)

    def _weigh(
        self, labels: NDArray[np.int32], weights: NDArray[np.float64], class_names: tuple[str, ...], source: str
    ) -> None:
        for index, name in enumerate(class_names):
            of_class = weights[self.trains & (labels == index)]
            if len(of_class) and of_class.sum() <= 0:
                raise InputError(
                    f"{source}: the weights of class '{name}' sum to {of_class.sum():.6g} over {len(of_class)} training "
                    "events, expected a sum above 0; check the weight, or train without weights (use_weights=False)"
                )
        # one event after the other, as the TMVA method sums: numpy's own sum goes in pairs and ends in other last bits
        total = float(np.cumsum(weights[self.trains])[-1])
        self.weight_scale = int(self.trains.sum()) / total
        unused = int((weights == 0).sum())
        negative = weights < 0
        share = float(np.abs(weights[negative]).sum() / np.abs(weights).sum())
        self.figures |= {
            "weight_zero_events": unused,
            "weight_negative_events": int(negative.sum()),
            "weight_negative_share": share,
        }
        if negative.any():
            _log.warning(
                "%s: %d of %d events have a negative weight, %.3g %% of the sum of |weight|; they are kept with their sign",
                source, int(negative.sum()), len(weights), 100 * share,
            )  # fmt: skip
        if unused:
            _log.warning("%s: %d of %d events have weight 0 and are left out", source, unused, len(weights))


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
    use_weights : bool
        Whether their weights count.
    fraction, seed
        Validation part and where it is drawn from.
    """

    def __init__(self, events: Sequences, *, use_weights: bool, fraction: float, seed: int) -> None:
        self.events = events
        self.use_weights = use_weights and events.weights is not None
        weights = events.weights if self.use_weights else None
        self._roles = _Roles(
            events.labels, weights, events.lengths, events.class_names, events.source, fraction=fraction, seed=seed
        )

    def prepare(self, check: Callable[[], None], seen: Callable[[Sequences], None] = _not_looked_at) -> Prepared:
        """Fit the standardisation and choose the probes; `check` may raise to stop, `seen` is called with all events."""
        check()
        seen(self.events)
        roles = self._roles
        fit = StandardisationFit(self.events.n_features, self.events.n_event_features)
        fit.add(self.events, roles.trains)
        return Prepared(
            *fit.result(), _probes(self.events, None), roles.weight_scale, roles.longest, dict(roles.figures)
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
        arrays = as_arrays(self.events, use_weights=self.use_weights)
        return str(trainer.fit_memory(arrays, train, validate, shuffle, keep_going, epoch_done, control or {}))


class StreamEvents:
    """Events read from ROOT files a chunk at a time.

    Before the first epoch the stream is gone through twice: once for labels, weights and lengths, which decide what each
    event is for, once for the standardisation and the validation part, which is then kept.  Memory: on top of the
    stream's own limit (a chunk in work and the one before), the validation part takes at most a quarter of it, the shuffle
    buffer a quarter, twice that while it is put together; labels, weights and lengths take some 22 bytes an event.

    Parameters
    ----------
    stream : SequenceStream
        The stream.
    use_weights : bool
        Whether event weights count.
    fraction, seed
        Validation part and where it is drawn from.
    check : callable
        Called between chunks; may raise to stop.
    """

    def __init__(
        self,
        stream: SequenceStream,
        *,
        use_weights: bool,
        fraction: float,
        seed: int,
        check: Callable[[], None],
    ) -> None:
        self.stream = stream
        self.use_weights = use_weights and stream.has_weights
        self._seed = seed
        self._shuffle = True
        self._buffer_bytes = stream.memory_limit // 4
        self._source = f"{stream.files[0]}{' and others' if len(stream.files) > 1 else ''}"
        labels, weights, lengths, sizes, nbytes = [], [], [], [], 0
        self._longest = (0, 0)
        for chunk in stream:
            check()
            sizes.append(len(chunk))
            nbytes += chunk.values.nbytes
            if len(chunk) == 0:
                continue
            if chunk.labels is None:
                raise InputError(
                    f"{self._source}: the events have no labels, so there is nothing to learn; give label="
                )
            labels.append(chunk.labels)
            lengths.append(chunk.lengths)
            at = int(np.argmax(chunk.lengths))
            if int(chunk.lengths[at]) > self._longest[0]:
                self._longest = int(chunk.lengths[at]), int(chunk.entries[at]) if chunk.entries is not None else at
            if self.use_weights and chunk.weights is not None:
                weights.append(chunk.weights)
        if not labels:
            raise InputError(f"{self._source}: the selection leaves none of {stream.n_entries} entries; loosen it")
        if fraction * nbytes > self._buffer_bytes:
            capped = self._buffer_bytes / nbytes
            _log.warning(
                "%s: a validation part of %.3g would not fit into a quarter of the stream's memory limit; %.3g is used",
                self._source, fraction, capped,
            )  # fmt: skip
            fraction = capped
        self._roles = _Roles(
            np.concatenate(labels),
            np.concatenate(weights) if self.use_weights else None,
            np.concatenate(lengths),
            stream.class_names,
            self._source,
            fraction=fraction,
            seed=seed,
        )
        self._first = np.concatenate([[0], np.cumsum(sizes)])
        self._validation: Sequences | None = None
        self._portions: Iterator[tuple[tuple[Any, ...], NDArray[np.int64]]] = iter(())

    def prepare(self, check: Callable[[], None], seen: Callable[[Sequences], None] = _not_looked_at) -> Prepared:
        """Fit the standardisation, keep the validation part and choose the probes; `seen` is called with each chunk."""
        fit: StandardisationFit | None = None
        probes: Sequences | None = None
        validation = []
        for i, chunk in enumerate(self.stream):
            check()
            seen(chunk)
            fit = fit or StandardisationFit(chunk.n_features, chunk.n_event_features)
            part = slice(self._first[i], self._first[i + 1])
            fit.add(chunk, self._roles.trains[part])
            if probes is None or len(probes) < PROBES:
                probes = _probes(chunk, probes)
            kept = chunk[np.flatnonzero(self._roles.validates[part])]
            if len(kept):
                validation.append(kept)
        assert fit is not None  # there are events: __init__ saw them
        assert probes is not None
        self._validation = Sequences.concatenate(validation) if validation else None
        roles = self._roles
        return Prepared(*fit.result(), probes, roles.weight_scale, roles.longest, dict(roles.figures))

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
            validation = as_arrays(self._validation, use_weights=self.use_weights)
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
                yield as_arrays(events, use_weights=self.use_weights), np.ascontiguousarray(picked[:whole])
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
