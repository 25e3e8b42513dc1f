"""From a trained model to the core's model document, and back."""

from __future__ import annotations

import datetime
import json
import platform
import socket
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import __version__, _engine
from .architecture import dense_texts, layer_widths
from .classifier import LSTMClassifier
from .errors import ModelFileError, OptionError
from .event_options import LOSSES
from .history import History
from .model_options import MODEL_OPTIONS
from .optimisation import OPTIMISATION
from .preprocessing import FeatureSummary
from .recipe import Recipe
from .regressor import LSTMRegressor
from .sequence_model import VOLATILE, SequenceModel

__all__ = ["document_of", "model_of"]

# Options that the document has a place for of its own.
_OWN = ("cell", "peepholes", "coupled_gates", "reset_gate", "bidirectional", "layer_norm", "every_step")
_ELSEWHERE = ("cell", "peepholes", "coupled_gates", "reset_gate", "layer_norm", "every_step", "pooling", "dense")
# Options that are written where they were asked for: what they are by default changes nothing.
_QUIET = {name for name, option in MODEL_OPTIONS.items() if option.default is None and name != "patience"} | {
    "input_dropout", "dropout", "recurrent_dropout", "initialisation", "negative_weights", "class_balance", "monitor",
}  # fmt: skip

# A document's tree: (name, attributes, text, children).
_Tree = tuple[str, list[tuple[str, str]], str, list[Any]]


def document_of(model: SequenceModel) -> _engine.ModelDocument:
    """Return the document of a model that `fit` has trained.

    All that is volatile (date, host, versions, durations, threads) goes into its provenance; the rest is the same for the
    same data, options and seed.
    """
    prepared = model._prepared
    assert prepared is not None  # fit has set it
    document = _engine.ModelDocument()
    document.task = model.task
    if isinstance(model, LSTMRegressor):
        expressions = {} if model.recipe is None else dict(model.recipe.targets or model.recipe.step_targets)
        document.targets = _specs(model.target_names, prepared.targets, expressions)
    else:
        document.class_names = list(model.output_names)
    document.loss = LOSSES[model.loss or model._default_loss]
    *document.lower, document.hidden = layer_widths(model.hidden)
    for name in _OWN:
        setattr(document, name, getattr(model, name))
    shape = model._layers()
    document.pooling, document.flat_steps, document.dense = shape["pooling"], shape["flat_steps"], shape["dense"]
    expressions = {} if model.recipe is None else dict(model.recipe.features) | dict(model.recipe.event_features)
    document.features = _specs(model.feature_names, prepared.features, expressions)
    document.event_features = _specs(model.event_feature_names, prepared.event_features, expressions)
    document.max_length = 0 if model.recipe is None else model.recipe.max_length or 0
    document.longest_length = prepared.longest
    document.parameters = model._trainer.parameters
    probes = prepared.probes
    if len(probes):
        no_event_values = np.zeros((len(probes), 0), dtype=np.float32)
        document.probes = _engine.Probes(
            probes.values,
            probes.offsets,
            no_event_values if probes.event_values is None else probes.event_values,
            model.outputs(probes),
            of_steps=model.every_step,
        )
    recipe = "" if model.recipe is None else json.dumps(model.recipe.to_dict(), sort_keys=True)
    document.recipe = ("Recipe", [("Format", "json")] if recipe else [], recipe, [])
    parameters = model.get_params()
    # of how the weights moved, only what was asked for: the rest is off, or the default of the optimiser
    document.options = _attributes(
        "Options",
        {
            name: value
            for name, value in parameters.items()
            if name not in (*VOLATILE, *_ELSEWHERE) and (name not in _QUIET or value != MODEL_OPTIONS[name].default)
        },
    )
    columns: list[_Tree] = [
        ("Column", [("Name", name)], " ".join(repr(value) for value in values), [])
        for name, values in model.history.columns.items()
    ]
    document.training = (
        "Training",
        [],
        "",
        [
            ("Summary", [("Format", "json")], json.dumps(model.summary, sort_keys=True), []),
            ("History", [], "", columns),
        ],
    )
    document.provenance = _attributes("Provenance", _provenance(model))
    return document


def _specs(names: tuple[str, ...], summary: FeatureSummary, expressions: dict[str, str]) -> list[_engine.FeatureSpec]:
    specs = []
    for index, name in enumerate(names):
        spec = _engine.FeatureSpec()
        spec.name, spec.expression = name, expressions.get(name, "")
        for key in ("mean", "scale", "minimum", "maximum"):
            setattr(spec, key, float(getattr(summary, key)[index]))
        specs.append(spec)
    return specs


def _attributes(name: str, values: dict[str, Any]) -> _Tree:
    return name, [(key, str(value)) for key, value in values.items()], "", []


def _provenance(model: SequenceModel) -> dict[str, Any]:
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "tmva_lstm_plugin": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "instruction_set": _engine.instruction_set(),
        "n_threads": model._threads(),
        "memory_limit": model.memory_limit,
        **{
            name: value
            for name in VOLATILE
            if name.startswith(("max", "check")) and (value := getattr(model, name)) is not None
        },
        **{key: f"{value:.6g}" for key, value in model._timing.items()},
    }


def model_of(document: _engine.ModelDocument, path: str, *, n_threads: int | None) -> LSTMClassifier | LSTMRegressor:
    """Return the model a document describes.

    Raises
    ------
    ModelFileError
        The document's recipe, options or history are not what this build writes.
    """
    model: LSTMClassifier | LSTMRegressor
    if document.task == "regression":
        model = LSTMRegressor(n_threads=n_threads)
        model.target_names = tuple(t.name for t in document.targets)
        model._target_scale = _collect(document.targets, "mean"), _collect(document.targets, "scale")
    else:
        model = LSTMClassifier(n_threads=n_threads)
        model.class_names = tuple(document.class_names)
    model.hidden = (*document.lower, document.hidden) if document.lower else document.hidden
    for name in _OWN:
        setattr(model, name, getattr(document, name))
    model.pooling = "flat" if document.flat_steps else document.pooling
    model._flat_steps = document.flat_steps
    model.dense = dense_texts(document.dense)
    model.feature_names = tuple(f.name for f in document.features)
    model.event_feature_names = tuple(f.name for f in document.event_features)
    try:
        options = dict(document.options[1])
        for name, default in model.get_params().items():
            if name in options and name not in (*VOLATILE, *_OWN, "hidden", "pooling", "dense"):
                setattr(model, name, _value(options[name], default))
        # TMVA's files tell the loss in the network only
        loss = next(name for name, of_core in LOSSES.items() if of_core == document.loss)
        if loss != (model.loss or model._default_loss):
            model.loss = loss
        # files of earlier versions have a momentum with every optimiser
        if model.momentum is not None and model.optimizer not in OPTIMISATION["momentum"].optimizers:
            model.momentum = None
        model._check_parameters()
        if document.recipe[2]:
            model.recipe = Recipe.from_dict(json.loads(document.recipe[2]))
        children = {child[0]: child for child in document.training[3]}
        if "Summary" in children:
            model.summary = dict(json.loads(children["Summary"][2]))
        columns: dict[str, list[Any]] = {
            dict(child[1])["Name"]: [(int if dict(child[1])["Name"] == "epoch" else float)(v) for v in child[2].split()]
            for child in children.get("History", ("", [], "", []))[3]
        }
    except (OptionError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(
            f"model file '{path}': its recipe, options or history cannot be used: {error}; it was not written by this package"
        ) from error
    model.history = History(columns) if columns else History()
    stopped = model.summary.get("stopped_by")
    model.stopped_by = stopped if isinstance(stopped, str) else None
    model._document = document

    model._trainer = model._network(
        (
            _collect(document.features, "mean"),
            _collect(document.features, "scale"),
            _collect(document.event_features, "mean"),
            _collect(document.event_features, "scale"),
        ),
        loss=document.loss,
    )
    model._trainer.parameters = document.parameters
    return model


def _collect(specs: list[Any], key: str) -> NDArray[np.float32]:
    return np.array([getattr(spec, key) for spec in specs], dtype=np.float32)


def _value(text: str, default: Any) -> Any:
    """Return an option's text as the type its default has."""
    if text == "None":
        return None
    if isinstance(default, bool):
        return {"True": True, "False": False}[text]
    if isinstance(default, str) or default is None and not text[:1].isdigit() and text not in ("True", "False"):
        return text
    if default is None and text in ("True", "False"):
        return text == "True"
    # an option that is None by default may be any number
    whole = isinstance(default, int) or default is None and text.lstrip("-").isdigit()
    return int(text) if whole else float(text)
