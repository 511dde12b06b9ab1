"""Nodes tell each other who is online: what does that cost Redis, and what do people hear of a restart?"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from bench import procfs
from bench.errors import BenchError
from bench.scenarios.base import Metric, Scenario
from bench.server import Server, running
from bench.systems.base import System
from hubbub.broker.redis_address import RedisAddress
from hubbub.presence.lease import LEASE_MORE
from hubbub.presence.redis import RedisPresence
from hubbub.wire.identity import User

_NODES = 3
_TURN = 0.01
_PATIENCE = 60.0
_RETURNS_PER_SECOND = 500
_SMALL_ROOM = 20


@dataclass(frozen=True)
class Presence(Scenario):
    name = "presence"
    summary = "who is online, over three nodes: what it costs Redis, and what is heard of a restart"

    joins: int = 10_000
    rooms: int = 1_000
    stay: float = 2.0
    seconds: float = 5.0
    people: int = 2_000
    linger: float = 10.0

    @classmethod
    def quick(cls) -> Self:
        return cls(joins=500, rooms=50, stay=0.5, seconds=0.5, people=60, linger=3.0)

    def description(self) -> str:
        return (
            f"Three nodes without connections, on the load generator's core. {self.joins:,} users a second join one of "
            f"{self.rooms:,} rooms on one of the nodes and leave it {self.stay:g} s later; each tenth joins one large "
            f"room instead. {self.seconds:g} s, after that many to begin with. Redis' CPU is that of its process, user "
            "and system. Then the restart: "
            f"{self.people:,} people are on each node, in rooms of {_SMALL_ROOM} that have people on all nodes; one "
            f"node ends as in a rolling restart, its people come to the others, {_RETURNS_PER_SECOND} a second, and "
            "its lease runs out. Events: what a client that stayed is told of that, at most."
        )

    def metrics(self) -> Sequence[Metric]:
        return [
            Metric("joins_per_second", "joins/s", "more"),
            Metric("redis_cpu", "Redis, % of a core", "less"),
            Metric("redis_us", "Redis, CPU µs per join and leave", "less"),
            Metric("events", "events of a restart", "less"),
        ]

    def measure(self, system: System) -> Mapping[str, float]:
        with running(system) as server:
            return asyncio.run(self._measure(server))

    async def _measure(self, server: Server) -> Mapping[str, float]:
        heard = [_Heard() for _ in range(_NODES)]
        nodes = [
            RedisPresence([RedisAddress("127.0.0.1", server.port)], linger=self.linger, timeout=10.0)
            for _ in range(_NODES)
        ]
        for node, audience in zip(nodes, heard, strict=True):
            await node.start(audience)
        try:
            crowd = _Crowd(nodes, self.joins, self.rooms, self.stay)
            await crowd.come_and_go(self.stay)
            joined, cpu, began = crowd.joined, procfs.cpu_seconds(server.pid), time.perf_counter()
            await crowd.come_and_go(self.seconds)
            joined, cpu = crowd.joined - joined, procfs.cpu_seconds(server.pid) - cpu
            seconds = time.perf_counter() - began
            crowd.leave()
            return {
                "joins_per_second": joined / seconds,
                "redis_cpu": 100 * cpu / seconds,
                "redis_us": cpu / joined * 1e6,
                "events": await self._restart(nodes, heard),
            }
        finally:
            for node in nodes:
                await node.stop()

    async def _restart(self, nodes: Sequence[RedisPresence], heard: Sequence[_Heard]) -> float:
        """What a client that stays is told, at most, when the last of the nodes is restarted."""
        rooms = max(1, _NODES * self.people // _SMALL_ROOM)
        people = [(f"room:small-{number % rooms}", _user(number)) for number in range(_NODES * self.people)]
        for number, (room, user) in enumerate(people):
            nodes[number // self.people].enter(room, user)
        try:
            async with asyncio.timeout(_PATIENCE):
                while any(_online(node, rooms) < len(people) for node in nodes):  # noqa: ASYNC110 - nobody says so
                    await asyncio.sleep(_TURN)
        except TimeoutError:
            counts = [_online(node, rooms) for node in nodes]
            raise BenchError(f"{len(people)} people are online; after {_PATIENCE:g} s the nodes say {counts}") from None
        for audience in heard:
            audience.events.clear()
        await nodes[-1].stop()
        for number, (room, user) in enumerate(people[-self.people :]):
            nodes[number % (_NODES - 1)].enter(room, user)
            if number % (_RETURNS_PER_SECOND // 10) == 0:
                await asyncio.sleep(0.1)
        await asyncio.sleep(self.linger + LEASE_MORE + 1)
        return max((audience.events[room] for audience in heard[:-1] for room, _ in people), default=0)


class _Heard:
    """How many events the clients in each room were sent."""

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()

    def user_joined(self, channel: str, user: User, online: int) -> None:
        self.events[channel] += 1

    def look_changed(self, channel: str, user: User, online: int) -> None:
        self.events[channel] += 1

    def user_left(self, channel: str, user: User, online: int) -> None:
        self.events[channel] += 1

    def count_changed(self, channel: str) -> None:
        self.events[channel] += 1


class _Crowd:
    """Users who join and leave at a steady pace."""

    def __init__(self, nodes: Sequence[RedisPresence], joins: int, rooms: int, stay: float) -> None:
        self._nodes = nodes
        self._joins = joins
        self._rooms = rooms
        self._stay = stay
        self._here: deque[tuple[float, RedisPresence, str, User]] = deque()
        self.joined = 0

    async def come_and_go(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        began, come = loop.time(), 0
        while (now := loop.time()) < began + seconds:
            while self._here and self._here[0][0] <= now:
                _, node, room, user = self._here.popleft()
                node.exit(room, user)
            for _ in range(int((now - began) * self._joins) - come):
                self._come(now)
                come += 1
            await asyncio.sleep(_TURN)

    def _come(self, now: float) -> None:
        number = self.joined
        node = self._nodes[number % _NODES]
        room = "room:large" if number % 10 == 0 else f"room:{number // _NODES % self._rooms}"
        user = _user(number)
        node.enter(room, user)
        self._here.append((now + self._stay, node, room, user))
        self.joined += 1

    def leave(self) -> None:
        while self._here:
            _, node, room, user = self._here.popleft()
            node.exit(room, user)


def _online(node: RedisPresence, rooms: int) -> int:
    crowds = (node.crowd(f"room:small-{room}") for room in range(rooms))
    return sum(crowd.online for crowd in crowds if crowd is not None)


def _user(number: int) -> User:
    return User(f"user-{number}", f"User {number}")
