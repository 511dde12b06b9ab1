"""A client that sends one command at a time, and measures the time of its answer."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench import websocket
from bench.errors import BenchError
from bench.server import Server

_DEADLINE = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    text: bytes
    seconds: float

    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.text)
        if event.get("type") == "error":
            raise BenchError(f"the server refused: {self.text.decode()}")
        return event


class Conversation:
    """One connection that speaks Hubbub's protocol."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._received = b""
        self._texts: list[bytes] = []
        self._asked = 0

    def ask(self, command: Mapping[str, Any]) -> Answer:
        """Send a command and wait for its answer; other events are skipped."""
        self._asked += 1
        frame = websocket.frame(json.dumps({**command, "id": f"bench-{self._asked}"}).encode())
        began = time.perf_counter()
        self._link.sendall(frame)
        return self.expect(b'"id":"bench-%d"' % self._asked, began)

    def expect(self, part: bytes, since: float | None = None) -> Answer:
        """Wait for an event that contains `part`. Raises BenchError if it does not come."""
        began = time.perf_counter() if since is None else since
        while True:
            while self._texts:
                text = self._texts.pop(0)
                if part in text:
                    return Answer(text, time.perf_counter() - began)
            try:
                data = self._link.recv(1 << 20)
            except TimeoutError:
                raise BenchError(f"no {part.decode()} came in {_DEADLINE:.0f} s") from None
            if not data:
                raise BenchError(f"the server closed the connection instead of sending {part.decode()}")
            self._texts, end = websocket.texts(self._received + data)
            self._received = (self._received + data)[end:]


@contextmanager
def conversation(server: Server, path: str) -> Iterator[Conversation]:
    """A connection to a path of the server. Raises BenchError if it is refused."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=_DEADLINE) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.sendall(websocket.upgrade_request(path, server.port))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            # Byte by byte: the bytes after the head belong to the connection.
            byte = link.recv(1)
            if not byte:
                raise BenchError(f"{path} was refused: {head!r}")
            head += byte
        if not head.startswith(b"HTTP/1.1 101 "):
            raise BenchError(f"{path} was refused: {head!r}")
        yield Conversation(link)


class RestClient:
    """One HTTP connection that stays open."""

    def __init__(self, server: Server) -> None:
        self._link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=_DEADLINE)

    def get(self, path: str) -> Answer:
        began = time.perf_counter()
        self._link.request("GET", path)
        response = self._link.getresponse()
        text = response.read()
        seconds = time.perf_counter() - began
        if response.status != http.client.OK:
            raise BenchError(f"GET {path}: {response.status} {text.decode()}")
        return Answer(text, seconds)

    def close(self) -> None:
        self._link.close()
