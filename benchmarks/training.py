"""The training step: forward, backward, optimiser; ours against PyTorch, by case, lengths and number of threads."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from . import ours
from .cases import Case, Events, bucketed_batches, draw_events, random_batches
from .peak import PeakMeter
from .timing import Contestant, alternate, best

POOL = 16  # batches in the events that are drawn; bucketing sorts all of them


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    rounds: int
    least: float  # seconds a turn takes at least
    random_batches: int  # in a pass
    bucketed_batches: int
    long_rounds: int | None = None  # where a step takes long


QUICK = Effort(rounds=3, least=0.02, random_batches=1, bucketed_batches=3, long_rounds=2)
FULL = Effort(rounds=5, least=0.2, random_batches=3, bucketed_batches=6)


def measure(
    case: Case,
    kind: str,
    *,
    effort: Effort,
    our_threads: Sequence[int],
    peer_threads: Sequence[int],
    peak: PeakMeter | None,
    say: Callable[[str], None],
) -> dict[str, object]:
    """Time one case with one kind of lengths; return a record for the JSON file."""
    events = draw_events(case, kind, POOL * case.B)
    batches = random_batches(POOL * case.B, case.B, 1 if kind == "full" else effort.random_batches)
    contestants = [
        Contestant("ours", n, ours.training_steps(ours.make_trainer(case, n), events, batches)) for n in our_threads
    ]
    contestants += _pytorch(case, kind, events, batches, effort, peer_threads)
    load = os.getloadavg()
    if peak:
        peak.read()
    alternate(contestants, rounds=effort.rounds, least=effort.least, long_rounds=effort.long_rounds)
    if peak:
        peak.read()
    steps = float(np.mean([events.lengths[batch].sum() for batch in batches]))
    record: dict[str, object] = {
        "section": "training",
        "case": case.name,
        "lengths": kind,
        "mean_length": steps / case.B,
        "flops_a_step": case.training_flops_a_step * steps,
        "load_average": [load, os.getloadavg()],
        "results": [each.record() for each in contestants],
    }
    _summarise(record, case, contestants, peak)
    say(_line(record, case, kind))
    return record


def _pytorch(
    case: Case, kind: str, events: Events, batches: list, effort: Effort, peer_threads: Sequence[int]
) -> list[Contestant]:
    if not peer_threads:
        return []
    from . import peers_torch

    start = ours.make_trainer(case, 1).parameters
    choices = {"PyTorch": batches}
    if kind != "full":
        choices["PyTorch bucketed"] = bucketed_batches(events.lengths, case.B, effort.bucketed_batches)
    contestants = []
    for name, chosen in choices.items():
        for n in peer_threads:
            network = peers_torch.Network(case)
            network.load(start)
            work = peers_torch.training_steps(network, case, events, chosen)
            contestants.append(Contestant(name, n, work, peers_torch.use_threads(n)))
    return contestants


def _summarise(record: dict, case: Case, contestants: list[Contestant], peak: PeakMeter | None) -> None:
    """Add the figures that are asked for."""
    mine = [each for each in contestants if each.name == "ours"]
    by_threads = {each.threads: each.median for each in mine}
    most = by_threads[max(by_threads)]
    record["ours_seconds"] = most
    record["events_per_second"] = case.B / most
    record["scaling"] = (
        {str(n): by_threads[1] / seconds for n, seconds in by_threads.items()} if 1 in by_threads else {}
    )
    for name, key in (("PyTorch", "random"), ("PyTorch bucketed", "bucketed")):
        peers = [each for each in contestants if each.name == name]
        if peers:
            record[f"pytorch_{key}_seconds"] = best(peers).median
            record[f"pytorch_{key}_threads"] = best(peers).threads
            record[f"ratio_{key}"] = best(peers).median / most
    if peak and 1 in by_threads:
        record["one_thread_flops"] = record["flops_a_step"] / by_threads[1]
        record["share_of_peak"] = record["one_thread_flops"] / peak.best
        # the same by processor time: on a machine that others use as well, this one still holds
        cpu = next(each.cpu_median for each in mine if each.threads == 1)
        record["share_of_peak_cpu_time"] = record["flops_a_step"] / cpu / peak.best
    # the peak is the best of its readings, so the best round belongs beside it: what else runs can only lower either
    least = {each.threads: min(each.seconds) for each in mine}
    if 1 in least:
        record["best_scaling"] = {str(n): least[1] / seconds for n, seconds in least.items()}
        if peak:
            record["best_share_of_peak"] = record["flops_a_step"] / least[1] / peak.best


def _line(record: dict, case: Case, kind: str) -> str:
    text = f"{case.name} {kind:8} ours {1e3 * record['ours_seconds']:9.3f} ms"
    for key in ("random", "bucketed"):
        if f"ratio_{key}" in record:
            text += (
                f"   PyTorch {key} {1e3 * record[f'pytorch_{key}_seconds']:9.3f} ms "
                f"({record[f'pytorch_{key}_threads']} thr) ratio {record[f'ratio_{key}']:6.2f}"
            )
    if "share_of_peak" in record:
        share, by_cpu = record["share_of_peak"], record["share_of_peak_cpu_time"]
        best_share = record["best_share_of_peak"]
        text += (
            f"   {100 * share:.1f} % of peak (by processor time {100 * by_cpu:.1f}, best round {100 * best_share:.1f})"
        )
    scaling = ", ".join(f"{n}: {x:.2f}" for n, x in record["scaling"].items() if n != "1")
    return text + (f"   threads {scaling}" if scaling else "")


def agreement(case: Case, kind: str, n_steps: int = 3) -> float:
    """Train both sides from the same parameters on the same batches; return the largest difference of a parameter.

    Raises
    ------
    RuntimeError
        They do not do the same: the difference is more than a tenth of what the steps changed.
    """
    from . import peers_torch

    case = replace(case, B=min(case.B, 64))  # enough to see a difference
    events = draw_events(case, kind, n_steps * case.B)
    batches = random_batches(n_steps * case.B, case.B, n_steps)
    trainer = ours.make_trainer(case, 1)
    start = trainer.parameters
    network = peers_torch.Network(case)
    network.load(start)
    for step in ours.training_steps(trainer, events, batches):
        step()
    for step in peers_torch.training_steps(network, case, events, batches):
        step()
    difference = float(np.abs(trainer.parameters - network.flat()).max())
    # Adam's steps are of the size of the learning rate whatever the gradient's, so a gradient near zero may go either way;
    # hence the mean is looked at, not the largest
    mean = float(np.abs(trainer.parameters - network.flat()).mean())
    moved = float(np.abs(trainer.parameters - start).mean())
    if not mean < 0.01 * moved:
        raise RuntimeError(
            f"case {case.name}, {kind}: after {n_steps} steps our parameters and PyTorch's differ by {mean:.2e} on the "
            f"average, though the steps changed them by {moved:.2e} only: the two do not compute the same, and comparing "
            "their times means nothing"
        )
    return difference


def determinism(case: Case, kind: str, threads: Sequence[int], n_steps: int = 4) -> dict[str, object]:
    """Compare the parameters after some steps, bit by bit, for several numbers of threads."""
    events = draw_events(case, kind, n_steps * case.B)
    batches = random_batches(n_steps * case.B, case.B, n_steps)
    after = {}
    for n in threads:
        trainer = ours.make_trainer(case, n)
        for step in ours.training_steps(trainer, events, batches):
            step()
        after[n] = trainer.parameters.tobytes()
    first = after[threads[0]]
    return {
        "section": "determinism",
        "case": case.name,
        "lengths": kind,
        "threads": list(threads),
        "identical": all(bits == first for bits in after.values()),
    }


def busy(
    case: Case, *, effort: Effort, our_threads: int, peer_threads: Sequence[int], say: Callable[[str], None]
) -> dict[str, object]:
    """Time a case undisturbed, and with one core kept busy by another process; full lengths."""
    from .disturbance import BusyCore

    events = draw_events(case, "full", POOL * case.B)
    batches = random_batches(POOL * case.B, case.B, 1)
    work = ours.training_steps(ours.make_trainer(case, our_threads), events, batches)
    everybody = [
        Contestant("ours", our_threads, work),
        *_pytorch(case, "full", events, batches, effort, peer_threads),
    ]
    least = max(effort.least, 0.1)  # several of the system's time slices
    with BusyCore() as other:
        quiet = [_with(each, other.pause) for each in everybody]
        disturbed = [_with(each, other.go_on) for each in everybody]
        alternate(
            [*quiet, *disturbed], rounds=effort.rounds, least=least, limit=5 * least + 2, long_rounds=effort.long_rounds
        )
    slower = {f"{q.name}, {q.threads} threads": d.median / q.median for q, d in zip(quiet, disturbed, strict=True)}
    record: dict[str, object] = {
        "section": "busy",
        "case": case.name,
        "quiet": [each.record() for each in quiet],
        "disturbed": [each.record() for each in disturbed],
        "slower": slower,
        "ours_slower": disturbed[0].median / quiet[0].median,
    }
    if peer_threads:
        # that of the number of threads which is best on the quiet machine: what a user has chosen
        chosen = quiet.index(best(quiet[1:]))
        record["pytorch_slower"] = disturbed[chosen].median / quiet[chosen].median
        record["ratio_disturbed"] = best(disturbed[1:]).median / disturbed[0].median
    say(f"{case.name} slower with one busy core: " + ", ".join(f"{k} {v:.2f}" for k, v in slower.items()))
    return record


def _with(contestant: Contestant, also: Callable[[], object]) -> Contestant:
    """Return the same contestant, before whose turns `also` is called."""
    own = contestant.before

    def before() -> None:
        also()
        if own:
            own()

    return Contestant(contestant.name, contestant.threads, contestant.work, before)


def thread_counts(most: int) -> list[int]:
    """1, 2, 4, ... and the most itself."""
    counts = [2**k for k in range(int(math.log2(most)) + 1)]
    return counts if counts[-1] == most else [*counts, most]
