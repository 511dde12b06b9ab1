"""Hubbub itself, as its users start it. The limits stay on; they are set higher than the load."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

from bench import programs, websocket
from bench.systems.base import Step, System, upgraded


class Hubbub(System):
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
