"""Many small rooms, all of them talking: how many messages does a server take?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Self

from bench.load import ClosedLoop
from bench.members import joined
from bench.scenarios.base import LOST, Metric, Scenario
from bench.server import running
from bench.systems.base import System


@dataclass(frozen=True)
class Rooms(Scenario):
    name = "rooms"
    summary = "many small rooms: messages per second, and server CPU per message"

    rooms: int = 100
    members: int = 5
    outstanding: int = 64
    seconds: float = 1.5
    warm_up: float = 0.3

    @classmethod
    def quick(cls) -> Self:
        return cls(rooms=4, members=3, outstanding=4, seconds=0.3, warm_up=0.1)

    def description(self) -> str:
        return (
            f"{self.rooms:,} rooms of {self.members} members. One member of each room sends, and the rooms take turns; "
            f"{self.outstanding} messages are outstanding at any time, over all rooms. {self.seconds:g} s."
        )

    def metrics(self) -> Sequence[Metric]:
        return [
            Metric("messages_per_second", "messages/s", "more"),
            Metric("deliveries_per_second", "deliveries/s", "more"),
            Metric("cpu_us_per_message", "CPU µs per message", "less"),
            LOST,
        ]

    def measure(self, system: System) -> Mapping[str, float]:
        rooms = [f"room{number % self.rooms}" for number in range(self.rooms * self.members)]
        with (
            running(system) as server,
            joined(server, rooms) as members,
            closing(ClosedLoop(server, members, members[: self.rooms])) as load,
        ):
            result = load.run(outstanding=self.outstanding, warm_up=self.warm_up, seconds=self.seconds)
        messages = result.deliveries / self.members
        return {
            "messages_per_second": messages / result.seconds,
            "deliveries_per_second": result.deliveries / result.seconds,
            "cpu_us_per_message": result.server_cpu / messages * 1e6,
            LOST.key: result.lost,
        }
