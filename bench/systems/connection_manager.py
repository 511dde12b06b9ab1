"""The tutorials' `ConnectionManager` on FastAPI and uvicorn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from bench import programs, websocket
from bench.systems.base import Step, System, upgraded


class ConnectionManager(System):
    name = "tutorial"
    title = "tutorials' ConnectionManager"
    scenarios = System.scenarios | {"attack"}

    def __init__(self, python: Path | None = None) -> None:
        """`python` is an interpreter with FastAPI and uvicorn, by default that of the peers."""
        self._python = python

    def command(self, port: int) -> Sequence[str]:
        python = self._python or programs.python()
        return [
            *(str(python), "-m", "uvicorn", "connection_manager:app", "--app-dir", str(programs.PEERS)),
            *("--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"),
        ]

    def arrival(self, room: str, user: str, port: int) -> Sequence[Step]:
        return [upgraded(f"/ws/{room}/{user}", port)]

    def message(self, room: str, text: str, number: int) -> bytes:
        return websocket.frame(json.dumps({"text": text}).encode())

    def version(self) -> str:
        return programs.python_versions("fastapi", "uvicorn", "uvloop", "websockets")
