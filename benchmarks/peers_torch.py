"""PyTorch on the CPU: the same network, loss, optimiser and batches, padded to each batch's own longest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from .cases import Case, Events, padded
from .ours import LEARNING_RATE, split_parameters


class Network(torch.nn.Module):
    """LSTM, state after the true last step, linear head."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(case.D, case.H)
        self.head = torch.nn.Linear(case.H, 1)
        self.lstm.bias_hh_l0.requires_grad_(False)  # one bias, as ours: the second would double its learning rate

    def load(self, case: Case, flat: NDArray[np.float32]) -> None:
        """Take our parameters over; the order of the gates is the same."""
        parts = split_parameters(case, flat)
        with torch.no_grad():
            self.lstm.weight_ih_l0.copy_(torch.from_numpy(parts["lstm.W"].copy()))
            self.lstm.weight_hh_l0.copy_(torch.from_numpy(parts["lstm.U"].copy()))
            self.lstm.bias_ih_l0.copy_(torch.from_numpy(parts["lstm.b"].ravel().copy()))
            self.lstm.bias_hh_l0.zero_()
            self.head.weight.copy_(torch.from_numpy(parts["head.W"].copy()))
            self.head.bias.copy_(torch.from_numpy(parts["head.b"].ravel().copy()))

    def flat(self) -> NDArray[np.float32]:
        """Return the parameters in our order."""
        lstm = self.lstm
        parts = (lstm.weight_ih_l0, lstm.weight_hh_l0, lstm.bias_ih_l0, self.head.weight, self.head.bias)
        return np.concatenate([part.detach().numpy().ravel() for part in parts])

    def forward(self, x: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        """Logits (B,) of x (T, B, D) with `last` (1, B, H), each event's last step."""
        states, _ = self.lstm(x)
        return self.head(states.gather(0, last)[0])[:, 0]


def make_optimizer(network: Network) -> torch.optim.Optimizer:
    """Make Adam in its faster, fused form."""
    wanted = [part for part in network.parameters() if part.requires_grad]
    return torch.optim.Adam(wanted, lr=LEARNING_RATE, fused=True)


def prepared_batch(case: Case, events: Events, batch: NDArray[np.int64]) -> tuple[torch.Tensor, ...]:
    """Return x (T, B, D), last (1, B, H), labels (B,) as tensors."""
    lengths = torch.from_numpy(events.lengths[batch])
    last = (lengths - 1)[None, :, None].expand(1, len(batch), case.H).contiguous()
    return torch.from_numpy(padded(events, batch)), last, torch.from_numpy(events.labels[batch]).float()


def training_steps(network: Network, case: Case, events: Events, batches: list[NDArray[np.int64]]) -> list[Callable]:
    """One optimiser step for each batch; gathering and padding are done beforehand and not timed."""
    optimizer = make_optimizer(network)
    loss_of = torch.nn.BCEWithLogitsLoss()

    def step(batch: NDArray[np.int64]) -> Callable:
        x, last, labels = prepared_batch(case, events, batch)

        def run() -> None:
            optimizer.zero_grad(set_to_none=True)
            loss_of(network(x, last), labels).backward()
            optimizer.step()

        return run

    return [step(batch) for batch in batches]


def scoring_call(network: Network, case: Case, events: Events) -> Callable[[], NDArray[np.float32]]:
    """One call that scores all events: the probability of the signal (N,)."""
    x, last, _ = prepared_batch(case, events, np.arange(len(events.labels)))

    def run() -> NDArray[np.float32]:
        with torch.inference_mode():
            return torch.sigmoid(network(x, last)).numpy()

    return run


def use_threads(n_threads: int) -> Callable[[], None]:
    """Return what makes PyTorch use so many threads."""
    return lambda: torch.set_num_threads(n_threads)


def facts() -> dict[str, object]:
    """Version and how it was built."""
    return {"version": torch.__version__, "onednn": torch.backends.mkldnn.is_available(), "adam": "fused",
            "instruction_set": torch.backends.cpu.get_cpu_capability()}  # fmt: skip
