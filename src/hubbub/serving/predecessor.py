"""Waits for the server before this one, if both use the same SQLite file and the same listening socket."""

from __future__ import annotations

import contextlib

from hubbub.app.wiring import choose_engine
from hubbub.settings import Settings
from hubbub.store.directory import InUseError


def wait_for_predecessor(settings: Settings, seconds: float) -> None:
    """Return when no other server uses the data directory any more, or after `seconds`; at once if messages are stored
    elsewhere. If the directory is still in use then, the start says so.

    Raises `ConfigurationError`.
    """
    lock = getattr(choose_engine(settings), "lock", None)
    if lock is not None:
        with contextlib.suppress(InUseError):
            lock.acquire(patience=seconds)
        lock.release()
