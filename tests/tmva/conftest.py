"""ROOT is no dependency: without it, everything here is skipped. With it, the plugin is compiled once and kept between runs."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import warnings

import pytest


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
