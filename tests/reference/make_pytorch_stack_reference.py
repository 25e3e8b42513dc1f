"""Write pytorch_stack.npz: LSTM layers on top of each other and in both directions, by PyTorch, in float64.

pip install torch==2.13.0
python tests/reference/make_pytorch_stack_reference.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

LENGTHS = [7, 1, 4, 7, 2, 5, 3, 6, 4, 1, 7]
D, E, K = 3, 2, 3
# hidden units of each layer, both directions?, all steps joined?
CASES = {
    "stacked": ([4, 6], False, False),
    "stacked_joined": ([5, 2, 4], False, True),
    "both": ([4], True, False),
    "stacked_both": ([4, 3, 5], True, False),
    "stacked_both_joined": ([3, 4], True, True),
}


def run(widths: list[int], both: bool, joined: bool) -> dict[str, np.ndarray]:
    """Return one case: what goes in, logits, losses, and the gradient of the sum of weight * loss, flat in our order."""
    directions, T, N = 1 + both, max(LENGTHS), len(LENGTHS)
    lengths = torch.tensor(LENGTHS)
    x, e = torch.randn(N, T, D), torch.randn(N, E)
    labels, weights = torch.randint(K, (N,)), torch.randn(N) + 0.5
    layers, width = [], D
    for H in widths:
        layers.append(torch.nn.LSTM(width, H, batch_first=True, bidirectional=both))
        width = H * directions
    head = torch.nn.Linear((T if joined else 1) * width + E, K)
    ours = []
    for layer in layers:
        for name, parameter in layer.named_parameters():
            torch.nn.init.normal_(parameter, std=0.6)
            if name.startswith("bias_hh"):  # we have one bias: its sum
                parameter.data.zero_()
            else:
                ours.append(parameter)
    # PyTorch's order within a layer and direction is weight_ih, weight_hh, bias_ih: W, U, b
    ours += [head.weight, head.bias]
    sequence = x
    for layer in layers:
        packed = pack_padded_sequence(sequence, lengths, batch_first=True, enforce_sorted=False)
        packed, (h, _) = layer(packed)
        sequence, _ = pad_packed_sequence(packed, batch_first=True, total_length=T)
    states = sequence.flatten(1) if joined else torch.cat(list(h), dim=1)
    logits = head(torch.cat([states, e], dim=1))
    losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    gradient = torch.autograd.grad((weights * losses).sum(), ours)

    def flat(tensors: list[torch.Tensor] | tuple[torch.Tensor, ...]) -> np.ndarray:
        return np.concatenate([t.detach().numpy().ravel() for t in tensors])

    return {
        "x": x.numpy(),
        "event_features": e.numpy(),
        "labels": labels.numpy(),
        "weights": weights.numpy(),
        "widths": np.array(widths),
        "both": np.array(both),
        "joined": np.array(joined),
        "parameters": flat(ours),
        "probabilities": torch.softmax(logits, 1).detach().numpy(),
        "losses": losses.detach().numpy(),
        "gradient": flat(gradient),
    }


def main() -> None:
    """Write the file."""
    torch.manual_seed(5)
    torch.set_default_dtype(torch.float64)
    arrays = {f"{name}/{key}": value for name, case in CASES.items() for key, value in run(*case).items()}
    arrays["lengths"] = np.array(LENGTHS)
    np.savez_compressed(Path(__file__).with_name("pytorch_stack.npz"), **arrays)


if __name__ == "__main__":
    main()
