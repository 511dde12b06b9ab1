"""A TCP proxy that fails as networks and frozen machines do: it cuts, holds, delays, swallows and refuses.

It runs in its own threads, so the test may use it from the event loop, from other threads or from another process. Any
TCP server can be behind it.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Self
from urllib.parse import urlsplit, urlunsplit

CHUNK = 64 * 1024


class FaultProxy:
    """Listens on a free port of 127.0.0.1 and passes bytes on to `port`.

    `on_request` gets all bytes that a client sends, before they are passed on. If it returns true, the link is cut
    as soon as the server has answered: the server has done the work, and the client does not know it.
    """

    def __init__(self, port: int, *, on_request: Callable[[bytes], bool] = lambda _: False) -> None:
        self.server_port = port
        self.delay = 0.0
        """Seconds by which each chunk is delayed, in both directions."""
        self.accepted = 0
        """Connections, so far."""
        self.cuts = 0
        self._on_request = on_request
        self._passes = threading.Event()
        self._passes.set()
        self._swallows: set[bool] = set()
        """Whether requests (True) and answers (False) disappear."""
        self._refuses = False
        self._is_closed = False
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, name="fault-proxy", daemon=True).start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def before(self, url: str) -> str:
        """The address of the same database through this proxy, without encryption."""
        parts = urlsplit(url)
        place = parts.netloc.replace(f":{parts.port}", f":{self.port}")
        return urlunsplit(parts._replace(netloc=place, query="sslmode=disable"))

    def freeze(self) -> None:
        """Nothing passes any more, and new connections are accepted but not answered, as by a frozen machine. Data that
        is sent now arrives after `thaw`."""
        self._passes.clear()

    def thaw(self) -> None:
        self._passes.set()

    def swallow(self, *, on: bool = True) -> None:
        """What is sent disappears, as behind a broken router. A connection of which something has disappeared stays
        like this: TCP never loses a part of a stream and goes on."""
        self._swallows = {True, False} if on else set()

    def swallow_requests(self) -> None:
        """Only what clients send disappears: the line is broken in one direction."""
        self._swallows = {True}

    def swallow_answers(self) -> None:
        """Only what the server sends disappears."""
        self._swallows = {False}

    def refuse(self, *, on: bool = True) -> None:
        """New connections are closed at once."""
        self._refuses = on

    def lead_to(self, port: int) -> None:
        """Pass bytes on to another server from now on, as an address that was moved does."""
        self.server_port = port
        self.cut()

    def cut(self) -> None:
        """Break all connections."""
        for one in list(self._sockets):
            _shut(one)

    def close(self) -> None:
        self._is_closed = True
        _shut(self._listener)
        self._listener.close()
        self._passes.set()
        self.cut()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            if self._refuses:
                client.close()
            else:
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        self._passes.wait()
        try:
            server = socket.create_connection(("127.0.0.1", self.server_port))
        except OSError:
            client.close()
            return
        self._sockets |= {client, server}
        if self._is_closed:
            self.cut()
        ends_with_answer = threading.Event()
        threading.Thread(target=self._pass_on, args=(client, server, True, ends_with_answer), daemon=True).start()
        self._pass_on(server, client, False, ends_with_answer)

    def _pass_on(
        self, source: socket.socket, target: socket.socket, is_request: bool, ends_with_answer: threading.Event
    ) -> None:
        has_lost = False
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                self._passes.wait()
                if self.delay:
                    time.sleep(self.delay)
                has_lost = has_lost or is_request in self._swallows
                if has_lost:
                    continue
                if is_request and self._on_request(data):
                    ends_with_answer.set()
                if not is_request and ends_with_answer.is_set():
                    self.cuts += 1
                    break
                target.sendall(data)
        for one in (source, target):
            _shut(one)
            self._sockets.discard(one)
        source.close()


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
