"""How the events of the toy tasks are drawn, and what is known about them (the faces are in `testing`)."""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .errors import OptionError, near_miss
from .sequences import Sequences

__all__ = ["BLOCK", "PROCESSES", "Process", "chunks", "make_process", "whole_number"]

LONGEST = 10_000  # a whole block is held as a table of this width
BLOCK = 4096  # part of the definition of the events: another size means other events for the same seed

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Process:
    """How events of one task are drawn, and what is known about them; the fields are the options."""

    lengths: tuple[int, int]
    n_noise: int = 0

    name: ClassVar[str]
    shortest: ClassVar[int] = 0

    def __post_init__(self) -> None:
        given = self.lengths
        low, high = given if isinstance(given, (tuple, list)) and len(given) == 2 else (given, given)
        pair = (whole_number(self.name, "lengths", low, self.shortest), whole_number(self.name, "lengths", high, 1))
        if pair[0] > pair[1]:
            raise OptionError(f"toy task {self.name}: lengths={given!r}, expected the smaller number first")
        if pair[1] > LONGEST:
            raise OptionError(f"toy task {self.name}: lengths={given!r}, expected at most {LONGEST} steps")
        object.__setattr__(self, "lengths", pair)
        whole_number(self.name, "n_noise", self.n_noise, 0)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the K classes."""
        return ("background", "signal")

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the D features of a step."""
        return ("x", *(f"noise{i}" for i in range(self.n_noise)))

    @property
    def possible_lengths(self) -> NDArray[np.int64]:
        """Every length an event can have, all equally likely."""
        low, high = self.lengths
        return np.arange(low, high + 1)

    def number(self, option: str, expected: str, fits: Callable[[float], bool]) -> None:
        """Turn an option into a float, or say what was expected of it."""
        value = getattr(self, option)
        try:
            good = fits(float(value))
        except (TypeError, ValueError):
            good = False
        if not good:
            raise OptionError(f"toy task {self.name}: {option}={value!r}, expected {expected}")
        object.__setattr__(self, option, float(value))

    def draw(self, rng: np.random.Generator, labels: Array, width: int) -> tuple[Array, Array, Array | None]:
        """Return steps (events x width), labels, weights; steps past an event's end are cut off later."""
        raise NotImplementedError

    def log_densities(self, x: Array, n: Array) -> Array:
        """Return the log density of each class (events x K) up to a term they share; `x` is 0 past the end."""
        raise NotImplementedError

    @property
    def optimum(self) -> tuple[float, float]:
        """AUC and accuracy of the posterior."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class GaussianClasses(Process):
    lengths: tuple[int, int] = (1, 20)
    means: Sequence[float] = (-0.5, 0.0, 0.5)
    name: ClassVar[str] = "gaussian_classes"

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            means = np.asarray(self.means, dtype=float)
        except (TypeError, ValueError):
            means = np.empty(0)
        if means.ndim != 1 or len(means) < 2 or not (np.abs(means) <= 10).all() or not (np.diff(means) > 0).all():
            raise OptionError(
                f"toy task {self.name}: means={self.means!r}, expected at least two numbers "
                "between -10 and 10, each larger than the one before"
            )
        object.__setattr__(self, "means", tuple(means.tolist()))

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(f"class{k}" for k in range(len(self.means)))

    @property
    def centres(self) -> NDArray[np.float64]:
        return np.array(self.means)

    def draw(self, rng: np.random.Generator, labels: Array, width: int) -> tuple[Array, Array, Array | None]:
        return rng.standard_normal((len(labels), width)) + self.centres[labels][:, None], labels, None

    def log_densities(self, x: Array, n: Array) -> Array:
        return x.sum(axis=1)[:, None] * self.centres - n[:, None] * self.centres**2 / 2

    @cached_property
    def optimum(self) -> tuple[float, float]:
        mu, lengths = self.centres, self.possible_lengths
        edges = np.concatenate([[-np.inf], (mu[1:] + mu[:-1]) / 2, [np.inf]])
        accuracies, posteriors, probabilities = [], [], []
        for n in lengths:
            if n == 0:
                accuracies.append(1 / len(mu))
                posteriors.append(np.full((1, len(mu)), 1 / len(mu)))
                probabilities.append(np.ones((1, len(mu))))
                continue
            root = math.sqrt(n)
            inside = [_phi((edges[k + 1] - m) * root) - _phi((edges[k] - m) * root) for k, m in enumerate(mu)]
            accuracies.append(sum(inside) / len(mu))
            points = int(200 * (root * (mu[-1] - mu[0]) + 16))  # 200 a standard deviation of the sum
            total = np.linspace(n * mu[0] - 8 * root, n * mu[-1] + 8 * root, points)
            log_density = total[:, None] * mu - n * mu**2 / 2
            posteriors.append(_softmax(log_density))
            density = np.exp(-((total[:, None] - n * mu) ** 2) / (2 * n))
            probabilities.append(density / density.sum(axis=0))
        score, weight = np.concatenate(posteriors), np.concatenate(probabilities)
        aucs = [_auc(score[:, k], np.delete(weight, k, axis=1).sum(axis=1), weight[:, k]) for k in range(len(mu))]
        return float(np.mean(aucs)), float(np.mean(accuracies))


@dataclass(frozen=True, kw_only=True)
class GaussianSum(Process):
    lengths: tuple[int, int] = (1, 20)
    shift: float = 0.3
    name: ClassVar[str] = "gaussian_sum"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.number("shift", "a positive number, at most 10", lambda v: 0 < v <= 10)

    def draw(self, rng: np.random.Generator, labels: Array, width: int) -> tuple[Array, Array, Array | None]:
        return rng.standard_normal((len(labels), width)) + (self.shift * (2 * labels - 1))[:, None], labels, None

    def log_densities(self, x: Array, n: Array) -> Array:
        return (self.shift * x.sum(axis=1))[:, None] * np.array([-1.0, 1.0])

    @property
    def optimum(self) -> tuple[float, float]:
        low, high = self.lengths
        p = np.full(high - low + 1, 1 / (high - low + 1))
        both = np.convolve(p, p)  # of n + m, from 2 * low
        auc = sum(q * _phi(self.shift * math.sqrt(2 * low + i)) for i, q in enumerate(both))
        accuracy = sum(q * _phi(self.shift * math.sqrt(low + i)) for i, q in enumerate(p))
        return float(auc), float(accuracy)


@dataclass(frozen=True, kw_only=True)
class SignedWeights(GaussianSum):
    negative_fraction: float = 0.2
    name: ClassVar[str] = "signed_weights"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.number("negative_fraction", "at least 0 and below 0.5", lambda v: 0 <= v < 0.5)

    def draw(self, rng: np.random.Generator, labels: Array, width: int) -> tuple[Array, Array, Array | None]:
        x, labels, _ = super().draw(rng, labels, width)
        q = self.negative_fraction
        kind = rng.random(len(labels))
        wrong = kind < 2 * q
        x[wrong] += (-4 * self.shift * (2 * labels[wrong] - 1))[:, None]
        return x, labels, np.where(kind < q, -1.0, 1.0) / (1 - 2 * q)


@dataclass(frozen=True, kw_only=True)
class Order(Process):
    lengths: tuple[int, int] = (5, 20)
    rho: float = 0.5
    name: ClassVar[str] = "order_task"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.number("rho", "a number between 0 and 1", lambda v: 0 < v < 1)

    def draw(self, rng: np.random.Generator, labels: Array, width: int) -> tuple[Array, Array, Array | None]:
        x = rng.standard_normal((len(labels), width))
        correlation = self.rho * (2 * labels - 1)
        for t in range(1, width):
            x[:, t] = correlation * x[:, t - 1] + math.sqrt(1 - self.rho**2) * x[:, t]
        return x, labels, None

    def log_densities(self, x: Array, n: Array) -> Array:
        products = (x[:, 1:] * x[:, :-1]).sum(axis=1)
        return (self.rho / (1 - self.rho**2) * products)[:, None] * np.array([-1.0, 1.0])

    @cached_property
    def optimum(self) -> tuple[float, float]:
        # u = exp(s): the trapezoidal sum over s converges exponentially, since the integrand falls off at both ends and
        # its nearest singularities lie at Im s = pi/2
        step = 0.2
        u = np.exp(np.arange(-40.0, 80.0, step))
        # The characteristic function for n steps is (det P / det(P - 2iuA))^(1/2), P the inverse covariance and A the
        # form.  Both are tridiagonal, so the determinants of all n come out of one elimination.  Its pivots have
        # positive real parts (P is positive definite, A real), so that their logarithms need no choice of branch.
        rho2 = self.rho**2
        beside = rho2 * (1 + 2j * u) ** 2
        low, high = self.lengths
        mean = np.full(len(u), complex(sum(n <= 1 for n in self.possible_lengths)))
        pivot, log_product = np.ones(len(u), dtype=complex), np.zeros(len(u), dtype=complex)
        for n in range(2, high + 1):
            if n >= low:
                log_determinant = log_product + np.log(1 - beside / pivot)
                mean += np.exp((math.log(1 - rho2) - log_determinant) / 2)
            pivot = 1 + rho2 - beside / pivot
            log_product += np.log(pivot)
        mean /= high - low + 1
        auc = 0.5 + step / math.pi * (mean**2).imag.sum()
        return float(auc), float(0.5 + step / math.pi * mean.imag.sum())


@dataclass(frozen=True, kw_only=True)
class FirstStepSign(Process):
    lengths: tuple[int, int] = (10, 30)
    flip: float = 0.1
    name: ClassVar[str] = "first_step_sign"
    shortest: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        self.number("flip", "at least 0 and below 0.5", lambda v: 0 <= v < 0.5)

    def draw(self, rng: np.random.Generator, labels: Array, width: int) -> tuple[Array, Array, Array | None]:
        x = rng.standard_normal((len(labels), width))
        flipped = rng.random(len(labels)) < self.flip
        return x, ((x[:, 0].astype(np.float32) > 0) ^ flipped).astype(np.int64), None

    def log_densities(self, x: Array, n: Array) -> Array:
        signal = np.where(x[:, 0] > 0, 1 - self.flip, self.flip)
        with np.errstate(divide="ignore"):  # without flips one class is impossible
            return np.log(np.stack([1 - signal, signal], axis=1))

    @property
    def optimum(self) -> tuple[float, float]:
        return 1 - self.flip, 1 - self.flip


PROCESSES: dict[str, type[Process]] = {
    c.name: c for c in (GaussianSum, GaussianClasses, Order, FirstStepSign, SignedWeights)
}


def make_process(name: str, options: dict[str, Any]) -> Process:
    """Return the process of that name; say what there is if there is none, or no such option."""
    if name not in PROCESSES:
        raise OptionError(f"there is no toy task {name!r}; {near_miss(str(name), PROCESSES)}")
    known = [field.name for field in dataclasses.fields(PROCESSES[name])]
    for option in options:
        if option not in known:
            raise OptionError(f"toy task {name} has no option {option!r}; {near_miss(option, known)}")
    return PROCESSES[name](**options)


def whole_number(task: str, option: str, value: Any, least: int) -> int:
    """Return `value` as an int, or say which option of which task is not one, or is below `least`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least or isinstance(value, bool):
        raise OptionError(f"toy task {task}: {option}={value!r}, expected a whole number, at least {least}")
    return number


def _block(process: Process, seed: int, index: int) -> tuple[Any, ...]:
    rng = np.random.default_rng([seed, index])
    low, high = process.lengths
    n = rng.integers(low, high, size=BLOCK, dtype=np.int64, endpoint=True)
    labels = rng.integers(len(process.class_names), size=BLOCK, dtype=np.int64)
    x, labels, weights = process.draw(rng, labels, high)
    inside = np.arange(high) < n[:, None]
    # the network sees single precision, so the posterior is that of the rounded values
    x = np.where(inside, x, 0).astype(np.float32)
    posterior = _softmax(process.log_densities(x.astype(np.float64), n))
    noise = rng.standard_normal((int(n.sum()), process.n_noise), dtype=np.float32)
    return np.hstack([x[inside][:, None], noise]), n, labels, posterior, weights


def chunks(process: Process, n_events: int, seed: int, chunk: int) -> Iterator[tuple[Sequences, Array]]:
    """Yield the events with their posteriors, in chunks of whole blocks: up to `chunk` events, but at least a block."""
    per_chunk = max(1, chunk // BLOCK)
    n_blocks = -(-n_events // BLOCK)
    for first in range(0, n_blocks, per_chunk):
        blocks = [_block(process, seed, i) for i in range(first, min(first + per_chunk, n_blocks))]
        count = min(len(blocks) * BLOCK, n_events - first * BLOCK)
        joined: list[Any] = [None if p[0] is None else np.concatenate(p) for p in zip(*blocks, strict=True)]
        values, n, labels, posterior, weights = joined
        offsets = np.concatenate([[0], np.cumsum(n[:count])])
        yield (
            Sequences.from_arrays(
                values[: offsets[-1]],
                offsets,
                labels[:count],
                None if weights is None else weights[:count],
                process.feature_names,
                class_names=process.class_names,
                source=f"toy task {process.name}, seed {seed}",
            ),
            posterior[:count],
        )


def _phi(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))


def _softmax(log_density: Array) -> Array:
    relative = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    return relative / relative.sum(axis=1, keepdims=True)


def _auc(score: Array, background: Array, signal: Array) -> float:
    """AUC of points that carry both a background and a signal probability; equal scores count half."""
    _, place = np.unique(score, return_inverse=True)
    b, s = np.bincount(place, background), np.bincount(place, signal)
    return float((s * (np.cumsum(b) - b / 2)).sum() / (b.sum() * s.sum()))
