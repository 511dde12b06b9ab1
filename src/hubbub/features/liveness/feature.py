"""The feature of liveness: a client's `ping` and `pong`. The server's own pings are sent by `delivery/heartbeat.py`."""

from __future__ import annotations

import time
from collections.abc import Iterable

from hubbub.delivery.connection import Connection
from hubbub.dispatch.registry import Registration, Unasked
from hubbub.features.feature import Feature
from hubbub.wire.base import timestamp
from hubbub.wire.connection import Ping, Pong, PongEvent


class LivenessFeature(Feature):
    def commands(self) -> Iterable[Registration]:
        nobody_else = Unasked("it is about the connection alone")
        yield Registration(Ping, ping, asks=nobody_else)
        yield Registration(Pong, pong, asks=nobody_else, replies_itself=True)


def ping(connection: Connection, command: Ping) -> PongEvent:
    return PongEvent(ts=timestamp(time.time()))


def pong(connection: Connection, command: Pong) -> None:
    """Nothing to do: any frame shows that the connection lives."""
