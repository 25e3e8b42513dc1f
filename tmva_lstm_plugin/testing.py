"""Toy sequence tasks whose best possible result is known exactly.

Each task draws labelled, jagged events from densities that can be written down.  The posterior probability of every
class is therefore known for every event, and so are the area under the ROC curve (AUC) and the accuracy that no
classifier can beat on average: use them to see how much of what can be learnt has been learnt.

>>> from tmva_lstm_plugin.testing import order_task
>>> train, test = order_task(20_000, seed=1), order_task(20_000, seed=2)
>>> test.sequences.feature_names, test.posterior.shape
(('x',), (20000, 2))

Events are drawn in fixed blocks, each from its own stream (PCG64, seeded with seed and block number).  So a seed and
an event number determine the event: asking for more events repeats the earlier ones and goes on, and a file written
in chunks holds the same events as memory, whatever the chunk.  NumPy may change its streams between versions (NEP 19).
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._toys import BLOCK, PROCESSES, chunks, make_process, whole_number
from .errors import OptionError
from .files import replacing
from .sequences import Sequences

__all__ = [
    "TASKS",
    "ToyTask",
    "first_step_sign",
    "gaussian_classes",
    "gaussian_sum",
    "make_task",
    "order_task",
    "signed_weights",
    "write_toy_root",
]

TASKS: tuple[str, ...] = tuple(PROCESSES)
"""Names of all tasks; each is also a function of this module."""

_Lengths = int | tuple[int, int]


@dataclass(frozen=True, eq=False)
class ToyTask:
    """Events of a toy task, with the best that can be done on them.

    Attributes
    ----------
    name : str
        The generator, one of `TASKS`.
    options : dict
        The generator's options.
    seed : int
        The seed the events were drawn with.
    sequences : Sequences
        N labelled events; the feature ``x`` carries the information, ``noise0, noise1, ...`` carry none.
    posterior : ndarray of float64, shape (N, K)
        The exact probability of each of the K classes given the event: what a perfect ``predict_proba`` returns.
    optimal_auc : float
        AUC of the exact posterior for infinitely many events; for more than two classes the mean of "one class against
        the rest", each with its own posterior as score.  For a weighted task it is the weighted AUC.
    optimal_accuracy : float
        Share of events whose most probable class is the true one, for infinitely many events (weighted likewise).
    """

    name: str
    options: dict[str, Any]
    seed: int
    sequences: Sequences
    posterior: NDArray[np.float64]
    optimal_auc: float
    optimal_accuracy: float


def gaussian_sum(
    n_events: int, *, lengths: _Lengths = (1, 20), shift: float = 0.3, n_noise: int = 0, seed: int = 1
) -> ToyTask:
    r"""Draw the steps of an event from one of two shifted normal distributions: their sum says it all.

    Every step of an event is :math:`x_t \sim N(\pm\mu, 1)`, + for signal.  The log likelihood ratio of an event of `n`
    steps is :math:`2\mu\sum_t x_t \sim N(\pm 2\mu^2 n, 4\mu^2 n)` (Neyman-Pearson lemma), and the difference of a
    signal event of `n` and a background event of `m` steps is positive with probability
    :math:`\Phi(\mu\sqrt{n + m})`, so

    .. math:: \mathrm{AUC} = \sum_{n,m} p_n p_m \Phi(\mu\sqrt{n + m}), \qquad
              \mathrm{accuracy} = \sum_n p_n \Phi(\mu\sqrt{n}).

    Parameters
    ----------
    n_events : int
        How many events, at least 1.
    lengths : int or (int, int)
        Number of steps of an event, or the smallest and the largest, all equally likely; at most 10000.
    shift : float
        :math:`\mu`, above 0 and at most 10.
    n_noise : int
        How many features of pure noise, :math:`N(0, 1)`, to add.
    seed : int
        Not negative.

    Returns
    -------
    ToyTask

    Raises
    ------
    OptionError
        An option is out of range.
    """
    return make_task("gaussian_sum", n_events, seed=seed, lengths=lengths, shift=shift, n_noise=n_noise)


def gaussian_classes(
    n_events: int,
    *,
    lengths: _Lengths = (1, 20),
    means: Sequence[float] = (-0.5, 0.0, 0.5),
    n_noise: int = 0,
    seed: int = 1,
) -> ToyTask:
    r"""Draw events of several classes, each with its own mean of the steps.

    As :func:`gaussian_sum`, with :math:`x_t \sim N(\mu_k, 1)` for class `k` of `K`.  With :math:`S = \sum_t x_t` the
    posterior is :math:`p_k \propto \exp(\mu_k S - n\mu_k^2/2)`.  The accuracy follows from the thresholds
    :math:`S/n = (\mu_k + \mu_{k+1})/2`; the AUC is integrated numerically over `S` (to better than 1e-4).

    Parameters
    ----------
    n_events, lengths, n_noise, seed
        As in :func:`gaussian_sum`.
    means : sequence of float
        The :math:`\mu_k`, at least two, increasing, between -10 and 10.

    Returns
    -------
    ToyTask
        With the classes ``class0, class1, ...``.

    Raises
    ------
    OptionError
        An option is out of range.
    """
    return make_task("gaussian_classes", n_events, seed=seed, lengths=lengths, means=means, n_noise=n_noise)


def order_task(
    n_events: int, *, lengths: _Lengths = (5, 20), rho: float = 0.5, n_noise: int = 0, seed: int = 1
) -> ToyTask:
    r"""Draw events of two classes whose steps look alike one by one and differ in what follows what.

    The steps follow a stationary autoregressive process,
    :math:`x_1 \sim N(0, 1)`, :math:`x_t = \pm\rho\,x_{t-1} + \sqrt{1 - \rho^2}\,\varepsilon_t`, + for signal.
    Every step by itself is :math:`N(0, 1)` in both classes; neighbours are alike in signal and opposite in background.
    (Something that ignores the order, such as the squared sum, sees a part of this, but not all.)  The log likelihood
    ratio is :math:`2\rho/(1 - \rho^2)\,\sum_t x_t x_{t-1}`, a quadratic form in normal variables, whose
    distribution follows exactly from the eigenvalues :math:`\lambda_j` of the form (J. P. Imhof, Biometrika 48 (1961)
    419; J. Gil-Pelaez, Biometrika 38 (1951) 481).  With its characteristic function, averaged over the lengths,
    :math:`\varphi(u) = \sum_n p_n \prod_j (1 - 2i\lambda_j u)^{-1/2}`,

    .. math:: \mathrm{AUC} = \frac12 + \frac1\pi\int_0^\infty \mathrm{Im}\,\varphi(u)^2\,\frac{du}{u}, \qquad
              \mathrm{accuracy} = \frac12 + \frac1\pi\int_0^\infty \mathrm{Im}\,\varphi(u)\,\frac{du}{u}.

    Parameters
    ----------
    n_events, lengths, n_noise, seed
        As in :func:`gaussian_sum`; events of 0 or 1 steps carry no information.
    rho : float
        Correlation of neighbouring steps, between 0 and 1.

    Returns
    -------
    ToyTask

    Raises
    ------
    OptionError
        An option is out of range.
    """
    return make_task("order_task", n_events, seed=seed, lengths=lengths, rho=rho, n_noise=n_noise)


def first_step_sign(
    n_events: int, *, lengths: _Lengths = (10, 30), flip: float = 0.1, n_noise: int = 0, seed: int = 1
) -> ToyTask:
    r"""Draw events whose first step decides the class by its sign, now and then flipped: a test of memory.

    All steps are :math:`N(0, 1)`, and all but the first are noise.  The posterior of signal is :math:`1 - f` where
    :math:`x_1 > 0` and `f` elsewhere; AUC and accuracy are both exactly :math:`1 - f`.

    Parameters
    ----------
    n_events, lengths, n_noise, seed
        As in :func:`gaussian_sum`; every event needs at least 1 step.
    flip : float
        The probability `f` that the label is the opposite, at least 0 and below 0.5.

    Returns
    -------
    ToyTask

    Raises
    ------
    OptionError
        An option is out of range.
    """
    return make_task("first_step_sign", n_events, seed=seed, lengths=lengths, flip=flip, n_noise=n_noise)


def signed_weights(
    n_events: int,
    *,
    lengths: _Lengths = (1, 20),
    shift: float = 0.3,
    negative_fraction: float = 0.2,
    n_noise: int = 0,
    seed: int = 1,
) -> ToyTask:
    r"""Draw events with negative weights that cancel, as generators with subtraction (MC@NLO) make them.

    A share `q` of the events is drawn from the wrong density :math:`N(\mp 3\mu, 1)` with negative weight, another `q`
    from the same density with positive weight, the rest from :math:`N(\pm\mu, 1)` as in :func:`gaussian_sum`.  The
    weights are :math:`\pm 1/(1 - 2q)`, 1 on average.  In any weighted sum the wrong events cancel, so that posterior,
    weighted AUC and weighted accuracy are those of :func:`gaussian_sum`.  Who drops the sign, or the events of negative
    weight, sees another density and learns a worse ranking.

    Parameters
    ----------
    n_events, lengths, shift, n_noise, seed
        As in :func:`gaussian_sum`.
    negative_fraction : float
        The share `q`, at least 0 and below 0.5.

    Returns
    -------
    ToyTask
        With weights.

    Raises
    ------
    OptionError
        An option is out of range.
    """
    options = {"lengths": lengths, "shift": shift, "negative_fraction": negative_fraction, "n_noise": n_noise}
    return make_task("signed_weights", n_events, seed=seed, **options)


def make_task(name: str, n_events: int, *, seed: int = 1, **options: Any) -> ToyTask:
    """Draw the events of the task called `name`.

    Parameters
    ----------
    name : str
        One of `TASKS`.
    n_events : int
        How many events, at least 1.
    seed : int
        Not negative.
    **options
        The options of the function of that name.

    Returns
    -------
    ToyTask

    Raises
    ------
    OptionError
        No such task or option, or an option out of range.
    """
    process = make_process(name, options)
    count = whole_number(name, "n_events", n_events, 1)
    start = whole_number(name, "seed", seed, 0)
    sequences, posterior = next(chunks(process, count, start, count + BLOCK))
    auc, accuracy = process.optimum
    return ToyTask(name, dataclasses.asdict(process), start, sequences, posterior, auc, accuracy)


def write_toy_root(
    path: str | os.PathLike[str],
    task: str | ToyTask,
    n_events: int | None = None,
    *,
    seed: int | None = None,
    chunk: int = 100_000,
    tree: str = "events",
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Path:
    """Write the events of a task to a ROOT file, in memory that does not grow with their number.

    The tree has one jagged float branch per feature (``x``, ``noise0``, ...; they share the counter ``n_steps``) and
    per event ``event`` (int64, from 0), ``label`` (int32, index of the class), ``weight`` (double, 1 for tasks without
    weights) and ``posterior_<class>`` (double, the exact probability of each class).

    Parameters
    ----------
    path : path
        The file to write; an earlier one is replaced when the new one is complete.
    task : str or ToyTask
        A name out of `TASKS`, or a task, which is then drawn again.
    n_events : int, optional
        How many events; by default as many as a given `ToyTask` has.
    seed : int, optional
        By default that of a given `ToyTask`, else 1.
    chunk : int
        How many events to hold in memory at a time (in steps of 4096 events).  The content does not depend on it.
    tree : str
        Name of the tree.
    progress : callable, optional
        Called with the number of events written and to write, after each chunk.
    **options
        Options of the task; those of a given `ToyTask` are kept where not given.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    OptionError
        No such task or option, or an option out of range.
    OutputError
        The file cannot be written.
    """
    import awkward as ak
    import uproot

    if isinstance(task, ToyTask):
        name, options = task.name, {**task.options, **options}
        n_events = len(task.sequences) if n_events is None else n_events
        seed = task.seed if seed is None else seed
    else:
        name = task
    process = make_process(name, options)
    count = whole_number(name, "n_events", n_events, 1)
    start = whole_number(name, "seed", 1 if seed is None else seed, 0)
    events_at_once = whole_number(name, "chunk", chunk, 1)
    if not tree:
        raise OptionError(f"toy task {name}: the name of the tree is empty; give one, for example 'events'")

    record = ", ".join(f"{feature}: float32" for feature in process.feature_names)
    types = {"event": "int64", "label": "int32", "weight": "float64"}
    types |= {f"posterior_{c}": "float64" for c in process.class_names}
    with replacing(path, purpose="toy events") as aside:
        with uproot.recreate(aside) as file:
            out = file.mktree(
                tree,
                {"steps": f"var * {{{record}}}", **types},
                title=f"{name}, seed {start}, {', '.join(f'{k}={v}' for k, v in dataclasses.asdict(process).items())}",
                counter_name=lambda counted: f"n_{counted}",
                field_name=lambda outer, inner: inner,
            )
            done = 0
            for sequences, posterior in chunks(process, count, start, events_at_once):
                columns = dict(zip(sequences.feature_names, sequences.values.T, strict=True))
                size = len(sequences)
                out.extend(
                    {
                        "steps": ak.unflatten(ak.zip(columns), sequences.lengths),
                        "event": np.arange(done, done + size),
                        "label": sequences.labels,
                        "weight": np.ones(size) if sequences.weights is None else sequences.weights,
                        **{f"posterior_{c}": posterior[:, k] for k, c in enumerate(process.class_names)},
                    }
                )
                done += size
                if progress is not None:
                    progress(done, count)
    return Path(path)
