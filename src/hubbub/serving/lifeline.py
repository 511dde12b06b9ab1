"""The link between a worker and its supervisor: one says that it is ready, the other when to stop.

If the supervisor dies, however it does, the system closes its end. So no worker is left behind.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from typing import Protocol

THREAD = "hubbub-lifeline"
READY = b"r"
STOP, HASTEN = b"s", b"h"
"""Orders. `STOP` changes nothing for a worker that stops already."""


class Stoppable(Protocol):
    """Both may be called in any thread, and more than once."""

    def stop(self) -> None: ...

    def hasten(self) -> None: ...


class Lifeline:
    """The worker's end. It obeys in a thread of its own, also while the worker starts or hangs."""

    def __init__(self, descriptor: int) -> None:
        self._link = socket.socket(fileno=descriptor)
        self._link.set_inheritable(False)
        self._server: Stoppable | None = None
        threading.Thread(target=self._obey, name=THREAD, daemon=True).start()

    def attach(self, server: Stoppable) -> None:
        """From now on, orders go to `server`. Before, any order ends the process by SIGTERM."""
        self._server = server

    def say_ready(self) -> None:
        self._link.sendall(READY)

    def _obey(self) -> None:
        order = STOP
        while order:
            try:
                order = self._link.recv(1)
            except OSError:
                order = b""
            self._carry_out(order)

    def _carry_out(self, order: bytes) -> None:
        if self._server is None:
            os.kill(os.getpid(), signal.SIGTERM)
        elif order == HASTEN:
            self._server.hasten()
        else:
            self._server.stop()
