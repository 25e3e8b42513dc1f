"""PyTorch on the CPU: the same network, loss, optimiser and batches, padded to each batch's own longest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from .cases import Case, Events, padded
from .ours import LEARNING_RATE


class Network(torch.nn.Module):
    """Recurrent layers, state after the true last step (of each direction), linear head."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[case.cell]
        self.layers = kind(case.D, case.H, num_layers=case.layers, bidirectional=case.directions == 2)
        self.head = torch.nn.Linear(case.states, 1)
        # one bias, as ours: the second would double its learning rate; the GRU's candidate has two of its own
        self.second_biases = 2 * case.H if case.cell == "gru" else None
        for name, part in self.layers.named_parameters():
            if name.startswith("bias_hh"):
                part.requires_grad_(case.cell == "gru")
                part.data[: self.second_biases] = 0
                if case.cell == "gru":
                    part.register_hook(self._without_second_biases)

    def _without_second_biases(self, gradient: torch.Tensor) -> torch.Tensor:
        gradient = gradient.clone()
        gradient[: self.second_biases] = 0
        return gradient

    def _parts(self) -> list[torch.Tensor]:
        """Return what is trained, in our order, which within a layer and direction is PyTorch's."""
        named = [(name, part.detach()) for name, part in self.named_parameters() if part.requires_grad]
        return [part[self.second_biases :] if "bias_hh" in name else part for name, part in named]

    def load(self, flat: NDArray[np.float32]) -> None:
        """Take our parameters over; the order of the gates is the same."""
        sizes = [part.numel() for part in self._parts()]
        for part, ours in zip(self._parts(), torch.from_numpy(flat.copy()).split(sizes), strict=True):
            part.copy_(ours.reshape(part.shape))

    def flat(self) -> NDArray[np.float32]:
        """Return the parameters in our order."""
        return np.concatenate([part.numpy().ravel() for part in self._parts()])

    def forward(self, x: torch.Tensor, last: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Logits (B,) of x (T, B, D) with `last` (1, B, H), each event's last step, and `lengths` (B)."""
        if not self.layers.bidirectional:
            states, _ = self.layers(x)
            return self.head(states.gather(0, last)[0])[:, 0]
        if (lengths == len(x)).all():
            _, (h, _) = self.layers(x)
        else:  # only packed sequences begin at their own ends
            _, (h, _) = self.layers(torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False))
        return self.head(torch.cat([h[-2], h[-1]], dim=1))[:, 0]


def make_optimizer(network: Network) -> torch.optim.Optimizer:
    """Make Adam in its faster, fused form."""
    wanted = [part for part in network.parameters() if part.requires_grad]
    return torch.optim.Adam(wanted, lr=LEARNING_RATE, fused=True)


def prepared_batch(case: Case, events: Events, batch: NDArray[np.int64]) -> tuple[torch.Tensor, ...]:
    """Return x (T, B, D), last (1, B, H), lengths (B,), labels (B,) as tensors."""
    lengths = torch.from_numpy(events.lengths[batch])
    last = (lengths - 1)[None, :, None].expand(1, len(batch), case.H).contiguous()
    return torch.from_numpy(padded(events, batch)), last, lengths, torch.from_numpy(events.labels[batch]).float()


def training_steps(network: Network, case: Case, events: Events, batches: list[NDArray[np.int64]]) -> list[Callable]:
    """One optimiser step for each batch; gathering and padding are done beforehand and not timed."""
    optimizer = make_optimizer(network)
    loss_of = torch.nn.BCEWithLogitsLoss()

    def step(batch: NDArray[np.int64]) -> Callable:
        x, last, lengths, labels = prepared_batch(case, events, batch)

        def run() -> None:
            optimizer.zero_grad(set_to_none=True)
            loss_of(network(x, last, lengths), labels).backward()
            optimizer.step()

        return run

    return [step(batch) for batch in batches]


def scoring_call(network: Network, case: Case, events: Events) -> Callable[[], NDArray[np.float32]]:
    """One call that scores all events: the probability of the signal (N,)."""
    x, last, lengths, _ = prepared_batch(case, events, np.arange(len(events.labels)))

    def run() -> NDArray[np.float32]:
        with torch.inference_mode():
            return torch.sigmoid(network(x, last, lengths)).numpy()

    return run


def use_threads(n_threads: int) -> Callable[[], None]:
    """Return what makes PyTorch use so many threads."""
    return lambda: torch.set_num_threads(n_threads)


def facts() -> dict[str, object]:
    """Version and how it was built."""
    return {"version": torch.__version__, "onednn": torch.backends.mkldnn.is_available(), "adam": "fused",
            "instruction_set": torch.backends.cpu.get_cpu_capability()}  # fmt: skip
