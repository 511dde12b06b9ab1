"""Starts a system on a core of its own, and ends it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench import procfs
from bench.cores import on_its_core
from bench.errors import BenchError
from bench.systems.base import System

_START_DEADLINE = 30.0
_STOP_DEADLINE = 5.0


class Watched(Protocol):
    def cpu_seconds(self) -> float: ...

    def last_words(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Server:
    system: System
    port: int
    pid: int
    folder: Path
    """Its working directory, which is deleted after the server has ended."""
    log: Path

    def cpu_seconds(self) -> float:
        return procfs.cpu_seconds(self.pid)

    def cpu_seconds_of_each(self) -> list[float]:
        return [self.cpu_seconds()]

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]


@dataclass(frozen=True, slots=True)
class Group:
    """Several servers under one load: the nodes of a system, and what they need."""

    system: System
    servers: Sequence[Watched]

    def cpu_seconds(self) -> float:
        return sum(self.cpu_seconds_of_each())

    def cpu_seconds_of_each(self) -> list[float]:
        return [server.cpu_seconds() for server in self.servers]

    def last_words(self) -> str:
        return "\n".join(server.last_words() for server in self.servers)


@contextmanager
def running(system: System, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A fresh server in its own folder, ready for connections."""
    port = _free_port()
    folder = Path(tempfile.mkdtemp(prefix=f"hubbub-bench-{system.name}-"))
    system.furnish(folder)
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            on_its_core(system.command(port)),
            env={**os.environ, **system.environment(port), **(environment or {})},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(system=system, port=port, pid=process.pid, folder=folder, log=log)
    try:
        _wait_until_ready(server, process)
        yield server
    finally:
        _stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_DEADLINE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BenchError(f"{server.system.name} ended with {process.returncode}:\n{server.last_words()}")
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise BenchError(f"{server.system.name} was not ready in {_START_DEADLINE:.0f} s:\n{server.last_words()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
