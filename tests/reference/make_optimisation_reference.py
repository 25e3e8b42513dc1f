"""Write pytorch_optimisation.npz, the numbers that tests/python/test_optimisation_reference.py compares with.

Needs PyTorch (the committed file was made with 2.13.0 on a CPU); the tests do not.  Run it in any folder::

    python tests/reference/make_optimisation_reference.py

Parts of the file; `options` are what this package calls the same thing, as JSON:

* `gradients` (50, 24), `start` (24), `decays` (24): drawn from numpy's PCG64 with a fixed seed and rounded to float32;
* `optimizer/<case>/options`, `.../float64`, `.../float32` (24): the parameters after a step along each gradient;
* `schedule/<case>/options`, `.../rates` (epochs * batches): the learning rate of each batch of a training of `epochs` with
  `batches` each; those with a warm-up are LinearLR before the schedule;
* `plateau/<case>/options`, `.../losses`, `.../rates`: ReduceLROnPlateau.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim import lr_scheduler

HERE = Path(__file__).resolve().parent
RATE = 0.04

# our options, PyTorch's class and its options
OPTIMIZERS: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "adam": ({"optimizer": "adam"}, "Adam", {}),
    "adam_all": (
        {"optimizer": "adam", "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3},
        "Adam",
        {"betas": (0.8, 0.95), "eps": 1e-3},
    ),
    "adamw": ({"optimizer": "adamw"}, "AdamW", {}),
    "adamw_decay": ({"optimizer": "adamw", "weight_decay": 0.3}, "AdamW", {"weight_decay": 0.3}),
    "sgd": ({"optimizer": "sgd", "momentum": 0.0}, "SGD", {}),
    "momentum": ({"optimizer": "sgd"}, "SGD", {"momentum": 0.9}),
    "nesterov": (
        {"optimizer": "sgd", "momentum": 0.7, "nesterov": True},
        "SGD",
        {"momentum": 0.7, "nesterov": True},
    ),
    "rmsprop": ({"optimizer": "rmsprop"}, "RMSprop", {}),
    "rmsprop_all": (
        {"optimizer": "rmsprop", "rho": 0.9, "momentum": 0.5, "epsilon": 1e-3},
        "RMSprop",
        {"alpha": 0.9, "momentum": 0.5, "eps": 1e-3},
    ),
    "adagrad": ({"optimizer": "adagrad"}, "Adagrad", {}),
    "adagrad_all": ({"optimizer": "adagrad", "epsilon": 1e-2}, "Adagrad", {"eps": 1e-2}),
    "adadelta": ({"optimizer": "adadelta"}, "Adadelta", {}),
    "adadelta_all": ({"optimizer": "adadelta", "rho": 0.95, "epsilon": 1e-3}, "Adadelta", {"rho": 0.95, "eps": 1e-3}),
}
ONE_CYCLE = {"schedule": "one_cycle", "rise_fraction": 0.25, "start_divisor": 10.0, "end_divisor": 100.0}
# our options, PyTorch's schedule of an optimiser and a number of batches, whether it goes on at every batch
SCHEDULES: dict[str, tuple[dict[str, Any], Any, bool]] = {
    "constant": ({}, lambda o, n: lr_scheduler.ConstantLR(o, factor=1), False),
    "step": (
        {"schedule": "step", "decay_epochs": 3, "decay_factor": 0.3},
        lambda o, n: lr_scheduler.StepLR(o, 3, gamma=0.3),
        False,
    ),
    "exponential": (
        {"schedule": "exponential", "decay_factor": 0.5},
        lambda o, n: lr_scheduler.ExponentialLR(o, 0.5),
        False,
    ),
    "cosine": ({"schedule": "cosine"}, lambda o, n: lr_scheduler.CosineAnnealingLR(o, n), True),
    "cosine_minimum": (
        {"schedule": "cosine", "min_learning_rate": 0.01},
        lambda o, n: lr_scheduler.CosineAnnealingLR(o, n, eta_min=0.01),
        True,
    ),
    "one_cycle": (
        {"schedule": "one_cycle"},
        lambda o, n: lr_scheduler.OneCycleLR(o, RATE, total_steps=n, cycle_momentum=False),
        True,
    ),
    "one_cycle_all": (
        ONE_CYCLE,
        lambda o, n: lr_scheduler.OneCycleLR(
            o, RATE, total_steps=n, pct_start=0.25, div_factor=10, final_div_factor=100, cycle_momentum=False
        ),
        True,
    ),
}
PLATEAUS = {
    "defaults": {"plateau_patience": 10},
    "at_once": {"plateau_patience": 0, "decay_factor": 0.5, "min_learning_rate": 0.003},
    "later": {"plateau_patience": 3, "decay_factor": 0.3},
}


def optimizer_arrays() -> dict[str, Any]:
    """Return gradients, and where each optimiser goes along them."""
    rng = np.random.default_rng(20240601)
    gradients = rng.normal(size=(50, 24)) * np.exp(rng.normal(size=24))
    gradients, start = gradients.astype(np.float32), rng.normal(size=24).astype(np.float32)
    decays = rng.integers(0, 2, 24).astype(np.uint8)
    arrays = {"gradients": gradients, "start": start, "decays": decays}
    for case, (ours, name, theirs) in OPTIMIZERS.items():
        arrays[f"optimizer/{case}/options"] = np.array(json.dumps({"learning_rate": RATE, **ours}))
        for dtype in (torch.float64, torch.float32):
            whole = torch.from_numpy(start.copy()).to(dtype)
            parts = [whole[torch.from_numpy(decays == d)].clone().requires_grad_() for d in (0, 1)]
            groups = [{"params": [parts[0]], "weight_decay": 0}, {"params": [parts[1]]}]
            optimizer = getattr(torch.optim, name)(groups, lr=RATE, **theirs)
            for gradient in torch.from_numpy(gradients).to(dtype):
                for d in (0, 1):
                    parts[d].grad = gradient[torch.from_numpy(decays == d)].clone()
                optimizer.step()
            for d in (0, 1):
                whole[torch.from_numpy(decays == d)] = parts[d].detach()
            arrays[f"optimizer/{case}/{str(dtype)[6:]}"] = whole.numpy()
    return arrays


def rates(make: Any, count: int) -> list[float]:
    """Return the learning rates of so many steps of a schedule."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=RATE)
    scheduler = make(optimizer, count)
    found = []
    for _ in range(count):
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return found


def schedule_arrays() -> dict[str, Any]:
    """Return the learning rates of each schedule, with and without a warm-up."""
    arrays: dict[str, Any] = {}
    for epochs, batches in ((12, 7), (3, 1), (2, 1)):
        for warmup in (0, 2):
            for name, (ours, make, by_batch) in SCHEDULES.items():
                if warmup and (epochs == 2 or "one_cycle" in name):
                    continue
                found = rates(lambda o, n: lr_scheduler.LinearLR(o, start_factor=0.2, total_iters=n), warmup * batches)
                left = epochs - warmup
                rest = rates(make, left * batches if by_batch else left)
                found += rest if by_batch else list(np.repeat(rest, batches))
                options = {"learning_rate": RATE, "epochs": epochs, **ours}
                options |= {"warmup_epochs": warmup, "warmup_start": 0.2} if warmup else {}
                case = f"schedule/{name}_{epochs}x{batches}_warmup{warmup}"
                arrays[f"{case}/options"] = np.array(json.dumps(options))
                arrays[f"{case}/rates"] = np.array(found)
    return arrays


def plateau_arrays() -> dict[str, Any]:
    """Return losses that fall, stay and jump about, and the learning rates they lead to."""
    arrays: dict[str, Any] = {}
    rng = np.random.default_rng(20240602)
    losses = np.concatenate([np.linspace(1, 0.5, 6), 0.5 - 1e-6 * np.arange(16), rng.uniform(0.4, 0.6, 40)])
    for case, options in PLATEAUS.items():
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=RATE)
        scheduler = lr_scheduler.ReduceLROnPlateau(
            optimizer,
            patience=int(options["plateau_patience"]),
            factor=options.get("decay_factor", 0.1),
            min_lr=options.get("min_learning_rate", 0.0),
        )
        found = []
        for loss in losses:
            found.append(float(optimizer.param_groups[0]["lr"]))
            scheduler.step(loss)
        arrays[f"plateau/{case}/options"] = np.array(
            json.dumps({"schedule": "plateau", "learning_rate": RATE, **options})
        )
        arrays[f"plateau/{case}/losses"], arrays[f"plateau/{case}/rates"] = losses, np.array(found)
    return arrays


def main() -> None:
    """Write the file beside this one."""
    torch.set_num_threads(1)
    arrays = {**optimizer_arrays(), **schedule_arrays(), **plateau_arrays()}
    np.savez_compressed(HERE / "pytorch_optimisation.npz", torch_version=np.array(torch.__version__), **arrays)


if __name__ == "__main__":
    main()
