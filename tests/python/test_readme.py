"""README's Python blocks run as they stand, in order, and what it shows of the demo is what the demo prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def test_python_blocks_run(tmp_path, monkeypatch, capsys):
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    code = [block for block in blocks("python") if "import ROOT" not in block]  # tests/tmva runs that one
    assert len(code) == 2
    for block in code:
        exec(compile(block, "README.md", "exec"), namespace)
    printed = capsys.readouterr().out
    assert "4755 events" in printed
    assert "(4, 6, 4, 5) (4, 6, 4, 5)" in printed
    assert (tmp_path / "dis_LSTM.weights.xml").exists()


def test_the_output_shown_is_that_of_the_demo(tmp_path, request, monkeypatch):
    """Speeds and times vary with the machine, the last digit of an AUC with the instruction set."""
    pytest.importorskip("matplotlib")
    if request.config.cache:  # where tests/tmva keeps the library for ROOT
        monkeypatch.setenv("XDG_CACHE_HOME", str(request.config.cache.mkdir("tmva_plugin")))
    from tmva_lstm_plugin.demo import run_demo

    lines: list[str] = []
    run_demo(tmp_path / "demo_output", data_folder=ROOT / "data", echo=lines.append)
    printed = "\n".join(lines).splitlines()
    shown = next(block for block in blocks("text") if "neutrino-oxygen" in block).splitlines()

    def aucs(text):
        return {line.split("  ")[0]: re.findall(r"\d\.\d+", line) for line in text if line.startswith("AUC")}

    assert aucs(printed).keys() == aucs(shown).keys()
    assert len(aucs(shown)) == 2
    for name, values in aucs(shown).items():
        assert [float(v) for v in values] == pytest.approx([float(v) for v in aucs(printed)[name]], abs=0.004)

    def in_tmva(text):
        return [re.sub(r"\d.*", "", line) for line in text if re.match("  (AUC|area)", line)]

    assert len(in_tmva(shown)) == 3
    if not any(line.startswith("left out: ") for line in printed):
        assert in_tmva(shown) == in_tmva(printed)
    assert [line for line in shown if line.startswith("Effective")] == [
        line for line in printed if line.startswith("Effective")
    ]


def test_files_named_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
    for command in re.findall(r"^\$ tmva-lstm ([\w-]+)", README, flags=re.MULTILINE):
        from tmva_lstm_plugin.cli import main

        assert command in main.commands
