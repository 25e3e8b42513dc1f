"""Which ROOT is in use, where its files are, and whether it has a TMVA.

ROOT comes in many shapes: a source build, a package of the system, conda, the wheel from PyPI whose ``root-config`` and
CMake files name folders that do not exist.  So nothing it says of itself is believed unless the files are there.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import InputError

__all__ = ["RootInstallation", "RootNotFoundError", "find_root", "installation_in"]


class RootNotFoundError(InputError):
    """There is no ROOT, or one without what compiling needs."""


@dataclass(frozen=True)
class RootInstallation:
    """A ROOT that a library can be built for.

    Attributes
    ----------
    version : str
        Such as ``"6.40.00"``.
    include, libdir : pathlib.Path
        Folders of its headers and libraries.
    rootcling : pathlib.Path
        The program that makes dictionaries.
    cxx_standard : int
        The C++ standard it was built with; what is loaded into it has to use the same.
    compiler : str
        The compiler it was built with, as it was called there; it need not exist here.
    tmva_include, tmva_libdir : pathlib.Path or None
        Folders with ``TMVA/MethodBase.h`` and ``libTMVA``; None where ROOT comes without TMVA.
    found_by : str
        How it was found.
    """

    version: str
    include: Path
    libdir: Path
    rootcling: Path
    cxx_standard: int
    compiler: str
    tmva_include: Path | None
    tmva_libdir: Path | None
    found_by: str

    @property
    def has_tmva(self) -> bool:
        """Whether there is a real TMVA, library and headers."""
        return self.tmva_include is not None


def find_root(prefix: str | os.PathLike[str] | None = None) -> RootInstallation:
    """Find the ROOT in use.

    Looked at, in this order: the ROOT already imported in this process, the one that ``import ROOT`` would take (it is
    not imported), ``ROOTSYS``, ``root-config`` on the PATH.

    Parameters
    ----------
    prefix : path, optional
        Take the ROOT installed there and look nowhere else.

    Returns
    -------
    RootInstallation

    Raises
    ------
    RootNotFoundError
        There is none, or its headers, libraries or rootcling are missing.
    """
    looked_in = []
    for folder, found_by in [(Path(prefix), "as asked")] if prefix is not None else _candidates():
        looked_in.append(f"{folder} ({found_by})")
        found = installation_in(folder, found_by)
        if found is not None:
            return found
    if prefix is not None:
        raise RootNotFoundError(
            f"no ROOT in '{prefix}': expected bin/rootcling, include/TROOT.h and lib/libCore there; name the folder ROOTSYS "
            "would name"
        )
    if looked_in:
        looked = "; ".join(dict.fromkeys(looked_in))
        raise RootNotFoundError(
            f"a ROOT was found, but not its headers, libCore and rootcling together; looked in {looked}; install ROOT's "
            "development files, or set ROOTSYS to a complete installation"
        )
    raise RootNotFoundError(
        f"no ROOT found: '{sys.executable}' cannot import ROOT, ROOTSYS is not set and root-config is not on the PATH; "
        "install it (pip install 'tmva-lstm-plugin[root]', or conda install -c conda-forge root), or source thisroot.sh"
    )


def _candidates() -> Iterator[tuple[Path, str]]:
    module = sys.modules.get("ROOT")
    file = getattr(module, "__file__", None)
    package = Path(file).resolve().parent if file else _package_folder()
    if package is not None:
        # the wheel carries everything in its package; elsewhere the package is in <prefix>/lib or deeper
        for folder in (package, *list(package.parents)[:4]):
            yield folder, "imported in this process" if file else "Python package ROOT"
    if file:
        # this very ROOT is running: another one, found more easily, would be wrong
        told = _told_by_process(module)
        if told is not None:
            yield told, "imported in this process"
        return
    if os.environ.get("ROOTSYS"):
        yield Path(os.environ["ROOTSYS"]), "ROOTSYS"
    config = shutil.which("root-config")
    if config:
        told_prefix = _output_of([config, "--prefix"])
        if told_prefix:
            yield Path(told_prefix), "root-config --prefix"
        yield Path(config).resolve().parent.parent, "root-config on the PATH"


def _told_by_process(module: object) -> Path | None:
    """Ask the running ROOT, which takes a second: PyROOT looks at a large class for it."""
    try:
        include = Path(str(module.TROOT.GetIncludeDir()))  # type: ignore[attr-defined]
    except Exception:  # whatever a half-imported ROOT raises, the files are looked for elsewhere
        return None
    # <prefix>/include or <prefix>/include/root
    return include.parent.parent if include.name == "root" else include.parent


def _package_folder() -> Path | None:
    try:
        spec = importlib.util.find_spec("ROOT")
    except (ImportError, ValueError):
        return None
    return Path(spec.origin).resolve().parent if spec and spec.origin else None


def _output_of(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def installation_in(prefix: Path, found_by: str) -> RootInstallation | None:
    """Return the ROOT installed under `prefix`, or None when something of it is missing.

    Parameters
    ----------
    prefix : pathlib.Path
        The folder ROOTSYS would name.
    found_by : str
        How it was found, for messages.

    Returns
    -------
    RootInstallation or None
    """
    rootcling = prefix / "bin" / "rootcling"
    include = _first(prefix / name for name in ("include", "include/root") if (prefix / name / "TROOT.h").is_file())
    libdir = _first(
        prefix / name for name in ("lib", "lib64", "lib/root", "lib64/root") if _has_library(prefix / name, "Core")
    )
    if include is None or libdir is None or not rootcling.is_file():
        return None
    version = _version(include)
    if version is None:
        return None
    built = _text(include / "compiledata.h")
    standard = re.search(r"-std=\w+\+\+(17|20|23|26)", built)
    compiler = re.search(r'#define COMPILER "([^"]+)"', built)
    tmva_include, tmva_libdir = _tmva(include, libdir)
    return RootInstallation(
        version=version,
        include=include,
        libdir=libdir,
        rootcling=rootcling,
        cxx_standard=int(standard.group(1)) if standard else 17,
        compiler=compiler.group(1) if compiler else "",
        tmva_include=tmva_include,
        tmva_libdir=tmva_libdir,
        found_by=found_by,
    )


def _tmva(include: Path, libdir: Path) -> tuple[Path, Path] | tuple[None, None]:
    """Find TMVA with ROOT or apart from it.

    Apart from it: in the folder TMVA_LSTM_TMVA, which has include/TMVA and lib/libTMVA; or where ROOT itself would look, in
    the folders of ROOT_INCLUDE_PATH and of the loader's search path.
    """
    places = [(include, libdir)]
    seen = [Path(folder) for folder in os.environ.get("ROOT_INCLUDE_PATH", "").split(os.pathsep) if folder]
    loaded = "DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
    libraries_seen = [Path(folder) for folder in os.environ.get(loaded, "").split(os.pathsep) if folder]
    with_headers = [folder for folder in seen if (folder / "TMVA" / "MethodBase.h").is_file() and not _is_host(folder)]
    places += [(headers, libraries) for headers in with_headers for libraries in libraries_seen]
    apart = os.environ.get("TMVA_LSTM_TMVA")
    if apart:
        places.insert(0, (Path(apart) / "include", Path(apart) / "lib"))
    for headers, libraries in places:
        if (headers / "TMVA" / "MethodBase.h").is_file() and _has_library(libraries, "TMVA"):
            return headers.resolve(), libraries.resolve()
    if apart:
        raise RootNotFoundError(
            f"TMVA_LSTM_TMVA is '{apart}', but there is no include/TMVA/MethodBase.h with lib/libTMVA in it; unset it to use "
            "what ROOT brings"
        )
    if with_headers:
        # the interpreter would read those headers for the host's classes, which are laid out in another way
        raise RootNotFoundError(
            f"ROOT_INCLUDE_PATH has the headers of a TMVA in '{with_headers[0]}', but libTMVA is neither with ROOT nor "
            f"in {loaded}: add its folder to {loaded}, or take '{with_headers[0]}' out of ROOT_INCLUDE_PATH"
        )
    return None, None


def _is_host(folder: Path) -> bool:
    """Whether the TMVA headers in `folder` are those of the embedded host."""
    return "TMVA_LSTM_EMBEDDED_HOST" in _text(folder / "TMVA" / "Version.h")


def _version(include: Path) -> str | None:
    text = _text(include / "ROOT" / "RVersion.hxx") or _text(include / "RVersion.h")
    numbers = [re.search(rf"#define ROOT_VERSION_{part}\s+(\d+)", text) for part in ("MAJOR", "MINOR", "PATCH")]
    if all(numbers):
        major, minor, patch = (int(n.group(1)) for n in numbers if n)
        return f"{major}.{minor:02d}.{patch:02d}"
    release = re.search(r'#define ROOT_RELEASE "([^"]+)"', text)
    return release.group(1).replace("/", ".") if release else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _has_library(folder: Path, name: str) -> bool:
    return any((folder / f"lib{name}{suffix}").is_file() for suffix in (".so", ".dylib"))


def _first(paths: Iterator[Path]) -> Path | None:
    return next(paths, None)
