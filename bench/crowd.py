"""Clients that connect all at once, only listen, and keep everything that they receive."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from bench import messages, websocket
from bench.errors import BenchError
from bench.server import Server

_PATIENCE = 10.0
"""After this many seconds without a byte for any client, nothing more is expected."""


class Visitor:
    """One client. It sends only `request`."""

    def __init__(self, server: Server, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=5)
        self.socket.setblocking(False)
        self.socket.send(request)
        self._received = bytearray()
        self.markers = 0
        """How many messages have come, counted by the marker in their text: parsing would take too long now."""

    def read(self) -> None:
        # A marker may come in two parts.
        unread = max(0, len(self._received) - len(messages.MARKER) + 1)
        try:
            while data := self.socket.recv(1 << 16):
                self._received += data
        except BlockingIOError:
            self.markers += self._received.count(messages.MARKER, unread)
        else:
            raise BenchError(f"the server closed a client's connection after {bytes(self._received[:500])!r}")

    def events(self) -> list[dict[str, Any]]:
        """All complete events that have come. Raises BenchError if the client was refused."""
        head, _, frames = bytes(self._received).partition(b"\r\n\r\n")
        if head and not head.startswith(b"HTTP/1.1 101 "):
            raise BenchError(f"a client was refused: {bytes(self._received[:500])!r}")
        return [json.loads(text) for text in websocket.texts(frames)[0]]


class Crowd:
    """All clients. Nothing is read from them outside of `listen_until` and `listen_for`."""

    def __init__(self, visitors: Sequence[Visitor]) -> None:
        self.visitors = visitors
        self._by_fd = {visitor.socket.fileno(): visitor for visitor in visitors}
        self._poll = select.epoll()
        for fd in self._by_fd:
            self._poll.register(fd, select.EPOLLIN)

    def close(self) -> None:
        self._poll.close()

    def listen_until(self, satisfied: Callable[[Visitor], bool]) -> None:
        """Returns as soon as the condition holds for all, or when nothing has come for a long time."""
        waiting = set(self.visitors)
        while waiting and (heard := self._listen(_PATIENCE)):
            waiting.difference_update(visitor for visitor in heard if visitor in waiting and satisfied(visitor))

    def listen_for(self, seconds: float) -> None:
        ends = time.perf_counter() + seconds
        while (left := ends - time.perf_counter()) > 0:
            self._listen(left)

    def _listen(self, timeout: float) -> list[Visitor]:
        heard = [self._by_fd[fd] for fd, _ in self._poll.poll(timeout)]
        for visitor in heard:
            visitor.read()
        return heard


@contextmanager
def visiting(server: Server, requests: Sequence[bytes]) -> Iterator[Crowd]:
    """A client for each request, all at the same moment. At the end they vanish without a close frame."""
    with ExitStack() as stack:
        visitors = []
        for request in requests:
            visitor = Visitor(server, request)
            stack.enter_context(visitor.socket)
            visitors.append(visitor)
        yield stack.enter_context(closing(Crowd(visitors)))
