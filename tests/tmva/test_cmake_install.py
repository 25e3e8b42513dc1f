"""``cmake -B build && cmake --install build``: the library for C++ users, and what an outside project makes of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tmva_lstm_plugin.root_finder import find_root

PROJECT = Path(__file__).parents[2]
REFERENCE = PROJECT / "tests" / "reference" / "tmva"
PROGRAMS = Path(sys.executable).parent
CMAKE = shutil.which("cmake") or shutil.which("cmake", path=str(PROGRAMS))

pytestmark = pytest.mark.skipif(CMAKE is None or shutil.which("c++") is None, reason="no cmake or no compiler")


def succeed(command, environment=None):
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, env=environment, timeout=1800, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
    return done.stdout


def told_nothing():
    """This Python first on the PATH, so that CMake comes upon its ROOT; and no other hint where ROOT is."""
    hidden = ("ROOTSYS", "ROOT_DIR", "CMAKE_PREFIX_PATH")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    environment["PATH"] = f"{PROGRAMS}{os.pathsep}{environment['PATH']}"
    return environment


@pytest.fixture(scope="module")
def root():
    return find_root()


@pytest.fixture(scope="module")
def installed(request, tmp_path_factory, root):
    """The prefix of an installation; what was compiled is kept between runs, as the plugin's cache is."""
    kept = getattr(request.config, "cache", None)
    build = (kept.mkdir("cmake_build") if kept else tmp_path_factory.mktemp("cmake_build")) / "build"
    prefix = tmp_path_factory.mktemp("prefix") / "installed"
    generator = ["-G", "Ninja"] if shutil.which("ninja", path=told_nothing()["PATH"]) else []
    (build / "CMakeCache.txt").unlink(missing_ok=True)  # what an earlier run found may be gone
    options = ["-DTMVA_LSTM_ROOT=ON", "-DCMAKE_INSTALL_LIBDIR=lib", f"-DCMAKE_INSTALL_PREFIX={prefix}"]
    said = succeed([CMAKE, *generator, "-S", PROJECT, "-B", build, *options], told_nothing())
    line = next(line for line in said.splitlines() if "libTMVALSTM for ROOT" in line)
    assert f" in {root.include}, with " in line
    assert ("the embedded host" in line) == (not root.has_tmva)
    assert f"the TMVA in {root.tmva_libdir}" in line or not root.has_tmva
    succeed([CMAKE, "--install", build], told_nothing())
    return prefix


def test_what_is_installed(installed, root):
    names = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    assert {
        "lib/libTMVALSTM.so",
        "lib/libTMVALSTM.rootmap",
        "lib/libTMVALSTM_rdict.pcm",
        "lib/libtmva_lstm_core.a",
        "lib/cmake/tmva_lstm_plugin/tmva_lstm_pluginConfig.cmake",
        "include/tmva_lstm/MethodLSTM.h",
        "include/tmva_lstm/core/trainer.h",
    } <= names
    # the host's headers, and never beside those of a real TMVA
    assert ("include/tmva_lstm/TMVA/MethodBase.h" in names) == (not root.has_tmva)
    assert "class TMVA::MethodLSTM" in (installed / "lib" / "libTMVALSTM.rootmap").read_text()


def test_root_finds_the_installed_library_by_its_rootmap_and_reads_a_weights_file(installed, run_python):
    out = run_python(
        f"""
        import importlib.util, json
        import numpy as np
        import ROOT
        assert ROOT.TMVA.MethodLSTM.kTypeValue == 60  # nothing was loaded by hand
        print([name for name in str(ROOT.gSystem.GetLibraries()).split() if "TMVALSTM" in name])
        spec = importlib.util.spec_from_file_location("crossing", {str(REFERENCE / "make_crossing_files.py")!r})
        crossing = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(crossing)
        content = json.load(open({str(REFERENCE / "host.json")!r}))
        weights = {str(REFERENCE / "host_binary.weights.xml")!r}
        scores = crossing.scores_of(weights, np.array(content["rows"], np.float32), content["lengths"])
        np.testing.assert_allclose(scores, np.array(content["scores"]["binary"]), rtol=1e-5)
        """,
        LD_LIBRARY_PATH=os.pathsep.join(filter(None, [str(installed / "lib"), os.environ.get("LD_LIBRARY_PATH")])),
        ROOT_INCLUDE_PATH=os.pathsep.join(
            filter(None, [str(installed / "include" / "tmva_lstm"), os.environ.get("ROOT_INCLUDE_PATH")])
        ),
    )
    assert out.splitlines()[0] == json.dumps([str(installed / "lib" / "libTMVALSTM.so")]).replace('"', "'")


def test_an_outside_project_uses_core_and_method(installed, root, tmp_path):
    includes = [root.include] + ([root.tmva_include] if root.has_tmva else [])
    libraries = [root.libdir / "libCore.so"] + ([root.tmva_libdir / "libTMVA.so"] if root.has_tmva else [])
    options = [
        f"-Dtmva_lstm_plugin_DIR={installed / 'lib' / 'cmake' / 'tmva_lstm_plugin'}",
        "-DCMAKE_BUILD_TYPE=Release",
        "-DWITH_TMVA=ON",
        f"-DROOT_INCLUDE_DIRS={';'.join(map(str, includes))}",
        f"-DROOT_LIBRARIES={';'.join(map(str, libraries))}",
    ]
    succeed([CMAKE, "-S", PROJECT / "tests" / "consumer", "-B", tmp_path / "build", *options], told_nothing())
    succeed([CMAKE, "--build", tmp_path / "build"], told_nothing())
    assert "of 400 right" in succeed([tmp_path / "build" / "consumer"])
    assert succeed([tmp_path / "build" / "consumer_tmva"]) == "TMVA::MethodLSTM is booked as LSTM\n"
