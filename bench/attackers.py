"""Hostile clients in a process of their own: they send the same data repeatedly, as fast as the server accepts it.

They run on the load generator's core at the lowest priority, so they use only what it leaves. Each one reconnects a
moment after the server has closed its connection.
"""

from __future__ import annotations

import os
import select
import socket
import time
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context

from bench import websocket
from bench.systems.base import System

_BACK_AFTER = 0.1
_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Attack:
    """What each attacker does."""

    opening: Sequence[bytes]
    """What it sends first. The first part is a WebSocket handshake, if the attack uses one."""
    flood: bytes
    """What it then sends repeatedly."""
    reads: bool
    """Whether it reads the answers."""
    needs_deflate: bool = False
    """Whether it needs a server that accepts compressed frames."""


@dataclass(frozen=True, slots=True)
class Assault:
    """What the attackers did."""

    connections: int
    sent: int
    """Bytes of the flood that the server's kernel accepted."""
    possible: bool
    """False if the server does not offer what the attack needs."""


def bombs(system: System, port: int) -> Attack:
    """Compressed messages of a hundred bytes that inflate to 64 KB."""
    bomb = system.hostile_text(b"a" * 64_000)
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    # RFC 7692, section 7.2.1: without the four bytes that end each flush.
    deflated = (compressor.compress(bomb) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
    opening = _opening(system, port)
    opening[0] = opening[0].replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 1)
    return Attack(opening, _repeated(websocket.frame(deflated, websocket.COMPRESSED_TEXT)), True, needs_deflate=True)


def pings(system: System, port: int) -> Attack:
    """Empty pings."""
    return Attack(_opening(system, port), _repeated(websocket.frame(b"", websocket.PING)), reads=True)


def texts(system: System, port: int) -> Attack:
    """Texts of two bytes, `{}`, which no server can use."""
    return Attack(_opening(system, port), _repeated(websocket.frame(b"{}")), reads=True)


def commands(system: System, port: int) -> Attack | None:
    """The most expensive command of the server's protocol, if the system names one."""
    command = system.expensive_command()
    if command is None:
        return None
    return Attack(_opening(system, port), _repeated(command), reads=True)


def pipelining(system: System, port: int) -> Attack:
    """Pipelined HTTP requests on one connection, whose answers nobody reads."""
    request = f"GET {system.small_page} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    return Attack([], _repeated(request), reads=False)


def _opening(system: System, port: int) -> list[bytes]:
    return [step.send for step in system.arrival("attack", "mallory", port) if step.send]


def _repeated(unit: bytes) -> bytes:
    return unit * max(1, _CHUNK // len(unit))


@contextmanager
def attacking(port: int, attack: Attack, *, sockets: int, seconds: float) -> Iterator[Future[Assault]]:
    """Attackers work while the block runs, and for at least `seconds`."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool.submit(assail, port, attack, sockets, seconds)


def assail(port: int, attack: Attack, sockets: int, seconds: float) -> Assault:
    """Attack a server on this machine, from this process."""
    os.nice(19)
    return _Attackers(port, attack, sockets).run(seconds)


class _Attacker:
    def __init__(self, port: int, attack: Attack) -> None:
        self.link = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.link.setblocking(False)
        self.sent = 0
        self._attack = attack
        self._head: bytes | None = b"" if attack.opening else None
        self._flood = memoryview(attack.flood)
        self._at = 0
        if attack.opening:
            self.link.send(attack.opening[0])

    @property
    def opens(self) -> bool:
        """Whether the handshake's answer has not come yet."""
        return self._head is not None

    def read(self) -> bytes | None:
        """Read. Returns the handshake's answer once, when it is complete. Raises OSError at the end of the link."""
        data = self.link.recv(_CHUNK)
        if not data:
            raise ConnectionResetError
        if self._head is None:
            return None
        self._head += data
        if b"\r\n\r\n" not in self._head:
            return None
        head, self._head = self._head, None
        for request in self._attack.opening[1:]:
            self.link.send(request)
        return head

    def write(self) -> None:
        """Send until the kernel accepts no more, but let the other attackers have their turn."""
        taken = self.link.send(self._flood[self._at :])
        self.sent += taken
        self._at = (self._at + taken) % len(self._flood)


class _Attackers:
    def __init__(self, port: int, attack: Attack, sockets: int) -> None:
        self._port = port
        self._attack = attack
        self._poll = select.epoll()
        self._by_fd: dict[int, _Attacker] = {}
        self._due = [0.0] * sockets
        """When the attackers without a connection reconnect."""
        self._connections = 0
        self._sent = 0
        self._possible = True

    def run(self, seconds: float) -> Assault:
        ends = time.monotonic() + seconds
        while self._possible and (now := time.monotonic()) < ends:
            for due in [due for due in self._due if due <= now]:
                self._due.remove(due)
                self._come(now)
            for fd, events in self._poll.poll(0.05):
                if fd in self._by_fd:
                    self._attend(self._by_fd[fd], events)
        for attacker in list(self._by_fd.values()):
            self._go(attacker)
        self._poll.close()
        return Assault(self._connections, self._sent, self._possible)

    def _come(self, now: float) -> None:
        try:
            attacker = _Attacker(self._port, self._attack)
        except OSError:
            self._due.append(now + _BACK_AFTER)
            return
        self._connections += 1
        self._by_fd[attacker.link.fileno()] = attacker
        self._poll.register(attacker.link, self._interest(attacker))

    def _interest(self, attacker: _Attacker) -> int:
        if attacker.opens:
            return select.EPOLLIN
        return select.EPOLLOUT | (select.EPOLLIN if self._attack.reads else 0)

    def _attend(self, attacker: _Attacker, events: int) -> None:
        try:
            if events & select.EPOLLIN:
                head = attacker.read()
                if head is not None:
                    self._begin(attacker, head)
            if events & select.EPOLLOUT:
                attacker.write()
            if events & (select.EPOLLERR | select.EPOLLHUP):
                raise ConnectionResetError
        except BlockingIOError:
            return
        except OSError:
            self._go(attacker)
            self._due.append(time.monotonic() + _BACK_AFTER)

    def _begin(self, attacker: _Attacker, head: bytes) -> None:
        if not head.startswith(b"HTTP/1.1 101 "):
            raise ConnectionRefusedError
        if self._attack.needs_deflate and b"permessage-deflate" not in head:
            self._possible = False
        self._poll.modify(attacker.link, self._interest(attacker))

    def _go(self, attacker: _Attacker) -> None:
        del self._by_fd[attacker.link.fileno()]
        self._poll.unregister(attacker.link)
        attacker.link.close()
        self._sent += attacker.sent
