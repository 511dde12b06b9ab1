"""Clients join: many at a time, each with its system's steps, until all are members of their rooms."""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from bench.errors import BenchError
from bench.server import Server
from bench.systems.base import Step

_AT_ONCE = 64
_DEADLINE = 60.0


class Member:
    """One client that has joined. The load generator reads and writes its socket without waiting."""

    __slots__ = ("fd", "number", "receive_into", "room", "send", "socket", "unread")

    def __init__(self, number: int, room: str, link: socket.socket) -> None:
        self.number = number
        self.room = room
        self.socket = link
        self.fd = link.fileno()
        # Looked up once, because they are called millions of times.
        self.receive_into: Callable[[memoryview], int] = link.recv_into
        self.send: Callable[[bytes], int] = link.send
        self.unread = b""
        """The beginning of an incomplete delivery."""


class _Arrival:
    """A client that is joining."""

    def __init__(self, number: int, room: str, server: Server, sockets: ExitStack) -> None:
        self.link = sockets.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=5))
        self.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.link.setblocking(False)
        self.number, self.room = number, room
        self._steps = deque(server.system.arrival(room, f"m{number}", server.port))
        self._received = b""
        self._begin(self._steps[0])

    def _begin(self, step: Step) -> None:
        if step.send:
            self.link.send(step.send)

    def has_arrived(self) -> bool:
        """Reads, does the next step if it can, and returns whether that was the last one."""
        data = self.link.recv(65536)
        self._received += data
        if not data or self._received.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")):
            raise BenchError(f"client {self.number} was refused: {self._received[:500]!r}")
        while (found := self._received.find(self._steps[0].until)) >= 0:
            self._received = self._received[found + len(self._steps[0].until) :]
            self._steps.popleft()
            if not self._steps:
                return True
            self._begin(self._steps[0])
        return False


@contextmanager
def joined(server: Server, rooms: Sequence[str], first: int = 0) -> Iterator[list[Member]]:
    """One member per entry of `rooms`, numbered from `first`, in that order. They leave at the end.

    Raises BenchError if one is refused, or if not all have joined within a minute.
    """
    with ExitStack() as sockets:
        yield _arrive(server, rooms, first, sockets)


def _arrive(server: Server, rooms: Sequence[str], first: int, sockets: ExitStack) -> list[Member]:
    members: list[Member] = []
    waiting = deque(enumerate(rooms, first))
    arriving: dict[int, _Arrival] = {}
    deadline = time.monotonic() + _DEADLINE
    with select.epoll() as poll:
        while waiting or arriving:
            while waiting and len(arriving) < _AT_ONCE:
                arrival = _Arrival(*waiting.popleft(), server, sockets)
                arriving[arrival.link.fileno()] = arrival
                poll.register(arrival.link, select.EPOLLIN)
            for fd, _ in poll.poll(1):
                if arriving[fd].has_arrived():
                    arrival = arriving.pop(fd)
                    poll.unregister(fd)
                    members.append(Member(arrival.number, arrival.room, arrival.link))
            if time.monotonic() > deadline:
                raise BenchError(f"{len(members)} of {len(rooms)} clients arrived in {_DEADLINE:.0f} s")
    return sorted(members, key=lambda member: member.number)
