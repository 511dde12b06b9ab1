"""Files that are written in steps: under another name until they are whole, so that a kill leaves no half of one.

What a killed program left is removed by the next one that writes a file into the same folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hubbub.store.directory import try_lock

SUFFIX = ".hubbub-part"
BESIDE = ("", "-journal", "-wal", "-shm")
"""What SQLite may have beside a file that it writes, and the file itself."""


@contextmanager
def whole_file(target: Path, *, replaces: bool = True) -> Iterator[Path]:
    """The name to write a file under. When the block ends the file is durable, readable by its owner only, and gets the
    name `target`; if the block fails, it is gone.

    Raises `OSError`; `FileExistsError` if it does not replace what has that name meanwhile.
    """
    remove_abandoned(target.parent)
    part = target.with_name(f".{target.name}.{os.getpid()}{SUFFIX}")
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        try_lock(descriptor)
        yield part
        os.fsync(descriptor)
        if replaces:
            part.replace(target)
        else:
            _rename_to_nothing(part, target)
        make_names_durable(target.parent)
    finally:
        os.close(descriptor)
        _remove(part)


def remove_abandoned(folder: Path) -> None:
    """Remove what killed programs left in a folder, and nothing that somebody still writes."""
    for part in folder.glob(f".*{SUFFIX}"):
        with contextlib.suppress(OSError):
            descriptor = os.open(part, os.O_RDWR)
            try:
                if try_lock(descriptor):
                    _remove(part)
            finally:
                os.close(descriptor)


def make_names_durable(folder: Path) -> None:
    """Returns when what was renamed in a folder will be so after a power cut, too."""
    with contextlib.suppress(PermissionError):  # Windows opens no folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _rename_to_nothing(part: Path, target: Path) -> None:
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError as error:
        # Some file systems have no hard links. Two who come at the same instant are not told apart there.
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        part.replace(target)


def _remove(part: Path) -> None:
    for suffix in BESIDE:
        part.with_name(part.name + suffix).unlink(missing_ok=True)
