"""Write pytorch_explain.npz: what reaches every state and input of stacked LSTM layers in both directions, by PyTorch's autograd.

pip install torch==2.13.0
python tests/reference/make_pytorch_explain_reference.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

LENGTHS = [6, 1, 4, 6, 2]
D, E, K = 3, 2, 3
CASES = {"stacked": ([4, 3], False), "stacked_both": ([3, 4], True)}


def cell(
    layer: torch.nn.LSTM, suffix: str, x: torch.Tensor
) -> tuple[list[torch.Tensor], list[torch.Tensor], list[torch.Tensor]]:
    """Return pre-activations, h and c of each step of one sequence, kept so that autograd gives their gradients."""
    W, U, b = (getattr(layer, name + suffix) for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0"))
    h, c = torch.zeros(layer.hidden_size), torch.zeros(layer.hidden_size)
    steps: tuple[list[torch.Tensor], list[torch.Tensor], list[torch.Tensor]] = ([], [], [])
    for row in x:
        z = W @ row + U @ h + b
        i, f, g, o = z.chunk(4)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        for kept, tensor in zip(steps, (z, h, c), strict=True):
            tensor.retain_grad()
            kept.append(tensor)
    return steps


def run(widths: list[int], both: bool) -> dict[str, np.ndarray]:
    """Return one case: what goes in, and the gradient of each event's loss with respect to all on the way."""
    directions = 1 + both
    layers, width = [], D
    for H in widths:
        layers.append(torch.nn.LSTM(width, H, batch_first=True, bidirectional=both))
        width = H * directions
    head = torch.nn.Linear(width + E, K)
    ours = []
    for layer in layers:
        for name, parameter in layer.named_parameters():
            torch.nn.init.normal_(parameter, std=0.6)
            if name.startswith("bias_hh"):  # we have one bias
                parameter.data.zero_()
            else:
                ours.append(parameter)
    ours += [head.weight, head.bias]
    x, e = torch.randn(sum(LENGTHS), D, requires_grad=True), torch.randn(len(LENGTHS), E, requires_grad=True)
    labels = torch.randint(K, (len(LENGTHS),))
    out: dict[str, list[np.ndarray]] = {}
    losses, begin = [], 0
    for n, length in enumerate(LENGTHS):
        below = x[begin : begin + length]
        begin += length
        kept = {}
        for number, layer in enumerate(layers):
            parts = []
            for direction in range(directions):
                given = below.flip(0) if direction else below
                steps = cell(layer, "_reverse" if direction else "", given)
                kept[number * directions + direction] = steps, direction
                h = torch.stack(steps[1])
                parts.append((h.flip(0) if direction else h, h[-1]))
            # the library's own layer, as a check of the cell above
            library, _ = layer(below[None])
            below = torch.cat([h for h, _ in parts], dim=1)
            assert torch.allclose(library[0], below, rtol=0, atol=1e-13)
        z = head(torch.cat([*(last for _, last in parts), e[n]]))
        loss = torch.nn.functional.cross_entropy(z[None], labels[n : n + 1])
        loss.backward()
        losses.append(loss.item())
        for part, (steps, direction) in kept.items():
            for name, tensors in zip(("dgates", "dh_total", "dc_total"), steps, strict=True):
                gradients = torch.stack([t.grad for t in tensors if t.grad is not None])
                array = (gradients.flip(0) if direction else gradients).numpy()
                out.setdefault(f"{part}.{name}", []).append(array.reshape(length, 4, -1) if name == "dgates" else array)
    result = {name: np.concatenate(arrays) for name, arrays in out.items()}
    assert x.grad is not None
    assert e.grad is not None
    return result | {
        "value": np.array(losses),
        "dfeatures": x.grad.numpy(),
        "devent": e.grad.numpy(),
        "in/values": x.detach().numpy(),
        "in/event_values": e.detach().numpy(),
        "in/labels": labels.numpy(),
        "in/widths": np.array(widths),
        "in/both": np.array(both),
        "in/parameters": np.concatenate([p.detach().numpy().ravel() for p in ours]),
    }


def main() -> None:
    """Write the file."""
    torch.manual_seed(8)
    torch.set_default_dtype(torch.float64)
    arrays = {f"{name}/{key}": value for name, case in CASES.items() for key, value in run(*case).items()}
    arrays["lengths"] = np.array(LENGTHS)
    np.savez_compressed(Path(__file__).with_name("pytorch_explain.npz"), **arrays)


if __name__ == "__main__":
    main()
