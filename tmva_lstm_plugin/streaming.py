"""ROOT files to `Sequences` a piece at a time, within a memory limit: :func:`stream_sequences`."""

from __future__ import annotations

import copy
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError, MemoryLimitError, OptionError
from .event_builder import Counts
from .reading import Source
from .recipe import Recipe, parse_bytes
from .root_input import Files
from .sequences import Sequences

__all__ = ["SequenceStream", "parse_memory_limit", "stream_sequences"]

# What a chunk needs while it is unpacked, evaluated, selected and ordered, measured on trees and RNTuples; the chunk
# before is counted too, since a consumer may hold it.
_UNPACKED_COPIES = 5
_RESULT_COPIES = 5
_BLOCKS_IN_FLIGHT = 8


def parse_memory_limit(limit: int | str) -> int:
    """Return a memory limit in bytes; a stream always has one.

    Parameters
    ----------
    limit : int or str
        As for :func:`tmva_lstm_plugin.recipe.parse_bytes`.

    Returns
    -------
    int

    Raises
    ------
    OptionError
        Not a positive size.
    """
    size = parse_bytes(limit)
    if size is None:
        raise OptionError("memory_limit is None, but a stream needs one; give a size such as '512 MB'")
    return size


def stream_sequences(
    files: Files,
    *,
    tree: str | Mapping[str, str] | None = None,
    features: Any = None,
    event_features: Any = (),
    event_selection: str | None = None,
    element_selection: str | None = None,
    order_by: str | None = None,
    descending: bool = True,
    max_length: int | None = None,
    label: str | Mapping[str, str] | None = None,
    classes: Sequence[str] | None = None,
    weight: str | None = None,
    on_invalid: str = "error",
    recipe: Recipe | None = None,
    memory_limit: int | str = "512 MB",
    with_labels: bool = True,
    steps: Any = None,
    targets: Any = None,
    step_label: str | None = None,
    step_targets: Any = None,
) -> SequenceStream:
    """Prepare to read jagged events from ROOT files a piece at a time.

    Parameters
    ----------
    files, tree, features, event_features, event_selection, element_selection, order_by, descending, max_length
        As for :func:`tmva_lstm_plugin.read_sequences`.
    label, classes, weight, on_invalid, recipe, with_labels, steps, targets, step_label, step_targets
        As for :func:`tmva_lstm_plugin.read_sequences`.
    memory_limit : int or str
        Memory that reading may use at a time, the piece that was read before included.

    Returns
    -------
    SequenceStream

    Raises
    ------
    MemoryLimitError
        The limit is too small for the baskets or clusters of the files.
    MissingNameError, InputError, OptionError
        As for :func:`tmva_lstm_plugin.read_sequences`.
    """
    limit = parse_memory_limit(memory_limit)
    source = Source(
        files,
        tree=tree,
        with_labels=with_labels,
        recipe=recipe,
        options={
            "features": features,
            "event_features": event_features,
            "steps": steps,
            "event_selection": event_selection,
            "element_selection": element_selection,
            "order_by": order_by,
            "descending": descending,
            "max_length": max_length,
            "on_invalid": on_invalid,
        },
        label=label,
        classes=classes,
        weight=weight,
        targets=targets,
        step_label=step_label,
        step_targets=step_targets,
    )
    try:
        return SequenceStream(source, limit)
    except BaseException:
        source.close()
        raise


class SequenceStream:
    """Events of ROOT files, read a piece at a time; made by :func:`stream_sequences`.

    Iterating gives all chunks in the order of the input; joined, they are what `read_sequences` returns.  Use it in a
    ``with`` statement, or call :meth:`close`, to close the file that is kept open between chunks.

    Attributes
    ----------
    feature_names, event_feature_names, class_names, target_names, step_class_names, step_target_names : tuple of str
        As of the `Sequences` of each chunk.
    recipe : Recipe
        How the events are read.
    files : tuple of str
        The files, in order.
    n_entries : int
        Entries of all files, before any selection.
    memory_limit : int
        Bytes that reading may use at a time.
    chunk_bounds : tuple of (int, int)
        First and one past the last entry of each chunk, counted through all files.
    has_labels, has_weights : bool
        Whether the chunks have labels and weights.
    """

    def __init__(self, source: Source, memory_limit: int) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._use: NDArray[np.bool_] | None = None
        self._closing = weakref.finalize(self, source.close)
        self.memory_limit = memory_limit
        self.recipe = source.recipe
        self.feature_names = source.builder.feature_names
        self.event_feature_names = source.builder.event_feature_names
        self.class_names = source.builder.class_names
        self.target_names = tuple(source.builder.targets)
        self.step_class_names = source.builder.step_class_names
        self.step_target_names = tuple(name for name, _ in source.recipe.step_targets) if source.with_labels else ()
        self.files = tuple(dict.fromkeys(item.path for item in source.inputs))
        self.n_entries = source.n_entries
        self.has_labels = source.has_labels
        self.has_weights = source.builder.weight is not None
        self._chunks: list[tuple[int, int, int]] = []
        for index in range(len(source.inputs)):
            self._chunks += [(index, *bounds) for bounds in source.ranges(index, self._largest(index))]
        self.chunk_bounds = tuple((int(source.firsts[i]) + a, int(source.firsts[i]) + b) for i, a, b in self._chunks)

    def _largest(self, index: int) -> int:
        """Return how many entries of input `index` may be read at a time."""
        tree = self._source.opened(index)
        if not tree.n_entries:
            return 1
        name = max(self._source.builder.names, key=tree.block_nbytes)
        # one value needs its whole basket or cluster, packed and unpacked, in each of the reading threads
        blocks = _BLOCKS_IN_FLIGHT * tree.block_nbytes(name)
        if tree.is_ntuple:
            blocks = max(blocks, sum(2 * tree.block_nbytes(n) for n in self._source.builder.names))
        unpacked, result, _ = self._source.size_per_entry(index)
        per_entry = _UNPACKED_COPIES * unpacked + _RESULT_COPIES * result
        whole = per_entry * tree.n_entries
        if whole <= self.memory_limit:
            return tree.n_entries
        if blocks + per_entry > self.memory_limit / 2:
            raise MemoryLimitError(
                f"'{tree}': memory_limit={self.memory_limit} bytes is too small: branch '{name}' is stored in pieces of"
                f" about {tree.block_nbytes(name)} bytes, which have to be unpacked whole; give at least"
                f" {int(2 * (blocks + per_entry)) + 1} bytes"
            )
        return max(1, int((self.memory_limit - blocks) / per_entry))

    def __enter__(self) -> SequenceStream:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file that is open; reading on opens it again."""
        with self._lock:
            self._source.close()

    def __len__(self) -> int:
        return len(self._chunks)

    @property
    def n_chunks(self) -> int:
        """How many chunks there are."""
        return len(self._chunks)

    def read_chunk(self, i: int) -> Sequences:
        """Read one chunk; chunks may be read in any order, and again.

        Parameters
        ----------
        i : int
            Number of the chunk, from 0.

        Returns
        -------
        Sequences
            The events of the chunk; there may be none after selection.

        Raises
        ------
        IndexError
            There is no such chunk.
        InputError
            As for :func:`tmva_lstm_plugin.read_sequences`.
        """
        return self._read(i)[0]

    def _read(self, i: int) -> tuple[Sequences, Counts]:
        if not 0 <= i < len(self._chunks):
            raise IndexError(f"chunk {i} was asked for; there are {len(self._chunks)}, counted from 0")
        with self._lock:
            part = self._source.read(*self._chunks[i])
        events = part.sequences
        if self._use is not None:
            assert events.entries is not None
            events = events[self._use[events.entries]]
        return events, part.counts

    def of_entries(self, use: NDArray[np.bool_]) -> SequenceStream:
        """Return a stream of the same chunks in which only some entries are left, such as those of all folds but one.

        Parameters
        ----------
        use : ndarray of bool, shape (n_entries,)
            Which entries, counted through all files, selected or not.

        Returns
        -------
        SequenceStream
            It shares the open file with this one.

        Raises
        ------
        InputError
            Not one truth value an entry.
        """
        if use.shape != (self.n_entries,) or use.dtype != np.bool_:
            raise InputError(
                f"of_entries: found shape {use.shape} and type {use.dtype}, expected one truth value for each of "
                f"{self.n_entries} entries"
            )
        part = copy.copy(self)
        part._use = use if self._use is None else use & self._use
        return part

    def __iter__(self) -> Iterator[Sequences]:
        """Read all chunks in the order of the input; afterwards the file is closed, and what was left out is logged."""
        counts = Counts()
        try:
            for i in range(len(self._chunks)):
                events, found = self._read(i)
                counts.add(found)
                yield events
                del events
        finally:
            self.close()
        self._source.report(counts)

    def __repr__(self) -> str:
        """Say in one line what is read, and in how many chunks."""
        return (
            f"<SequenceStream: {self._source} | {self.n_entries} entries | {self.n_chunks} chunk(s) | "
            f"features {', '.join(self.feature_names)}>"
        )
