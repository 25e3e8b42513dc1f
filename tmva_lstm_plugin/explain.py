"""What a trained model does: its gates and how gradients travel back through them, and which features and steps it looks at.

Shapes are those of :mod:`tmva_lstm_plugin.explained`, where the results are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _engine
from .errors import InputError, LSTMError, OptionError, near_miss
from .explained import (
    FeatureGradients,
    Floats,
    IntegratedGradients,
    LayerActivations,
    LayerGradients,
    PermutationRanking,
    StepActivations,
    StepGradients,
)
from .regressor import LSTMRegressor
from .sequences import Sequences

if TYPE_CHECKING:
    from .sequence_model import SequenceModel

__all__ = [
    "Quantity",
    "gate_activations",
    "gate_gradients",
    "input_gradients",
    "integrated_gradients",
    "permutation_ranking",
]

Quantity = Literal["logit", "probability", "loss", "estimate"]


def gate_activations(model: SequenceModel, events: Sequences) -> StepActivations:
    """Return the activations of all gates and states, step by step.

    Parameters
    ----------
    model : LSTMClassifier or LSTMRegressor
        A trained model.
    events : Sequences
        Events with the features it was trained on.  The result takes ``4 * (G + 2) * H`` bytes a step and layer;
        take some of many: ``events[:1000]``.

    Returns
    -------
    StepActivations

    Raises
    ------
    InputError
        The events have other features.
    LSTMError
        The model is not trained.
    MemoryLimitError
        A sequence is too long for the model's `memory_limit`.
    """
    found = _explain(model, events, _Asked("logit", np.zeros(len(events), np.int32), ""), {"gates", "h", "c"})
    layers = tuple(
        LayerActivations(*facts, gates=of["gates"], hidden=of["h"], cell=of.get("c"))
        for facts, of in zip(_layers(model), found["layers"], strict=True)
    )
    return StepActivations(events.offsets, layers)


def gate_gradients(
    model: SequenceModel, events: Sequences, output: str | int | None = None, *, of: Quantity | None = None
) -> StepGradients:
    """Return the gradient of one number of each event with respect to all gates and states, step by step.

    Parameters
    ----------
    model, events
        As in :func:`gate_activations`.
    output : str or int, optional
        The class or target that is looked at, by name or position.  By default the signal of two classes, of more the
        class that the model gives each event, and the target of a regression that has one.
    of : {"logit", "probability", "estimate", "loss"}, optional
        What is differentiated.  Of classes the class's logit (the default; of two classes that of class 0 is the negative of
        class 1's) or its probability; of a regression the estimate of the target, in its units; of either the event's loss
        without its weight, as it is trained, which needs labels or targets and no `output`.

    Returns
    -------
    StepGradients

    Raises
    ------
    OptionError
        There is no such output, or several targets and none is chosen.
    InputError, LSTMError, MemoryLimitError
        As :func:`gate_activations`; no labels or targets for the loss.
    """
    asked = _ask(model, events, output, of)
    found = _explain(model, events, asked, {"dgates", "dh_total", "dc_total"})
    layers = tuple(
        LayerGradients(*facts, gates=each["dgates"], hidden=each["dh_total"], cell=each.get("dc_total"))
        for facts, each in zip(_layers(model), found["layers"], strict=True)
    )
    return StepGradients(asked.name, events.offsets, asked.in_units(found["value"]), layers)


def input_gradients(
    model: SequenceModel, events: Sequences, output: str | int | None = None, *, of: Quantity | None = None
) -> FeatureGradients:
    """Return the gradient of one number of each event with respect to every feature of every step, and every event feature.

    Parameters
    ----------
    model, events, output, of
        As in :func:`gate_gradients`.

    Returns
    -------
    FeatureGradients

    Raises
    ------
    OptionError, InputError, LSTMError, MemoryLimitError
        As :func:`gate_gradients`.
    """
    asked = _ask(model, events, output, of)
    found = _explain(model, events, asked, {"dfeatures", "devent"})
    _, inverse, _, event_inverse = _engine.feature_scales(model._trainer)
    return FeatureGradients(
        asked.name,
        events.offsets,
        asked.in_units(found["value"]),
        events.feature_names,
        events.event_feature_names,
        standardised=found["dfeatures"],
        original=found["dfeatures"] * inverse,
        event_standardised=found["devent"],
        event_original=found["devent"] * event_inverse,
    )


def integrated_gradients(
    model: SequenceModel,
    events: Sequences,
    output: str | int | None = None,
    *,
    of: Quantity | None = None,
    baseline: Literal["mean", "zero"] | Mapping[str, float] | ArrayLike = "mean",
    steps: int = 50,
) -> IntegratedGradients:
    """Say what each feature of each step adds to one number of an event (M. Sundararajan et al., arXiv:1703.01365).

    The gradient is integrated along the straight line from the baseline to the event, by Gauss and Legendre's rule,
    and multiplied with the distance.  An event keeps its number of steps along that line: what is explained is what
    the values add, not the length.

    Parameters
    ----------
    model, events, output, of
        As in :func:`gate_gradients`.
    baseline : "mean", "zero", mapping or array_like
        Features of the steps that the line begins with: their means over the training part, zeros, a number for each
        name (the mean for names left out), or D (or D + E) numbers in units of the features.
    steps : int
        Points on the line.

    Returns
    -------
    IntegratedGradients
        With the residuals of the completeness: attributions have to sum to the change from the baseline.

    Raises
    ------
    OptionError
        There is no such output or baseline, or `steps` is below 1.
    InputError, LSTMError, MemoryLimitError
        As :func:`gate_gradients`.
    """
    if steps < 1:
        raise OptionError(f"integrated_gradients: steps is {steps}, expected at least 1")
    asked = _ask(model, events, output, of)
    D = len(events.feature_names)
    start = _baseline(model, events, baseline)
    distance = events.values.astype(np.float64) - start[:D]
    given = np.zeros((len(events), 0)) if events.event_values is None else events.event_values
    event_distance = given.astype(np.float64) - start[D:]
    _, inverse, _, event_inverse = (np.asarray(a, np.float64) for a in _engine.feature_scales(model._trainer))

    def at(place: float, wanted: set[str]) -> dict[str, Any]:
        on_the_way = (
            (start[:D] + place * distance).astype(np.float32),
            (start[D:] + place * event_distance).astype(np.float32),
        )
        return _explain(model, events, asked, wanted, on_the_way)

    total, event_total = np.zeros_like(distance), np.zeros_like(event_distance)
    for point, weight in zip(*np.polynomial.legendre.leggauss(steps), strict=True):
        found = at((point + 1) / 2, {"dfeatures", "devent"})
        total += weight / 2 * found["dfeatures"]
        event_total += weight / 2 * found["devent"]
    attributions, event_attributions = total * inverse * distance, event_total * event_inverse * event_distance
    values, baseline_values = at(1, set())["value"], at(0, set())["value"]
    sums = _sum_of_events(attributions.sum(axis=1), events.offsets) + event_attributions.sum(axis=1)
    # of a target far from 0 the change is known better than either end of it, which are in single precision
    change = asked.scale * (values.astype(np.float64) - baseline_values)
    return IntegratedGradients(
        asked.name,
        events.offsets,
        asked.in_units(values),
        events.feature_names,
        events.event_feature_names,
        attributions,
        event_attributions,
        baseline=start[:D],
        event_baseline=start[D:],
        baseline_values=asked.in_units(baseline_values),
        changes=change,
        residuals=sums - change,
    )


def permutation_ranking(
    model: SequenceModel, events: Sequences, repeats: int = 5, seed: int = 1, *, ranked_steps: int | None = None
) -> PermutationRanking:
    """Rank features and steps by how much the mean loss grows when they are taken from other events (L. Breiman, 2001).

    A feature is permuted among all steps of all events, a step (all its features) among the events that have one.
    The loss is the cross entropy of the event's class, or the squared deviation of the standardised targets (the mean over
    targets), weighted with the event weights, whatever loss was trained.  The same definition is behind TMVA's
    ``CreateRanking``.

    Parameters
    ----------
    model, events
        As in :func:`gate_activations`; the events have labels, or targets.
    repeats : int
        Permutations of each.
    seed : int
        Decides the permutations.
    ranked_steps : int, optional
        How many steps are ranked; all up to the longest event's by default.

    Returns
    -------
    PermutationRanking

    Raises
    ------
    OptionError
        `repeats` is below 1, or `seed` or `ranked_steps` below 0.
    InputError, LSTMError
        As :func:`gate_activations`; no events, or no labels or targets.
    """
    longest = int(events.lengths.max(initial=0))
    n_steps = longest if ranked_steps is None else ranked_steps
    if repeats < 1 or seed < 0 or n_steps < 0:
        raise OptionError(
            f"permutation_ranking: repeats is {repeats}, seed {seed} and ranked_steps {n_steps}; expected at least 1, 0 and 0"
        )
    _check(model, events)
    _need_truth(model, events)
    if len(events) == 0:
        raise InputError(f"{events.source}: there are no events to rank with")
    reference, increases = _engine.permutation_importance(
        model._trainer, *_arrays(model, events), n_steps, seed, repeats, model._threads()
    )
    steps = [f"step {t}" for t in range(n_steps)]
    kinds = ["feature"] * len(events.feature_names) + ["event feature"] * len(events.event_feature_names)
    return PermutationRanking(
        reference,
        (*events.feature_names, *events.event_feature_names, *steps),
        (*kinds, *["step"] * n_steps),
        np.asarray(increases),
    )


# --- how the engine is asked --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Asked:
    """A number of each event: the engine's name for it, the output of each event, and what it is called.

    Of a target it is the engine's number, times `scale`, plus `mean`; all gradients are times `scale`.
    """

    quantity: str
    which: NDArray[np.int32] | None
    name: str
    mean: np.float32 = np.float32(0)
    scale: np.float32 = np.float32(1)

    def in_units(self, values: Floats) -> Floats:
        """Return what the engine's numbers are in units of the target: as the model's own estimates, to the bit."""
        if not self.name.startswith("estimate"):
            return values
        columns = np.ascontiguousarray(values[:, None])
        return np.asarray(_engine.restore_targets(columns, np.array([self.mean]), np.array([self.scale])))[:, 0]


def _ask(model: SequenceModel, events: Sequences, output: str | int | None, of: str | None) -> _Asked:
    known = ("estimate", "loss") if model.regression else ("logit", "probability", "loss")
    of = known[0] if of is None else of
    if of not in known:
        task = "a regression" if model.regression else "classes"
        raise OptionError(f"of is '{of}', for {task} expected {', '.join(map(repr, known[:-1]))} or 'loss'")
    _check(model, events)
    if of == "loss":
        if output is not None:
            raise OptionError(
                f"output is {output!r} with of='loss'; the loss is of all outputs at once, leave output out"
            )
        _need_truth(model, events)
        return _Asked("loss", None, "loss")
    names = model.output_names
    if output is None and model.regression and len(names) > 1:
        raise OptionError(
            f"the model estimates {', '.join(names)}; say which of them is looked at, such as output={names[0]!r}"
        )
    if output is None:
        if len(names) > 2:
            best = np.argmax(model.outputs(events), axis=1).astype(np.int32)
            return _Asked(of, best, f"{of} of each event's most probable class")
        output = len(names) - 1
    if isinstance(output, str):
        if output not in names:
            raise OptionError(f"there is no output '{output}'; {near_miss(output, names)}")
        output = names.index(output)
    if not 0 <= output < len(names):
        raise OptionError(f"there is no output {output}; there are {len(names)}: {', '.join(names)}")
    name = f"{of} of {names[output]}"
    if isinstance(model, LSTMRegressor):
        mean, scale = (numbers[output] for numbers in model._target_scale)
        # the engine takes a network with one output for one of two classes, and its output for the logit of the second
        place = 1 if len(names) == 1 else output
        return _Asked("logit", np.full(len(events), place, np.int32), name, mean, scale)
    return _Asked(of, np.full(len(events), output, np.int32), name)


def _check(model: SequenceModel, events: Sequences) -> None:
    if model._trainer is None:
        raise LSTMError("the model is not trained yet; call fit, or read one with load_model")
    if not isinstance(events, Sequences):
        raise InputError(
            f"found {type(events).__name__}, expected Sequences (from read_sequences, Sequences.from_arrays or "
            "Sequences.from_lists)"
        )
    model._check_features(events)


def _need_truth(model: SequenceModel, events: Sequences) -> None:
    if not model.regression:
        if events.labels is None:
            raise InputError(
                f"{events.source}: the events have no labels, which a loss needs; read them with label=..."
            )
        return
    if events.targets is None:
        raise InputError(f"{events.source}: the events have no targets, which a loss needs; read them with targets=...")
    if tuple(events.target_names) != model.output_names:
        raise InputError(
            f"{events.source}: the events have the targets {', '.join(events.target_names)}, the model was trained on "
            f"{', '.join(model.output_names)}; read those"
        )


def _arrays(model: SequenceModel, events: Sequences) -> tuple[Any, Any, Any, Any, Any, Any]:
    """Return the events as the engine takes them: values, offsets, event values, labels, weights, standardised targets."""
    labels, targets = events.labels, None
    if isinstance(model, LSTMRegressor):
        labels = None
        if events.targets is not None and events.target_names == model.output_names:
            targets = _engine.standardise_targets(events.targets, *model._target_scale)
    return events.values, events.offsets, events.event_values, labels, events.weights, targets


def _explain(
    model: SequenceModel,
    events: Sequences,
    asked: _Asked,
    wanted: set[str],
    moved: tuple[Floats, Floats] | None = None,
) -> dict[str, Any]:
    """Ask the engine; `moved`: other values of features and event features.

    All gradients are in units of the target, where one is asked for; the value is the engine's, see `_Asked.in_units`.
    """
    _check(model, events)
    values, offsets, event_values, labels, _, targets = _arrays(model, events)
    if moved is not None:
        values, event_values = moved[0], None if event_values is None else moved[1]
    truth = (labels, None, targets) if asked.quantity == "loss" else (None, None, None)
    given: tuple[Any, Any, Any, Any, Any, Any] = (values, offsets, event_values, *truth)
    found: dict[str, Any] = _engine.explain(
        model._trainer, *given, asked.quantity, asked.which, wanted, model._threads()
    )
    if asked.scale != 1:
        for arrays in (found, *found["layers"]):
            for name in arrays.keys() & {"dfeatures", "devent", "dgates", "dh_total", "dc_total"}:
                arrays[name] *= asked.scale
    return found


def _layers(model: SequenceModel) -> list[tuple[str, bool, tuple[str, ...]]]:
    return [(name, backward, tuple(gates)) for name, backward, _, gates, _ in _engine.recurrent_layers(model._trainer)]


def _baseline(model: SequenceModel, events: Sequences, baseline: Any) -> NDArray[np.float64]:
    """Return D + E numbers in units of the features."""
    names = (*events.feature_names, *events.event_feature_names)
    mean, _, event_mean, _ = _engine.feature_scales(model._trainer)
    means = np.concatenate([mean, event_mean]).astype(np.float64)
    if isinstance(baseline, str):
        if baseline not in ("mean", "zero"):
            raise OptionError(f"baseline is '{baseline}', expected 'mean', 'zero', a number for each name, or numbers")
        return means if baseline == "mean" else np.zeros_like(means)
    if isinstance(baseline, Mapping):
        for name in baseline:
            if name not in names:
                raise OptionError(f"baseline names '{name}', which is no feature; {near_miss(str(name), names)}")
        return np.array([float(baseline.get(name, m)) for name, m in zip(names, means, strict=True)])
    given = np.asarray(baseline, np.float64)
    D = len(events.feature_names)
    if given.shape not in ((D,), (len(names),)) or not np.isfinite(given).all():
        raise OptionError(
            f"baseline has shape {given.shape}, expected ({D},) or ({len(names)},) finite numbers, "
            f"in the order {', '.join(names)}"
        )
    return np.concatenate([given, means[len(given) :]])


def _sum_of_events(steps: NDArray[np.float64], offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    sums = np.concatenate([[0.0], np.cumsum(steps)])
    return np.asarray(sums[offsets[1:]] - sums[offsets[:-1]])
