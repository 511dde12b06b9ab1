"""Free ports for the servers of the tests.

A port that the system chooses is free only for a moment: before our server listens, another process may get it, and so
may a client, as the port at its own end. So these ports are below those that Linux gives to clients, and each process
of the tests has its own block of them.
"""

import contextlib
import itertools
import socket
from collections.abc import Iterator
from functools import cache

BLOCKS = range(10_000, 32_000, 200)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses. No other process of any test run gets it."""
    for port in itertools.islice(_own_ports(), BLOCKS.step - 1):
        with contextlib.suppress(OSError):
            _bound(port).close()
            return port
    raise AssertionError("all ports of this process are in use")


@cache
def _own_ports() -> Iterator[int]:
    """The ports of this process, again and again: the next one is the one that was given longest ago."""
    for first in BLOCKS:
        with contextlib.suppress(OSError):
            _held.append(_bound(first))
            return itertools.cycle(range(first + 1, first + BLOCKS.step))
    raise AssertionError("all blocks of ports are taken")


_held: list[socket.socket] = []
"""On the first port of the block, until this process ends: so other processes know that the block is taken."""


def _bound(port: int) -> socket.socket:
    """Raises OSError if somebody uses the port."""
    sock = socket.socket()
    try:
        sock.bind(("127.0.0.1", port))
    except OSError:
        sock.close()
        raise
    return sock
