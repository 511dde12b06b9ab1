"""How an endpoint finds the object that can hand its socket over. Only our own server offers one."""

from __future__ import annotations

from typing import Protocol

from hubbub.delivery.connection import Connection

HANDOVER = "hubbub.handover"
"""The ASGI extension that holds a `Handover`."""


class Handover(Protocol):
    """A socket after its opening handshake."""

    @property
    def compresses(self) -> bool:
        """Whether this client takes compressed frames that are made once for all, with their window size."""

    def adopt(self, connection: Connection, *, max_size: int) -> None:
        """Serve `connection` on this socket. Raises RuntimeError if the client is gone already."""
