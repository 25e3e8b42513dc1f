"""The grid of cases, the lengths of their sequences, and their events."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

GIBUU = Path(__file__).resolve().parent.parent / "data" / "gibuu_neutrino.root"
LENGTHS = ("full", "uniform", "gibuu")


@dataclass(frozen=True)
class Case:
    """Sizes of one case: T steps at most, D features, H hidden units of each layer and direction, B events a batch."""

    name: str
    T: int
    D: int
    H: int
    B: int
    what: str
    layers: int = 1
    directions: int = 1
    cell: str = "lstm"

    def __str__(self) -> str:
        return f"{self.name}: T {self.T}, D {self.D}, H {self.H}, B {self.B} ({self.what})"

    @property
    def states(self) -> int:
        """Numbers that a layer gives: the states of all its directions."""
        return self.H * self.directions

    @property
    def gates(self) -> int:
        """Matrices that stand one below the other in W and U."""
        return {"lstm": 4, "gru": 3, "rnn": 1}[self.cell]

    @property
    def _inputs(self) -> int:
        """Inputs of all layers and directions, the states before a step among them."""
        return self.directions * (self.D + (self.layers - 1) * self.states + self.layers * self.H)

    @property
    def forward_flops_a_step(self) -> int:
        """Multiply-adds, counted twice, that one step of one event needs on its way forward."""
        return 2 * self.gates * self.H * self._inputs

    @property
    def training_flops_a_step(self) -> int:
        """The same for forward, dW, dU and dh, and dx of the upper layers; the gradient of the features is not needed."""
        return 2 * self.forward_flops_a_step + 2 * self.gates * self.H * (self._inputs - self.directions * self.D)

    @property
    def n_parameters(self) -> int:
        """W, U, b of the layers; weight and bias of the head."""
        biases = 4 if self.cell == "gru" else self.gates  # the GRU's candidate has two
        return self.H * (self.gates * self._inputs + biases * self.layers * self.directions) + self.states + 1


CASES = {
    case.name: case
    for case in (
        Case("A", 10, 30, 10, 100, "TMVA's tutorial"),
        Case("B", 20, 6, 20, 256, "hls4ml top tag"),
        Case("C", 15, 6, 120, 256, "hls4ml flavour tag"),
        Case("D", 25, 8, 150, 512, "DeepJet charged"),
        Case("E", 120, 3, 128, 256, "LSTM top tag"),
        Case("F", 100, 3, 128, 256, "QuickDraw"),
        Case("G", 20, 8, 16, 256, "small"),
        Case("H", 20, 8, 32, 256, "the package's default"),
        Case("I", 50, 16, 128, 1024, "large batch"),
        Case("J", 20, 8, 64, 256, "two layers", layers=2),
        Case("K", 20, 8, 64, 256, "both directions", directions=2),
        Case("L", 20, 8, 64, 256, "GRU", cell="gru"),
        Case("M", 20, 8, 64, 256, "simple RNN", cell="rnn"),
    )
}
OF_TARGETS = "ABCDEFGHI"
"""The cases that the targets speak of."""


@dataclass(frozen=True)
class Events:
    """Labelled jagged events: values (S, D), offsets (N + 1), labels (N)."""

    values: NDArray[np.float32]
    offsets: NDArray[np.int64]
    labels: NDArray[np.int32]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Steps of each event, shape (N,)."""
        return np.diff(self.offsets)

    @property
    def engine_arrays(self) -> tuple[object, ...]:
        """What the compiled core takes: values, offsets, event features, labels, weights."""
        return (self.values, self.offsets, None, self.labels, None)


def draw_lengths(kind: str, T: int, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw n lengths: all T, uniform in 1..T, or the hadrons of a neutrino event, clipped to 1..T."""
    if kind == "full":
        return np.full(n, T, dtype=np.int64)
    if kind == "uniform":
        return rng.integers(1, T + 1, n, dtype=np.int64)
    return np.clip(rng.choice(gibuu_lengths(), n), 1, T).astype(np.int64)


def gibuu_lengths() -> NDArray[np.int64]:
    """Numbers of outgoing hadrons in the events of data/gibuu_neutrino.root."""
    import awkward as ak
    import uproot

    with uproot.open(GIBUU) as file:
        return np.asarray(ak.num(file["RootTuple"]["E"].array()), dtype=np.int64)


def draw_events(case: Case, kind: str, n: int, seed: int = 1) -> Events:
    """Draw n events of a case: normal steps, and labels that the mean of the first feature leans to."""
    rng = np.random.default_rng([seed, ord(case.name[0]), LENGTHS.index(kind)])
    offsets = np.concatenate([[0], np.cumsum(draw_lengths(kind, case.T, n, rng))]).astype(np.int64)
    labels = rng.integers(0, 2, n).astype(np.int32)
    values = rng.standard_normal((int(offsets[-1]), case.D), dtype=np.float32)
    values[:, 0] += np.repeat(0.3 * (2 * labels - 1), np.diff(offsets)).astype(np.float32)
    return Events(values, offsets, labels)


def random_batches(n_events: int, B: int, n_batches: int, seed: int = 2) -> list[NDArray[np.int64]]:
    """Draw batches of B events at random, none twice."""
    order = np.random.default_rng(seed).permutation(n_events)
    return [np.sort(order[n * B : (n + 1) * B]) for n in range(n_batches)]


def bucketed_batches(lengths: NDArray[np.int64], B: int, n_batches: int) -> list[NDArray[np.int64]]:
    """Cut the events, sorted by length, into batches of B; return the middle one of each of n_batches parts.

    All batches would take as long on the average; these are a sample of them that holds each length as often as it comes.
    """
    order = np.argsort(lengths, kind="stable")
    n_all = len(order) // B
    chosen = [int((n + 0.5) * n_all / n_batches) for n in range(n_batches)]
    return [order[k * B : (k + 1) * B] for k in chosen]


def padded(events: Events, batch: NDArray[np.int64], steps: int | None = None) -> NDArray[np.float32]:
    """Return the events of a batch, time-major and padded with zeros to the batch's longest: (T, B, D)."""
    lengths = events.lengths[batch]
    longest = int(lengths.max()) if steps is None else steps
    out = np.zeros((longest, len(batch), events.values.shape[1]), dtype=np.float32)
    for place, event in enumerate(batch):
        first, last = events.offsets[event], events.offsets[event + 1]
        out[: last - first, place] = events.values[first:last]
    return out
