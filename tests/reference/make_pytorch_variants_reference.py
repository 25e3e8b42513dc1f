"""Write pytorch_variants.npz: other cells, pooling and normalisation, by PyTorch, in float64.

pip install torch==2.13.0
python tests/reference/make_pytorch_variants_reference.py

GRU, simple RNN and layer normalisation are PyTorch's own; peepholes and coupled gates, which it does not have, are written out in
its tensors and differentiated by it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

LENGTHS = [7, 1, 4, 7, 2, 5, 3, 6, 4, 1, 7]
D, E, K = 3, 2, 3
CASES: dict[str, dict[str, Any]] = {
    "gru": {"cell": "gru", "widths": [5]},
    "gru_stacked_both": {"cell": "gru", "widths": [4, 3], "both": True},
    "rnn": {"cell": "rnn", "widths": [5]},
    "rnn_stacked": {"cell": "rnn", "widths": [3, 6]},
    "peepholes": {"widths": [5], "peepholes": True},
    "coupled": {"widths": [5], "coupled_gates": True},
    "peepholes_coupled": {"widths": [4, 3], "peepholes": True, "coupled_gates": True},
    "norm": {"widths": [4, 5], "layer_norm": True},
    "norm_both": {"cell": "gru", "widths": [4, 3], "both": True, "layer_norm": True},
    "mean": {"widths": [5], "pooling": "mean"},
    "max_both": {"widths": [4], "both": True, "pooling": "max"},
    "attention": {"widths": [5], "pooling": "attention"},
    "attention_norm_both": {"cell": "gru", "widths": [3, 4], "both": True, "pooling": "attention", "layer_norm": True},
    "every_step": {"widths": [5], "every_step": True},
    "every_step_both": {"cell": "rnn", "widths": [4, 3], "both": True, "every_step": True},
}


def parameter(*shape: int) -> torch.Tensor:
    """Return a parameter, drawn at random."""
    return (0.6 * torch.randn(*shape)).requires_grad_()


class Direction:
    """One layer in one direction of time, over one event."""

    def __init__(self, case: dict[str, Any], width: int, H: int) -> None:
        self.case, self.H = case, H
        self.cell = case.get("cell", "lstm")
        coupled = case.get("coupled_gates", False)
        gates = {"gru": 3, "rnn": 1, "lstm": 3 if coupled else 4}[self.cell]
        self.W, self.U = parameter(gates * H, width), parameter(gates * H, H)
        self.b = parameter((4 if self.cell == "gru" else gates) * H)
        self.p = parameter((2 if coupled else 3) * H) if case.get("peepholes") else None
        self.parameters = [self.W, self.U, self.b] + ([] if self.p is None else [self.p])

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the states (T, H) of one event (T, D)."""
        if self.cell == "lstm":
            return self.lstm(x)
        H = self.H
        layer = torch.nn.GRU(x.shape[1], H) if self.cell == "gru" else torch.nn.RNN(x.shape[1], H)
        if self.cell == "gru":
            b_ih, b_hh = self.b[: 3 * H], torch.cat([torch.zeros(2 * H), self.b[3 * H :]])
        else:
            b_ih, b_hh = self.b, torch.zeros(H)
        named = {"weight_ih_l0": self.W, "weight_hh_l0": self.U, "bias_ih_l0": b_ih, "bias_hh_l0": b_hh}
        states, _ = torch.func.functional_call(layer, named, (x,))
        return states

    def lstm(self, x: torch.Tensor) -> torch.Tensor:
        """Return the states of an LSTM with peepholes or coupled gates."""
        H, coupled = self.H, self.case.get("coupled_gates", False)
        h = c = torch.zeros(H)
        p = [torch.zeros(H)] * 3 if self.p is None else list(self.p.split(H))
        states = []
        for t in range(len(x)):
            z = list((self.W @ x[t] + self.U @ h + self.b).split(H))
            i = torch.sigmoid(z[0] + p[0] * c)
            f = 1 - i if coupled else torch.sigmoid(z[1] + p[1] * c)
            c = f * c + i * torch.tanh(z[-2])
            h = torch.sigmoid(z[-1] + p[-1] * c) * torch.tanh(c)
            states.append(h)
        return torch.stack(states)


def run(case: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return one case: what goes in, probabilities, losses, and the gradient of the sum of weight * loss, flat in our order."""
    directions, N = 1 + case.get("both", False), len(LENGTHS)
    steps = sum(LENGTHS)
    x, e = torch.randn(steps, D), torch.randn(N, E)
    rows = steps if case.get("every_step") else N
    labels, weights = torch.randint(K, (rows,)), torch.randn(N) + 0.5
    if case.get("every_step"):
        labels[torch.rand(rows) < 0.25] = -1  # no label
    layers, norms, width = [], [], D
    for H in case["widths"]:
        layers.append([Direction(case, width, H) for _ in range(directions)])
        width = H * directions
        norms.append((parameter(width), parameter(width)) if case.get("layer_norm") else ())
    M = case["widths"][-1]
    attention = (parameter(M, width), parameter(M), parameter(1, M)) if case.get("pooling") == "attention" else ()
    head_W, head_b = parameter(K, width + E), parameter(K)
    ours = [p for layer in layers for direction in layer for p in direction.parameters]
    ours += [p for norm in norms for p in norm] + [*attention, head_W, head_b]

    def norm(states: torch.Tensor, layer: int) -> torch.Tensor:
        if not norms[layer]:
            return states
        gain, bias = norms[layer]
        return torch.nn.functional.layer_norm(states, (states.shape[-1],), gain, bias)

    logits = []
    for n, event in enumerate(x.split(LENGTHS)):
        states = event
        for number, layer in enumerate(layers):
            parts = [layer[0](states)] + [direction(states.flip(0)).flip(0) for direction in layer[1:]]
            last = torch.cat([parts[0][-1]] + [part[0] for part in parts[1:]])
            states = norm(torch.cat(parts, dim=1), number)
        pooling = case.get("pooling", "last")
        if case.get("every_step"):
            joined = torch.cat([states, e[n].expand(len(states), E)], dim=1)
        else:
            if pooling == "attention":
                scores = torch.tanh(states @ attention[0].T + attention[1]) @ attention[2][0]
                pooled = torch.softmax(scores, 0) @ states
            else:
                pooled = {"last": norm(last, len(layers) - 1), "mean": states.mean(0), "max": states.max(0).values}[
                    pooling
                ]
            joined = torch.cat([pooled, e[n]])[None]
        logits.append(joined @ head_W.T + head_b)
    z = torch.cat(logits)
    losses = torch.nn.functional.cross_entropy(z, labels, reduction="none", ignore_index=-1)
    of_row = torch.repeat_interleave(weights, torch.tensor(LENGTHS)) if case.get("every_step") else weights
    gradient = torch.autograd.grad((of_row * losses).sum(), ours)

    def flat(tensors: Any) -> np.ndarray:
        return np.concatenate([t.detach().numpy().ravel() for t in tensors])

    return {
        "x": x.numpy(),
        "event_features": e.numpy(),
        "labels": labels.numpy(),
        "weights": weights.numpy(),
        "parameters": flat(ours),
        "outputs": z.detach().numpy(),
        "losses": losses.detach().numpy(),
        "gradient": flat(gradient),
    }


def main() -> None:
    """Write the file."""
    torch.manual_seed(8)
    torch.set_default_dtype(torch.float64)
    arrays = {f"{name}/{key}": value for name, case in CASES.items() for key, value in run(case).items()}
    arrays["lengths"] = np.array(LENGTHS)
    np.savez_compressed(Path(__file__).with_name("pytorch_variants.npz"), **arrays)


if __name__ == "__main__":
    main()
