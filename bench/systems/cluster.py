"""Servers that run as two nodes, which hear each other through Redis."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence

from bench import postgres, programs
from bench.systems.base import System
from bench.systems.hubbub import Hubbub
from bench.systems.redis import Redis
from bench.systems.socketio import PythonSocketIO


class _Nodes(System):
    scenarios = frozenset({"cluster"})
    nodes = 2

    def missing(self) -> str | None:
        return Redis().missing() or (postgres.missing() if self.needs_postgres else None) or super().missing()


class HubbubNodes(_Nodes, Hubbub):
    """Messages are stored: each ack comes after the commit of a PostgreSQL database."""

    name = "hubbub-nodes"
    title = "Hubbub"
    needs_postgres = True

    def environment(self, port: int) -> Mapping[str, str]:
        return {**super().environment(port), "HUBBUB_BROKER_TIMEOUT": "10"}


class HubbubRelayNodes(_Nodes, Hubbub):
    """Nothing is stored."""

    name = "hubbub-relay-nodes"
    title = "Hubbub without a database"

    def environment(self, port: int) -> Mapping[str, str]:
        return {**super().environment(port), "HUBBUB_DATABASE_URL": "none"}


class HubbubTwoNodes(HubbubNodes):
    name = "two-nodes"
    title = "two nodes"
    scenarios = frozenset({"cluster-rooms"})


class HubbubOneNode(HubbubNodes):
    name = "one-node"
    title = "one node"
    scenarios = frozenset({"cluster-rooms"})
    nodes = 1


class PythonSocketIONodes(_Nodes, PythonSocketIO):
    """Messages are stored: each is inserted into a table of PostgreSQL before it is emitted."""

    name = "socketio-nodes"
    title = "python-socketio"
    needs_postgres = True

    def version(self) -> str:
        return f"{super().version()}, {programs.python_versions('redis', 'asyncpg')}"


class PythonSocketIORelayNodes(PythonSocketIONodes):
    name = "socketio-relay-nodes"
    title = "python-socketio without a database"
    needs_postgres = False


class SocketIONodes(_Nodes, PythonSocketIO):
    """Socket.IO on Node.js. The wire is the same as python-socketio's. Messages are stored as there."""

    name = "node-socketio-nodes"
    title = "Socket.IO"
    needs_postgres = True

    def missing(self) -> str | None:
        return super().missing() if shutil.which("node") else "there is no node on this machine"

    def command(self, port: int) -> Sequence[str]:
        return ["node", str(programs.PEERS / "socketio_rooms.cjs"), str(port)]

    def environment(self, port: int) -> Mapping[str, str]:
        return {"NODE_PATH": str(programs.node_modules())}

    def version(self) -> str:
        packages = ("socket.io", "@socket.io/redis-adapter", "redis", "pg")
        return ", ".join(f"{package} {programs.npm_version(package)}" for package in packages)


class SocketIORelayNodes(SocketIONodes):
    name = "node-socketio-relay-nodes"
    title = "Socket.IO without a database"
    needs_postgres = False
