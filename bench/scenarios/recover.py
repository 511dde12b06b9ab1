"""All clients of a room lose their connections and come back: how long until each has what it missed?"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode

from bench import messages, websocket
from bench.conversation import Conversation, conversation
from bench.count_queries import number_of_queries
from bench.crowd import Visitor, visiting
from bench.errors import BenchError
from bench.load import no_garbage_collection
from bench.scenarios.base import LOST, Metric, Scenario
from bench.server import Server, running
from bench.systems.base import System

_HUSH = 1.5
"""Seconds. The server sends a count once a second, so after this there is no further event about the joins."""

_ABOUT_OTHERS = {"join", "leave", "online"}


@dataclass(frozen=True)
class Recover(Scenario):
    name = "recover"
    summary = "all clients disconnect and return at once: the time until all have what they missed"

    clients: tuple[int, ...] = (200, 2000)
    missed: int = 100

    @classmethod
    def quick(cls) -> Self:
        return cls(clients=(20,), missed=10)

    def description(self) -> str:
        return (
            "The clients of one room vanish. When the room has noticed, a member who stayed sends "
            f"{self.missed} messages. Then all clients reconnect at the same moment, each with its secret and its "
            "position. The time ends when the last client has its last row; then the rows of every client are "
            "compared with what was sent. Queries are those that the database ran in that time. Events about others "
            "are the events about the return of the other clients, for the client that got the most."
        )

    def metrics(self) -> Sequence[Metric]:
        each = [
            (
                Metric(f"seconds_{count}", f"{count:,} clients: s", "less"),
                Metric(f"cpu_ms_{count}", f"{count:,}: CPU ms for each", "less"),
                Metric(f"queries_{count}", f"{count:,}: queries", "less"),
                Metric(f"about_others_{count}", f"{count:,}: events about others", "less"),
            )
            for count in self.clients
        ]
        return [metric for group in each for metric in group] + [
            Metric("not_recovered", "told to start over", "less"),
            LOST,
        ]

    def measure(self, system: System) -> Mapping[str, float]:
        values: dict[str, float] = {"not_recovered": 0, LOST.key: 0}
        # A return within the linger is not announced. Without linger every return is: the harder case.
        with running(system, {"HUBBUB_LINGER": "0"}) as server:
            for count in self.clients:
                for key, value in _drop_and_return(server, f"recover{count}", count, self.missed).items():
                    if key in values:
                        values[key] += value
                    else:
                        values[f"{key}_{count}"] = value
        return values


def _drop_and_return(server: Server, room: str, count: int, missed: int) -> Mapping[str, float]:
    with conversation(server, f"/ws/chat/{room}?username=stayed") as stayed:
        stayed.expect(b'"type":"joined"')
        _say(stayed, room, missed)
        first_visits = [_first_visit(server, room, number) for number in range(count)]
        with visiting(server, first_visits) as crowd:
            crowd.listen_until(_has_joined)
            ways_back = [_way_back(server, room, visitor) for visitor in crowd.visitors]
        stayed.expect(b'"online":1}')
        sent = _say(stayed, room, missed)
        return _return(server, ways_back, sent)


def _return(server: Server, ways_back: Sequence[bytes], sent: Mapping[int, str]) -> Mapping[str, float]:
    with no_garbage_collection():
        cpu, queries, began = server.cpu_seconds(), number_of_queries(server.folder), time.perf_counter()
        with visiting(server, ways_back) as crowd:
            crowd.listen_until(lambda visitor: visitor.markers >= len(sent))
            ended = time.perf_counter()
            cpu, queries = server.cpu_seconds() - cpu, number_of_queries(server.folder) - queries
            crowd.listen_for(_HUSH)
            heard = [visitor.events() for visitor in crowd.visitors]
    return {
        "seconds": ended - began,
        "cpu_ms": cpu / len(heard) * 1e3,
        "queries": queries,
        "about_others": max(sum(event["type"] in _ABOUT_OTHERS for event in events) for events in heard),
        "not_recovered": sum(not _joined(events)["recovered"] for events in heard),
        LOST.key: sum(lost(events, sent) for events in heard),
    }


def _say(speaker: Conversation, room: str, number: int) -> dict[int, str]:
    """Sends this many messages, one after the other. Returns them by the `seq` in their acks."""
    said = {}
    for stamp in range(number):
        text = messages.text(0, stamp)
        said[speaker.ask({"type": "message", "room": room, "text": text}).event()["seq"]] = text
    return said


def _first_visit(server: Server, room: str, number: int) -> bytes:
    return websocket.upgrade_request(f"/ws/chat/{room}?username=m{number}", server.port)


def _has_joined(visitor: Visitor) -> bool:
    return any(event["type"] == "joined" for event in visitor.events())


def _way_back(server: Server, room: str, visitor: Visitor) -> bytes:
    """What a client sends to return: its secret and its position."""
    events = visitor.events()
    joined = _joined(events)
    secret = events[0]["secret"]
    join = {"type": "join", "room": room, "rev": joined["rev"], "epoch": joined["epoch"]}
    upgrade = websocket.upgrade_request(f"/ws?{urlencode({'secret': secret})}", server.port)
    return upgrade + websocket.frame(json.dumps(join).encode())


def _joined(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    for event in events:
        if event["type"] == "joined":
            return event
    raise BenchError(f"a client has not joined the room: it got {events}")


def lost(events: Sequence[Mapping[str, Any]], sent: Mapping[int, str]) -> int:
    """How many messages a client lacks. Raises BenchError if it got one twice, or one that was not sent."""
    rows = [row for event in events if event["type"] in {"joined", "sync"} for row in event["messages"]]
    rows += [event for event in events if event["type"] == "message"]
    texts = {row["seq"]: row["text"] for row in rows}
    if len(texts) < len(rows) or texts.keys() - sent.keys():
        raise BenchError(f"a client got {len(rows)} rows with {len(texts)} numbers, where {len(sent)} were sent")
    return sum(texts.get(seq) != text for seq, text in sent.items())
