"""Scores of whole files: a tree with one entry for each input entry, so that it works as a friend.

Files go through in pieces, so the memory needed does not grow with them.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import OptionError, OutputError
from .files import check_writable_folder, replacing

if TYPE_CHECKING:
    from .root_input import Files
    from .sequence_model import SequenceModel

__all__ = ["UNSELECTED_SCORE", "ScoringSummary", "score_branches", "score_file", "target_branches"]

UNSELECTED_SCORE = -999.0
"""The score of entries that the model's selection leaves out; no score of a class is below 0."""

# Entries written at one time: one basket a branch, small enough to bound the memory where long stretches of entries
# are left out by the selection.
_BLOCK = 1_000_000


@dataclass(frozen=True)
class ScoringSummary:
    """What :func:`score_file` did.

    Attributes
    ----------
    output : str
        The file written.
    tree : str
        The tree in it.
    branches : tuple of str
        Branches with scores.
    n_entries : int
        Entries of the input, and of the tree.
    n_selected : int
        Entries with a score.
    seconds : float
        Time for all of it: reading, scoring, writing.
    events_per_second : float
        Entries by time.
    """

    output: str
    tree: str
    branches: tuple[str, ...]
    n_entries: int
    n_selected: int
    seconds: float

    @property
    def events_per_second(self) -> float:
        """Entries by time."""
        return self.n_entries / self.seconds if self.seconds > 0 else 0.0


def score_branches(class_names: Sequence[str]) -> tuple[str, ...]:
    """Name the branches that hold the scores of a model.

    Parameters
    ----------
    class_names : sequence of str
        The model's classes.

    Returns
    -------
    tuple of str
        ``lstm_score`` for two classes (the probability of the second one, the signal), else ``lstm_score_<class>`` with
        characters that a branch name cannot have replaced by ``_``.

    Raises
    ------
    OptionError
        Two classes would get the same branch.
    """
    if len(class_names) == 2:
        return ("lstm_score",)
    return _branches("lstm_score_", class_names, "classes")


def target_branches(target_names: Sequence[str]) -> tuple[str, ...]:
    """Name the branches that hold the estimates of a regression: ``lstm_<target>``.

    Parameters
    ----------
    target_names : sequence of str
        The model's targets.

    Returns
    -------
    tuple of str

    Raises
    ------
    OptionError
        Two targets would get the same branch.
    """
    return _branches("lstm_", target_names, "targets")


def _branches(stem: str, given: Sequence[str], what: str) -> tuple[str, ...]:
    names = tuple(stem + re.sub(r"\W", "_", name, flags=re.ASCII) for name in given)
    for name in names:
        if names.count(name) > 1:
            same = [c for c, n in zip(given, names, strict=True) if n == name]
            both = " and ".join(map(repr, same))
            raise OptionError(f"the {what} {both} would share the branch '{name}'; rename one")
        if name == "lstm_selected":
            raise OptionError(f"the {what} would take the branch 'lstm_selected', which tells the selection; rename it")
    return names


def score_file(
    model: SequenceModel,
    files: Files,
    output: str | os.PathLike[str],
    *,
    tree: str = "scores",
    memory_limit: str | int = "512 MB",
    input_tree: str | None = None,
    n_threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ScoringSummary:
    """Score ROOT files and write a tree with one entry for each entry of the input, in the same order.

    The tree is a TTree with the branches of :func:`score_branches` or, of a regression, :func:`target_branches` (float),
    ``lstm_selected`` (1, or 0 for entries that the model's selection leaves out; these have the score -999) and ``entry``
    (the number of the entry, counted through all input files).  Events without elements are scored like all others.

    Of a model with ``every_step=True`` the branches of scores are jagged: one value for each step, in the order in which the
    model reads the elements (by `order_by`, of those that `element_selection` and `max_length` leave), and none for entries that
    the selection leaves out.

    Parameters
    ----------
    model : LSTMClassifier or LSTMRegressor
        A trained model that was read from ROOT files, so that it knows what to read.
    files : str, path, sequence of them, or mapping of class name to one of these
        The input, as for :func:`read_sequences`; several files make one tree, in the order given.
    output : path
        The ROOT file to write; an earlier one is replaced when the new one is complete.
    tree : str
        Name of the tree to write.
    memory_limit : str or int
        Memory for the events held at one time.
    input_tree : str, optional
        Name of the tree to read; the one the model was trained on by default.
    n_threads : int, optional
        Threads for scoring; the model's own number by default.
    progress : callable, optional
        Called with the entries done and all entries after each piece.

    Returns
    -------
    ScoringSummary

    Raises
    ------
    OptionError
        The model was trained on arrays and does not know how to read files.
    OutputError
        The output cannot be written, or is one of the inputs.
    InputError
        The input cannot be read.
    """
    import awkward as ak
    import uproot

    from .streaming import stream_sequences

    if model.recipe is None:
        raise OptionError(
            "the model cannot read ROOT files: it was trained on arrays, so it knows no branches; "
            "read the events with read_sequences and use its predict functions"
        )
    branches = target_branches(model.output_names) if model.regression else score_branches(model.output_names)
    destination = Path(output)
    check_writable_folder(destination.parent, purpose="the scores")
    if destination.is_dir():
        raise OutputError(f"cannot write the scores to '{destination}': it is a folder; give the name of a ROOT file")
    start = time.perf_counter()
    stream = stream_sequences(files, tree=input_tree, recipe=model.recipe, with_labels=False, memory_limit=memory_limit)
    _refuse_input_as_output(stream.files, destination)
    previous_threads = model.n_threads
    if n_threads is not None:
        model.n_threads = n_threads
    n_selected = 0
    try:
        with replacing(destination, purpose="the scores") as aside, uproot.recreate(aside) as file:
            every_step = getattr(model, "every_step", False)  # the models of a cross-validation never have it
            types: dict[str, Any] = dict.fromkeys(branches, "var * float32" if every_step else np.float32)
            types |= {"lstm_selected": np.int32, "entry": np.int64}
            writer = (_StepWriter if every_step else _FriendWriter)(file.mktree(tree, types), branches)
            for chunk in stream:
                if len(chunk) == 0:
                    continue
                scores = np.asarray(model.outputs(chunk), dtype=np.float32)
                assert chunk.entries is not None
                if scores.shape[1] == 2 and len(branches) == 1:
                    scores = scores[:, 1:]  # of two classes the signal's
                writer.write(chunk.entries, ak.unflatten(scores, chunk.lengths) if every_step else scores)
                n_selected += len(chunk)
                if progress is not None:
                    progress(int(chunk.entries[-1]) + 1, stream.n_entries)
            writer.fill(stream.n_entries)
    finally:
        model.n_threads = previous_threads
    return ScoringSummary(
        output=str(destination),
        tree=tree,
        branches=branches,
        n_entries=stream.n_entries,
        n_selected=n_selected,
        seconds=time.perf_counter() - start,
    )


class _FriendWriter:
    """Write scores of selected entries, and flags for the entries between them.

    Parameters
    ----------
    tree : uproot.WritableTree
        Where to write.
    branches : tuple of str
        Branches with scores.
    """

    def __init__(self, tree: Any, branches: tuple[str, ...]) -> None:
        self._tree = tree
        self._branches = branches
        self._next = 0

    def write(self, entries: NDArray[np.int64], scores: Any) -> None:
        """Write all entries up to the last one of `entries` (rising, all new); `scores` has a row for each."""
        done = 0
        while done < len(entries):
            stop = min(int(entries[-1]) + 1, self._next + _BLOCK)
            # rows of this block: a block may have none where the selection leaves out a long stretch
            upto = int(np.searchsorted(entries, stop))
            self._extend(stop, entries[done:upto], scores[done:upto])
            done = upto

    def fill(self, n_entries: int) -> None:
        """Write the entries after the last selected one."""
        while self._next < n_entries:
            none = np.zeros((0, len(self._branches)), dtype=np.float32)
            self._extend(min(n_entries, self._next + _BLOCK), np.zeros(0, dtype=np.int64), none)

    def _extend(self, stop: int, entries: NDArray[np.int64], scores: Any) -> None:
        selected = np.zeros(stop - self._next, dtype=np.int32)
        selected[entries - self._next] = 1
        block = self._columns(len(selected), entries - self._next, scores)
        block |= {"lstm_selected": selected, "entry": np.arange(self._next, stop, dtype=np.int64)}
        self._tree.extend(block)
        self._next = stop

    def _columns(self, n_entries: int, places: NDArray[np.int64], scores: Any) -> dict[str, Any]:
        """Return the branches of so many entries, of which those at `places` have scores (selected, branches)."""
        columns = np.full((n_entries, len(self._branches)), UNSELECTED_SCORE, dtype=np.float32)
        columns[places] = scores
        return {name: np.ascontiguousarray(columns[:, i]) for i, name in enumerate(self._branches)}


class _StepWriter(_FriendWriter):
    """The same with scores of steps: a list of rows for each selected entry, and an empty one for all others."""

    def _columns(self, n_entries: int, places: NDArray[np.int64], scores: Any) -> dict[str, Any]:
        import awkward as ak

        counts = np.zeros(n_entries, dtype=np.int64)
        rows = np.zeros((0, len(self._branches)), dtype=np.float32)
        if len(places):
            counts[places] = ak.to_numpy(ak.num(scores, axis=1))
            rows = ak.to_numpy(ak.flatten(scores, axis=1))
        return {name: ak.unflatten(np.ascontiguousarray(rows[:, i]), counts) for i, name in enumerate(self._branches)}


def _refuse_input_as_output(inputs: Sequence[str], output: Path) -> None:
    if not output.exists():
        return
    for name in inputs:
        if os.path.exists(name) and os.path.samefile(name, output):
            raise OutputError(f"cannot write the scores to '{output}': it is an input file; give another name")
