"""The history of a training as a file: a table in text, or a TTree and histograms for ROOT."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import OptionError
from .files import replacing

if TYPE_CHECKING:
    from .history import History

__all__ = ["SUFFIXES", "TREE", "write_history"]

SUFFIXES = (".csv", ".root")
TREE = "history"


def write_history(history: History, path: str | os.PathLike[str]) -> Path:
    """Write the history of a training.

    Parameters
    ----------
    history : History
        Such as ``model.history``.
    path : path
        A file that ends in ``.csv`` (see :meth:`History.to_csv`), or in ``.root``: then it holds a TTree called ``history`` with
        one entry an epoch and a branch for each column, which ``history->Draw("validation_loss:epoch")`` shows, and for each
        column but the epoch a histogram by its name (TH1D) with a bin an epoch.  An earlier file is replaced when the new one
        is on disk.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    OptionError
        Another suffix.
    OutputError
        The file cannot be written.
    """
    suffix = Path(path).suffix
    if suffix == ".csv":
        return history.to_csv(path)
    if suffix != ".root":
        raise OptionError(
            f"history file '{os.fspath(path)}' ends in {suffix!r}, expected one that ends in .csv or .root"
        )
    import uproot

    columns = {
        name: np.asarray(values, dtype=np.int32 if name == "epoch" else np.float64)
        for name, values in history.columns.items()
    }
    with replacing(path, purpose="the history of the training") as aside, uproot.recreate(aside) as file:
        file.mktree(TREE, {name: values.dtype for name, values in columns.items()}, title="One entry an epoch")
        if len(history):
            file[TREE].extend(columns)
            epochs = [float(epoch) for epoch in history.columns["epoch"]]
            edges = np.array([epochs[0] - 0.5, *(epoch + 0.5 for epoch in epochs)])
            for name, values in columns.items():
                if name != "epoch":
                    file[name] = values, edges
    return Path(path)
