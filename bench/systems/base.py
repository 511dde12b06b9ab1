"""What the load generator must know of a server: how to start it, how to join, how to send a message."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench import websocket


@dataclass(frozen=True, slots=True)
class Step:
    """What a client sends in one step of joining, and what must be in the answer before the next step."""

    send: bytes
    until: bytes


def upgraded(path: str, port: int) -> Step:
    return Step(websocket.upgrade_request(path, port), until=b"\r\n\r\n")


class System(ABC):
    """A server under measurement."""

    name: ClassVar[str]
    """The name on the command line."""

    title: ClassVar[str]
    """The name in the tables."""

    scenarios: ClassVar[frozenset[str]] = frozenset({"fanout", "rooms", "idle", "latency"})

    end: ClassVar[bytes] = b"}"
    """A byte that comes after the text in each delivery, and never within one of our texts."""

    ack: ClassVar[bytes | None] = None
    """What an ack contains, if the sender gets one in addition to the delivery."""

    decoy: ClassVar[type[System] | None] = None
    """Attackers attack this server instead, on the same core."""

    nodes: ClassVar[int] = 1
    """How many processes of it hear each other through Redis, in a scenario about several nodes. REDIS_URL has its
    address."""

    needs_postgres: ClassVar[bool] = False
    """In such a scenario it stores messages in the database at DATABASE_URL."""

    small_page: ClassVar[str] = "/"
    """A path with a short answer that everybody may request."""

    def missing(self) -> str | None:
        """Why this machine cannot run it, or None."""
        return None

    def furnish(self, folder: Path) -> None:  # noqa: B027 - most servers begin with nothing
        """Prepare the server's working directory before it starts."""

    @abstractmethod
    def command(self, port: int) -> Sequence[str]:
        """The server's command line, for a server that listens on 127.0.0.1:`port`."""

    def environment(self, port: int) -> Mapping[str, str]:
        return {}

    @abstractmethod
    def arrival(self, room: str, user: str, port: int) -> Sequence[Step]:
        """The steps from a fresh TCP connection to a member of `room`."""

    @abstractmethod
    def message(self, room: str, text: str, number: int) -> bytes:
        """The bytes with which a member of `room` sends `text`. `number` is unique in one run."""

    def hostile_text(self, padding: bytes) -> bytes:
        """A message with a short text and a large field that the server ignores."""
        return b'{"text":"x","pad":"%s"}' % padding

    def expensive_command(self) -> bytes | None:
        """The most expensive command of a member, or None."""
        return None

    def log_in(self, port: int) -> bytes:
        """The HTTP request with which somebody logs in, who has an account; the server closes the connection then."""
        raise NotImplementedError(f"nobody logs in at {self.name}")

    @abstractmethod
    def version(self) -> str:
        """The version of the system, for the printed result."""
