"""Writes files under another name until they are complete, so that a kill leaves no half of one.

The next program that writes a file into the same folder removes what a killed one left.
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
"""A file that SQLite writes, and the files that it may have beside it."""


@contextmanager
def whole_file(target: Path, *, replaces: bool = True) -> Iterator[Path]:
    """The name to write a file under. When the block ends the file is durable, readable by its owner only, and gets the
    name `target`; if the block fails, it is gone.

    Raises `OSError`, and `FileExistsError` if it may not replace a file and there is one with that name by then.
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
    """Remove what killed programs left in a folder, but no file that a program still writes."""
    for part in folder.glob(f".*{SUFFIX}"):
        with contextlib.suppress(OSError):
            descriptor = os.open(part, os.O_RDWR)
            try:
                if try_lock(descriptor):
                    _remove(part)
            finally:
                os.close(descriptor)


def make_names_durable(folder: Path) -> None:
    """Returns when renamed files of a folder will have their new names even after a power cut."""
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
        # Some file systems have no hard links. There, two programs at the same instant may both succeed.
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        part.replace(target)


def _remove(part: Path) -> None:
    for suffix in BESIDE:
        part.with_name(part.name + suffix).unlink(missing_ok=True)
