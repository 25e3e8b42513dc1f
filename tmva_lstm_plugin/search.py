"""Search for the options of a model: random search and successive halving, on all cores, to be taken up again at any time.

Successive halving (K. Jamieson, A. Talwalkar, arXiv:1502.07943) begins with many trials and few epochs, keeps the best part
of them, gives these more epochs, and so on: see :func:`halving`.  A trial that goes on does so from its checkpoint, so an
epoch is never trained twice, and its schedules are those of the whole training from its first step.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _engine
from .classifier import load_model
from .errors import InputError, LSTMError, OptionError
from .files import check_writable_folder, write_text
from .fitting import HOW_IT_IS_RUN
from .interruption import StopRequest
from .model_options import MODEL_OPTIONS
from .search_space import draw_trials, parse_space
from .search_trials import TrialResult, fingerprint, model_path, read_result, run_trial, store_events
from .search_workers import Task, Workers, share
from .sequences import Sequences
from .study_figures import FIGURES, check_one_answer, figure_names, target_spreads

if TYPE_CHECKING:
    from .sequence_model import SequenceModel

__all__ = ["METHODS", "Rung", "SearchResult", "default_workers", "halving", "search"]

METHODS = ("random", "halving")
_FILE = "search.json"
# Threads from which on a training on batches of usual size gains little from one more.
_THREADS_OF_A_WORKER = 4


@dataclass(frozen=True)
class Rung:
    """One step of successive halving.

    Attributes
    ----------
    trials : int
        How many trials are in it.
    divisor : int
        They get the epochs of a whole training over this, rounded up.
    """

    trials: int
    divisor: int

    def epochs(self, whole: int, least: int = 1) -> int:
        """Return up to which epoch a trial of `whole` epochs is trained."""
        return min(whole, max(least, -(-whole // self.divisor)))


def halving(trials: int, reduction: int, epochs: int, least: int = 1) -> list[Rung]:
    """Return the rungs of successive halving.

    Of n trials, rung k has ``floor(n / reduction^k)``, and each of them gets ``ceil(epochs / reduction^(K - k))`` epochs in
    all, so that about as many epochs are trained up to each rung as in the first.  K is the largest number for which the
    last rung has a trial and the first at least `least` epochs.

    Parameters
    ----------
    trials : int
        n, in the first rung.
    reduction : int
        At least 2: one trial of so many goes on.
    epochs : int
        Of a whole training.
    least : int
        Epochs of the first rung, at least.

    Returns
    -------
    list of Rung
        The last one trains to the end.
    """
    last = 0
    while trials // reduction ** (last + 1) >= 1 and epochs // reduction ** (last + 1) >= least:
        last += 1
    return [Rung(trials // reduction**k, reduction ** (last - k)) for k in range(last + 1)]


def default_workers(processors: int, trials: int) -> int:
    """Return how many trials run at a time if nothing is said: one for every four processors, at least one."""
    return max(1, min(trials, processors // _THREADS_OF_A_WORKER))


@dataclass(frozen=True, eq=False)
class SearchResult:
    """What a search found.

    Attributes
    ----------
    trials : tuple of TrialResult
        One a trial, as of its last rung.  The best first: those trained to the end by their figure, then those that fell out
        in the rung before, and so on; failed ones last.
    judge_by : str
        The figure they are ordered by.
    folder : Path
        Where everything is.
    options : dict of int to dict
        All options of each trial.
    stopped_by : str or None
        ``"SIGINT"`` or ``"SIGTERM"`` where one ended the search before its time.
    n_planned : int
        Trials that were asked for; a space may have fewer.
    regression : bool
        Whether targets were learnt, not classes.
    """

    trials: tuple[TrialResult, ...]
    judge_by: str
    folder: Path
    options: dict[int, dict[str, Any]]
    stopped_by: str | None
    n_planned: int
    regression: bool = False

    @property
    def best(self) -> TrialResult | None:
        """The best trial; None where none came to a figure."""
        return self.trials[0] if self.trials and self.trials[0].figures else None

    def best_model(self, *, n_threads: int | None = None) -> SequenceModel:
        """Read the model of the best trial.

        Raises
        ------
        LSTMError
            No trial came to a figure.
        """
        if self.best is None:
            errors = [t.error for t in self.trials if t.error]
            raise LSTMError("the search has no best trial" + (f"; the first one failed: {errors[0]}" if errors else ""))
        path = model_path(self.folder, self.best.trial, self.best.epochs)
        model: SequenceModel = load_model(path, n_threads=n_threads)
        return model

    def rows(self) -> list[list[str]]:
        """Return the table as cells, its header first."""
        names = sorted({name for t in self.trials for name in t.options})
        columns = figure_names(regression=self.regression)
        rows = [["trial", "epochs", *columns, *names]]
        for t in self.trials:
            figures = [f"{t.figures[name]:.4f}" if t.figures else "failed" for name in columns]
            rows.append([str(t.trial), str(t.epochs), *figures, *(_shown(t.options[name]) for name in names)])
        return rows

    def table(self) -> str:
        """Return a line a trial, the best first, with aligned columns.

        Times are not in it: everything in it depends on data, space and seed alone.
        """
        rows = self.rows()
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        return "\n".join(
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        )

    def best_as_toml(self) -> str:
        """Return the section ``[model]`` that trains the best trial again."""
        assert self.best is not None
        options = self.options[self.best.trial]
        lines = ["[model]"]
        for name, option in MODEL_OPTIONS.items():
            value = options.get(name)
            given = name in self.best.options or value != json.loads(_plain(option.default))
            if name not in HOW_IT_IS_RUN and given and (value is not None or name == "clip_norm"):
                lines.append(f"{name} = {json.dumps(0 if value is None else value)}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "judge_by": self.judge_by,
            "stopped_by": self.stopped_by,
            "n_planned": self.n_planned,
            "trials": [asdict(t) for t in self.trials],
            "best_options": None if self.best is None else self.options[self.best.trial],
        }


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_shown, value))
    if isinstance(value, bool):
        return str(value).lower()
    return "-" if value is None else str(value)


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=lambda v: v.item() if hasattr(v, "item") else list(v))


def search(
    model: SequenceModel,
    space: Mapping[str, Any],
    data: Sequences,
    folder: str | os.PathLike[str],
    *,
    trials: int = 20,
    method: str = "random",
    reduction: int = 3,
    least_epochs: int = 1,
    judge_by: str | None = None,
    judged: Sequences | float = 0.25,
    seed: int = 1,
    workers: int | None = None,
    progress: Callable[[TrialResult], object] | None = None,
) -> SearchResult:
    """Search a space of options for the model that does best on events none of the trials trains on.

    Every finished trial is on disk at once.  The same call goes on where an earlier one stopped, whatever stopped it;
    trials, method, workers and the figure may be others, while other options, space, seed or events are refused by name.
    The results are the same for any number of workers and threads.  Ctrl-C and SIGTERM end a search; what is done is kept
    and returned.

    Parameters
    ----------
    model : LSTMClassifier or LSTMRegressor
        The options that are not searched for; it is not trained itself.  Time limit and checkpoints of a single training are left
        out; `n_threads` is the number of processors of the whole
        search, all by default.
    space : mapping of str to list or mapping
        See :func:`tmva_lstm_plugin.search_space.parse_space`.
    data : Sequences
        Events with labels, or targets.
    folder : path
        Where trials are kept.
    trials : int
        How many are drawn.
    method : {"random", "halving"}
        Train all to the end, or by successive halving.
    reduction, least_epochs : int
        Of successive halving, see :func:`halving`.
    judge_by : str, optional
        The figure that counts, with the event weights where there are any: of classes ``"auc"`` (the default), ``"accuracy"`` or
        ``"loss"``; of targets ``"rms"`` (the default) or ``"mae"``, the root mean square and the mean absolute deviation in
        standard deviations of a target, or ``"loss"``, which only trials with the same loss can be compared by.
    judged : Sequences or float
        The events by which trials are judged; or the part of `data`, drawn at random, that is taken from it for that.  It
        says nothing unbiased of the best trial: keep other events for that.
    seed : int
        Of the draws of options and of that part.
    workers : int, optional
        How many trials run at a time, each with its share of the processors; by default one for every four processors.
    progress : callable, optional
        Called with a `TrialResult` whenever a trial is done.

    Returns
    -------
    SearchResult

    Raises
    ------
    OptionError
        A space or numbers that make no sense, or a folder that has another search.
    InputError
        Events without labels or targets, or a part without events of some class.
    LSTMError
        A worker died.
    """
    parsed = parse_space(space)
    check_one_answer(model.every_step or "every_step" in parsed, "a search")
    judge_by = judge_by or ("rms" if model.regression else "auc")
    numbers = (trials, method, reduction, least_epochs, judge_by, seed, workers)
    _check(*numbers, parsed, regression=model.regression)
    events = _parts(data, judged, seed, regression=model.regression)
    fixed = {k: v for k, v in model.get_params().items() if k not in HOW_IT_IS_RUN or k == "memory_limit"}
    drawn = [json.loads(_plain(options)) for options in draw_trials(parsed, fixed, trials, seed, model.regression)]
    target = check_writable_folder(folder, purpose="the trials of the search")
    identity = {
        "space": {name: spec.to_plain() for name, spec in parsed.items()},
        "options": {k: v for k, v in fixed.items() if k not in parsed and k not in HOW_IT_IS_RUN},
        "seed": seed,
        "events": fingerprint(events[0]),
        "judged events": fingerprint(events[1]),
    }
    if model.regression:
        identity["task"] = model.task
    kind = type(model)
    _claim(target, identity)
    for left in target.glob(".*.part*"):  # what a killed process was writing
        left.unlink(missing_ok=True)
    searched = tuple(parsed)
    processors = int(model.n_threads or _engine.usable_processors())
    count = default_workers(processors, len(drawn)) if workers is None else min(workers, len(drawn))
    whole = [int(options["epochs"]) for options in drawn]
    rungs = [Rung(len(drawn), 1)] if method == "random" else halving(len(drawn), reduction, min(whole), least_epochs)
    latest: dict[int, TrialResult] = {}
    reached: dict[int, int] = {}
    alive = list(range(len(drawn)))
    with StopRequest() as stop, _Runner(target, events, searched, share(processors, count), stop, kind) as runner:
        for number, rung in enumerate(rungs):
            alive = _ranked(alive, latest, judge_by)[: rung.trials]
            tasks: list[Task] = [(t, rung.epochs(whole[t], least_epochs), drawn[t]) for t in sorted(alive)]
            missing = []
            for task in tasks:
                known = read_result(target, task[0], task[1])
                if known is None:
                    missing.append(task)
                else:
                    latest[task[0]], reached[task[0]] = known, number
            for result in runner.run(missing):
                latest[result.trial], reached[result.trial] = result, number
                if progress is not None:
                    progress(result)
            if runner.stopped_by is not None:
                break
            alive = [t for t in alive if latest[t].figures]
    order = sorted(latest, key=lambda t: (not latest[t].figures, -reached[t], _badness(latest[t], judge_by), t))
    return SearchResult(
        trials=tuple(latest[t] for t in order),
        judge_by=judge_by,
        folder=target,
        options=dict(enumerate(drawn)),
        stopped_by=runner.stopped_by,
        n_planned=trials,
        regression=model.regression,
    )


class _Runner:
    """Runs trials: in this process if one at a time, else in workers, which start with the first trial there is to run."""

    def __init__(
        self,
        folder: Path,
        events: tuple[Sequences, Sequences],
        searched: tuple[str, ...],
        threads: Sequence[int],
        stop: StopRequest,
        kind: type[SequenceModel],
    ) -> None:
        self._kind = kind
        self._folder, self._events, self._searched, self._threads = folder, events, searched, threads
        self._stop = stop
        self._workers: Workers | None = None
        self.stopped_by: str | None = None

    def __enter__(self) -> _Runner:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._workers is not None:
            self._workers.close()
        shutil.rmtree(self._folder / "events", ignore_errors=True)

    def run(self, tasks: Sequence[Task]) -> Any:
        """Give the results of tasks as they are done; `stopped_by` says whether all are."""
        if len(self._threads) == 1:
            yield from self._run_here(tasks)
        elif tasks:
            if self._workers is None:
                for name, events in zip(("train", "judged"), self._events, strict=True):
                    store_events(self._folder / "events", name, events)
                self._workers = Workers(
                    self._folder, self._folder / "events", self._searched, self._threads, self._kind.regression
                )
            yield from self._workers.run(tasks, lambda: self._stop.signal_name is not None)
            self.stopped_by = self._stop.signal_name

    def _run_here(self, tasks: Sequence[Task]) -> Any:
        for trial, epochs, options in tasks:
            self.stopped_by = self._stop.signal_name
            if self.stopped_by is not None:
                return
            result = run_trial(
                self._folder, self._events, trial, epochs, options, self._searched, self._threads[0], self._kind
            )
            if isinstance(result, str):
                self.stopped_by = result
                return
            yield result


def _badness(result: TrialResult, judge_by: str) -> float:
    """Return what is smaller for a better trial."""
    if not result.figures or math.isnan(result.figures[judge_by]):
        return math.inf
    return -result.figures[judge_by] if FIGURES[judge_by] else result.figures[judge_by]


def _ranked(alive: Sequence[int], latest: Mapping[int, TrialResult], judge_by: str) -> list[int]:
    return sorted(alive, key=lambda t: (_badness(latest[t], judge_by) if t in latest else 0.0, t))


def _check(
    trials: int,
    method: str,
    reduction: int,
    least_epochs: int,
    judge_by: str,
    seed: int,
    workers: int | None,
    space: Mapping[str, Any],
    *,
    regression: bool,
) -> None:
    wrong = []
    numbers = (("trials", trials, 1), ("reduction", reduction, 2), ("least_epochs", least_epochs, 1), ("seed", seed, 0))
    for name, value, least in (*numbers, ("workers", 1 if workers is None else workers, 1)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value < 2**31:
            wrong.append(f"{name} is {value!r}, expected a whole number of at least {least}")
    figures, task = figure_names(regression=regression), "a regression" if regression else "classes"
    for name, word, words, of in (("method", method, METHODS, ""), ("judge_by", judge_by, figures, f" for {task}")):
        if word not in words:
            wrong.append(f"{name} is {word!r}, expected{of} {' or '.join(map(repr, words))}")
    # of classes the figure is the cross entropy, whatever is trained
    for name in ("loss", "huber_delta"):
        if regression and judge_by == "loss" and name in space:
            wrong.append(
                f"judge_by is 'loss' and the space has {name}, so the losses of trials cannot be compared; set judge_by = "
                "'rms' or 'mae'"
            )
    if wrong:
        raise OptionError("search: " + "; ".join(wrong))


def _parts(data: Sequences, judged: Sequences | float, seed: int, *, regression: bool) -> tuple[Sequences, Sequences]:
    if not isinstance(data, Sequences):
        raise InputError(
            f"search was given {type(data).__name__}, expected Sequences, which all trials share in memory and go through anew; "
            "read a part of the events (read_sequences with fewer files, or an event_selection) and search with these, then "
            "train the best options on all"
        )
    if isinstance(judged, Sequences):
        parts = data, judged
    elif isinstance(judged, bool) or not isinstance(judged, (int, float)) or not 0 < judged < 1:
        raise OptionError(f"search: judged is {judged!r}, expected Sequences or a number between 0 and 1")
    else:
        order = np.random.default_rng(seed).permutation(len(data))
        n_judged = round(judged * len(data))
        parts = data[np.sort(order[n_judged:])], data[np.sort(order[:n_judged])]
    for name, part in zip(("to train on", "to judge by"), parts, strict=True):
        if regression:
            _check_targets(part, name)
            continue
        if part.labels is None:
            raise InputError(f"{part.source}: the events {name} have no labels; give labels (label=)")
        for index, class_name in enumerate(part.class_names):
            chosen = part.labels == index
            if not chosen.any():
                raise InputError(
                    f"{part.source}: none of {len(part)} events {name} is of class '{class_name}'; give more"
                )
            if part.weights is not None and part.weights[chosen].sum() <= 0:
                raise InputError(
                    f"{part.source}: the weights of the events {name} of class '{class_name}' have no sum above 0; give more"
                )
    return parts


def _check_targets(part: Sequences, name: str) -> None:
    if part.targets is None:
        raise InputError(f"{part.source}: the events {name} have no targets; give targets (targets=)")
    target_spreads(part.targets, part.target_names, part.weights, f"{part.source}, the events {name}")


def _claim(folder: Path, identity: Mapping[str, Any]) -> None:
    """Write down what the search in a folder is, or refuse a folder that has another one."""
    path = folder / _FILE
    new = json.loads(_plain(identity))
    try:
        old = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        old = None
    except (OSError, ValueError) as error:
        raise OptionError(f"'{path}' cannot be read: {error}; take another folder") from error
    if old is None:
        write_text(path, json.dumps(new, indent=1) + "\n", purpose="the description of the search")
        return
    wrong = []
    for part in new:
        before, now = old.get(part), new[part]
        if isinstance(now, dict) and isinstance(before, dict):
            for name in sorted({*before, *now}):
                if before.get(name) != now.get(name):
                    was, has = (json.dumps(side[name]) if name in side else "not there" for side in (before, now))
                    wrong.append(f"{part}: {name} was {was} and is {has}")
        elif before != now:
            known = isinstance(now, int)
            wrong.append(f"the {part} was {before} and is {now}" if known else f"the {part} are others")
    if wrong:
        raise OptionError(
            f"folder '{folder}' has the trials of another search: {'; '.join(wrong)}; go on with that one, or take another folder"
        )
