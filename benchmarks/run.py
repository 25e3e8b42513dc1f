"""The command line: what to measure, how long, and where the figures go."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tmva_lstm_plugin import _engine

from . import factory, inference, machine, memory, reading, streaming, targets, training
from .cases import CASES, LENGTHS
from .peak import PeakMeter

SECTIONS = ("training", "determinism", "busy", "inference", "memory", "reading", "factory")


def chosen(text: str, known: tuple[str, ...], what: str) -> list[str]:
    """Split a list of names, and refuse unknown ones."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"{what} {', '.join(unknown) or 'missing'}; known: {', '.join(known)}")
    return names


def arguments(given: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds: under two minutes, and rough")
    parser.add_argument("--cases", type=lambda t: chosen(t, tuple(CASES), "case"), default=list(CASES), metavar="A,C")
    parser.add_argument("--lengths", type=lambda t: chosen(t, LENGTHS, "lengths"), metavar=",".join(LENGTHS))
    parser.add_argument("--only", type=lambda t: chosen(t, SECTIONS, "section"), metavar=",".join(SECTIONS))
    parser.add_argument("--threads", type=int, default=_engine.usable_processors(), help="most threads to use")
    parser.add_argument("--peer-threads", type=lambda t: [int(n) for n in t.split(",")], help="default: one and all")
    parser.add_argument("--rounds", type=int, help="rounds, in place of the mode's own number")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument(
        "--scratch", type=Path, help="folder for the files of the reading test (default: a temporary one)"
    )
    parser.add_argument("--no-peers", action="store_true", help="ours alone")
    options = parser.parse_args(given)
    if options.threads < 1:
        parser.error("--threads needs at least 1")
    options.sampled = options.quick and options.lengths is None  # unequal lengths for some of the cases only
    options.lengths = options.lengths or (list(LENGTHS[:2]) if options.quick else list(LENGTHS))
    options.only = options.only or list(SECTIONS)
    options.peer_threads = options.peer_threads or sorted({1, options.threads})
    return options


def main(given: list[str] | None = None) -> int:
    """Measure, print, write; return the exit status."""
    options = arguments(given)
    effort = training.QUICK if options.quick else training.FULL
    if options.rounds:
        effort = training.Effort(options.rounds, effort.least, effort.random_batches, effort.bucketed_batches)
    facts = machine.stamp()
    records: list[dict] = []
    notes: list[str] = []
    began = time.perf_counter()

    def say(text: str) -> None:
        print(text, flush=True)

    def write(verdicts: list[targets.Verdict]) -> None:
        if options.json:
            facts["seconds"] = time.perf_counter() - began
            given = {k: str(v) if isinstance(v, Path) else v for k, v in vars(options).items()}
            whole = {
                "machine": facts,
                "options": given,
                "notes": notes,
                "targets": targets.as_json(verdicts),
                "records": records,
            }
            options.json.write_text(json.dumps(whole, indent=1), encoding="utf-8")

    say(machine.describe(facts))
    peers = set() if options.no_peers else {n for n in ("torch", "onnxruntime", "onnx") if importlib.util.find_spec(n)}
    if not options.no_peers and "torch" not in peers:
        notes.append("PyTorch is not installed: ours alone is timed")
    peak = _peak(notes)
    if peak:
        peak.read(0.3)
        facts["peak_flops"] = peak.by_instruction_set
        say("peak of a core: " + ", ".join(f"{k} {v / 1e9:.1f} GFLOP/s" for k, v in peak.by_instruction_set.items()))
    if "torch" in peers:
        from . import peers_torch

        facts["pytorch"] = peers_torch.facts()
    for section in options.only:
        say(f"\n== {section}")
        measure: Callable[..., None] = globals()[f"_{section}"]
        before, done = os.getloadavg(), len(records)
        measure(options, effort, peers, peak, records, notes, say)
        for record in records[done:]:
            record.setdefault("load_average", [before, os.getloadavg()])
        write([])
    if peak:
        facts["peak_flops"] = peak.by_instruction_set
    verdicts = targets.judge(records)
    say("\n== targets (those of a quiet 2-core AVX-512 machine)")
    for verdict in verdicts:
        say(verdict.row())
    for note in notes:
        say(f"note: {note}")
    write(verdicts)
    say(f"\n{time.perf_counter() - began:.0f} s")
    return 0


def _peak(notes: list[str]) -> PeakMeter | None:
    try:
        return PeakMeter()
    except RuntimeError as error:
        notes.append(str(error))
        return None


def _training(options, effort, peers, peak, records, notes, say) -> None:  # noqa: ANN001
    peer_threads = options.peer_threads if "torch" in peers else []
    if peer_threads:
        for name in options.cases:
            for kind in options.lengths:
                training.agreement(CASES[name], kind)
        say("parameters after three steps agree with PyTorch's")
    for kind in options.lengths:
        for name in options.cases:
            if options.sampled and kind != "full" and name not in "ACE":
                continue
            counts = training.thread_counts(options.threads) if kind == "full" else sorted({1, options.threads})
            records.append(
                training.measure(
                    CASES[name], kind, effort=effort, our_threads=counts, peer_threads=peer_threads, peak=peak, say=say
                )
            )


def _determinism(options, effort, peers, peak, records, notes, say) -> None:  # noqa: ANN001
    threads = list(range(1, min(options.threads, 4) + 2))
    threads += [options.threads] if options.threads not in threads else []
    for name in options.cases:
        if options.quick and name in "FI":  # as E, only longer
            continue
        for kind in options.lengths[-1:] if options.quick else options.lengths:
            records.append(training.determinism(CASES[name], kind, threads, n_steps=2 if options.quick else 4))
    wrong = [r for r in records if r["section"] == "determinism" and not r["identical"]]
    say(f"threads {threads}: " + ("DIFFERENT: " + str(wrong) if wrong else "bit-identical"))


def _busy(options, effort, peers, peak, records, notes, say) -> None:  # noqa: ANN001
    if options.threads < 2:
        notes.append("one core busy: not measured with one thread")
        return
    for name in [name for name in options.cases if name in "AD"] if options.quick else options.cases:
        records.append(
            training.busy(
                CASES[name],
                effort=effort,
                our_threads=options.threads,
                peer_threads=options.peer_threads if "torch" in peers else [],
                say=say,
            )
        )


def _inference(options, effort, peers, peak, records, notes, say) -> None:  # noqa: ANN001
    for name in options.cases:
        for B in inference.BATCHES:
            if options.quick and (name not in "ABCD" or (name == "D" and B > 256)):
                continue
            records.append(
                inference.measure(
                    CASES[name],
                    B,
                    rounds=effort.rounds,
                    least=effort.least,
                    threads=sorted({1, *options.peer_threads, options.threads}),
                    peers=peers,
                    peak=peak,
                    say=say,
                )
            )


def _memory(options, effort, peers, peak, records, notes, say) -> None:  # noqa: ANN001
    if not Path("/proc/self/clear_refs").exists():
        notes.append("memory: not measured, it needs Linux")
        return
    small, large = (1024, 4096), (4096, 16384)  # (batch, events)
    runs = [("ours", *small, 2), ("ours", large[0], large[1], 2), ("ours", small[0], large[1], 2)]
    if options.threads > 2:
        runs.append(("ours", *small, options.threads))
    if "torch" in peers:
        runs.append(("PyTorch", *small, 2))
    if options.quick:
        runs = runs[:2]
    for run in runs:
        records.append(memory.measure(*run, say=say))


def _reading(options, effort, peers, peak, records, notes, say) -> None:  # noqa: ANN001
    n_events = 100_000 if options.quick else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = (options.scratch or Path(folder)) / f"benchmark_{n_events}.root"
        records.append(reading.measure(path, n_events, min(effort.rounds, 5), say=say))
        records.append(streaming.measure(path, rounds=1 if options.quick else 3, say=say))
    if options.quick:
        notes.append(f"reading: quick mode reads {n_events} events, the target is for 1000000")


def _factory(options, effort, peers, peak, records, notes, say) -> None:  # noqa: ANN001
    for name in [name for name in options.cases if name in ("A" if options.quick else "AH")]:
        n_events, epochs = (4000, 5) if options.quick else (20_000, 10)
        record = factory.measure(name, n_events, epochs, options.threads, notes=notes, say=say)
        if record:
            records.append(record)


if __name__ == "__main__":
    sys.exit(main())
