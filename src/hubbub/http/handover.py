"""How an endpoint finds what can hand its socket over. Other servers than ours offer nothing of the kind."""

from __future__ import annotations

from typing import Protocol

from hubbub.delivery.connection import Connection

HANDOVER = "hubbub.handover"
"""The ASGI extension that holds a `Handover`."""


class Handover(Protocol):
    """A socket after its opening handshake."""

    @property
    def compresses(self) -> bool:
        """Whether this client takes compressed frames, with the window that shared ones are made with."""

    def adopt(self, connection: Connection, *, max_size: int) -> None:
        """Serve `connection` on this socket. Raises RuntimeError if the client is gone already."""
