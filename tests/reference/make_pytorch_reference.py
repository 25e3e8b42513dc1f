"""Write pytorch_float64.npz and pytorch_float32.npz, the numbers that tests/python/test_pytorch_parity.py compares with.

Needs PyTorch (the committed files were made with 2.13.0 on a CPU); the tests do not.  Run it in any folder::

    python tests/reference/make_pytorch_reference.py

All inputs are drawn from numpy's PCG64 with a fixed seed and rounded to float32, so that both precisions start from the
same numbers.  Parts of the files, `<case>/<name>`:

* `layer`: `torch.nn.LSTM` on ragged sequences with an initial state and a loss that looks at every state;
* `binary`, `multiclass`: LSTM, then a linear layer on the last state joined with event features, then
  `BCEWithLogitsLoss` or `CrossEntropyLoss`, times event weights (some negative, some 0), summed and divided by the number
  of events whose weight is not 0; losses of ten optimiser steps and the parameters after them.

Packed sequences need at least one step, so events without any enter with a state of zeros.  PyTorch has two biases, one
for the input and one for the state; the second is held at 0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

HERE = Path(__file__).resolve().parent
STEPS = 10

# Optimisers of the ten steps. "clip" bounds the norm by `norm * bound / norm`, as the trainer does; "torch clip" is
# clip_grad_norm_, which divides by norm + 1e-6 instead.
RUNS = {
    "adam": {"optimizer": "adam", "learning_rate": 0.02},
    "sgd": {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9},
    "sgd_clip": {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.5, "clip": 0.1},
    "sgd_torch_clip": {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.5, "torch_clip": 0.1},
    "adam_clip": {"optimizer": "adam", "learning_rate": 0.02, "clip": 0.1},
}


def draw(rng: np.random.Generator, *size: int, scale: float = 1.0) -> np.ndarray:
    """Draw normal numbers that float32 holds exactly."""
    return (rng.normal(size=size) * scale).astype(np.float32).astype(np.float64)


def ragged(rng: np.random.Generator, n: int, longest: int) -> np.ndarray:
    """Draw lengths, 0, 1 and the longest among them."""
    lengths = rng.integers(0, longest + 1, n)
    lengths[:3] = longest, 0, 1
    return lengths


def run_lstm(lstm, x, lengths, h0, c0):
    """Run packed sequences; return the states of each step, padded with zeros, and the last state."""
    kept = torch.nonzero(lengths > 0).ravel()
    packed = pack_padded_sequence(x[kept], lengths[kept], batch_first=True, enforce_sorted=False)
    out, (last, _) = lstm(packed, (h0[None, kept].contiguous(), c0[None, kept].contiguous()))
    h = torch.zeros(len(x), x.shape[1], lstm.hidden_size, dtype=x.dtype)
    h = h.index_copy(0, kept, pad_packed_sequence(out, batch_first=True, total_length=x.shape[1])[0])
    return h, h0.index_copy(0, kept, last[0])


def make_lstm(dtype, W, U, b) -> torch.nn.LSTM:
    """Make a layer with these weights."""
    lstm = torch.nn.LSTM(W.shape[1], U.shape[1], batch_first=True).to(dtype)
    with torch.no_grad():
        for name, value in (("weight_ih_l0", W), ("weight_hh_l0", U), ("bias_ih_l0", b), ("bias_hh_l0", 0 * b)):
            getattr(lstm, name).copy_(torch.as_tensor(value))
    lstm.bias_hh_l0.requires_grad_(False)
    return lstm


def layer_case(dtype) -> dict[str, np.ndarray]:
    """Forward and backward of the layer alone."""
    rng = np.random.default_rng(20240501)
    n, longest, n_features, n_hidden = 37, 11, 3, 7
    inputs = {
        "x": draw(rng, n, longest, n_features),
        "W": draw(rng, 4 * n_hidden, n_features, scale=0.6),
        "U": draw(rng, 4 * n_hidden, n_hidden, scale=0.6),
        "b": draw(rng, 4 * n_hidden, scale=0.5),
        "h0": draw(rng, n, n_hidden, scale=0.5),
        "c0": draw(rng, n, n_hidden),
        "dh": draw(rng, n, longest, n_hidden),
    }
    lengths = torch.as_tensor(ragged(rng, n, longest))
    lstm = make_lstm(dtype, inputs["W"], inputs["U"], inputs["b"])
    x, h0, c0 = (torch.tensor(inputs[k], dtype=dtype, requires_grad=True) for k in ("x", "h0", "c0"))
    h, _ = run_lstm(lstm, x, lengths, h0, c0)
    (h * torch.as_tensor(inputs["dh"], dtype=dtype)).sum().backward()
    results = {
        "h": h.detach(),
        "dx": x.grad,
        "dW": lstm.weight_ih_l0.grad,
        "dU": lstm.weight_hh_l0.grad,
        "db": lstm.bias_ih_l0.grad,
        "dh0": h0.grad,
        "dc0": c0.grad,
    }
    arrays = {f"layer/{k}": v.astype(np.float32) for k, v in inputs.items()}
    arrays["layer/lengths"] = lengths.numpy()
    arrays.update({f"layer/out_{k}": v.numpy() for k, v in results.items()})
    return arrays


def network_case(dtype, name: str, n_outputs: int, seed: int) -> dict[str, np.ndarray]:
    """Loss, gradients and ten steps of the whole network."""
    rng = np.random.default_rng(seed)
    n, longest, n_features, n_event_features, n_hidden = 41, 9, 4, 2, 6
    lengths = ragged(rng, n, longest)
    x = draw(rng, n, longest, n_features)
    for event, length in enumerate(lengths):
        x[event, length:] = 0
    inputs = {
        "x": x,
        "event_features": draw(rng, n, n_event_features),
        "weights": draw(rng, n, scale=0.7) + 1,
        "W": draw(rng, 4 * n_hidden, n_features, scale=0.6),
        "U": draw(rng, 4 * n_hidden, n_hidden, scale=0.6),
        "b": draw(rng, 4 * n_hidden, scale=0.5),
        "head_W": draw(rng, n_outputs, n_hidden + n_event_features, scale=0.6),
        "head_b": draw(rng, n_outputs, scale=0.5),
    }
    inputs["weights"][4::7] = 0
    inputs["weights"][5] = -0.5
    inputs = {k: v.astype(np.float32).astype(np.float64) for k, v in inputs.items()}
    labels = rng.integers(0, max(2, n_outputs), n)
    tensors = {k: torch.as_tensor(v, dtype=dtype) for k, v in inputs.items()}
    y = torch.as_tensor(labels)
    zeros = torch.zeros(n, n_hidden, dtype=dtype)
    n_used = int((tensors["weights"] != 0).sum())

    def fresh():
        lstm = make_lstm(dtype, inputs["W"], inputs["U"], inputs["b"])
        head = torch.nn.Linear(n_hidden + n_event_features, n_outputs).to(dtype)
        with torch.no_grad():
            head.weight.copy_(tensors["head_W"])
            head.bias.copy_(tensors["head_b"])
        return lstm, head, [lstm.weight_ih_l0, lstm.weight_hh_l0, lstm.bias_ih_l0, head.weight, head.bias]

    def loss_of(lstm, head):
        _, last = run_lstm(lstm, tensors["x"], torch.as_tensor(lengths), zeros, zeros)
        logits = head(torch.cat([last, tensors["event_features"]], dim=1))
        if n_outputs == 1:
            each = torch.nn.BCEWithLogitsLoss(reduction="none")(logits[:, 0], y.to(dtype))
        else:
            each = torch.nn.CrossEntropyLoss(reduction="none")(logits, y)
        return logits, each, (tensors["weights"] * each).sum() / n_used

    lstm, head, parameters = fresh()
    logits, each, loss = loss_of(lstm, head)
    loss.backward()
    probabilities = torch.softmax(logits, 1) if n_outputs > 1 else torch.sigmoid(torch.cat([-logits, logits], 1))
    arrays = {f"{name}/{k}": v.astype(np.float32) for k, v in inputs.items()}
    arrays[f"{name}/lengths"], arrays[f"{name}/labels"] = lengths, labels
    arrays[f"{name}/out_probabilities"] = probabilities.detach().numpy()
    arrays[f"{name}/out_losses"] = each.detach().numpy()
    for key, parameter in zip(("W", "U", "b", "head_W", "head_b"), parameters, strict=True):
        arrays[f"{name}/out_d{key}"] = parameter.grad.numpy()

    for run, o in RUNS.items():
        lstm, head, parameters = fresh()
        if o["optimizer"] == "adam":
            optimizer = torch.optim.Adam(parameters, lr=o["learning_rate"])
        else:
            optimizer = torch.optim.SGD(parameters, lr=o["learning_rate"], momentum=o["momentum"])
        losses = []
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss = loss_of(lstm, head)[2]
            loss.backward()
            losses.append(loss.item())
            norm = torch.sqrt(sum((p.grad.double() ** 2).sum() for p in parameters))
            if "clip" in o:
                assert norm > o["clip"]
                for p in parameters:
                    p.grad.mul_(o["clip"] / norm)
            if "torch_clip" in o:
                assert norm > o["torch_clip"]
                clip_grad_norm_(parameters, o["torch_clip"])
            optimizer.step()
        arrays[f"{name}/{run}/losses"] = np.array(losses)
        arrays[f"{name}/{run}/parameters"] = np.concatenate([p.detach().numpy().ravel() for p in parameters])
    return arrays


def main() -> None:
    """Write both files beside this one."""
    torch.set_num_threads(1)
    for dtype, label in ((torch.float64, "float64"), (torch.float32, "float32")):
        arrays = {
            **layer_case(dtype),
            **network_case(dtype, "binary", 1, 20240502),
            **network_case(dtype, "multiclass", 4, 20240503),
            "torch_version": np.array(torch.__version__),
        }
        np.savez_compressed(HERE / f"pytorch_{label}.npz", **arrays)


if __name__ == "__main__":
    main()
