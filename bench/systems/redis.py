"""Redis alone, as the nodes of a cluster use it: nobody connects to it but they."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

from bench.errors import BenchError
from bench.systems.base import Step, System


class Redis(System):
    name = "redis"
    title = "Redis"
    scenarios = frozenset({"presence"})

    def missing(self) -> str | None:
        return None if shutil.which("redis-server") else "redis-server is not installed"

    def command(self, port: int) -> Sequence[str]:
        return ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]

    def arrival(self, room: str, user: str, port: int) -> Sequence[Step]:
        raise BenchError("nobody joins a room of Redis")

    def message(self, room: str, text: str, number: int) -> bytes:
        raise BenchError("nobody says anything to Redis")

    def version(self) -> str:
        printed = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
        return printed.split("v=")[1].split()[0]
