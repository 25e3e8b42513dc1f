"""LSTM networks for event sequences in ROOT files.

Read jagged events with :func:`read_sequences` (or stream them with :func:`stream_sequences`), train with
Read jagged events with :func:`read_sequences` (or stream them with :func:`stream_sequences`), train with
:class:`LSTMClassifier` or :class:`LSTMRegressor`, save one TMVA weights file, read it anywhere with :func:`load_model`.
The layer itself is there too, on plain arrays: :func:`lstm_forward` and :func:`lstm_backward`.  :func:`cross_validate`
scores every event with a model that has not seen it.  :func:`register` makes ROOT's TMVA know the method; the module
:mod:`tmva_lstm_plugin.tmva` feeds and books it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .classifier import LSTMClassifier, load_model
    from .cross_validation import cross_validate, load_folds
    from .folds import Folds, event_numbers
    from .lstm import lstm_backward, lstm_forward
    from .reading import read_sequences
    from .recipe import Recipe
    from .regressor import LSTMRegressor
    from .search import search
    from .sequences import Sequences
    from .steps import next_step_targets, with_step_labels, with_step_targets
    from .streaming import SequenceStream, stream_sequences
    from .tmva import register

__version__ = "0.1.0"

# Where each public name lives.  Modules are imported on first use, so that `import tmva_lstm_plugin` costs nothing and
# pulls in neither uproot nor the compiled core before they are needed.
_HOME = {
    "Folds": "folds",
    "LSTMClassifier": "classifier",
    "LSTMRegressor": "regressor",
    "Recipe": "recipe",
    "SequenceStream": "streaming",
    "Sequences": "sequences",
    "cross_validate": "cross_validation",
    "event_numbers": "folds",
    "load_folds": "cross_validation",
    "load_model": "classifier",
    "lstm_backward": "lstm",
    "lstm_forward": "lstm",
    "next_step_targets": "steps",
    "read_sequences": "reading",
    "register": "tmva",
    "search": "search",
    "stream_sequences": "streaming",
    "with_step_labels": "steps",
    "with_step_targets": "steps",
}

__all__ = [
    "Folds",
    "LSTMClassifier",
    "LSTMRegressor",
    "Recipe",
    "SequenceStream",
    "Sequences",
    "__version__",
    "cross_validate",
    "event_numbers",
    "load_folds",
    "load_model",
    "lstm_backward",
    "lstm_forward",
    "next_step_targets",
    "read_sequences",
    "register",
    "search",
    "stream_sequences",
    "tmva",
    "with_step_labels",
    "with_step_targets",
]


def __getattr__(name: str) -> Any:
    """Import the module a public name lives in, on first use."""
    if name == "tmva":
        return importlib.import_module(".tmva", __name__)
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted(set(globals()) | set(_HOME) | {"tmva"})
