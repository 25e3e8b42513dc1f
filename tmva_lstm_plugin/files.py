"""Writing results so that nothing already on disk is lost: write aside, flush to disk, rename."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import OutputError

__all__ = ["check_writable_folder", "replacing", "write_text"]


def check_writable_folder(folder: str | os.PathLike[str], *, purpose: str) -> Path:
    """Create `folder` if need be and prove that a file can be written in it.

    Long work calls this before it starts, so that an unwritable place is found before training and not after.

    Parameters
    ----------
    folder : path
        The folder to write into.
    purpose : str
        What will be written there; it goes into the message.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    OutputError
        The folder cannot be created or written.
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        handle, probe = tempfile.mkstemp(prefix=".write-test-", dir=path)
        os.close(handle)
        os.unlink(probe)
    except OSError as error:
        raise OutputError(
            f"cannot write {purpose} into folder '{path}': {error.strerror or error}; "
            "choose another output folder or change its permissions"
        ) from error
    return path


@contextmanager
def replacing(path: str | os.PathLike[str], *, purpose: str) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success flush it to disk and rename it into place.

    When the body fails, or the disk is full, the temporary file is removed and an earlier file of that name survives
    untouched.

    Parameters
    ----------
    path : path
        The final file.
    purpose : str
        What the file is; it goes into the message.

    Yields
    ------
    pathlib.Path
        Where to write.  The file has the final one's suffix, since some writers look at it.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    final = Path(path)
    aside = final.with_name(f".{final.stem}.{os.getpid()}.part{final.suffix}")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        with open(aside, "rb+") as handle:
            os.fsync(handle.fileno())
        os.replace(aside, final)
        with suppress(OSError):  # some file systems cannot flush a folder
            folder = os.open(final.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OutputError:
        raise
    except OSError as error:
        kept = "the earlier file is untouched" if final.exists() else "nothing was written"
        raise OutputError(f"cannot write {purpose} '{final}': {error.strerror or error}; {kept}") from error
    finally:
        with suppress(OSError):
            aside.unlink()


def write_text(path: str | os.PathLike[str], text: str, *, purpose: str) -> Path:
    """Write `text` as UTF-8 to `path`, replacing an earlier file only when all of it is on disk.

    Parameters
    ----------
    path : path
        The final file.
    text : str
        Its content.
    purpose : str
        What the file is; it goes into the message.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    with replacing(path, purpose=purpose) as aside, open(aside, "w", encoding="utf-8", newline="\n") as handle:
        handle.write(text)
    return Path(path)
