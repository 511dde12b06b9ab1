"""Servers that run as two nodes, which hear each other through Redis."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence

from bench import programs
from bench.systems.hubbub import Hubbub
from bench.systems.socketio import PythonSocketIO


class HubbubNodes(Hubbub):
    """Messages are stored: each ack comes after the commit of a PostgreSQL database."""

    name = "hubbub-nodes"
    title = "Hubbub"
    scenarios = frozenset({"cluster"})

    def environment(self, port: int) -> Mapping[str, str]:
        return {**super().environment(port), "HUBBUB_BROKER_TIMEOUT": "10"}


class HubbubRelayNodes(Hubbub):
    """Nothing is stored, as with the peers."""

    name = "hubbub-relay-nodes"
    title = "Hubbub without a database"
    scenarios = frozenset({"cluster"})

    def environment(self, port: int) -> Mapping[str, str]:
        return {**super().environment(port), "HUBBUB_DATABASE_URL": "none"}


class PythonSocketIONodes(PythonSocketIO):
    name = "socketio-nodes"
    title = "python-socketio, AsyncRedisManager"
    scenarios = frozenset({"cluster"})

    def version(self) -> str:
        return f"{super().version()}, {programs.python_versions('redis')}"


class SocketIONodes(PythonSocketIO):
    """Socket.IO on Node.js. The wire is the same as python-socketio's."""

    name = "node-socketio-nodes"
    title = "Socket.IO, Redis adapter"
    scenarios = frozenset({"cluster"})

    def missing(self) -> str | None:
        return None if shutil.which("node") else "there is no node on this machine"

    def command(self, port: int) -> Sequence[str]:
        return ["node", str(programs.PEERS / "socketio_rooms.cjs"), str(port)]

    def environment(self, port: int) -> Mapping[str, str]:
        return {"NODE_PATH": str(programs.node_modules())}

    def version(self) -> str:
        packages = ("socket.io", "@socket.io/redis-adapter", "redis")
        return ", ".join(f"{package} {programs.npm_version(package)}" for package in packages)
