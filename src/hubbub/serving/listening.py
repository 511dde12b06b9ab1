"""The sockets that a server listens on: opened here, or opened by another process and handed over.

The process that hands a socket over keeps it open. So connects wait in the kernel while one server stops and the next
one starts, and none is refused.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import sys
from collections.abc import Iterable, Sequence

from hubbub.errors import ConfigurationError
from hubbub.settings import DEFAULT_PORT, Settings

log = logging.getLogger("hubbub")

LOOPBACKS = ("127.0.0.1", "::1")
PORTS_TRIED = 50
BACKLOG = 2048
"""Connects that wait in the kernel until they are accepted. The system may allow fewer (`net.core.somaxconn`)."""


def listen(settings: Settings) -> list[socket.socket]:
    """Sockets on the addresses to listen on, all with the same port, bound and not yet listening.

    Without a configured host these are both loopbacks; without a configured port it is the default one or the next
    that is free. Raises `ConfigurationError` if a configured address can't be had.
    """
    hosts: Sequence[str] = LOOPBACKS if settings.host is None else (settings.host,)
    if settings.port is not None:
        try:
            return _bind(hosts, settings.port)
        except OSError as error:
            where = settings.host or "localhost"
            raise ConfigurationError(
                f"cannot listen on {where} port {settings.port}: {error.strerror or error}. "
                "Choose another with --port or HUBBUB_PORT (0 takes any free one)"
            ) from None
    for port in range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED):
        try:
            sockets = _bind(hosts, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ConfigurationError(
                    f"cannot listen on {settings.host or 'localhost'}: {error.strerror or error}"
                ) from None
            continue
        if port != DEFAULT_PORT:
            log.warning("port %d is taken; using %d", DEFAULT_PORT, port)
        return sockets
    raise ConfigurationError(
        f"ports {DEFAULT_PORT} to {DEFAULT_PORT + PORTS_TRIED - 1} are all taken; choose one with --port or HUBBUB_PORT"
    )


def _bind(hosts: Sequence[str], port: int) -> list[socket.socket]:
    with contextlib.ExitStack() as stack:
        sockets: list[socket.socket] = []
        for host in hosts:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            for family, kind, proto, _, address in infos:
                try:
                    sock = stack.enter_context(socket.socket(family, kind, proto))
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    if family == socket.AF_INET6:
                        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    sock.bind((address[0], port, *address[2:]))
                except OSError as error:
                    # A machine without IPv6 has one loopback.
                    if sockets and error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                        continue
                    raise
                port = sock.getsockname()[1]
                sockets.append(sock)
        stack.pop_all()
        return sockets


def inherit(descriptors: Iterable[int]) -> list[socket.socket]:
    """Sockets that another process has opened, by their file descriptors. Processes that this one starts do not get
    them.

    Raises `ConfigurationError` if one of them is no TCP socket.
    """
    with contextlib.ExitStack() as stack:
        sockets: list[socket.socket] = []
        for descriptor in descriptors:
            try:
                sock = stack.enter_context(socket.socket(fileno=descriptor))
            except OSError as error:
                raise ConfigurationError(
                    f"file descriptor {descriptor} is no socket that this process was given: {error.strerror}"
                ) from None
            if sock.family not in {socket.AF_INET, socket.AF_INET6} or sock.type != socket.SOCK_STREAM:
                raise ConfigurationError(f"file descriptor {descriptor} is no TCP socket; a server listens on TCP")
            sock.set_inheritable(False)
            sockets.append(sock)
        stack.pop_all()
        return sockets


class SharedPort:
    """One port on which several processes listen. It is reserved, whether or not one of them listens.

    On Linux each process gets sockets of its own, and the kernel deals new connections out evenly among them
    (SO_REUSEPORT). With one socket for all, the process that wakes up first takes as many as it can: of 400 connections
    one after the other, four processes got 228, 78, 69 and 25, and with their own sockets 108, 106, 95 and 91. All
    processes share the sockets if another program handed them over, and on other systems, which do not deal evenly.

    Raises `ConfigurationError` as `listen` and `inherit` do.
    """

    def __init__(self, settings: Settings, descriptors: Sequence[int] = ()) -> None:
        self._deals = not descriptors and sys.platform == "linux"
        self._sockets = inherit(descriptors) if descriptors else listen(settings)
        if self._deals:
            # Not before it is bound: a port on which somebody else's workers listen is refused like any other.
            for sock in self._sockets:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)

    @property
    def address(self) -> tuple[str, int]:
        """The host and port of the first socket."""
        host, port = self._sockets[0].getsockname()[:2]
        return host, port

    def open(self) -> list[socket.socket]:
        """Sockets for one more process."""
        return [self._another(sock) if self._deals else sock.dup() for sock in self._sockets]

    def _another(self, sock: socket.socket) -> socket.socket:
        another = socket.socket(sock.family, sock.type, sock.proto)
        another.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        another.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if sock.family == socket.AF_INET6:
            another.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        another.bind(sock.getsockname())
        return another

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()
