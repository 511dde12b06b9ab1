"""People who log in all at once. Their process runs on the load generator's core, at the lowest priority.

Each of them has a connection of their own, sends the right password, and reads the answer. When all have an answer, all
of them come back.
"""

from __future__ import annotations

import json
import os
import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context

from bench.errors import BenchError

_DEADLINE = 60.0
"""Seconds in which all must have been answered."""


def request(username: str, password: str, port: int) -> bytes:
    body = json.dumps({"username": username, "password": password}).encode()
    return (
        f"POST /api/v1/sessions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


@contextmanager
def logging_in(port: int, request: bytes, people: int) -> Iterator[Callable[[float], Future[Mapping[int, int]]]]:
    """Gives a function: call it with a number of seconds, and all people log in at once, repeatedly, for so long. Its
    future gives the number of answers with each status."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=os.nice, initargs=(19,)) as pool:
        pool.submit(os.getpid).result()
        yield lambda seconds: pool.submit(log_in, port, request, people, seconds)


def log_in(port: int, request: bytes, people: int, seconds: float) -> Mapping[int, int]:
    """Log all people in, repeatedly, from this process. Raises BenchError if some were not answered."""
    statuses: Counter[int] = Counter()
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        statuses.update(_all_at_once(port, request, people))
    return statuses


def _all_at_once(port: int, request: bytes, people: int) -> Iterator[int]:
    deadline = time.monotonic() + _DEADLINE
    with ExitStack() as stack:
        poll = stack.enter_context(select.epoll())
        waiting: dict[int, socket.socket] = {}
        for _ in range(people):
            link = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
            waiting[link.fileno()] = link
        for fd, link in waiting.items():
            link.sendall(request)
            poll.register(fd, select.EPOLLIN)
        while waiting:
            if time.monotonic() > deadline:
                raise BenchError(f"{len(waiting)} of {people} who log in have no answer after {_DEADLINE:.0f} s")
            for fd, _ in poll.poll(1):
                poll.unregister(fd)
                yield int(waiting.pop(fd).recv(65536).split()[1])
