"""The data directory's lock: one server at a time may use it, and a second one is told what to do."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from pathlib import Path
from typing import Self

from hubbub.errors import ConfigurationError
from hubbub.files import check_regular

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows locks ranges of bytes instead
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
else:

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


log = logging.getLogger("hubbub")

FILE_NAME = "lock"
RETRY_EVERY = 0.02
"""Seconds between two attempts to lock a directory."""


class InUseError(ConfigurationError):
    """Another process holds the directory."""


def try_lock(descriptor: int) -> bool:
    """Lock a file that is open for writing, until it is closed. False if somebody else has locked it."""
    try:
        _lock(descriptor)
    except OSError:
        return False
    return True


def _holder(descriptor: int) -> str:
    process = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
    return f"another Hubbub (process {process})" if process else "another Hubbub"


class DirectoryLock:
    """Held while a process may write to a data directory. The system releases it when the process ends, also after a
    kill."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._descriptor: int | None = None

    def acquire(self, *, patience: float = 0.0) -> None:
        """Make the directory if there is none, and lock it. While another process holds the lock, it blocks for up to
        `patience` seconds, and says so in the log.

        Raises `ConfigurationError` if the directory cannot be written, `InUseError` if another process has locked it.
        """
        file = self._data_dir / FILE_NAME
        try:
            self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            check_regular(file)
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"{file} cannot be written ({error.strerror or error}): "
                "choose another directory with --data-dir or HUBBUB_DATA_DIR"
            ) from None
        if not try_lock(descriptor) and not self._wait(descriptor, patience):
            holder = _holder(descriptor)
            os.close(descriptor)
            raise InUseError(
                f"{holder} uses {self._data_dir.absolute()}: stop it, or choose another directory with --data-dir or "
                "HUBBUB_DATA_DIR; several processes need PostgreSQL and a broker"
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def _wait(self, descriptor: int, patience: float) -> bool:
        """Whether the lock was free before `patience` seconds were over."""
        if patience:
            log.info("waiting for %s to stop, which uses %s", _holder(descriptor), self._data_dir.absolute())
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            time.sleep(RETRY_EVERY)
            if try_lock(descriptor):
                return True
        return False

    def release(self) -> None:
        if self._descriptor is not None:
            # The file stays. If it were removed, a process that has it open would lock a file that has no name.
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def share_with_child(self) -> tuple[int, ...]:
        """The file descriptors that a child process inherits (`pass_fds`), so that it holds the lock too if this
        process is killed first."""
        return () if self._descriptor is None or os.name == "nt" else (self._descriptor,)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *error: object) -> None:
        self.release()
