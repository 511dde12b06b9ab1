"""Many small rooms on PostgreSQL: what does a message cost if the members of each room are on two nodes?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Self

from bench.load import ClosedLoop
from bench.members import Member, joined
from bench.nodes import engines
from bench.scenarios.base import LOST, Metric, Scenario
from bench.server import Server
from bench.systems.base import System


@dataclass(frozen=True)
class ClusterRooms(Scenario):
    name = "cluster-rooms"
    summary = "many small rooms on PostgreSQL: what a message costs on one node, and on two"
    part_of_all = False

    rooms: int = 100
    members: int = 5
    outstanding: int = 64
    seconds: float = 3.0
    warm_up: float = 1.0

    @classmethod
    def quick(cls) -> Self:
        return cls(rooms=4, members=3, outstanding=4, seconds=1.0, warm_up=0.1)

    def description(self) -> str:
        return (
            f"{self.rooms:,} rooms of {self.members} members. With two nodes, the members of each room are on both, "
            "and in half of the rooms the sender is on the second node. One member of each room sends, and the rooms "
            f"take turns; {self.outstanding} messages are outstanding at any time, over all rooms. {self.seconds:g} s. "
            "All processes are on one core."
        )

    def metrics(self) -> Sequence[Metric]:
        return [
            Metric("messages_per_second", "messages/s", "more"),
            Metric("cpu_us", "CPU µs per message", "less"),
            Metric("nodes_us", "of them nodes", "less"),
            Metric("redis_us", "Redis", "less"),
            Metric("database_us", "PostgreSQL", "less"),
            LOST,
        ]

    def measure(self, system: System) -> Mapping[str, float]:
        with engines(system) as behind, behind.nodes() as (nodes, everything), self._joined(nodes) as members:
            senders, witnesses = self._senders(members, len(nodes))
            with closing(ClosedLoop(everything, members, senders, witnesses)) as load:
                result = load.run(outstanding=self.outstanding, warm_up=self.warm_up, seconds=self.seconds)
        messages = result.deliveries / self.members
        used = [seconds / messages * 1e6 for seconds in result.cpu_of_each_server]
        return {
            "messages_per_second": messages / result.seconds,
            "cpu_us": sum(used),
            "nodes_us": sum(used[: len(nodes)]),
            "redis_us": sum(used[len(nodes) : -1]),
            "database_us": used[-1],
            LOST.key: result.lost,
        }

    @contextmanager
    def _joined(self, nodes: Sequence[Server]) -> Iterator[list[Member]]:
        """The members; each room's next one is on the next node."""
        with ExitStack() as stack:
            members: list[Member] = []
            for place in range(self.members):
                node = nodes[place % len(nodes)]
                rooms = [f"room{number}" for number in range(self.rooms)]
                members += stack.enter_context(joined(node, rooms, first=len(members)))
            yield members

    def _senders(self, members: Sequence[Member], nodes: int) -> tuple[list[Member], list[Member]]:
        """One of each room; and of each room a witness on another node, if there is one."""
        firsts, seconds = members[: self.rooms], members[self.rooms : 2 * self.rooms]
        if nodes == 1:
            return list(firsts), []
        turned = [(b, a) if number % 2 else (a, b) for number, (a, b) in enumerate(zip(firsts, seconds, strict=True))]
        return [sender for sender, _ in turned], [witness for _, witness in turned]
