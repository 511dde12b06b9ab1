"""What the load generator has to know of a server: how to start it, how to come in, how to say something."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench import websocket


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a client sends while it arrives, and what must be in the answer before it goes on."""

    send: bytes
    until: bytes


def upgraded(path: str, port: int) -> Step:
    return Step(websocket.upgrade_request(path, port), until=b"\r\n\r\n")


class System(ABC):
    """A server under measurement."""

    name: ClassVar[str]
    """As it is given on the command line."""

    title: ClassVar[str]
    """As it is printed."""

    scenarios: ClassVar[frozenset[str]] = frozenset({"fanout", "rooms", "idle", "latency"})

    end: ClassVar[bytes] = b"}"
    """A byte that comes after the text in each delivery, and never within one of our texts."""

    ack: ClassVar[bytes | None] = None
    """What the answer to a message contains, where the sender gets one beside the delivery."""

    decoy: ClassVar[type[System] | None] = None
    """Attackers turn to this one instead, on the same core."""

    small_page: ClassVar[str] = "/"
    """A path that any HTTP request may ask for, with a short answer."""

    def missing(self) -> str | None:
        """Why this machine can't run it, or None."""
        return None

    def furnish(self, folder: Path) -> None:  # noqa: B027 - most servers begin with nothing
        """Put what the server is to find there into its working directory, before it starts."""

    @abstractmethod
    def command(self, port: int) -> Sequence[str]:
        """The server's command line, for a server that listens on 127.0.0.1:`port`."""

    def environment(self, port: int) -> Mapping[str, str]:
        return {}

    @abstractmethod
    def arrival(self, room: str, user: str, port: int) -> Sequence[Step]:
        """From the fresh TCP connection to a member of `room`."""

    @abstractmethod
    def message(self, room: str, text: str, number: int) -> bytes:
        """The bytes with which a member of `room` says `text`. `number` is unique in one run."""

    def hostile_text(self, padding: bytes) -> bytes:
        """A message with a short text, and much that the server has no use for."""
        return b'{"text":"x","pad":"%s"}' % padding

    def expensive_command(self) -> bytes | None:
        """What a member sends that costs the server most. None where there is nothing of the kind."""
        return None

    @abstractmethod
    def version(self) -> str:
        """Of what was measured, for the printed result."""
