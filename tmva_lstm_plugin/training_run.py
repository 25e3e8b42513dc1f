"""One training from files to files: read, split, fit, score, evaluate.

The steps that ``tmva-lstm train`` and ``tmva-lstm demo`` share; from Python the same is done with
:func:`read_sequences`, :class:`LSTMClassifier` and :func:`evaluate` directly.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError, OptionError
from .files import check_writable_folder
from .sequences import Sequences
from .truth import Truth

if TYPE_CHECKING:
    from .config import TrainConfig
    from .deviations import RegressionEvaluation
    from .evaluation import Evaluation
    from .history import EpochRecord
    from .sequence_model import SequenceModel
    from .streaming import SequenceStream

__all__ = [
    "ScoredPart",
    "check_output",
    "draw_plots",
    "evaluate_parts",
    "fit",
    "listed_plots",
    "random_test_mask",
    "read_event_numbers",
    "read_parts",
    "restrict_to_entries",
    "score_part",
    "split_mask",
    "untrained_model",
    "watched",
]


@dataclass(frozen=True, eq=False)
class ScoredPart:
    """Scores of events whose truth is known.

    Attributes
    ----------
    outputs : ndarray of float32, shape (N, C)
        What the model gives for each class or target; of a model with ``every_step=True`` a row for each step that is not masked.
    truth : ndarray of int32, shape (N,), or of float32, shape (N, C)
        The true classes, or targets.
    weights : ndarray of float64, shape (N,), or None
        Event weights.
    """

    outputs: NDArray[np.float32]
    truth: NDArray[Any]
    weights: NDArray[np.float64] | None

    def as_tuple(self) -> tuple[NDArray[np.float32], NDArray[Any], NDArray[np.float64] | None]:
        """Return what :func:`evaluate` and :func:`evaluate_regression` take as their training part."""
        return self.outputs, self.truth, self.weights


def untrained_model(config: TrainConfig) -> SequenceModel:
    """Return the model that a configuration asks for: a regression where it names targets."""
    from .classifier import LSTMClassifier
    from .regressor import LSTMRegressor

    kind = LSTMRegressor if config.input.regression else LSTMClassifier
    model: SequenceModel = kind(**config.model.model_dump())
    return model


def check_output(folder: str | os.PathLike[str], *, plots: bool) -> Path:
    """Find out before the training whether its results can be written.

    Parameters
    ----------
    folder : path
        Output folder; it is created.
    plots : bool
        Whether plots are wanted.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    OutputError
        The folder cannot be written.
    OptionError
        Plots are wanted and matplotlib is not installed.
    """
    if plots and importlib.util.find_spec("matplotlib") is None:
        raise OptionError(
            "plots need matplotlib, which is not installed; run: pip install 'tmva-lstm-plugin[plots]', "
            "or do without them: plots = false (--no-plots)"
        )
    return check_writable_folder(folder, purpose="the results of the training")


def read_event_numbers(path: str | os.PathLike[str], n_entries: int) -> NDArray[np.int64]:
    """Read the numbers of the test entries, from 0, counted through all input files.

    Parameters
    ----------
    path : path
        A text file with one number a line, where ``#`` starts a comment; or a table with the first line ``event,part``,
        of which the events of the part ``test`` are taken.
    n_entries : int
        Entries of the input, for the check.

    Returns
    -------
    ndarray of int64
        The numbers in the order of the file.

    Raises
    ------
    InputError
        The file cannot be read, holds something else, a number twice, or one that the input has not.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"file of event numbers '{path}' cannot be read: {error}") from error
    is_table = bool(lines) and lines[0].replace(" ", "") == "event,part"
    found: dict[int, tuple[int, bool]] = {}
    for place, line in enumerate(lines[is_table:], start=1 + is_table):
        text, _, part = (piece.strip() for piece in line.partition("#")[0].partition(","))
        if not text and not part:
            continue
        if not (text.isascii() and text.isdigit()) or (part not in ("train", "test") if is_table else part):
            expected = "an entry number and train or test, such as '17,test'" if is_table else "one entry number"
            raise InputError(f"{path}, line {place}: found {line.strip()!r}, expected {expected}")
        number = int(text)
        if number >= n_entries:
            raise InputError(
                f"{path}, line {place}: entry {number} does not exist; the input has {n_entries} entries, "
                "numbered from 0; is it the list for another file?"
            )
        if number in found:
            raise InputError(f"{path}, line {place}: entry {number} is there already, in line {found[number][0]}")
        found[number] = place, part != "train"
    numbers = [number for number, (_, wanted) in found.items() if wanted]
    if not numbers:
        raise InputError(f"{path}: there is no test entry in it, expected one entry number a line")
    return np.array(numbers, dtype=np.int64)


def random_test_mask(n_entries: int, test_fraction: float, seed: int) -> NDArray[np.bool_]:
    """Draw which entries are for the test: all but the first ``round((1 - test_fraction) n)`` of a permutation.

    Entries and not selected events are drawn, so that an event stays on its side when the selection changes.

    Parameters
    ----------
    n_entries : int
        Entries of the input.
    test_fraction : float
        Part for the test.
    seed : int
        Seed of ``numpy.random.default_rng``.

    Returns
    -------
    ndarray of bool, shape (n_entries,)
        True for test entries.
    """
    n_train = round((1.0 - test_fraction) * n_entries)
    mask = np.zeros(n_entries, dtype=bool)
    mask[np.random.default_rng(seed).permutation(n_entries)[n_train:]] = True
    return mask


def split_mask(config: TrainConfig, n_entries: int) -> NDArray[np.bool_]:
    """Say which of the input's entries are for the test, by the configuration's split.

    Parameters
    ----------
    config : TrainConfig
        The configuration.
    n_entries : int
        Entries of the input.

    Returns
    -------
    ndarray of bool, shape (n_entries,)
        True for test entries.

    Raises
    ------
    InputError
        As :func:`read_event_numbers`.
    """
    if config.split.test_events is not None:
        mask = np.zeros(n_entries, dtype=bool)
        mask[read_event_numbers(config.split.test_events, n_entries)] = True
        return mask
    return random_test_mask(n_entries, config.test_fraction, config.split.seed)


def read_parts(
    config: TrainConfig, progress: Callable[[int, int], None] | None = None
) -> tuple[Sequences | SequenceStream, Sequences | SequenceStream | None]:
    """Read the events of a configuration and split them.

    Parameters
    ----------
    config : TrainConfig
        The configuration.
    progress : callable, optional
        Called with the entries read and all entries.

    Returns
    -------
    train : Sequences or SequenceStream
        The training part.
    test : Sequences, SequenceStream or None
        The test part, if the split asks for one.

    Raises
    ------
    InputError
        The files cannot be read as asked for, or a part is left without events.
    """
    from .reading import read_sequences
    from .streaming import stream_sequences

    arguments = config.input.reading_arguments()
    read: Any = stream_sequences if config.input.stream else partial(read_sequences, progress=progress)
    events = read(config.input.files, **arguments)
    if config.split.test_files is not None:
        limits = {"memory_limit": arguments["memory_limit"]} if "memory_limit" in arguments else {}
        return events, read(config.split.test_files, recipe=events.recipe, **limits)
    if config.input.stream:
        return events, None
    assert events.entries is not None
    is_test = split_mask(config, events.n_entries)[events.entries]
    train, test = events[~is_test], events[is_test]
    wants_test = config.split.test_events is not None or config.test_fraction > 0
    for name, part, wanted in (("training", train, True), ("test", test, wants_test)):
        if wanted and len(part) == 0:
            raise InputError(
                f"{events.source}: the split leaves no events for the {name} part; {len(events)} of "
                f"{events.n_entries} entries are selected: change the selection or the split"
            )
    return train, test if wants_test else None


def watched(events: Iterable[Sequences], progress: Callable[[int, int], None], n_entries: int) -> Iterator[Sequences]:
    """Pass on pieces of events and say after each how far the input has been gone through.

    Parameters
    ----------
    events : iterable of Sequences
        The pieces, such as a SequenceStream.
    progress : callable
        Called with the entries done and all entries.
    n_entries : int
        Entries of the input.

    Yields
    ------
    Sequences
        The pieces, unchanged.
    """
    for chunk in events:
        yield chunk
        if chunk.entries is not None and len(chunk):
            progress(int(chunk.entries[-1]) + 1, n_entries)


def fit(
    model: SequenceModel,
    events: Sequences | SequenceStream,
    progress: Callable[[EpochRecord], object],
    **more: Any,
) -> tuple[float, float]:
    """Train, and say how fast it went.

    Parameters
    ----------
    model : LSTMClassifier or LSTMRegressor
        It is trained in place.
    events : Sequences or SequenceStream
        The training part.
    progress : callable
        Called with an EpochRecord after each epoch.
    **more
        Further keywords of the model's ``fit``: `checkpoint`, `resume`.

    Returns
    -------
    seconds : float
        Time of all of it.
    events_per_second : float
        Training events gone through by the time of the epochs; 0 if none was completed.
    """
    n_events = seconds = 0.0

    def note(record: EpochRecord) -> None:
        nonlocal n_events, seconds
        n_events += record.events_per_second * record.seconds
        seconds += record.seconds
        progress(record)

    start = time.perf_counter()
    model.fit(events, progress=note, **more)
    return time.perf_counter() - start, n_events / seconds if seconds > 0 else 0.0


def restrict_to_entries(
    events: Iterable[Sequences], path: str | os.PathLike[str], n_entries: int
) -> Iterator[Sequences]:
    """Give only the events whose entries a file lists.

    Parameters
    ----------
    events : iterable of Sequences
        The events in pieces, such as a SequenceStream.
    path : path
        See :func:`read_event_numbers`.
    n_entries : int
        Entries of the input.

    Yields
    ------
    Sequences
        What is left of each piece; there may be nothing.

    Raises
    ------
    InputError
        As :func:`read_event_numbers`.
    """
    wanted = np.zeros(n_entries, dtype=bool)
    wanted[read_event_numbers(path, n_entries)] = True
    for chunk in events:
        assert chunk.entries is not None
        yield chunk[wanted[chunk.entries]]


def score_part(model: SequenceModel, events: Sequences | Iterable[Sequences]) -> ScoredPart:
    """Score labelled events; of pieces only scores, labels and weights are kept.

    Of a model with ``every_step=True``, each step with a label or targets counts as one event, with the weight of its event.

    Parameters
    ----------
    model : LSTMClassifier or LSTMRegressor
        A trained model.
    events : Sequences, or iterable of Sequences such as a SequenceStream
        Labelled events.

    Returns
    -------
    ScoredPart

    Raises
    ------
    InputError
        There are no events, or they have no labels.
    """
    parts = []
    every_step = getattr(model, "every_step", False)  # the models of a cross-validation never have it
    truth_of = Truth(model.regression, every_step)
    for chunk in [events] if isinstance(events, Sequences) else events:
        if len(chunk) == 0:
            continue
        truth: NDArray[Any] | None = (truth_of.targets if model.regression else truth_of.labels)(chunk)
        if truth is None:
            what = "targets" if model.regression else "labels"
            of_steps = " of their steps" if every_step else ""
            raise InputError(
                f"{chunk.source}: the events have no {what}{of_steps}, so the scores cannot be judged; give {what}{of_steps}"
            )
        outputs, weights = model.outputs(chunk), chunk.weights
        if every_step:
            seen = np.isfinite(truth[:, 0]) if model.regression else truth >= 0
            outputs, truth = outputs[seen], truth[seen]
            weights = None if weights is None else np.repeat(weights, chunk.lengths)[seen]
        parts.append((outputs, truth, weights))
    if not sum(len(truth) for _, truth, _ in parts):
        raise InputError(
            "there are no events to evaluate: the selection and the list of entries leave none"
            if not parts
            else "there are no steps to evaluate: all are masked; give some of them a label or targets"
        )
    outputs, truths, weights = zip(*parts, strict=True)
    return ScoredPart(
        np.concatenate(outputs),
        np.concatenate(truths),
        None if any(w is None for w in weights) else np.concatenate(weights),
    )


def evaluate_parts(
    model: SequenceModel, train: Sequences | Iterable[Sequences] | None, test: Sequences | Iterable[Sequences]
) -> tuple[Evaluation | RegressionEvaluation, ScoredPart | None, ScoredPart]:
    """Score and evaluate the test part, and compare with the training part.

    Parameters
    ----------
    model : LSTMClassifier or LSTMRegressor
        A trained model.
    train : Sequences, iterable of Sequences, or None
        The part it was trained on.
    test : Sequences or iterable of Sequences
        Other events.

    Returns
    -------
    evaluation : Evaluation or RegressionEvaluation
        All figures.
    scored_train : ScoredPart or None
        Scores of the training part.
    scored_test : ScoredPart
        Scores of the test part.

    Raises
    ------
    InputError
        A class is without events, or its weights have no positive sum.
    """
    from .deviations import evaluate_regression
    from .evaluation import evaluate

    scored_test = score_part(model, test)
    scored_train = None if train is None else score_part(model, train)
    judge: Any = evaluate_regression if model.regression else evaluate
    evaluation = judge(
        scored_test.outputs,
        scored_test.truth,
        model.output_names,
        scored_test.weights,
        train=None if scored_train is None else scored_train.as_tuple(),
    )
    return evaluation, scored_train, scored_test


def draw_plots(
    model: SequenceModel,
    folder: str | os.PathLike[str],
    *,
    test: ScoredPart | None = None,
    train: ScoredPart | None = None,
    loss: bool = True,
) -> list[Path]:
    """Draw what the data at hand allow: ROC from the test part, overtraining from both parts, the loss always.

    Of a regression these are deviation and residuals, from the test part, and the loss.

    Parameters
    ----------
    model : LSTMClassifier or LSTMRegressor
        A trained model.
    folder : path
        Where the plots go.
    test, train : ScoredPart, optional
        Scores of the two parts.
    loss : bool
        Whether to draw the loss.

    Returns
    -------
    list of pathlib.Path
        The files written.

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    from .plots import plot_loss, save_figures, save_plots
    from .regression_plots import save_regression_plots

    history = model.history if loss else None
    if test is not None:
        other = None if train is None else train.as_tuple()
        save = save_regression_plots if model.regression else save_plots
        return save(folder, test.outputs, test.truth, model.output_names, test.weights, other, history)
    if history is None:
        return []
    return save_figures(folder, {"loss": plot_loss(history)})


def listed_plots(paths: Sequence[str | os.PathLike[str]]) -> str:
    """Put the plots into one line: those as PNG by name, and that there are others.

    Parameters
    ----------
    paths : sequence of path
        From :func:`draw_plots`.

    Returns
    -------
    str
    """
    pictures = [os.fspath(path) for path in paths if os.fspath(path).endswith(".png")]
    return "  ".join(pictures) + ("  (also as .pdf)" if len(pictures) < len(paths) else "")
