"""Give sequences to a TMVA DataLoader, by way of trees in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError, OptionError
from .sequences import Sequences
from .tmva_layout import TmvaLayout, class_names_for_tmva, layout_of, padded_blocks

__all__ = ["fill_dataloader"]


def fill_dataloader(
    loader: Any,
    sequences: Sequences,
    *,
    test: Sequences | None = None,
    targets: Mapping[str, ArrayLike] | None = None,
    steps: int | None = None,
    variables: str = "vars",
    length: str = "length",
    pad: float = 0.0,
) -> TmvaLayout:
    """Declare the variables of a DataLoader and give it the events.

    Of two classes the second is TMVA's ``Signal``; more classes keep their names.  The method has to know the layout:
    pass the result's ``options`` on when booking (:func:`tmva_lstm_plugin.tmva.book` takes the result as it is).

    Parameters
    ----------
    loader : TMVA.DataLoader
        With nothing declared yet.  It keeps the trees alive.
    sequences : Sequences
        The events, with labels (or `targets`).  Without `test`, ``PrepareTrainingAndTestTree`` splits them.
    test : Sequences, optional
        Events to test with; `sequences` then are for training only.
    targets : mapping of str to array_like, each of shape (N,), optional
        What a regression is to learn; the labels are not used then.
    steps : int, optional
        Room for so many steps; the longest event by default.  Longer events lose their last steps, and
        ``n_cut`` of the result counts them.
    variables, length : str
        Names of the array of variables and of the spectator with the true number of steps.
    pad : float
        What stands beyond an event's own end.

    Returns
    -------
    TmvaLayout

    Raises
    ------
    InputError, OptionError
        No events, no labels, a class without events, samples that do not match, targets of the wrong length.
    """
    if targets is not None and test is not None:
        raise OptionError(
            "targets= and test= cannot be combined: give all events and let PrepareTrainingAndTestTree split them"
        )
    samples = {"train": sequences, "test": test} if test is not None else {"": sequences}
    target_columns = _targets(targets, sequences)
    layout = layout_of(
        sequences,
        steps=steps,
        variables=variables,
        length=length,
        targets=tuple(target_columns),
        others=[] if test is None else [test],
    )
    target_columns = dict(zip(layout.targets, target_columns.values(), strict=True))
    if targets is None:
        names = class_names_for_tmva(_class_names(samples))
        layout = replace(layout, class_names=names)
        # TMVA numbers classes as they come, and the signal is to be number 0
        order = [1, 0] if len(names) == 2 else list(range(len(names)))
    else:
        names, order = ("Regression",), [0]

    _declare(loader, layout)
    trees, counts = [], dict.fromkeys(names, 0)
    for class_index in order:
        name = names[class_index]
        for use, sample in samples.items():
            assert sample is not None
            picked = np.arange(len(sample)) if targets is not None else np.flatnonzero(sample.labels == class_index)
            tree = _tree(f"{name}{'_' + use if use else ''}", sample, layout, picked, pad, target_columns)
            counts[name] += len(picked)
            trees.append(tree)
            _add_tree(loader, tree, name, use)
        _set_weight(loader, name, len(names))
    loader._tmva_lstm_trees = trees  # TMVA does not own them, and reads them as late as the first training
    n_cut = sum(
        int(np.count_nonzero(sample.lengths > layout.steps)) for sample in samples.values() if sample is not None
    )
    return replace(layout, n_events=counts, n_cut=n_cut)


def _targets(targets: Mapping[str, ArrayLike] | None, sequences: Sequences) -> dict[str, NDArray[np.float32]]:
    columns = {}
    for name, values in (targets or {}).items():
        column = np.asarray(values, dtype=np.float32)
        if column.shape != (len(sequences),):
            raise InputError(
                f"target {name!r} has shape {column.shape}, expected ({len(sequences)},), one value an event"
            )
        if not np.isfinite(column).all():
            bad = int(np.flatnonzero(~np.isfinite(column))[0])
            raise InputError(f"target {name!r} is {column[bad]} in event {bad}; drop or replace it")
        columns[name] = column
    if targets is not None and not columns:
        raise OptionError("targets= is empty: name at least one, such as targets={'energy': values}")
    return columns


def _class_names(samples: Mapping[str, Sequences | None]) -> tuple[str, ...]:
    names: tuple[str, ...] = ()
    for sample in samples.values():
        assert sample is not None
        if sample.labels is None:
            raise InputError(
                f"{sample.source}: the events have no labels, so TMVA cannot tell signal from background; give labels"
            )
        names = names or sample.class_names
        if sample.class_names != names:
            raise InputError(
                f"{sample.source} has the classes {', '.join(sample.class_names)}, expected {', '.join(names)}"
            )
        counts = np.bincount(sample.labels, minlength=len(names))
        empty = [name for name, count in zip(names, counts, strict=True) if count == 0]
        if empty:
            raise InputError(
                f"{sample.source}: no events of class {', '.join(empty)} among {len(sample)}; TMVA needs every class"
            )
    return names


def _declare(loader: Any, layout: TmvaLayout) -> None:
    if hasattr(loader, "AddVariablesArray"):
        loader.AddVariablesArray(layout.variables, layout.width)
    else:  # before ROOT 6.20: an expression for each element, which is slower to read
        for element in range(layout.width):
            loader.AddVariable(f"{layout.variables}[{element}]", "F")
    for name in layout.event_features:
        loader.AddVariable(name, "F")
    for name in layout.targets:
        loader.AddTarget(name)
    loader.AddSpectator(layout.length, "number of steps", "")


def _tree(
    name: str,
    sample: Sequences,
    layout: TmvaLayout,
    picked: NDArray[np.int64],
    pad: float,
    targets: Mapping[str, NDArray[np.float32]],
) -> Any:
    """Make a tree in memory, one entry an event."""
    import ROOT

    # not in the user's file, whichever is the current one
    tree = ROOT.TTree(name, f"{name}, {len(picked)} sequences", 99, ROOT.nullptr)
    tree.SetAutoFlush(0)
    values = np.zeros(layout.width, dtype=np.float32)
    tree.Branch(layout.variables, values, f"{layout.variables}[{layout.width}]/F", 1 << 20)
    length = np.zeros(1, dtype=np.int32)
    tree.Branch(layout.length, length, f"{layout.length}/I")
    scalars = {key: np.zeros(1, dtype=np.float32) for key in (*layout.event_features, *layout.targets, "weight")}
    for key, place in scalars.items():
        tree.Branch(key, place, f"{key}/F")
    fill = tree.Fill
    done = 0
    for columns in padded_blocks(sample, layout, picked=picked, pad=pad):
        n_block = len(columns["weight"])
        events = picked[done : done + n_block]
        rows, lengths = columns[layout.variables], columns[layout.length]
        pairs = [(scalars[key], columns[key]) for key in (*layout.event_features, "weight")]
        pairs += [(scalars[key], targets[key][events]) for key in layout.targets]
        for event in range(n_block):
            values[:] = rows[event]
            length[0] = lengths[event]
            for place, column in pairs:
                place[0] = column[event]
            fill()
        done += n_block
    tree.ResetBranchAddresses()  # the arrays above are gone in a moment
    return tree


def _add_tree(loader: Any, tree: Any, name: str, use: str) -> None:
    # the kind of a tree goes in as text: cppyy takes an enumerator for a text in some overloads
    kind = (use,) if use else ()
    if name == "Signal":
        loader.AddSignalTree(tree, 1.0, *kind)
    elif name == "Background":
        loader.AddBackgroundTree(tree, 1.0, *kind)
    elif use:
        import ROOT

        loader.AddTree(tree, name, 1.0, ROOT.TCut(""), use)
    else:
        loader.AddTree(tree, name)


def _set_weight(loader: Any, name: str, n_classes: int) -> None:
    if n_classes == 2 and name == "Signal":
        loader.SetSignalWeightExpression("weight")
    elif n_classes == 2:
        loader.SetBackgroundWeightExpression("weight")
    else:
        loader.SetWeightExpression("weight", name)
