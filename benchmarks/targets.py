"""What the project wants to reach, beside what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

from .cases import OF_TARGETS
from .timing import geometric_mean

Records = list[dict]


@dataclass(frozen=True)
class Verdict:
    """One line of the table."""

    measure: str
    target: str
    measured: str
    met: bool | None  # None: not measured, or only in part

    def row(self) -> str:
        """Return the line as text."""
        word = {True: "met", False: "NOT MET", None: "-"}[self.met]
        return f"{self.measure:66} {self.target:26} {self.measured:58} {word}"


def _training(records: Records, lengths: str) -> Records:
    return [r for r in records if r["section"] == "training" and r["lengths"] == lengths and r["case"] in OF_TARGETS]


def _ratios(
    records: Records, lengths: str, key: str, mean: float | None, least: float | None, measure: str
) -> Iterable[Verdict]:
    found = {r["case"]: r[f"ratio_{key}"] for r in _training(records, lengths) if f"ratio_{key}" in r}
    if not found:
        return
    middle, (worst, low) = geometric_mean(list(found.values())), min(found.items(), key=lambda item: item[1])
    text = f"{middle:.2f} over {''.join(found)}, lowest {low:.2f} ({worst})"
    if mean is None or least is None:
        yield Verdict(measure, "none set", text, None)
        return
    met = middle >= mean and low >= least
    # a mean over some of the cases can miss the target of a case, not meet that of all
    part = len(found) < len(OF_TARGETS)
    yield Verdict(
        measure, f"mean >= {mean:g}, each >= {least:g}", text, (None if low >= least else False) if part else met
    )


def _least(found: dict[str, float], target: float, unit: str, measure: str, sign: int = 1) -> Iterable[Verdict]:
    if not found:
        return
    value = min(found.values(), key=lambda x: sign * x)
    text = ", ".join(f"{name} {x:.3g}{unit}" for name, x in found.items())
    yield Verdict(measure, f"{'>=' if sign > 0 else '<='} {target:g}{unit}", text, sign * value >= sign * target)


def judge(records: Records) -> list[Verdict]:
    """Hold all that was measured against the targets."""
    full = _training(records, "full")
    verdicts: list[Verdict] = []
    add: Callable[[Iterable[Verdict]], None] = verdicts.extend
    add(_ratios(records, "full", "random", 4.5, 2, "training step, full lengths: PyTorch / ours"))
    add(_ratios(records, "uniform", "random", 6.5, 3.2, "uniform lengths, random batches: PyTorch / ours"))
    add(_ratios(records, "uniform", "bucketed", 4, 2.2, "uniform lengths, PyTorch bucketed / ours"))
    add(_ratios(records, "gibuu", "random", None, None, "GiBUU lengths, random batches: PyTorch / ours"))
    add(_ratios(records, "gibuu", "bucketed", None, None, "GiBUU lengths, PyTorch bucketed / ours"))
    for key, measure in (
        ("share_of_peak", "share of the core's peak, one thread, full lengths"),
        ("share_of_peak_cpu_time", "the same by processor time, if others use the machine"),
        ("best_share_of_peak", "the same in the best round"),
    ):
        share = {r["case"]: 100 * r[key] for r in full if r["case"] in "CDEFI" and key in r}
        add(_least(share, 65, " %", measure))
    one = {r["case"]: next(x["seconds"] for x in r["results"] if x["who"] == "ours" and x["threads"] == 1)
           for r in full if "2" in r["scaling"]}  # fmt: skip
    for key, where in (("scaling", ""), ("best_scaling", " (best rounds)")):
        two = {r["case"]: r[key]["2"] for r in full if "2" in r["scaling"]}
        long = {case: x for case, x in two.items() if one[case] >= 2e-3}
        short = {case: x for case, x in two.items() if 3e-4 <= one[case] < 2e-3}
        add(_least(long, 1.85, "", f"two threads against one, from 2 ms a step{where}"))
        add(_least(short, 1.6, "", f"the same, from 0.3 ms a step{where}"))
    same = [r for r in records if r["section"] == "determinism"]
    if same:
        wrong = [f"{r['case']} {r['lengths']}" for r in same if not r["identical"]]
        text = (
            f"differ: {', '.join(wrong)}" if wrong else f"identical in {len(same)} runs, threads {same[0]['threads']}"
        )
        verdicts.append(Verdict("bit-identical for every number of threads", "all", text, not wrong))
    slower = {r["case"]: r["ours_slower"] for r in records if r["section"] == "busy"}
    add(_least(slower, 2.2, "", "one core busy: ours is slower by", sign=-1))
    memory = [r for r in records if r["section"] == "memory" and r["who"] == "ours" and r["threads"] == 2]
    add(_least({r["name"]: r["mebibytes"] for r in memory}, 64, " MiB", "memory beyond data, case I, two threads", -1))
    latency = {r["case"]: r["latency_ratio"] for r in records if r["section"] == "inference" and r["B"] == 1}
    add(_least({c: x for c, x in latency.items() if c in "ABC"}, 0.5, "", "one event: ours / ONNX Runtime, A to C", -1))
    add(_least({c: x for c, x in latency.items() if c == "D"}, 0.7, "", "one event: ours / ONNX Runtime, D", -1))
    for cases, target in (("AB", 3), ("CD", 1.2)):
        scoring = {
            f"{r['case']}@{r['B']}": r["batch_ratio"]
            for r in records
            if r["section"] == "inference" and r["B"] > 1 and r["case"] in cases
        }
        add(_least(scoring, target, "", f"scoring batches: ONNX Runtime / ours, {' and '.join(cases)}"))
    for record in records:
        if record["section"] == "reading":
            add(_least({"": record["against_default"]}, 1, "", "read_sequences / uproot.arrays", -1))
            add(
                _least(
                    {"": record["against_two_threads"]}, 1.5, "", "read_sequences / the same, two-thread executors", -1
                )
            )
    return verdicts


def as_json(verdicts: list[Verdict]) -> list[dict]:
    """Return the table for the JSON file."""
    return [asdict(each) for each in verdicts]
