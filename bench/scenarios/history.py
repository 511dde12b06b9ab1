"""Many messages are stored: do a page and a new message still take the same time?"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Self

from bench import messages
from bench.conversation import Answer, Conversation, RestClient, conversation
from bench.errors import BenchError
from bench.load import no_garbage_collection, percentile
from bench.scenarios.base import Metric, Scenario
from bench.server import running
from bench.systems.base import System

_ROOMS = 100
_PAGE = 50


@dataclass(frozen=True)
class History(Scenario):
    name = "history"
    summary = "many stored messages: the time of a page, and of a new message"

    pages: int = 1000
    sends: int = 200
    pause_ms: int = 10

    @classmethod
    def quick(cls) -> Self:
        return cls(pages=20, sends=5, pause_ms=1)

    def description(self) -> str:
        return (
            f"One client on an idle server reads {self.pages:,} pages of {_PAGE} messages, each before a random place "
            f"in one of the {_ROOMS} largest rooms: first over its socket (`history`), then the same number over REST. "
            f"Then it sends {self.sends:,} messages with keys to the largest room, each {self.pause_ms} ms after the "
            "ack of the one before. Times are from the request to the last byte of the answer."
        )

    def metrics(self) -> Sequence[Metric]:
        return [
            Metric(f"{what}_p{percent}_ms", f"{title}: p{percent} ms", "less")
            for what, title in (("page", "page"), ("rest_page", "page by REST"), ("send", "one message"))
            for percent in (50, 99)
        ]

    def measure(self, system: System) -> Mapping[str, float]:
        with (
            running(system) as server,
            conversation(server, "/ws?username=reader") as client,
            closing(RestClient(server)) as rest,
        ):
            places = _Places(client)
            with no_garbage_collection():
                taken = {
                    "page": [_page(client.ask(_history(*places.choose()))) for _ in range(self.pages)],
                    "rest_page": [_page(rest.get(_address(*places.choose()))) for _ in range(self.pages)],
                    "send": [self._send(client, places.largest, number) for number in range(self.sends)],
                }
        return {
            f"{what}_p{percent}_ms": percentile(sorted(seconds), percent) * 1e3
            for what, seconds in taken.items()
            for percent in (50, 99)
        }

    def _send(self, client: Conversation, room: str, number: int) -> float:
        time.sleep(self.pause_ms / 1e3)
        text = messages.text(0, number)
        answer = client.ask({"type": "message", "room": room, "text": text, "key": f"{random.getrandbits(96):024x}"})
        if "seq" not in answer.event():
            raise BenchError(f"the message was not stored: {answer.text.decode()}")
        return answer.seconds


class _Places:
    """Random places in the rooms, each message with the same probability. A whole page comes before each place."""

    def __init__(self, client: Conversation) -> None:
        self._rooms: dict[str, int] = {}
        for number in range(1, _ROOMS + 1):
            room = f"room{number}"
            joined = client.ask({"type": "join", "room": room, "limit": 1}).event()
            if joined["seq"] > _PAGE:
                self._rooms[room] = joined["seq"]
        if not self._rooms:
            raise BenchError("no room holds more than a page")
        self.largest = max(self._rooms, key=lambda room: self._rooms[room])

    def choose(self) -> tuple[str, int]:
        (room,) = random.choices([*self._rooms], [*self._rooms.values()])
        return room, random.randint(_PAGE + 1, self._rooms[room])


def _history(room: str, before: int) -> dict[str, Any]:
    return {"type": "history", "room": room, "before": before, "limit": _PAGE}


def _address(room: str, before: int) -> str:
    return f"/api/v1/rooms/{room}/messages?before={before}&limit={_PAGE}"


def _page(answer: Answer) -> float:
    number = len(answer.event()["messages"])
    if number != _PAGE:
        raise BenchError(f"a page of {number} messages came, not of {_PAGE}")
    return answer.seconds
