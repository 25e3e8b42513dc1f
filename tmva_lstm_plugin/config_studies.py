"""The sections of a configuration for many trainings at once: cross-validation and search."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from .config_keys import Expression, Section, key

__all__ = ["CrossValidationConfig", "SearchConfig"]


class CrossValidationConfig(Section):
    """Section ``[cross_validation]``: how events are dealt to folds; see :class:`tmva_lstm_plugin.folds.Folds`."""

    folds: int = key(
        5, "Number of folds, each with a model of its own.", "a whole number from 2 to 32767", ge=2, lt=2**15
    )
    fold_by: Expression | None = key(
        None, "The number of an event, which decides its fold; by default the number of its entry.", "an expression"
    )
    fold_seed: int | None = key(
        None, "Mixes the numbers, for such as have a pattern.", "a whole number, at least 0", ge=0, lt=2**63
    )


def _space(given: dict[str, Any]) -> dict[str, Any]:
    from .search_space import parse_space

    if given:
        parse_space(given)
    return given


class SearchConfig(Section):
    """Section ``[search]``: how a search looks for the options of a model; see :func:`tmva_lstm_plugin.search.search`."""

    space: Annotated[dict[str, Any], AfterValidator(_space)] = key(
        {}, "What to search among.", "a table with option = list of values, or option = { low, high, log }"
    )
    trials: int = key(20, "How many trials are drawn.", "a whole number, at least 1", ge=1, lt=2**31)
    method: Literal["random", "halving"] = key(
        "random", "Train all trials to the end, or by successive halving.", "'random' or 'halving'"
    )
    reduction: int = key(3, "Halving: one trial of so many goes on.", "a whole number, at least 2", ge=2, lt=2**31)
    least_epochs: int = key(
        1, "Halving: epochs before the first decision, at least.", "a whole number, at least 1", ge=1, lt=2**31
    )
    judge_by: Literal["auc", "accuracy", "loss", "rms", "mae"] | None = key(
        None,
        "The figure that counts, with the event weights if there are any; by default auc for classes, rms for targets.",
        "'auc', 'accuracy' or 'loss' for classes, 'rms', 'mae' or 'loss' for targets",
    )
    judged_fraction: float = key(
        0.25, "Part of the training events that judges the trials.", "a number between 0 and 1", gt=0, lt=1
    )
    search_seed: int = key(1, "Seed of the draws.", "a whole number, at least 0", ge=0, lt=2**31)
    workers: int | None = key(
        None,
        "Trials at a time, each with its share of the processors; by default one for every four processors.",
        "a whole number, at least 1",
        ge=1,
        lt=4096,
    )
