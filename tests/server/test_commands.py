"""The commands that the server handles."""

from collections.abc import Awaitable
from typing import Any, Literal, cast

import httpx
import pytest
from fastapi import FastAPI

from hubbub import Event, Hubbub
from hubbub.dispatch.hooks import Hooks
from hubbub.errors import Unavailable
from hubbub.features.built_in import built_in
from hubbub.features.messages.feature import MessagesFeature
from hubbub.features.rooms.feature import RoomsFeature
from hubbub.testing import serving
from hubbub.wire.commands import CommandTable
from hubbub.wire.events import EventTable
from hubbub.wire.rooms import Join, RoomPosition
from hubbub.wire.schema import json_schema
from tests.delivery.links import Person
from tests.lone_node import lone_node


def test_the_schema_names_exactly_the_commands_that_are_served() -> None:
    assert Hubbub(guests="on").schema() == json_schema(CommandTable(), EventTable())


async def test_the_schema_is_made_once_and_again_when_something_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wave(Event):
        type: Literal["wave"] = "wave"

    made: list[dict[str, Any]] = []

    def json_schema_once_more(commands: CommandTable, events: EventTable) -> dict[str, Any]:
        made.append(json_schema(commands, events))
        return made[-1]

    monkeypatch.setattr("hubbub.wire.schema.json_schema", json_schema_once_more)
    hub = Hubbub(guests="on")
    app = FastAPI()
    app.include_router(hub.router)

    async with serving(app) as server, httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
        served = [(await client.get("/schema.json")).json() for _ in range(3)]
        hub.event(Wave)
        later = (await client.get("/schema.json")).json()

    assert served == [json_schema(CommandTable(), EventTable())] * 3
    assert "Wave" in later["$defs"]
    assert made == [served[0], later]


async def test_a_connection_that_ends_while_its_join_fails_leaves_once(monkeypatch: pytest.MonkeyPatch) -> None:
    node = lone_node(features=built_in(Hooks()))
    await node.start()
    rooms, messages = node.feature(RoomsFeature).rooms, node.feature(MessagesFeature)
    (join,) = (registration.handler for registration in messages.commands() if registration.model is Join)
    here, gone = Person(node.fanout, "alice", id="here"), Person(node.fanout, "alice", id="gone")
    await cast(Awaitable[Any], join(here.connection, Join(room="lobby")))

    async def lose_patience(*_: object, **__: object) -> None:
        gone.connection.lost(1006, "")
        rooms.disconnected(gone.connection, clean=True)
        raise Unavailable("the database is away")

    monkeypatch.setattr(messages.catching_up, "join", lose_patience)
    await cast(
        Awaitable[Any], join(gone.connection, Join(rooms=[RoomPosition(room="lobby"), RoomPosition(room="kitchen")]))
    )

    assert rooms.online("lobby") == 1
    assert rooms.online("kitchen") == 0
    here.connection.lost(1006, "")
    await node.stop()
