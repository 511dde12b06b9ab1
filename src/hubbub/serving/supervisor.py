"""Keeps several workers running: `hubbub serve --workers N`.

The supervisor opens the port, starts processes, and passes signals on. It serves nobody itself, and knows no hub: each
worker is a whole server, and they see each other through the broker and the database.

uvicorn's own supervisor does not fit. It starts a worker that dies at once again twice a second for ever, leaves its
workers behind when it is killed, takes a Ctrl-C in a terminal for two signals, and gives workers no numbers.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hubbub.serving import systemd
from hubbub.serving.addresses import own_address
from hubbub.serving.lifeline import HASTEN, READY, STOP
from hubbub.serving.listening import SharedPort
from hubbub.serving.server import configure_log
from hubbub.serving.worker import HAS_SAID_WHY, WorkerOrder, check_workers
from hubbub.settings import Settings

log = logging.getLogger("hubbub")

STEADY = 30.0
"""Seconds after which the death of a worker is not counted with those before."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before the second and any later start of a worker that dies again and again. The first one is at once."""
NOT_FOR_WORKERS = frozenset({"NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"})
"""Variables by which systemd speaks with the supervisor."""
TOLD_TO_STOP = frozenset({0, -signal.SIGTERM})
"""The exit statuses of a worker that was told to stop. One that has just begun ends by the signal itself."""


def supervise(
    settings: Settings, *, options: Mapping[str, Any], fd: Sequence[int], on_ready: Callable[[str], None]
) -> int:
    """Serve with `settings.workers` processes until told to stop. Returns the exit status.

    `options` are the settings that do not come from the environment or a file, as JSON. `fd` is as for `hubbub.run`;
    `on_ready` is called with the address. Raises `ConfigurationError` if the workers could not see each other, or the
    address can't be had.
    """
    check_workers(settings)
    configure_log(settings.log_level, "supervisor")
    descriptors = fd or systemd.listening_descriptors()
    port = SharedPort(settings, descriptors)
    host, number = port.address
    address = own_address(host if descriptors else settings.host, number, scheme=settings.scheme)
    supervisor = Supervisor(port, settings.workers, options=options, on_ready=partial(on_ready, address))
    try:
        return asyncio.run(supervisor.run())
    finally:
        port.close()


def pause_before_restart(deaths: int) -> float:
    """Seconds to wait after so many deaths in a row."""
    if deaths <= 1:
        return 0.0
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(deaths - 2, 16))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311


def describe_end(status: int) -> str:
    return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"


@dataclass(eq=False)
class Worker:
    """One process, from its start to its end."""

    slot: int
    process: asyncio.subprocess.Process
    link: asyncio.StreamReader
    orders: asyncio.StreamWriter
    started: float

    async def is_ready(self) -> bool:
        """Waits until it serves or has ended. False if it ended without having served."""
        return await self.link.read(1) == READY

    def tell(self, order: bytes) -> None:
        with contextlib.suppress(OSError):
            self.orders.write(order)


@dataclass(eq=False)
class Place:
    """The listening sockets of one worker. They stay open when it ends, for the worker that replaces it."""

    sockets: list[socket.socket] = field(default_factory=list)
    worker: Worker | None = None
    deaths: int = 0

    def close(self) -> None:
        """New connections go to the other places from now on."""
        for sock in self.sockets:
            sock.close()
        self.sockets = []


class Supervisor:
    """Starts `number` workers, replaces those that die, and ends when all have ended.

    SIGTERM or SIGINT stops all; a second one hastens them. SIGHUP replaces them one after the other; it stops all if
    the supervisor was started in a terminal.
    """

    def __init__(
        self, port: SharedPort, number: int, *, options: Mapping[str, Any], on_ready: Callable[[], None]
    ) -> None:
        self._port = port
        self._places = [Place() for _ in range(number)]
        self._options = dict(options)
        self._on_ready = on_ready
        self._living: set[Worker] = set()
        self._slots: set[int] = set()
        self._tasks: asyncio.TaskGroup
        self._stopping = asyncio.Event()
        self._restart: asyncio.Task[None] | None = None
        self._is_up = False
        self._failed = False

    async def run(self) -> int:
        """Returns the exit status, once no worker is left."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        # In a terminal it says that the terminal is gone.
        in_terminal = sys.stdin is not None and sys.stdin.isatty()
        loop.add_signal_handler(signal.SIGHUP, self._stop if in_terminal else self._replace_all)
        async with asyncio.TaskGroup() as self._tasks:
            # The first one may have a database to bring up to date. If it cannot start, no other one can.
            first = await self._start(self._places[0])
            if not await first.is_ready():
                status = await first.process.wait()
                if self._stopping.is_set() and status in TOLD_TO_STOP:
                    return 0
                if status not in HAS_SAID_WHY:
                    log.error("the first worker did not start: it %s", describe_end(status))
                return max(1, status)
            self._is_up = True
            others = [await self._start(place) for place in self._places[1:] if not self._stopping.is_set()]
            await asyncio.gather(*(worker.is_ready() for worker in others))
            if not self._stopping.is_set():
                self._on_ready()
                systemd.notify("READY=1")
        return 1 if self._failed else 0

    def _stop(self) -> None:
        order = HASTEN if self._stopping.is_set() else STOP
        self._stopping.set()
        systemd.notify("STOPPING=1")
        for place in self._places:
            place.close()
        self._port.close()
        for worker in self._living:
            worker.tell(order)

    async def _start(self, place: Place, *, after: Worker | None = None) -> Worker:
        """Start a worker on a place's sockets. It takes the place if nobody has it but `after`."""
        slot = next(number for number in itertools.count() if number not in self._slots)
        self._slots.add(slot)
        place.sockets = place.sockets or self._port.open()
        ours, theirs = socket.socketpair()
        order = WorkerOrder(slot, [sock.fileno() for sock in place.sockets], theirs.fileno(), self._options)
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *order.command(),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=[*order.sockets, order.lifeline],
                env={name: value for name, value in os.environ.items() if name not in NOT_FOR_WORKERS},
                # Ctrl-C reaches the supervisor alone, which passes it on once.
                process_group=0,
            )
        worker = Worker(slot, process, *await asyncio.open_connection(sock=ours), started=time.monotonic())
        self._living.add(worker)
        if place.worker is after:
            place.worker = worker
        self._tasks.create_task(self._wait_for_end(place, worker))
        if self._stopping.is_set():
            worker.tell(STOP)
        return worker

    async def _wait_for_end(self, place: Place, worker: Worker) -> None:
        """Wait until a worker ends, and start another one in its place if it had one."""
        status = await worker.process.wait()
        worker.orders.close()
        self._living.discard(worker)
        self._slots.discard(worker.slot)
        if place.worker is not worker:
            return
        if self._stopping.is_set():
            self._failed |= status not in TOLD_TO_STOP
        if self._stopping.is_set() or not self._is_up:
            return
        place.deaths = 1 if time.monotonic() - worker.started > STEADY else place.deaths + 1
        pause = pause_before_restart(place.deaths)
        log.error(
            "worker %d (process %d) %s; starting another one%s",
            worker.slot,
            worker.process.pid,
            describe_end(status),
            f" in {pause:.1f} s" if pause else "",
        )
        if pause:
            place.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
        # A restart may have given the place to another one meanwhile.
        if place.worker is worker and not self._stopping.is_set():
            another = await self._start(place, after=worker)
            if place.worker is not another:
                another.tell(STOP)

    def _replace_all(self) -> None:
        if not self._is_up:
            log.warning("the workers are just being started, with the current settings")
        elif self._restart is None or self._restart.done():
            self._restart = self._tasks.create_task(self._replace_one_by_one())
        else:
            log.warning("the workers are being restarted already")

    async def _replace_one_by_one(self) -> None:
        """The new worker serves before the old one is told to stop, and the next one waits until that has ended."""
        for place in self._places:
            if self._stopping.is_set() or place.worker is None:
                continue
            new = await self._start(place)
            if not await new.is_ready():
                if not self._stopping.is_set():
                    log.error("a new worker did not start: the restart is given up, and the others stay as they are")
                return
            old, place.worker, place.deaths = place.worker, new, 0
            old.tell(STOP)
            await old.process.wait()
        log.info("the workers have been restarted")
