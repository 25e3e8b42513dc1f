"""ROOT is no dependency: without it, everything here is skipped. With it, the plugin is compiled once and kept between runs.

The same tests run on whatever TMVA there is, the embedded host or a real one. A test of something that only some of them
have says so with the fixture ``needs``; where it is missing, the test is skipped and listed at the end of the run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import warnings

import pytest

NOT_HERE = "not in this TMVA: "


def _has_root() -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel warns of being an alpha version
        try:
            import ROOT  # noqa: F401
        except ImportError:
            return False
    return True


@pytest.fixture(scope="session", autouse=True)
def plugin_cache(request, tmp_path_factory):
    """A cache that outlives the run (unless pytest keeps none) and is not the user's."""
    if not _has_root():
        pytest.skip("no ROOT for this Python")
    before = os.environ.get("XDG_CACHE_HOME")
    kept = getattr(request.config, "cache", None)
    os.environ["XDG_CACHE_HOME"] = str(kept.mkdir("tmva_plugin") if kept else tmp_path_factory.mktemp("tmva_plugin"))
    yield os.environ["XDG_CACHE_HOME"]
    if before is None:
        del os.environ["XDG_CACHE_HOME"]
    else:
        os.environ["XDG_CACHE_HOME"] = before


@pytest.fixture(scope="session")
def registered(plugin_cache):
    """The method, registered in this process; what `register` returned."""
    import tmva_lstm_plugin

    return tmva_lstm_plugin.register(quiet=True)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of the test's own to be in: TMVA writes its weights below the working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run_python(tmp_path):
    """Run a script in a process and a folder of its own: what is loaded into ROOT stays loaded."""

    def run(script, *, code=0, **environment):
        text = "import warnings\nwarnings.simplefilter('ignore')\n" + textwrap.dedent(script)
        done = subprocess.run(
            [sys.executable, "-c", text],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    return run


# --- what the TMVA at hand has ---------------------------------------------------------------------------------------


# Probes of the thing itself, never of a version number: TMVA's releases do not follow one line.
PROBES = {
    "arrays in the DataLoader": lambda TMVA: hasattr(TMVA.DataLoader, "AddVariablesArray"),
    "events shown by the DataLoader": lambda TMVA: hasattr(TMVA.DataLoader, "GetDataSetInfo"),
    "training histories": lambda TMVA: hasattr(TMVA, "TrainingHistory"),
    "a Factory without an output file": lambda TMVA: hasattr(TMVA.MethodBase, "IsSilentFile"),
    "VarTransform=D": lambda TMVA: hasattr(TMVA, "VariableDecorrTransform"),
    "VarTransform=G": lambda TMVA: hasattr(TMVA, "VariableGaussTransform"),
    "Category": lambda TMVA: hasattr(TMVA, "MethodCategory"),
}


@pytest.fixture(scope="session")
def tmva_has(registered):
    """Whether the TMVA at hand has one of PROBES; each is probed once."""
    import ROOT

    known = {}

    def has(feature):
        if feature not in known:
            known[feature] = bool(PROBES[feature](ROOT.TMVA))
        return known[feature]

    return has


@pytest.fixture
def needs(tmva_has):
    """Call it with each feature of PROBES that a test is about: the test is skipped, by name, where one is missing."""

    def needs(*features):
        missing = [feature for feature in features if not tmva_has(feature)]
        if missing:
            pytest.skip(NOT_HERE + ", ".join(missing))

    return needs


def pytest_terminal_summary(terminalreporter):
    """List what was left out because this TMVA lacks it, and on which TMVA everything else ran."""
    left_out = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        if NOT_HERE in reason:
            left_out.setdefault(reason.split(NOT_HERE, 1)[1], []).append(report.nodeid)
    registration = _registration_of_this_run()
    if registration is None:
        return
    where = "the embedded host" if registration.host else f"TMVA {registration.tmva_version}"
    terminalreporter.section(f"tests of TMVA on {where}, ROOT {registration.root_version}")
    if not left_out:
        terminalreporter.line("nothing was missing in this TMVA")
    for feature, tests in sorted(left_out.items()):
        for test in tests:
            terminalreporter.line(f"{NOT_HERE}{feature}  ({test})")


def _registration_of_this_run():
    module = sys.modules.get("tmva_lstm_plugin.tmva")
    return module._registered if module is not None else None
