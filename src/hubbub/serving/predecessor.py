"""Waits for the server before this one, if both use the same SQLite file and the same listening socket."""

from __future__ import annotations

import logging
import time

from hubbub.app.wiring import choose_engine
from hubbub.settings import Settings
from hubbub.store.directory import InUseError

log = logging.getLogger("hubbub")

RETRY_EVERY = 0.05


def wait_for_predecessor(settings: Settings, seconds: float) -> None:
    """Return when no other server uses the data directory any more, or after `seconds`; at once if messages are stored
    elsewhere. If the directory is still in use then, the start says so.

    Raises `ConfigurationError`.
    """
    lock = getattr(choose_engine(settings), "lock", None)
    deadline = time.monotonic() + seconds
    has_said_so = False
    while lock is not None:
        try:
            with lock:
                return
        except InUseError as error:
            if time.monotonic() >= deadline:
                return
            if not has_said_so:
                log.info("waiting for the server before this one to stop: %s", str(error).partition(":")[0])
                has_said_so = True
        time.sleep(RETRY_EVERY)
