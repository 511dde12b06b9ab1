"""Notices when a server runs an application in several processes that cannot see each other.

`uvicorn --workers 2` and `gunicorn -w 2` start the application more than once and tell it nothing. So the first process
takes a name that stands for all processes with one parent, and the next one finds it taken.
"""

from __future__ import annotations

import errno
import logging
import multiprocessing
import os
import socket
import sys

log = logging.getLogger("hubbub")

_taken: list[socket.socket] = []
"""Held until the process ends, and by all hubs in it."""


def warn_of_siblings() -> None:
    """Log an error if another process with the same parent runs a hub. Call it where there is no broker.

    It notices what a process manager in Python has started, on Linux. Containers, machines and programs that were
    started singly it does not see.
    """
    if sys.platform == "linux" and not _taken and _is_worker() and not _is_first():
        log.error(
            "this is one of several worker processes, and they cannot see each other: events of another one "
            "come late or never. Run one worker, or set HUBBUB_BROKER_URL=redis://…"
        )


def _is_first() -> bool:
    """Take the name. False if another process has it."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        # A name that begins with 0 is no file, and is free again when the process has ended.
        sock.bind(f"\0hubbub-worker-of-{os.getuid()}-{os.getppid()}")
    except OSError as error:
        sock.close()
        return error.errno != errno.EADDRINUSE
    _taken.append(sock)
    return True


def _is_worker() -> bool:
    """Whether a process manager has started this process: with `multiprocessing` (uvicorn and others), or gunicorn."""
    return multiprocessing.parent_process() is not None or "gunicorn.arbiter" in sys.modules
