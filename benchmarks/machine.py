"""What a result was measured on: stamped on every result."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from tmva_lstm_plugin import __version__, _engine

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("numpy", "torch", "onnxruntime", "onnx", "uproot", "awkward", "root", "tmva-lstm-plugin")
FLAGS = "sse2 avx avx2 fma avx512f avx512bw avx512vl avx512_vnni avx512_bf16 amx_bf16 asimd sve".split()


def stamp() -> dict[str, object]:
    """Return processor, compiler, flags, versions and kernels."""
    return {
        "when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "system": platform.platform(),
        "python": platform.python_version(),
        **_processor(),
        "usable_processors": _engine.usable_processors(),
        "kernels": _engine.instruction_set(),
        "kernels_available": list(_engine.instruction_sets()),
        "isa_forced": os.environ.get("TMVA_LSTM_ISA"),
        **_compiler(),
        "version": __version__,
        "commit": _commit(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "environment": {
            k: v for k, v in os.environ.items() if re.match(r"(OMP|MKL|KMP|OPENBLAS|ATEN|ONEDNN|DNNL)_", k)
        },
        "load_average": os.getloadavg(),
    }


def _processor() -> dict[str, object]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return {"cpu": platform.processor(), "cpu_flags": [], "cpu_mhz": None}
    entries = dict(re.findall(r"^([^\t\n:]+?)\s*:\s*(.*)$", text, re.MULTILINE))
    present = set(entries.get("flags", entries.get("Features", "")).split())
    family = ", ".join(f"{k} {entries[k]}" for k in ("cpu family", "model", "stepping") if k in entries)
    name = entries.get("model name", platform.processor())
    return {
        "cpu": f"{name} ({family})" if family else name,
        "cpu_flags": [flag for flag in FLAGS if flag in present],
        "cpu_mhz": entries.get("cpu MHz"),
        "cache": entries.get("cache size"),
    }


def _compiler() -> dict[str, object]:
    """Return what the core was compiled with: its own record, and the flags that the build folder names, if there is one."""
    library = Path(_engine.__file__).read_bytes()
    named = sorted({m.decode() for m in re.findall(rb"(?:GCC: \(|clang version )[ -~]{3,60}", library)})
    found: dict[str, object] = {"compiler": named or "unknown", "flags": "unknown (no build folder)"}
    for ninja in sorted(ROOT.glob("build/*/build.ninja"), key=lambda p: p.stat().st_mtime, reverse=True):
        text = ninja.read_text(encoding="utf-8")
        found["flags"] = {
            Path(source).name: flags
            for source, flags in re.findall(
                r"^build [^\n]*?(kernels_\w+\.cpp|network\.cpp)\.o:.*?^  FLAGS = (.*?)$", text, re.MULTILINE | re.DOTALL
            )
        }
        break
    return found


def _commit() -> str:
    if not shutil.which("git"):
        return "unknown"
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def describe(facts: dict[str, object]) -> str:
    """Return the stamp in a few lines."""
    packages = ", ".join(f"{k} {v}" for k, v in facts["packages"].items())  # type: ignore[attr-defined]
    return "\n".join(
        [
            f"{facts['cpu']}; {' '.join(facts['cpu_flags'])}",  # type: ignore[arg-type]
            f"{facts['usable_processors']} usable processors, kernels {facts['kernels']}, "
            f"load average {' '.join(f'{x:.2f}' for x in facts['load_average'])}",  # type: ignore[attr-defined]
            f"compiled by {facts['compiler']}, commit {facts['commit']}; {facts['system']}",
            f"Python {facts['python']}, {packages}",
        ]
    )
