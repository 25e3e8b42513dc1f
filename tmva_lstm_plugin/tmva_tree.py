"""Write sequences as a ROOT file that any TMVA macro reads: padded arrays, true lengths, a tree for each class."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from .errors import InputError, OptionError
from .files import replacing
from .sequences import Sequences
from .tmva_layout import TmvaLayout, branch_names, layout_of, padded_blocks

__all__ = ["write_tmva_tree"]


def write_tmva_tree(
    path: str | os.PathLike[str],
    sequences: Sequences | Iterable[Sequences],
    *,
    steps: int | None = None,
    arrays: Literal["flat", "per_step"] = "flat",
    variables: str = "vars",
    length: str = "length",
    pad: float = 0.0,
) -> TmvaLayout:
    """Write a ROOT file with one TTree a class, called after it, for ``DataLoader::AddVariablesArray``.

    Branches: with ``arrays="flat"`` one array ``vars[T*D]/F`` (time-major, ``t * D + d``; the cheaper form for TMVA), with
    ``arrays="per_step"`` an array ``vars_time<t>[D]/F`` for each step as in ROOT's RNN tutorial; ``length/I``; each
    event-level feature ``/F``; ``classID/I``; ``weight/F``.  In a macro::

        loader.AddVariablesArray("vars", 20 * 8);
        loader.AddSpectator("length");
        factory.BookMethod(&loader, "LSTM", "LSTM", "InputLayout=20|8:Length=length");

    Parameters
    ----------
    path : path
        The file; an earlier one is replaced when all of the new one is on disk.
    sequences : Sequences, or iterable of Sequences
        The events; a stream (:func:`tmva_lstm_plugin.stream_sequences`) is written chunk by chunk and needs `steps`.
    steps : int, optional
        Room for so many steps; the longest event by default.  Longer events lose their last steps, and
        ``n_cut`` of the result counts them.
    arrays : {"flat", "per_step"}
        One array for all steps, or one for each.
    variables, length : str
        Names of the branches.
    pad : float
        What stands beyond an event's own end.

    Returns
    -------
    TmvaLayout
        The layout, with the number of events of each class.

    Raises
    ------
    InputError, OptionError
        There are no events or no labels, or options contradict.
    OutputError
        The file cannot be written.
    """
    import uproot

    if arrays not in ("flat", "per_step"):
        raise OptionError(f"arrays={arrays!r}: expected 'flat' or 'per_step'")
    whole = isinstance(sequences, Sequences)
    if not whole and steps is None:
        raise OptionError(
            "steps= is needed when events come in chunks: the longest event is not known before all were read"
        )
    layout: TmvaLayout | None = None
    counts: dict[str, int] = {}
    n_cut = 0
    with replacing(path, purpose="the TMVA trees") as aside, uproot.recreate(aside) as file:
        writers: list[Any] = []
        for chunk in [sequences] if isinstance(sequences, Sequences) else sequences:
            if chunk.labels is None:
                raise InputError(f"{chunk.source}: the events have no labels; a tree is written for each class")
            found = layout_of(chunk, steps=steps, variables=variables, length=length)
            if layout is None:
                layout = replace(found, class_names=chunk.class_names)
                types = _types(layout, arrays)
                trees = branch_names(chunk.class_names, ())
                counts = dict.fromkeys(trees, 0)
                writers = [file.mktree(tree, types) for tree in trees]
            elif (found.features, found.event_features) != (layout.features, layout.event_features):
                raise InputError(f"{chunk.source}: the features differ from those of the first chunk")
            n_cut += int(np.count_nonzero(chunk.lengths > layout.steps))
            for class_index, (tree, writer) in enumerate(zip(counts, writers, strict=True)):
                picked = np.flatnonzero(chunk.labels == class_index)
                counts[tree] += len(picked)
                for columns in padded_blocks(chunk, layout, picked=picked, pad=pad):
                    writer.extend(_branches(columns, layout, arrays, class_index))
        if layout is None or not any(counts.values()):
            raise InputError(f"there are no events to write to '{os.fspath(path)}'")
    return replace(layout, n_events=counts, n_cut=n_cut)


def _types(layout: TmvaLayout, arrays: str) -> dict[str, Any]:
    n_features = len(layout.features)
    if arrays == "flat":
        types: dict[str, Any] = {layout.variables: np.dtype((np.float32, (layout.width,)))}
    else:
        types = {f"{layout.variables}_time{t}": np.dtype((np.float32, (n_features,))) for t in range(layout.steps)}
    types[layout.length] = np.int32
    types |= dict.fromkeys(layout.event_features, np.float32)
    return types | {"classID": np.int32, "weight": np.float32}


def _branches(columns: Any, layout: TmvaLayout, arrays: str, class_index: int) -> dict[str, Any]:
    branches = dict(columns)
    if arrays == "per_step":
        values = branches.pop(layout.variables).reshape(-1, layout.steps, len(layout.features))
        branches |= {f"{layout.variables}_time{t}": np.ascontiguousarray(values[:, t]) for t in range(layout.steps)}
    return branches | {"classID": np.full(len(columns["weight"]), class_index, dtype=np.int32)}
