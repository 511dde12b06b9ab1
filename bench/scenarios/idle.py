"""Connections that send nothing: how fast do they join, and how much memory does one take?"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from bench import procfs
from bench.errors import BenchError
from bench.members import Member, joined
from bench.scenarios.base import Metric, Scenario
from bench.server import Server, running
from bench.systems.base import System

_SETTLED_WITHIN = 0.002
_READING_EVERY = 0.25
_SETTLE_DEADLINE = 15.0


@dataclass(frozen=True)
class Idle(Scenario):
    name = "idle"
    summary = "idle connections: memory for each, connects per second, and an idle server's memory"

    members: int = 2000
    first: int = 100

    @classmethod
    def quick(cls) -> Self:
        return cls(members=50, first=10)

    def description(self) -> str:
        return (
            f"{self.first} members join one room to warm the server up; then {self.members:,} more join, 64 at a "
            "time. Memory is the server's PSS, without the kernel's buffers, which are the same for all servers. Per "
            f"connection: its growth by those {self.members:,} members. Idle server: its RSS before the first client, "
            "with nothing stored. A connect counts when its room has been joined."
        )

    def metrics(self) -> Sequence[Metric]:
        return [
            Metric("connects_per_second", "connects/s", "more"),
            Metric("connect_cpu_us", "CPU µs per connect", "less"),
            Metric("kb_per_connection", "KB per connection", "less"),
            Metric("server_mb", "idle server, MB RSS", "less"),
        ]

    def measure(self, system: System) -> Mapping[str, float]:
        with running(system) as server, ExitStack() as clients:
            _settled_kb(server)
            alone = procfs.resident_kb(server.pid)
            early = clients.enter_context(joined(server, ["bench"] * self.first))
            before = _settled_kb(server)
            cpu, began = server.cpu_seconds(), time.perf_counter()
            members = clients.enter_context(joined(server, ["bench"] * self.members, first=self.first))
            seconds, cpu = time.perf_counter() - began, server.cpu_seconds() - cpu
            after = _settled_kb(server)
            _check_still_there([*early, *members])
        return {
            "connects_per_second": self.members / seconds,
            "connect_cpu_us": cpu / self.members * 1e6,
            "kb_per_connection": (after - before) / self.members,
            "server_mb": alone / 1024,
        }


def _settled_kb(server: Server) -> int:
    """The memory after the joins have been cleaned up: when two readings hardly differ."""
    deadline = time.monotonic() + _SETTLE_DEADLINE
    last = procfs.proportional_kb(server.pid)
    while time.monotonic() < deadline:
        time.sleep(_READING_EVERY)
        now = procfs.proportional_kb(server.pid)
        if abs(now - last) <= last * _SETTLED_WITHIN:
            return now
        last = now
    raise BenchError(f"the memory of {server.system.name} did not settle in {_SETTLE_DEADLINE:.0f} s")


def _check_still_there(members: Sequence[Member]) -> None:
    for member in members:
        try:
            while data := member.socket.recv(1 << 16):
                continue
        except BlockingIOError:
            continue
        if not data:
            raise BenchError(f"the server closed the idle connection of member {member.number}")
