"""Scoring: one event at a time, and batches; ours against ONNX Runtime and PyTorch, all called from Python on prepared arrays."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np

from . import ours
from .cases import Case, draw_events
from .peak import PeakMeter
from .timing import Contestant, alternate, best

BATCHES = (1, 256, 10_000)


def measure(
    case: Case,
    B: int,
    *,
    rounds: int,
    least: float,
    threads: Sequence[int],
    peers: set[str],
    peak: PeakMeter | None,
    say: Callable[[str], None],
) -> dict[str, object]:
    """Time the scoring of B events of full length; of one event with one thread alone."""
    events = draw_events(case, "full", B)
    trainer = ours.make_trainer(case, 1)
    flat = trainer.parameters
    counts = [1] if B == 1 else list(threads)
    contestants, scores = [], {}
    for n in counts:
        call = ours.scoring_call(trainer, events, n)
        contestants.append(Contestant("ours", n, [call]))
        scores["ours"] = call()[:, 1]
        if B == 1:  # where its checks of the arguments can be seen
            call = ours.public_scoring_call(case, trainer, events, n)
            contestants.append(Contestant("ours, predict_proba", n, [call]))
            scores["ours, predict_proba"] = call()[:, 1]
        if {"onnx", "onnxruntime"} <= peers:
            from . import peers_onnx

            run = peers_onnx.scoring_call(case, flat, events, n)
            contestants.append(Contestant("ONNX Runtime", n, [run]))
            scores["ONNX Runtime"] = run()[0][:, 0]
        if "torch" in peers and B < max(BATCHES):
            from . import peers_torch

            network = peers_torch.Network(case)
            network.load(flat)
            score = peers_torch.scoring_call(network, case, events)
            contestants.append(Contestant("PyTorch", n, [score], peers_torch.use_threads(n)))
            scores["PyTorch"] = score()
    for name, found in scores.items():
        difference = float(np.abs(found - scores["ours"]).max())
        if difference > 1e-5:
            raise RuntimeError(f"case {case.name}: the scores of {name} differ from ours by {difference:.1e}")
    load = os.getloadavg()
    alternate(contestants, rounds=rounds, least=least)
    record: dict[str, object] = {
        "section": "inference",
        "case": case.name,
        "B": B,
        "flops": case.forward_flops_a_step * case.T * B,
        "load_average": [load, os.getloadavg()],
        "results": [each.record() for each in contestants],
    }
    by_name = {name: best([c for c in contestants if c.name == name]) for name in scores}
    for name, chosen in by_name.items():
        record[f"{name}, us an event"] = 1e6 * chosen.median / B
    if "ONNX Runtime" in by_name:
        # all threads against the peer's better number, as a user would have it without trying
        mine = max((c for c in contestants if c.name == "ours"), key=lambda c: c.threads).median
        record["latency_ratio" if B == 1 else "batch_ratio"] = (
            mine / by_name["ONNX Runtime"].median if B == 1 else by_name["ONNX Runtime"].median / mine
        )
    if B == 1 and peak and (rate := peak.read_rate(4 * case.n_parameters)):
        # an event by itself needs every weight at every step: no sooner than the caches give them
        record["reading the weights, us"] = 1e6 * case.T * 4 * case.n_parameters / rate
        say(
            f"{case.name} B     1: reading the {4 * case.n_parameters / 1024:.0f} kB of weights {case.T} times takes "
            f"{record['reading the weights, us']:.1f} us at {rate / 1e9:.0f} GB/s"
        )
    words = ", ".join(f"{n} {1e6 * c.median / B:.3f} ({c.threads} thr)" for n, c in by_name.items())
    say(f"{case.name} B {B:5}: us an event: {words}")
    return record
