"""The sockets that a server listens on: opened here, or opened by another process and handed over.

Whoever hands a socket over keeps it open. So connects wait in the kernel while one server stops and the next starts,
and none is refused.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
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
