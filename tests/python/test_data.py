"""The carried sample is what data/README.md says it is: every number there is computed again here."""

from __future__ import annotations

import csv
import hashlib
import re
import runpy
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

DATA = Path(__file__).parents[2] / "data"
PARTICLE = ("barcode", "Px", "Py", "Pz", "E", "x", "y", "z")
PROCESSES = {
    "1": (1, 1),
    "2": (2, 2),
    "3-31": (3, 31),
    "32-33": (32, 33),
    "34": (34, 34),
    "35": (35, 35),
    "1-35": (1, 35),
}


@pytest.fixture(scope="module")
def readme():
    return (DATA / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def events():
    return uproot.open(f"{DATA / 'gibuu_neutrino.root'}:RootTuple").arrays()


def rows(text: str, title: str) -> dict[str, list[str]]:
    """Return the body of the table whose head begins with `title`, keyed by that column."""
    lines = iter(text.splitlines())
    next(line for line in lines if line.startswith(f"| {title} |"))
    next(lines)
    table = {}
    for line in lines:
        if not line.startswith("|"):
            return table
        first, *rest = (cell.strip() for cell in line.strip("|").split("|"))
        table[first] = rest
    return table


@pytest.mark.parametrize("name", ["gibuu_neutrino.root", "gibuu_neutrino.job"])
def test_files_are_the_ones_the_readme_describes(readme, name):
    assert f"`{hashlib.sha256((DATA / name).read_bytes()).hexdigest()}`" in readme


def test_licence_text_is_carried(readme):
    text = (DATA / "gibuu_neutrino.LICENSE.txt").read_text(encoding="ascii")
    assert text.startswith("The MIT License (MIT)\n\nCopyright (c) 2014 Tamas Gal\n")
    # the licence file of km3net-testdata 0.4.31
    digest = "d93ef39cf057c93c3cc9b2b04899c248006c7df74ed37f05531b478576a6a797"
    assert hashlib.sha256(text.encode()).hexdigest() == digest
    assert "MIT, Copyright (c) 2014 Tamas Gal" in readme


def test_every_file_is_listed(readme):
    listed = {name for cell in rows(readme, "file") for name in re.findall(r"`([^`]+)`", cell)}
    present = {path.name for path in DATA.iterdir() if path.is_file()}
    assert listed == present - {"README.md"}


def test_every_branch_is_described_with_its_type(readme):
    tree = uproot.open(f"{DATA / 'gibuu_neutrino.root'}:RootTuple")
    described = {}
    for section in readme.split("| branch | type | meaning | unit |")[1:]:
        for line in section.splitlines()[2:]:
            if not line.startswith("|"):
                break
            cells = line.strip("|").split("|")
            for name in re.findall(r"`([^`]+)`", cells[0]):
                described[name] = cells[1].strip(" `")
    ours = {
        "double": "double",
        "int32_t": "int",
        "std::vector<double>": "vector<double>",
        "std::vector<int32_t>": "vector<int>",
    }
    assert described == {name: ours[branch.typename] for name, branch in tree.items()}


def test_size_and_multiplicity(readme, events):
    n = ak.num(events.Px).to_numpy()
    assert f"`RootTuple`, {len(events)} entries" in readme
    assert f"| {n.min()} to {n.max()}, mean {n.mean():.2f}, {n.sum()} in all |" in readme
    assert f"| size | {(DATA / 'gibuu_neutrino.root').stat().st_size} bytes |" in readme
    for name in PARTICLE:
        assert ak.all(ak.num(events[name]) == n)
        assert ak.all(np.isfinite(events[name]))


def test_class_table(readme, events):
    table = rows(readme, "`evType` | process")
    assert set(table) == {*PROCESSES, "not 34"}
    kind, w, n = events.evType.to_numpy(), events.weight.to_numpy(), ak.num(events.Px).to_numpy()
    for key, cells in table.items():
        low, high = PROCESSES.get(key, (0, 0))
        m = (kind >= low) & (kind <= high) if high else kind != 34
        effective = w[m].sum() ** 2 / (w[m] ** 2).sum()
        assert cells[1:] == [
            str(m.sum()),
            str((w[m] < 0).sum()),
            f"{w[m].sum():.4f}",
            f"{effective:.1f}",
            f"{n[m].min()} to {n[m].max()}",
            f"{n[m].mean():.2f}",
        ]
    assert {k: int(table[k][1]) for k in PROCESSES if k != "1-35"} == {
        "1": 155,
        "2": 485,
        "3-31": 403,
        "32-33": 111,
        "34": 3256,
        "35": 345,
    }


def test_weights(readme, events):
    text = re.sub(r"\s+", " ", readme)
    w, kind = events.weight.to_numpy(), events.evType.to_numpy()
    negative = np.flatnonzero(w < 0)
    assert len(negative) == 5
    assert set(kind[negative]) == {33}
    assert f"The five negative ones (entries {', '.join(map(str, negative))}) are all of `evType` 33" in text
    size = np.abs(w)
    assert f"They run from {w.min():.4f} to {w.max():.4f}" in text
    assert f"the smallest in size is {size.min():.3g}, the median size {np.median(size):.5f}" in text
    assert f"Their sum, {w.sum():.2f}," in text
    bkg = w[kind != 34]
    assert f"{bkg.sum() ** 2 / (bkg**2).sum():.0f} effective background events out of {len(bkg)}" in text
    assert f"QE is {w[kind == 1].sum() ** 2 / (w[kind == 1] ** 2).sum():.1f} events" in text


def test_kinematics_are_as_described(readme, events):
    """Units and meanings, as far as the numbers can show them."""
    assert ak.all(events.lepIn_E == events.lepIn_Pz)  # massless, along z
    assert 0.1 <= ak.min(events.lepIn_E)
    assert ak.max(events.lepIn_E) <= 50
    lepton_mass = np.sqrt(events.lepOut_E**2 - events.lepOut_Px**2 - events.lepOut_Py**2 - events.lepOut_Pz**2)
    np.testing.assert_allclose(lepton_mass, 0.00051, rtol=1e-4)  # GeV: an electron
    mass = np.sqrt(np.maximum(events.E**2 - events.Px**2 - events.Py**2 - events.Pz**2, 0))
    np.testing.assert_allclose(ak.flatten(mass[abs(events.barcode) == 211]), 0.138, rtol=1e-6)  # GeV: a pion
    nucleon = ak.flatten(mass[(events.barcode == 2212) | (events.barcode == 2112)]).to_numpy()
    assert np.std(nucleon) > 0.01
    assert np.median(nucleon) == pytest.approx(0.938, abs=0.01)
    assert ak.max(np.sqrt(events.nuc_Px**2 + events.nuc_Py**2 + events.nuc_Pz**2)) < 0.3  # nucleons in a nucleus
    radius = np.sqrt(events.x**2 + events.y**2 + events.z**2)
    assert 2 < ak.mean(radius) < 4  # fm: oxygen, centred
    for axis in "xyz":
        assert ak.all(events[axis] == ak.firsts(events[axis]))
    settings = {"nucleus_A": 16, "nucleus_Z": 8, "flavor_ID": 1, "process_ID": 2, "numEnsembles": 625, "numRuns": 1}
    for name, value in settings.items():
        assert ak.all(events[name] == value)
        assert re.search(rf"`{name}`.*\b{value}\b", readme)
    codes, counts = np.unique(ak.flatten(events.barcode).to_numpy(), return_counts=True)
    assert f"most often {', '.join(map(str, codes[np.argsort(-counts)][:5]))} |" in readme
    assert not set(np.abs(codes)) & {11, 12, 13, 14}  # no leptons among the particles


def test_split_is_the_stated_permutation():
    with open(DATA / "gibuu_split.csv", encoding="ascii", newline="") as handle:
        lines = list(csv.DictReader(handle))
    order = [int(line["event"]) for line in lines]
    assert sorted(order) == list(range(4755))
    assert [line["part"] for line in lines] == ["train"] * 3566 + ["test"] * 1189
    assert order == np.random.default_rng(1).permutation(4755).tolist()
    assert runpy.run_path(str(DATA / "make_split.py"))["split_table"]() == (DATA / "gibuu_split.csv").read_text("ascii")


def test_split_table(readme, events):
    table = rows(readme, "part")
    split = np.genfromtxt(DATA / "gibuu_split.csv", delimiter=",", names=True, dtype=None, encoding="ascii")
    for part, cells in table.items():
        picked = events[split["event"][split["part"] == part]]
        kind = picked.evType.to_numpy()
        counts = [((kind >= low) & (kind <= high)).sum() for low, high in list(PROCESSES.values())[:-1]]
        numbers = [len(picked), *counts, ak.sum(picked.weight < 0), ak.max(ak.num(picked.Px))]
        assert cells == [str(number) for number in numbers]
    assert list(table) == ["train", "test"]


def blocks(readme: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", readme, flags=re.DOTALL)


def test_uproot_block_runs(readme, monkeypatch, capsys):
    monkeypatch.chdir(DATA)
    block = blocks(readme, "python")[0]
    exec(compile(block, "data/README.md", "exec"), {})
    assert re.fullmatch(r"4755 \[.*\] 5\n", capsys.readouterr().out)


def test_package_block_runs(readme, monkeypatch, events):
    pytest.importorskip("tmva_lstm_plugin.reading")
    monkeypatch.chdir(DATA)
    names = {}
    exec(compile(blocks(readme, "python")[1], "data/README.md", "exec"), names)
    read = names["events"]
    assert len(read) == len(events)
    np.testing.assert_array_equal(read.labels, events.evType.to_numpy() == 34)
    first = np.sort(events.E[0].to_numpy())[::-1].astype(np.float32)
    np.testing.assert_array_equal(read.values[: len(first), 0], first)


def test_console_block_is_what_the_script_prints(readme, tmp_path, monkeypatch, capsys):
    command, *printed = blocks(readme, "console")[0].splitlines()
    monkeypatch.chdir(tmp_path)
    words = command.split()
    assert words[:3] == ["$", "python", "data/generate_toys.py"]
    assert runpy.run_path(str(DATA / "generate_toys.py"))["main"](words[3:]) == 0
    assert capsys.readouterr().out.splitlines() == printed
    tree = uproot.open(tmp_path / "toys.root")["events"]
    assert tree.num_entries == 5000
    assert ak.min(tree["n_steps"].array()) == 5
    assert ak.max(tree["n_steps"].array()) == 30


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["oder_task", "t.root"], "error: there is no toy task 'oder_task'; did you mean 'order_task'"),
        (
            ["order_task", "t.root", "--set", "rh=0.5"],
            "error: toy task order_task has no option 'rh'; did you mean 'rho'",
        ),
        (["order_task", "t.root", "--events", "0"], "n_events=0, expected a whole number, at least 1"),
    ],
)
def test_script_explains_mistakes(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert runpy.run_path(str(DATA / "generate_toys.py"))["main"](arguments) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_script_explains_a_setting_that_is_none(capsys):
    with pytest.raises(SystemExit, match="2"):
        runpy.run_path(str(DATA / "generate_toys.py"))["main"](["order_task", "t.root", "--set", "rho"])
    assert "'rho' is not name=number" in capsys.readouterr().err
