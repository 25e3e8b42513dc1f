"""Where compiled plugin libraries are kept, and which of them can be trusted.

One folder a build, called after what it was built for.  It is made aside and renamed, so that it is there whole or not at
all; ``plugin.json`` in it says what it is and holds the digest of each file, so that a damaged one is built anew.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "LIBRARY",
    "CacheEntry",
    "cache_folders",
    "digest_of",
    "install_entry",
    "link_current",
    "locked",
    "usable_folder",
]

LIBRARY = "libTMVALSTM.so"
"""ROOT's suffix for what it loads, on macOS too."""

_FILES = (LIBRARY, "libTMVALSTM.rootmap", "libTMVALSTM_rdict.pcm")
_MANIFEST = "plugin.json"


@dataclass(frozen=True)
class CacheEntry:
    """One build.

    Attributes
    ----------
    folder : pathlib.Path
        Holds the library, what ROOT wants beside it, and ``include``.
    facts : dict
        What it was built for and with.
    """

    folder: Path
    facts: dict[str, Any]

    @property
    def library(self) -> Path:
        """The library."""
        return self.folder / LIBRARY

    @classmethod
    def read(cls, folder: Path) -> CacheEntry | None:
        """Return the build in `folder`, or None when there is none or something of it is damaged."""
        try:
            manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
            sound = all(digest_of(folder / name) == manifest["digests"][name] for name in _FILES)
            return cls(folder, dict(manifest["facts"])) if sound else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @classmethod
    def write(cls, folder: Path, facts: dict[str, Any]) -> None:
        """Seal a finished build: write its manifest."""
        digests = {name: digest_of(folder / name) for name in _FILES}
        text = json.dumps({"facts": facts, "digests": digests}, indent=2) + "\n"
        (folder / _MANIFEST).write_text(text, encoding="utf-8")


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def cache_folders() -> list[Path]:
    """Return where builds may be: the user's cache, then a folder of the user's own among the temporary files.

    Returns
    -------
    list of pathlib.Path
        They need not exist.
    """
    folders = []
    base = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):  # the XDG specification: a relative path is to be ignored
        folders.append(Path(base) / "tmva_lstm_plugin")
    else:
        with suppress(RuntimeError):  # a user without a home
            folders.append(Path.home() / ".cache" / "tmva_lstm_plugin")
    folders.append(Path(tempfile.gettempdir()) / f"tmva_lstm_plugin-{os.getuid()}")
    return folders


def is_ours(folder: Path) -> bool:
    """Whether only this user (or root) can have put something there: what it holds is going to be executed."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid in (os.getuid(), 0) and not status.st_mode & stat.S_IWOTH


def usable_folder() -> tuple[Path, str]:
    """Return the first of `cache_folders` that can be written, and a note when it is not the first.

    Returns
    -------
    folder : pathlib.Path
        It exists and is the user's own.
    note : str
        Why the user's cache was not taken; empty when it was.

    Raises
    ------
    OSError
        There is not even a temporary folder.
    """
    problem = "there is no home folder"
    folders = cache_folders()
    for index, folder in enumerate(folders):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not is_ours(folder.resolve() if index == 0 else folder):
                raise PermissionError(errno.EACCES, "it belongs to somebody else, or all may write to it")
            handle, probe = tempfile.mkstemp(prefix=".write-test-", dir=folder)
            os.close(handle)
            os.unlink(probe)
        except OSError as error:
            problem = f"'{folder}' cannot be written ({error.strerror or error})"
        else:
            preferred = index == 0 and len(folders) > 1
            return folder, "" if preferred else problem
    return Path(tempfile.mkdtemp(prefix="tmva_lstm_plugin-")), problem


@contextmanager
def locked(path: Path, *, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a lock between processes; where the file system has none, go on without.

    Going on is safe: builds are made aside, so that two at once cost time and nothing else.

    Parameters
    ----------
    path : pathlib.Path
        The file to lock.
    waiting : callable
        Called once when another process holds the lock.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:  # some network file systems have no locks
            pass
        yield
    finally:
        os.close(handle)


def install_entry(aside: Path, final: Path) -> None:
    """Rename a finished build into place.

    A sound build that another process put there in the meantime stays, a damaged one is taken away.

    Parameters
    ----------
    aside : pathlib.Path
        The finished build.
    final : pathlib.Path
        Its place, in the same folder.
    """
    for _ in range(3):
        try:
            os.rename(aside, final)
            return
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise
        if final.is_dir() and CacheEntry.read(final) is not None:
            shutil.rmtree(aside, ignore_errors=True)
            return
        discard(final)
    os.rename(aside, final)


def discard(entry: Path) -> None:
    """Take a build away; a process that has its library loaded keeps it."""
    gone = Path(tempfile.mkdtemp(prefix=".gone-", dir=entry.parent))
    with suppress(FileNotFoundError):
        os.rename(entry, gone / "entry")
    shutil.rmtree(gone, ignore_errors=True)


def link_current(entry: Path) -> None:
    """Let the link ``current`` beside a build point to it; nothing happens where links cannot be made."""
    link = entry.parent / "current"
    with suppress(OSError):
        if link.is_symlink() and os.readlink(link) == entry.name:
            return
        aside = entry.parent / f".current-{os.getpid()}"
        with suppress(FileNotFoundError):
            aside.unlink()
        aside.symlink_to(entry.name)
        os.replace(aside, link)
