"""Finding ROOT, and compiling and keeping the plugin: with a toy in ROOT's shape, so that no ROOT is needed."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from tmva_lstm_plugin import plugin_build, plugin_cache, root_finder
from tmva_lstm_plugin.cli import main
from tmva_lstm_plugin.plugin_build import CoreFiles, PluginBuildError, ensure_plugin, find_core
from tmva_lstm_plugin.root_finder import RootNotFoundError, find_root

CXX = shutil.which("c++") or shutil.which("g++")
pytestmark = pytest.mark.skipif(CXX is None or shutil.which("ar") is None, reason="no compiler")

ROOT_LIBRARIES = ("Core", "RIO", "Tree", "TreePlayer", "Hist", "MathCore", "Matrix", "XMLIO")
ROOTCLING = """#!/bin/sh
echo run >> "$(dirname "$0")/runs"
while [ $# -gt 0 ]; do
  case "$1" in
    -f) dictionary=$2; shift ;;
    -s) library=$2; shift ;;
    -rmf) map=$2; shift ;;
  esac
  shift
done
echo "int toy_dictionary() { return 1; }" > "$dictionary"
echo pcm > "${library%.so}_rdict.pcm"
echo map > "$map"
"""


@pytest.fixture(scope="session")
def libraries(tmp_path_factory):
    """Empty libraries under ROOT's names, and a core with one function."""
    folder = tmp_path_factory.mktemp("libraries")
    (folder / "empty.cpp").write_text("")
    subprocess.run([CXX, "-shared", "-fPIC", "empty.cpp", "-o", "libCore.so"], cwd=folder, check=True)
    for name in ROOT_LIBRARIES[1:]:
        shutil.copyfile(folder / "libCore.so", folder / f"lib{name}.so")
    (folder / "core.cpp").write_text("int core_answer() { return 42; }")
    subprocess.run([CXX, "-c", "-fPIC", "core.cpp"], cwd=folder, check=True)
    subprocess.run(["ar", "rcs", "libtmva_lstm_core.a", "core.o"], cwd=folder, check=True)
    return folder


def make_root(prefix, libraries, version=(6, 40, 0), include="include", libdir="lib"):
    (prefix / include / "ROOT").mkdir(parents=True)
    (prefix / include / "TROOT.h").write_text("")
    names = zip(("MAJOR", "MINOR", "PATCH"), version, strict=True)
    text = "".join(f"#define ROOT_VERSION_{name} {number}\n" for name, number in names)
    (prefix / include / "ROOT" / "RVersion.hxx").write_text(text)
    (prefix / include / "compiledata.h").write_text('#define MAKEEXE "c++ -std=c++17 -c"\n')
    (prefix / libdir).mkdir(parents=True)
    for name in ROOT_LIBRARIES:
        shutil.copyfile(libraries / f"lib{name}.so", prefix / libdir / f"lib{name}.so")
    (prefix / "bin").mkdir()
    rootcling = prefix / "bin" / "rootcling"
    rootcling.write_text(ROOTCLING)
    rootcling.chmod(0o755)
    return prefix


@pytest.fixture
def toy(tmp_path, libraries, monkeypatch):
    """A ROOT without TMVA, an adapter and a host of one function each, a cache of its own."""
    sources = tmp_path / "cpp"
    for folder in ("tmva", "host/inc/TMVA", "host/src"):
        (sources / folder).mkdir(parents=True)
    (sources / "tmva" / "MethodLSTM.h").write_text("int adapter();\n")
    (sources / "tmva" / "MethodLSTM.cxx").write_text(
        '#include "MethodLSTM.h"\n#include "TMVA/Types.h"\nint core_answer();\nint adapter() { return core_answer() + host(); }\n'
    )
    (sources / "host" / "src" / "Types.cxx").write_text(
        '#include "TMVA/Types.h"\nint host() { return TMVA_LSTM_ABI; }\n'
    )
    (sources / "host" / "inc" / "TMVA" / "Types.h").write_text("int host();\n")
    for linkdef in ("tmva/LinkDef.h", "host/inc/LinkDef.h"):
        (sources / linkdef).write_text("")
    (tmp_path / "core").mkdir()
    core = CoreFiles(libraries / "libtmva_lstm_core.a", tmp_path / "core", tmp_path / "core", "0")
    monkeypatch.setattr(plugin_build, "_SOURCES", sources)
    monkeypatch.setattr(plugin_build, "find_core", lambda: core)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CXX", CXX)
    monkeypatch.delenv("TMVA_LSTM_TMVA", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    make_root(tmp_path / "root", libraries)
    return tmp_path


def build(toy, **kwargs):
    return ensure_plugin(find_root(toy / "root"), **{"echo": None, **kwargs})


def runs(toy):
    path = toy / "root" / "bin" / "runs"
    return len(path.read_text().splitlines()) if path.exists() else 0


def without_compiler(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")


# --- finding ROOT ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("include", "libdir"), [("include", "lib"), ("include/root", "lib64/root"), ("include/root", "lib/root")]
)
def test_roots_of_several_shapes(tmp_path, libraries, monkeypatch, include, libdir):
    monkeypatch.delenv("TMVA_LSTM_TMVA", raising=False)
    root = find_root(make_root(tmp_path / "root", libraries, (6, 32, 8), include, libdir))
    assert (root.version, root.cxx_standard, root.has_tmva) == ("6.32.08", 17, False)
    assert root.include == tmp_path / "root" / include
    assert root.libdir == tmp_path / "root" / libdir


def test_version_of_old_headers(tmp_path, libraries):
    prefix = make_root(tmp_path / "root", libraries)
    (prefix / "include" / "ROOT" / "RVersion.hxx").unlink()
    (prefix / "include" / "RVersion.h").write_text('#define ROOT_RELEASE "6.24/06"\n')
    assert find_root(prefix).version == "6.24.06"


def test_tmva_is_found_with_headers_and_library_only(tmp_path, libraries, monkeypatch):
    monkeypatch.delenv("TMVA_LSTM_TMVA", raising=False)
    prefix = make_root(tmp_path / "root", libraries)
    (prefix / "include" / "TMVA").mkdir()
    (prefix / "include" / "TMVA" / "MethodBase.h").write_text("")
    assert not find_root(prefix).has_tmva
    shutil.copyfile(libraries / "libCore.so", prefix / "lib" / "libTMVA.so")
    assert find_root(prefix).tmva_libdir == (prefix / "lib").resolve()


def test_tmva_apart_from_root(tmp_path, libraries, monkeypatch):
    prefix = make_root(tmp_path / "root", libraries)
    apart = tmp_path / "apart"
    monkeypatch.setenv("TMVA_LSTM_TMVA", str(apart))
    with pytest.raises(
        RootNotFoundError, match="TMVA_LSTM_TMVA is .*apart', but there is no include/TMVA/MethodBase.h"
    ):
        find_root(prefix)
    (apart / "include" / "TMVA").mkdir(parents=True)
    (apart / "include" / "TMVA" / "MethodBase.h").write_text("")
    (apart / "lib").mkdir()
    shutil.copyfile(libraries / "libCore.so", apart / "lib" / "libTMVA.so")
    assert find_root(prefix).tmva_include == (apart / "include").resolve()


def test_tmva_on_the_search_paths(tmp_path, libraries, monkeypatch):
    """ROOT's interpreter would find those headers, so a host beside them would be read with the wrong ones."""
    prefix = make_root(tmp_path / "root", libraries)
    headers, folder = tmp_path / "headers", tmp_path / "folder"
    (headers / "TMVA").mkdir(parents=True)
    (headers / "TMVA" / "MethodBase.h").write_text("")
    monkeypatch.setenv("ROOT_INCLUDE_PATH", os.pathsep.join([str(tmp_path), str(headers)]))
    search = "DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
    monkeypatch.setenv(search, str(folder))
    with pytest.raises(
        RootNotFoundError, match="has the headers of a TMVA in '.*headers', but libTMVA is neither with ROOT nor"
    ):
        find_root(prefix)
    folder.mkdir()
    shutil.copyfile(libraries / "libCore.so", folder / "libTMVA.so")
    assert find_root(prefix).tmva_libdir == folder.resolve()
    # the host's own headers are no TMVA
    (folder / "libTMVA.so").unlink()
    (headers / "TMVA" / "Version.h").write_text("#define TMVA_LSTM_EMBEDDED_HOST 1\n")
    assert not find_root(prefix).has_tmva


def test_order_of_the_search(tmp_path, libraries, monkeypatch):
    monkeypatch.delitem(sys.modules, "ROOT", raising=False)
    monkeypatch.setattr(root_finder, "_package_folder", lambda: None)
    config = make_root(tmp_path / "config", libraries, (6, 30, 0)) / "bin" / "root-config"
    config.write_text("#!/bin/sh\necho /no/such/folder\n")
    config.chmod(0o755)
    monkeypatch.setenv("PATH", f"{config.parent}:{os.environ['PATH']}")
    monkeypatch.delenv("ROOTSYS", raising=False)
    # what root-config says is not there, so the folder it is in counts
    assert (find_root().version, find_root().found_by) == ("6.30.00", "root-config on the PATH")
    monkeypatch.setenv("ROOTSYS", str(make_root(tmp_path / "rootsys", libraries, (6, 34, 2))))
    assert (find_root().version, find_root().found_by) == ("6.34.02", "ROOTSYS")
    package = make_root(tmp_path / "lib" / "python3" / "site-packages" / "ROOT", libraries, (6, 40, 4))
    monkeypatch.setattr(root_finder, "_package_folder", lambda: package)
    assert (find_root().version, find_root().found_by) == ("6.40.04", "Python package ROOT")


def test_no_root_and_half_a_root(tmp_path, libraries, monkeypatch):
    monkeypatch.delitem(sys.modules, "ROOT", raising=False)
    monkeypatch.setattr(root_finder, "_package_folder", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("ROOTSYS", raising=False)
    with pytest.raises(RootNotFoundError, match="no ROOT found: .* cannot import ROOT, ROOTSYS is not set"):
        find_root()
    with pytest.raises(
        RootNotFoundError, match="no ROOT in .*: expected bin/rootcling, include/TROOT.h and lib/libCore"
    ):
        find_root(tmp_path)
    half = make_root(tmp_path / "half", libraries)
    (half / "include" / "TROOT.h").unlink()
    monkeypatch.setenv("ROOTSYS", str(half))
    with pytest.raises(
        RootNotFoundError, match=r"but not its headers, libCore and rootcling together; looked in .*\(ROOTSYS\)"
    ):
        find_root()


# --- building and keeping --------------------------------------------------------------------------------------------


def test_built_once_and_loadable(toy, capsys):
    first = ensure_plugin(find_root(toy / "root"))
    assert first.built
    assert first.host
    assert first.path.is_relative_to(toy / "cache" / "tmva_lstm_plugin")
    assert (first.include / "MethodLSTM.h").is_file()
    assert (first.include / "TMVA" / "Types.h").is_file()
    assert first.current == toy / "cache" / "tmva_lstm_plugin" / "current"
    said = capsys.readouterr()
    assert "compiling the TMVA method and the embedded host for ROOT 6.40.00 (once)" in said.err
    assert said.out == ""
    # in a process of its own, since a library stays loaded
    code = f"import ctypes; print(ctypes.CDLL({str(first.path)!r})._Z7adapterv())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "42\n"
    second = build(toy)
    assert (second.built, second.path, runs(toy)) == (False, first.path, 1)
    # nothing of the way there is left
    assert not [p.name for p in first.folder.parent.iterdir() if p.name.startswith(".")]
    assert sorted(p.name for p in first.folder.iterdir()) == sorted(
        ["include", "libTMVALSTM.so", "libTMVALSTM.rootmap", "libTMVALSTM_rdict.pcm", "plugin.json"]
    )


def test_with_a_real_tmva_the_host_stays_out(toy, libraries):
    prefix = toy / "root"
    (prefix / "include" / "TMVA").mkdir()
    (prefix / "include" / "TMVA" / "MethodBase.h").write_text("")
    # the adapter is told that Types is a namespace here
    (prefix / "include" / "TMVA" / "Types.h").write_text("namespace Types {}\ninline int host() { return TYPES; }\n")
    source = plugin_build._SOURCES / "tmva" / "MethodLSTM.cxx"
    source.write_text("#ifdef TMVA_LSTM_TYPES_IS_NAMESPACE\n#define TYPES 1\n#endif\n" + source.read_text())
    shutil.copyfile(libraries / "libCore.so", prefix / "lib" / "libTMVA.so")
    plugin = build(toy)
    assert not plugin.host
    assert not (plugin.include / "TMVA").exists()
    assert "host" not in plugin.folder.name


def test_what_makes_a_new_library(toy, libraries):
    first = build(toy).path
    (plugin_build._SOURCES / "host" / "src" / "Types.cxx").write_text("int host() { return 1; }\n")
    changed = build(toy)
    assert changed.built
    assert changed.path != first
    other = ensure_plugin(find_root(make_root(toy / "other", libraries, (6, 41, 0))), echo=None)
    assert other.built
    assert other.current.resolve() == other.folder
    back = build(toy)
    assert not back.built
    assert back.current.resolve() == back.folder


@pytest.mark.parametrize("damage", ["cut", "missing", "no manifest", "broken manifest", "a file instead"])
def test_a_damaged_cache_is_built_anew(toy, damage):
    plugin = build(toy)
    if damage == "cut":
        plugin.path.write_bytes(plugin.path.read_bytes()[:1000])
    elif damage == "missing":
        (plugin.folder / "libTMVALSTM_rdict.pcm").unlink()
    elif damage == "no manifest":
        (plugin.folder / "plugin.json").unlink()
    elif damage == "broken manifest":
        (plugin.folder / "plugin.json").write_text("[1")
    else:
        shutil.rmtree(plugin.folder)
        plugin.folder.write_text("")
    again = build(toy)
    assert (again.built, again.path) == (True, plugin.path)
    assert not build(toy).built


def test_force(toy):
    build(toy)
    assert build(toy, force=True).built
    assert runs(toy) == 2


def test_two_at_once_both_end_well(toy):
    lines, results = [], []

    def one():
        results.append(build(toy, echo=lambda text, end="\n": lines.append(text)))

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({r.path for r in results}) == 1
    assert sorted(r.built for r in results) == [False, False, True]
    assert runs(toy) == 1
    assert any("another process is compiling the same library" in line for line in lines)


def test_without_locks_the_second_one_keeps_the_first_ones_library(toy):
    plugin = build(toy)
    aside = plugin.folder.parent / "aside"
    shutil.copytree(plugin.folder, aside)
    before = plugin.path.stat().st_ino
    plugin_cache.install_entry(aside, plugin.folder)
    assert plugin.path.stat().st_ino == before
    assert not aside.exists()


def test_without_a_compiler(toy, libraries, monkeypatch):
    without_compiler(monkeypatch)
    with pytest.raises(
        PluginBuildError, match=r"compiled once for ROOT 6\.40\.00 .* there is no C\+\+ compiler: install one"
    ):
        build(toy)
    monkeypatch.setenv("CXX", CXX)
    made = build(toy)
    without_compiler(monkeypatch)
    found = build(toy)
    assert (found.path, found.built) == (made.path, False)
    assert "a library made earlier by" in found.notes[0]
    # of another ROOT it does not serve
    with pytest.raises(PluginBuildError, match=r"for ROOT 6\.36\.00"):
        ensure_plugin(find_root(make_root(toy / "older", libraries, (6, 36, 0))), echo=None)


def test_without_a_writable_home(toy, monkeypatch):
    (toy / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(toy / "file" / "cache"))
    plugin = build(toy)
    assert plugin.path.is_relative_to(toy / "temporary" / f"tmva_lstm_plugin-{os.getuid()}")
    assert "cannot be written" in plugin.notes[0]
    assert stat.S_IMODE(plugin.folder.parent.stat().st_mode) == 0o700
    assert not build(toy).built


def test_without_any_home(toy, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", classmethod(lambda cls: (_ for _ in ()).throw(RuntimeError("no home"))))
    plugin = build(toy)
    assert "there is no home folder" in plugin.notes[0]


def test_a_folder_others_can_write_to_is_not_trusted(toy, monkeypatch):
    (toy / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(toy / "file" / "cache"))
    planted = toy / "temporary" / f"tmva_lstm_plugin-{os.getuid()}"
    planted.mkdir()
    planted.chmod(0o777)
    plugin = build(toy)
    assert not plugin.path.is_relative_to(planted)
    assert not list(planted.iterdir())


def test_a_failed_compilation_shows_the_first_error_and_the_log(toy):
    (plugin_build._SOURCES / "tmva" / "MethodLSTM.cxx").write_text(
        '#include "MethodLSTM.h"\nint adapter() { return oops; }\n'
    )
    message = r"(?s)ended with code 1; all it said is in '.*\.log', first of all:.*oops"
    with pytest.raises(PluginBuildError, match=message) as caught:
        build(toy)
    log = next((toy / "cache" / "tmva_lstm_plugin").glob("*.log"))
    assert str(log) in str(caught.value)
    assert "MethodLSTM.cxx" in log.read_text()
    assert not [p for p in log.parent.iterdir() if p.name.startswith(".building")]


# --- the core that the package carries, and the command line ---------------------------------------------------------


@pytest.fixture
def core():
    try:
        return find_core()
    except PluginBuildError as error:
        pytest.skip(str(error))


def test_the_core_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(plugin_build, "__file__", str(tmp_path / "plugin_build.py"))
    monkeypatch.setattr(plugin_build.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PluginBuildError, match=r"no libtmva_lstm_core\.a with core_abi\.txt in .*install it again"):
        find_core()


def test_an_outside_cmake_project(core, tmp_path):
    cmake = shutil.which("cmake") or shutil.which("cmake", path=str(Path(sys.executable).parent))
    project = Path(__file__).resolve().parent.parent / "consumer"
    if cmake is None or not project.is_dir():
        pytest.skip("no cmake, or no sources of the tests")
    folder = CliRunner().invoke(main, ["config", "--cmake"]).stdout.strip()
    configure = [
        cmake,
        "-S",
        project,
        "-B",
        tmp_path / "build",
        f"-Dtmva_lstm_plugin_DIR={folder}",
        "-DCMAKE_BUILD_TYPE=Release",
    ]
    for command in (configure, [cmake, "--build", tmp_path / "build"], [tmp_path / "build" / "consumer"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "of 400 right" in done.stdout


def test_compiling_by_hand(core, tmp_path):
    source = Path(__file__).resolve().parent.parent / "consumer" / "consumer.cpp"
    options = [CliRunner().invoke(main, ["config", "--core", what]).stdout.split() for what in ("--cflags", "--libs")]
    command = [CXX, "-std=c++17", source, *options[0], *options[1], "-o", tmp_path / "consumer"]
    subprocess.run(command, check=True)
    subprocess.run([tmp_path / "consumer"], check=True)


def test_build_plugin_and_config(toy, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(toy))
    result = CliRunner().invoke(main, ["build-plugin", "--root", str(toy / "root"), "--json", str(tmp_path / "b.json")])
    assert result.exit_code == 0, result.stderr
    figures = json.loads((tmp_path / "b.json").read_text())
    assert figures["host"] is True
    assert figures["built"] is True
    assert "the embedded host, for this ROOT has no TMVA" in result.stdout
    monkeypatch.delitem(sys.modules, "ROOT", raising=False)
    monkeypatch.setattr(root_finder, "_package_folder", lambda: toy / "root")
    folder = Path(figures["library"]).parent

    def config(*options):
        done = CliRunner().invoke(main, ["config", *options])
        assert done.exit_code == 0, done.stderr
        return done.stdout.strip()

    assert config("--libdir") == str(folder)
    assert config("--load") == "R__LOAD_LIBRARY($HOME/cache/tmva_lstm_plugin/current/libTMVALSTM.so)"
    assert config("--libdir", "--root", str(toy / "root")) == str(folder)
    assert {f"-I{folder / 'include'}", f"-I{toy / 'root' / 'include'}", "-std=c++17"} <= set(config("--cflags").split())
    assert {f"-L{folder}", "-lTMVALSTM", f"-L{toy / 'root' / 'lib'}", "-lCore"} <= set(config("--libs").split())
    core = [config(option, "--core") for option in ("--cflags", "--libs")]
    assert not any(str(folder) in line or str(toy / "root") in line for line in core)
    script = f"{config('--env')}\necho $LD_LIBRARY_PATH $DYLD_LIBRARY_PATH"
    environment = {**os.environ, "LD_LIBRARY_PATH": "/before", "DYLD_LIBRARY_PATH": "/before"}
    said = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=True).stdout
    assert f"{folder}:/before" in said
    # where there is no ROOT, there is the core
    monkeypatch.setattr(root_finder, "_candidates", lambda: iter(()))
    assert [config(option) for option in ("--cflags", "--libs")] == core
    missing = CliRunner().invoke(main, ["config", "--cflags", "--root", str(toy / "nowhere")])
    assert missing.exit_code == 2
    assert "no ROOT in" in missing.stderr


def test_config_says_what_it_can_print():
    result = CliRunner().invoke(main, ["config"])
    assert result.exit_code == 2
    assert "say what to print: --env, --load, --libdir, --cflags, --libs, --cmake" in result.stderr


def test_mistakes_are_one_line(tmp_path):
    result = CliRunner().invoke(main, ["build-plugin", "--root", str(tmp_path)])
    assert result.exit_code == 2
    assert result.stderr.startswith("tmva-lstm: error: no ROOT in")
