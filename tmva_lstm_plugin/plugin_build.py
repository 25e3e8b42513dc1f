"""Compile the TMVA method for the ROOT in use, once, and keep the library.

A C++ library must fit the ROOT it is loaded into, so no wheel can carry it ready made.  The package carries the core
compiled (a static library that needs no ROOT) and the sources of the adapter and of the embedded host; only those are
compiled here, and linked with that very core.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import LSTMError
from .plugin_cache import (
    LIBRARY,
    CacheEntry,
    cache_folders,
    digest_of,
    discard,
    install_entry,
    is_ours,
    link_current,
    locked,
    usable_folder,
)
from .root_finder import RootInstallation, find_root

__all__ = ["ROOT_LIBRARIES", "CoreFiles", "PluginBuildError", "PluginLibrary", "ensure_plugin", "find_core"]

_SOURCES = Path(__file__).resolve().parent / "cpp"
_RECIPE = 3
"""Raised when the commands below change, so that what older ones made is built anew."""

ROOT_LIBRARIES = ("Core", "RIO", "Tree", "TreePlayer", "Hist", "MathCore", "Matrix", "XMLIO")


class PluginBuildError(LSTMError, RuntimeError):
    """The plugin library cannot be built here."""


@dataclass(frozen=True)
class CoreFiles:
    """The compiled core that the package carries.

    Attributes
    ----------
    library : pathlib.Path
        ``libtmva_lstm_core.a``.
    include : pathlib.Path
        The folder whose ``core/*.h`` belong to it.
    cmake : pathlib.Path
        The folder of ``tmva_lstm_pluginConfig.cmake``.
    abi : str
        What TMVA_LSTM_ABI has to be defined as.
    """

    library: Path
    include: Path
    cmake: Path
    abi: str

    @property
    def compile_options(self) -> list[str]:
        """Options for compiling against the core."""
        return [f"-I{self.include}", f"-DTMVA_LSTM_ABI={self.abi}"]


@dataclass(frozen=True)
class PluginLibrary:
    """A library ready to be loaded.

    Attributes
    ----------
    path : pathlib.Path
        ``libTMVALSTM.so``.
    host : bool
        Whether it contains the embedded host, because ROOT has no TMVA.
    root : RootInstallation
        What it was built for.
    compiler : str
        The first line of the compiler's ``--version``.
    built : bool
        Whether it was built just now.
    seconds : float
        How long that took.
    notes : tuple of str
        What was done differently than usual, one sentence each.
    """

    path: Path
    host: bool
    root: RootInstallation
    compiler: str
    built: bool
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder of the library and its rootmap."""
        return self.path.parent

    @property
    def include(self) -> Path:
        """The folder with ``MethodLSTM.h``, and the host's ``TMVA/*.h`` if it is in."""
        return self.folder / "include"

    @property
    def current(self) -> Path:
        """The folder by its lasting name, the link ``current``, where that points to it; else :attr:`folder`."""
        link = self.folder.parent / "current"
        return link if link.is_dir() and link.resolve() == self.folder.resolve() else self.folder


def find_core() -> CoreFiles:
    """Find the compiled core in the installed package.

    Returns
    -------
    CoreFiles

    Raises
    ------
    PluginBuildError
        It is not there.
    """
    folders = [Path(__file__).resolve().parent]
    # an editable installation has the sources in one place and what was compiled in another, beside the extension module
    spec = importlib.util.find_spec(f"{__package__}._engine")
    if spec is not None and spec.origin:
        folders.append(Path(spec.origin).resolve().parent)
    for folder in folders:
        for lib in ("lib", "lib64"):
            library = folder / lib / "libtmva_lstm_core.a"
            abi = folder / lib / "core_abi.txt"
            include = folder / "include" / "tmva_lstm"
            if library.is_file() and abi.is_file() and (include / "core").is_dir():
                cmake = folder / lib / "cmake" / "tmva_lstm_plugin"
                return CoreFiles(library, include, cmake, abi.read_text(encoding="utf-8").strip())
    looked = " and ".join(f"'{folder / 'lib'}'" for folder in dict.fromkeys(folders))
    raise PluginBuildError(
        f"the package was installed without its compiled core: no libtmva_lstm_core.a with core_abi.txt in {looked}; "
        "install it again (pip install --force-reinstall tmva-lstm-plugin)"
    )


def _default_echo(text: str, end: str = "\n") -> None:
    # standard output belongs to the user's program
    sys.stderr.write(text + end)
    sys.stderr.flush()


def ensure_plugin(
    root: RootInstallation | None = None, *, force: bool = False, echo: Callable[..., None] | None = _default_echo
) -> PluginLibrary:
    """Return the plugin library for a ROOT; compile it if there is none yet.

    Parameters
    ----------
    root : RootInstallation, optional
        The ROOT; the one in use by default (:func:`tmva_lstm_plugin.root_finder.find_root`).
    force : bool
        Compile even if there is a library.
    echo : callable, optional
        Takes progress lines, ``echo(text, end=...)``; they go to standard error by default.  None: silence.

    Returns
    -------
    PluginLibrary

    Raises
    ------
    PluginBuildError
        There is no compiler, or compiling failed; the message has the end of the log and its place.
    RootNotFoundError
        There is no ROOT.
    """
    root = find_root() if root is None else root
    build = _Build(root, find_core(), _compiler(root))
    if not force:
        for folder in cache_folders():
            entry = build.entry_in(folder)
            if entry is not None:
                link_current(entry.folder)
                return build.result(entry)
    if build.compiler is None:
        raise PluginBuildError(
            f"the TMVA method has to be compiled once for ROOT {root.version} in '{root.libdir.parent}', and there is no C++ "
            "compiler: install one (Debian, Ubuntu: apt install g++; Fedora: dnf install gcc-c++; macOS: xcode-select "
            "--install; conda: conda install -c conda-forge cxx-compiler) or name one in CXX. LSTMClassifier and tmva-lstm "
            "train and apply the same models without it"
        )
    try:
        folder, problem = usable_folder()
        notes = (f"{problem}, so the library is kept in '{folder}'",) if problem else ()
        return build.run(folder, force, notes, echo or (lambda text, end="\n": None))
    except OSError as error:
        raise PluginBuildError(
            f"cannot keep the library of the TMVA method: {error}; free some space, or set XDG_CACHE_HOME to a folder that "
            "can be written"
        ) from error


@dataclass(frozen=True)
class _Compiler:
    command: tuple[str, ...]
    version: str


def _compiler(root: RootInstallation) -> _Compiler | None:
    """Choose a compiler: the user's CXX, the one ROOT was built with, the system's."""
    asked = shlex.split(os.environ.get("CXX", ""))
    candidates = [asked] if asked else [[root.compiler], ["c++"], ["g++"], ["clang++"]]
    for command in candidates:
        if not command or not command[0] or shutil.which(command[0]) is None:
            continue
        try:
            done = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=30, check=True)
        except (OSError, subprocess.SubprocessError):
            continue  # macOS has a c++ that only says how to install one
        return _Compiler(tuple(command), (done.stdout.splitlines() or ["unknown"])[0])
    return None


class _Build:
    """One build: for which ROOT, with which compiler, from which sources, and the commands of it."""

    def __init__(self, root: RootInstallation, core: CoreFiles, compiler: _Compiler | None) -> None:
        self.root = root
        self.core = core
        self.compiler = compiler
        self.host = not root.has_tmva
        self.adapter = _SOURCES / "tmva"
        self.host_include = _SOURCES / "host" / "inc"
        # what a library must have been built for; the compiler may be another when there is none to build with
        core_library = next(root.libdir.glob("libCore.*"))
        self.required = {
            "root_version": root.version,
            "root_libdir": str(root.libdir.resolve()),
            "root_core_bytes": core_library.stat().st_size,
            "tmva": str(root.tmva_libdir) if root.tmva_libdir else "embedded host",
            "sources": self._source_hash(),
        }

    def _files(self) -> list[Path]:
        patterns = [(self.adapter, "*.h"), (self.adapter, "*.cxx")]
        if self.host:
            patterns += [(self.host_include, "*.h"), (self.host_include / "TMVA", "*.h")]
            patterns += [(_SOURCES / "host" / "src", "*.h"), (_SOURCES / "host" / "src", "*.cxx")]
        return [path for folder, pattern in patterns for path in sorted(folder.glob(pattern))]

    def _source_hash(self) -> str:
        digest = hashlib.sha256(f"{_RECIPE} {self.core.abi} {digest_of(self.core.library)}".encode())
        for path in self._files():
            digest.update(f"{path.name} {digest_of(path)}\n".encode())
        return digest.hexdigest()

    @property
    def name(self) -> str:
        """The folder's name within the cache."""
        version = self.compiler.version if self.compiler else ""
        key = hashlib.sha256(repr((sorted(self.required.items()), version)).encode()).hexdigest()[:16]
        return f"root{self.root.version}-{'host' if self.host else 'tmva'}-{key}"

    def entry_in(self, folder: Path) -> CacheEntry | None:
        """Return a sound build for this ROOT; without a compiler, one by whatever compiler."""
        if not is_ours(folder.resolve()):
            return None
        if self.compiler is not None:
            return CacheEntry.read(folder / self.name)
        for path in sorted(folder.glob(f"root{self.root.version}-*")):
            entry = CacheEntry.read(path)
            if entry is not None and self.required.items() <= entry.facts.items():
                return entry
        return None

    def result(self, entry: CacheEntry, seconds: float | None = None, notes: tuple[str, ...] = ()) -> PluginLibrary:
        compiler = str(entry.facts.get("compiler", "unknown"))
        if self.compiler is None:
            notes = (*notes, f"there is no compiler here: a library made earlier by {compiler} is used")
        return PluginLibrary(entry.library, self.host, self.root, compiler, seconds is not None, seconds or 0.0, notes)

    def run(self, folder: Path, force: bool, notes: tuple[str, ...], echo: Callable[..., None]) -> PluginLibrary:
        """Build in `folder`, one process at a time."""
        begin = time.perf_counter()
        final = folder / self.name

        def waiting() -> None:
            echo("tmva_lstm_plugin: another process is compiling the same library, waiting for it")

        with locked(folder / f"{self.name}.lock", waiting=waiting):
            # another process may have been faster, while this one waited
            entry = None if force else CacheEntry.read(final)
            if entry is None:
                aside = Path(tempfile.mkdtemp(prefix=f".building-{self.name}-", dir=folder))
                try:
                    self._compile(aside, final, folder / f"{self.name}.log", echo)
                    if force:
                        discard(final)
                    install_entry(aside, final)
                finally:
                    shutil.rmtree(aside, ignore_errors=True)
                entry = CacheEntry.read(final)
                if entry is None:
                    raise PluginBuildError(f"'{final}' was damaged while it was written; is the disk full?")
                seconds: float | None = time.perf_counter() - begin
                echo(f"tmva_lstm_plugin: done in {seconds:.1f} s, kept in '{final}'")
            else:
                seconds = None
        link_current(final)
        return self.result(entry, seconds, notes)

    def _compile(self, aside: Path, final: Path, log: Path, echo: Callable[..., None]) -> None:
        assert self.compiler is not None
        what = "the TMVA method and the embedded host" if self.host else "the TMVA method"
        runner = _Runner(log, what, self.root.version)
        headers = self._copy_headers(aside / "include")
        linkdef = aside / "LinkDef.h"
        linkdef.write_text("\n".join(path.read_text(encoding="utf-8") for path in self._linkdefs()), encoding="utf-8")
        dictionary = aside / "dictionary.cxx"
        library_path = os.pathsep.join(filter(None, [str(self.root.libdir), os.environ.get("LD_LIBRARY_PATH", "")]))
        environment = {**os.environ, "LD_LIBRARY_PATH": library_path}
        includes = [aside / "include", self.core.include, self.adapter]
        tmva_include = [f"-I{self.root.tmva_include}"] if self.root.tmva_include else []
        # the dictionary remembers where headers are, and they will be in `final`
        rootcling = [self.root.rootcling, "-f", dictionary, "-s", aside / LIBRARY, "-rml", LIBRARY]
        rootcling += ["-rmf", aside / "libTMVALSTM.rootmap", f"-I{final / 'include'}", f"-I{aside / 'include'}"]
        rootcling += [*tmva_include, *headers, linkdef]

        compile_one = [
            *self.compiler.command,
            f"-std=c++{self.root.cxx_standard}",
            "-O1",  # the core, compiled with more, does the arithmetic
            "-DNDEBUG",
            "-fPIC",
            "-pthread",
        ]
        compile_one += [f"-DTMVA_LSTM_ABI={self.core.abi}", *self._probes(), *(f"-I{path}" for path in includes)]
        compile_one += [*tmva_include, "-isystem", str(self.root.include)]
        units = self._units(aside)
        objects = [aside / f"{path.stem}.o" for path in (dictionary, *units)]

        n_steps = len(units) + 3
        n_done = 0
        wide = sys.stderr.isatty()

        def step() -> None:
            nonlocal n_done
            n_done += 1
            if wide:
                echo(f"\r{title} {n_done}/{n_steps} ", end="")

        title = f"tmva_lstm_plugin: compiling {what} for ROOT {self.root.version} (once)"
        echo(title, end="" if wide else "\n")
        try:

            def make_dictionary() -> None:
                runner.run(rootcling, aside, environment)
                step()
                runner.run([*compile_one, "-O0", "-w", "-c", dictionary, "-o", objects[0]], aside)

            pool = ThreadPoolExecutor(max_workers=_usable_cores())
            try:
                jobs = []
                for unit, target in zip(units, objects[1:], strict=True):
                    jobs.append(pool.submit(runner.run, [*compile_one, "-c", unit, "-o", target], aside))
                jobs.append(pool.submit(make_dictionary))
                for job in as_completed(jobs):
                    job.result()
                    step()
            finally:
                pool.shutdown(cancel_futures=True)
            libraries = [f"-L{self.root.libdir}", *(f"-l{name}" for name in ROOT_LIBRARIES)]
            libraries.append(f"-Wl,-rpath,{self.root.libdir}")
            if self.root.tmva_libdir:
                libraries += [f"-L{self.root.tmva_libdir}", "-lTMVA", f"-Wl,-rpath,{self.root.tmva_libdir}"]
            link = [*self.compiler.command, "-shared", "-pthread", *objects, self.core.library, *libraries]
            runner.run([*link, "-o", aside / LIBRARY], aside)
            step()
        finally:
            if wide:
                echo("")
        for path in (*objects, *units, dictionary, linkdef):
            path.unlink()
        CacheEntry.write(aside, {**self.required, "compiler": self.compiler.version, "core": self.core.abi})

    def _units(self, aside: Path) -> list[Path]:
        """Write a source for each part that includes all files of it: of a single one, most of the work is ROOT's headers."""
        units = []
        for name, folder in (("host", _SOURCES / "host" / "src"), ("adapter", self.adapter)):
            if name == "host" and not self.host:
                continue
            units.append(aside / f"{name}.cxx")
            lines = [
                f'#include "{path}"\n' for path in self._files() if path.parent == folder and path.suffix == ".cxx"
            ]
            units[-1].write_text("".join(lines), encoding="utf-8")
        return units

    def _linkdefs(self) -> list[Path]:
        return [*([self.host_include / "LinkDef.h"] if self.host else []), self.adapter / "LinkDef.h"]

    def _copy_headers(self, include: Path) -> list[str]:
        """Copy the headers that users and the interpreter need; return their names as they are included."""
        include.mkdir()
        names = []
        if self.host:
            (include / "TMVA").mkdir()
            for header in sorted((self.host_include / "TMVA").glob("*.h")):
                shutil.copyfile(header, include / "TMVA" / header.name)
                names.append(f"TMVA/{header.name}")
        shutil.copyfile(self.adapter / "MethodLSTM.h", include / "MethodLSTM.h")
        return [*names, "MethodLSTM.h"]

    def _probes(self) -> list[str]:
        """Look for what differs between TMVA's versions and cannot be found by the compiler itself."""
        types = (self.root.tmva_include or self.host_include) / "TMVA" / "Types.h"
        text = types.read_text(encoding="utf-8", errors="replace")
        return ["-DTMVA_LSTM_TYPES_IS_NAMESPACE"] if re.search(r"^\s*namespace\s+Types\b", text, re.MULTILINE) else []


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


class _Runner:
    """Runs commands and keeps what they said."""

    def __init__(self, log: Path, what: str, version: str) -> None:
        self.log = log
        self.what = what
        self.version = version
        log.write_text("", encoding="utf-8")

    def run(self, command: Sequence[Any], folder: Path, environment: dict[str, str] | None = None) -> None:
        words = [str(word) for word in command]
        done = subprocess.run(
            words,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        with open(self.log, "a", encoding="utf-8") as file:  # one write, so that commands side by side do not mix
            file.write(f"$ {shlex.join(words)}\n{done.stdout}\n")
        if done.returncode != 0:
            lines = done.stdout.strip().splitlines()
            # the first error explains the others
            first = next((i for i, line in enumerate(lines) if re.search(r"\berror\b", line, re.IGNORECASE)), 0)
            shown = "\n".join(lines[first : first + 12] if len(lines) > 12 else lines)
            raise PluginBuildError(
                f"compiling {self.what} for ROOT {self.version} failed: {Path(words[0]).name} ended with code "
                f"{done.returncode}; all it said is in '{self.log}', first of all:\n{shown}"
            )
