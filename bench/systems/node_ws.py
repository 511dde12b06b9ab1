"""Node.js with the `ws` package."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence

from bench import programs, websocket
from bench.systems.base import Step, System, upgraded


class NodeWs(System):
    name = "ws"
    title = "Node ws"
    scenarios = System.scenarios | {"attack"}

    def missing(self) -> str | None:
        return None if shutil.which("node") else "there is no node on this machine"

    def command(self, port: int) -> Sequence[str]:
        return ["node", str(programs.PEERS / "ws_rooms.cjs"), str(port)]

    def environment(self, port: int) -> Mapping[str, str]:
        return {"NODE_PATH": str(programs.node_modules())}

    def arrival(self, room: str, user: str, port: int) -> Sequence[Step]:
        return [upgraded(f"/ws/{room}/{user}", port)]

    def message(self, room: str, text: str, number: int) -> bytes:
        return websocket.frame(json.dumps({"text": text}).encode())

    def version(self) -> str:
        return f"ws {programs.npm_version('ws')}, node {programs.output_of('node', '--version')}"
