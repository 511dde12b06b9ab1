"""Hubbub as its users start it. The limits are on, and set above the load."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from bench import count_queries, log_ins, programs, websocket
from bench.fill import filled
from bench.systems.base import Step, System, upgraded


class Hubbub(System):
    """Messages are stored: each ack comes after the commit of a SQLite database in the server's folder."""

    name = "hubbub"
    title = "Hubbub"
    ack = b'"type":"ack"'

    def command(self, port: int) -> Sequence[str]:
        return [sys.executable, "-m", "hubbub.cli", "serve", "--port", str(port)]

    def environment(self, port: int) -> Mapping[str, str]:
        return {
            "HUBBUB_LOG_LEVEL": "warning",  # as the peers on uvicorn: a line per connection is not what is measured
            "HUBBUB_RATE": "1000000",
            "HUBBUB_BURST": "1000000",
            "HUBBUB_CONNECTIONS_PER_ADDRESS": "100000",
            "HUBBUB_CONNECTS_PER_ADDRESS": "0",
        }

    def arrival(self, room: str, user: str, port: int) -> Sequence[Step]:
        return [
            upgraded(f"/ws/chat/{room}?username={user}", port),
            Step(b"", until=b'"type":"joined"'),
        ]

    def message(self, room: str, text: str, number: int) -> bytes:
        command = {"type": "message", "id": str(number), "room": room, "text": text}
        return websocket.frame(json.dumps(command).encode())

    def version(self) -> str:
        return f"commit {programs.output_of('git', 'rev-parse', '--short', 'HEAD')}"


class HubbubRelay(Hubbub):
    """Nothing is stored, as with the peers: the difference is the cost of durability."""

    name = "hubbub-relay"
    title = "Hubbub without a database"
    # Clients that send nothing store nothing.
    scenarios = frozenset({"fanout", "rooms", "latency"})

    def environment(self, port: int) -> Mapping[str, str]:
        return {**super().environment(port), "HUBBUB_DATABASE_URL": "none"}


class HubbubCounted(Hubbub):
    """Its database queries are counted."""

    scenarios = frozenset({"recover"})

    def command(self, port: int) -> Sequence[str]:
        return [sys.executable, str(count_queries.__file__), "serve", "--port", str(port)]


class HubbubFilled(Hubbub):
    """It starts with a database of many messages."""

    scenarios = frozenset({"history"})
    messages: ClassVar[int]

    def furnish(self, folder: Path) -> None:
        # A copy, because the measurement changes it.
        shutil.copytree(filled(self.messages), folder / "hubbub-data")
        # Otherwise the first commits would wait until the copy is on the disk.
        os.sync()


class HubbubUnderAttack(HubbubFilled):
    """With the default limits. Its largest room has large pages for the attackers."""

    scenarios = frozenset({"attack"})
    messages = 10_000
    small_page = "/health/live"

    def environment(self, port: int) -> Mapping[str, str]:
        return {"HUBBUB_LOG_LEVEL": "warning"}

    def expensive_command(self) -> bytes:
        return websocket.frame(b'{"type":"join","room":"room1","limit":200}')


class HubbubWithAccounts(Hubbub):
    """Alice has an account, and may try her password as often as she wants."""

    scenarios = frozenset({"log-ins"})
    username, password = "alice", "correct horse battery"

    def furnish(self, folder: Path) -> None:
        subprocess.run(
            [sys.executable, "-m", "hubbub.cli", "user", "add", self.username, "--data-dir", folder / "hubbub-data"],
            input=self.password.encode(),
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def environment(self, port: int) -> Mapping[str, str]:
        return {**super().environment(port), "HUBBUB_LOG_IN_ATTEMPTS": "1000000"}

    def log_in(self, port: int) -> bytes:
        return log_ins.request(self.username, self.password, port)


class HubbubWith10k(HubbubFilled):
    name = "hubbub-10k"
    title = "Hubbub, 10 k messages"
    messages = 10_000


class HubbubWith1M(HubbubFilled):
    name = "hubbub-1m"
    title = "Hubbub, 1 M messages"
    messages = 1_000_000
