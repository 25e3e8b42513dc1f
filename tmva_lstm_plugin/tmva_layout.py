"""How sequences lie in the fixed-width events of TMVA.

A TMVA event has one width for all: variables are time-major, ``t * D + d``, for T steps of D features; what lies beyond an
event's own end is padding that nobody reads, for the true number of steps travels along in a spectator.  Event-level
features are further variables behind the T * D ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .errors import InputError, OptionError
from .sequences import Sequences

__all__ = ["TmvaLayout", "branch_names", "class_names_for_tmva", "layout_of", "padded_blocks"]

_BLOCK_BYTES = 16 << 20


@dataclass(frozen=True)
class TmvaLayout:
    """Where everything of a sequence is in a TMVA event.

    Attributes
    ----------
    steps : int
        T, the number of steps there is room for.
    features : tuple of str
        Names of the D features of a step.
    event_features : tuple of str
        Branch names of the E event-level features.
    variables : str
        Branch with the T * D values.
    length : str
        Branch, and spectator, with the true number of steps.
    class_names : tuple of str
        Names of the classes as TMVA is told them, in the order of the labels; none in a regression.
    targets : tuple of str
        Branch names of the targets of a regression.
    n_events : dict of str to int
        Events of each class (of ``Regression`` in a regression).
    n_cut : int
        How many events were longer than `steps` and lost their last ones.
    """

    steps: int
    features: tuple[str, ...]
    event_features: tuple[str, ...] = ()
    variables: str = "vars"
    length: str = "length"
    class_names: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    n_events: dict[str, int] = field(default_factory=dict)
    n_cut: int = 0

    @property
    def width(self) -> int:
        """T * D."""
        return self.steps * len(self.features)

    @property
    def options(self) -> str:
        """What the method has to be told when it is booked, such as ``"InputLayout=20|8:Length=length"``."""
        return f"InputLayout={self.steps}|{len(self.features)}:Length={self.length}"


def branch_names(names: Iterable[str], taken: Iterable[str]) -> tuple[str, ...]:
    """Turn names into ones that TTreeFormula takes for a branch and for nothing else.

    Parameters
    ----------
    names : iterable of str
        Any names.
    taken : iterable of str
        Names of other branches.

    Returns
    -------
    tuple of str
        Letters, digits and underscores, all different.
    """
    used = set(taken)
    result = []
    for name in names:
        plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "feature"
        if plain[0].isdigit():
            plain = f"f{plain}"
        unique, number = plain, 2
        while unique in used:
            unique, number = f"{plain}_{number}", number + 1
        used.add(unique)
        result.append(unique)
    return tuple(result)


def class_names_for_tmva(class_names: Sequence[str]) -> tuple[str, ...]:
    """Return what TMVA calls the classes: two are ``Background`` and ``Signal`` to it, whatever their names."""
    return ("Background", "Signal") if len(class_names) == 2 else tuple(class_names)


def layout_of(
    sequences: Sequences,
    *,
    steps: int | None,
    variables: str,
    length: str,
    targets: Sequence[str] = (),
    others: Sequence[Sequences] = (),
) -> TmvaLayout:
    """Find the layout that `sequences` need.

    Parameters
    ----------
    sequences : Sequences
        The events.
    steps : int or None
        Room for so many steps; by default for the longest event.
    variables, length : str
        Branch names.
    targets : sequence of str
        Names of the targets of a regression.
    others : sequence of Sequences
        Further events that have to fit in as well, such as the test sample.

    Returns
    -------
    TmvaLayout
        Without counts of events.

    Raises
    ------
    InputError, OptionError
        There are no events, samples do not match, or a name is no branch name.
    """
    for what, name in (("variables", variables), ("length", length)):
        if branch_names([name], ()) != (name,):
            raise OptionError(
                f"{what}={name!r} cannot be the name of a branch: letters, digits and underscores are allowed"
            )
    reserved = (variables, length, "weight", "classID")
    if len(set(reserved)) < len(reserved):
        raise OptionError(
            f"the branches {', '.join(reserved)} must all be called differently: change variables= or length="
        )
    for other in others:
        same = (other.feature_names, other.event_feature_names) == (
            sequences.feature_names,
            sequences.event_feature_names,
        )
        if not same:
            raise InputError(
                f"{other.source} has the features {', '.join((*other.feature_names, *other.event_feature_names))}, expected "
                f"{', '.join((*sequences.feature_names, *sequences.event_feature_names))} as {sequences.source} has"
            )
    longest = max((int(s.lengths.max()) for s in (sequences, *others) if len(s)), default=0)
    if steps is None:
        steps = max(longest, 1)
    elif steps < 1:
        raise OptionError(f"steps={steps}: expected at least 1")
    event_features = branch_names(sequences.event_feature_names, reserved)
    return TmvaLayout(
        steps=steps,
        features=tuple(sequences.feature_names),
        event_features=event_features,
        variables=variables,
        length=length,
        targets=branch_names(targets, (*reserved, *event_features)),
    )


def padded_blocks(
    sequences: Sequences, layout: TmvaLayout, *, picked: NDArray[np.int64] | None = None, pad: float = 0.0
) -> Iterator[Mapping[str, NDArray[np.float32] | NDArray[np.int32]]]:
    """Give events in blocks of a few megabytes, as columns of a tree.

    Parameters
    ----------
    sequences : Sequences
        The events.
    layout : TmvaLayout
        Their layout.
    picked : ndarray of int64, optional
        Positions of the events to give; all by default.
    pad : float
        What stands beyond an event's own end.

    Yields
    ------
    dict
        For n events: `layout.variables` with shape (n, T * D), `layout.length`, each event feature, ``weight``.
    """
    n_features = sequences.n_features
    chosen = np.arange(len(sequences)) if picked is None else picked
    block = max(1, _BLOCK_BYTES // (4 * max(layout.width, 1)))
    for begin in range(0, len(chosen), block):
        events = chosen[begin : begin + block]
        first = sequences.offsets[:-1][events]
        lengths = np.minimum(sequences.lengths[events], layout.steps)
        rows = np.full((len(events), layout.steps, n_features), pad, dtype=np.float32)
        step = np.arange(layout.steps)
        inside = step < lengths[:, None]
        rows[inside] = sequences.values[(first[:, None] + step)[inside]]
        columns: dict[str, NDArray[np.float32] | NDArray[np.int32]] = {
            layout.variables: rows.reshape(len(events), layout.width),
            layout.length: lengths.astype(np.int32),
        }
        for index, name in enumerate(layout.event_features):
            assert sequences.event_values is not None
            columns[name] = sequences.event_values[events, index]
        if sequences.weights is None:
            columns["weight"] = np.ones(len(events), dtype=np.float32)
        else:
            columns["weight"] = sequences.weights[events].astype(np.float32)
        yield columns
