"""The commands that the server handles."""

import pytest

from hubbub import Hubbub
from hubbub.app.built_in_commands import BuiltInCommands
from hubbub.dispatch.hooks import Hooks
from hubbub.errors import Unavailable
from hubbub.node import Node
from hubbub.settings import Settings
from hubbub.wire.commands import CommandTable, Join, RoomPosition
from hubbub.wire.events import EventTable
from hubbub.wire.schema import json_schema
from tests.delivery.links import Person


def test_the_contract_names_what_is_served_and_nothing_else() -> None:
    assert Hubbub(guests="on").schema() == json_schema(CommandTable(), EventTable())


async def test_who_is_gone_before_a_room_could_not_be_read_leaves_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(Settings(), signing_key=b"k" * 32)
    await node.start()
    commands = BuiltInCommands(lambda: node, Hooks())
    here, gone = Person(node.fanout, "alice", id="here"), Person(node.fanout, "alice", id="gone")
    await commands.join(here.connection, Join(room="lobby"))

    async def lose_patience(*_: object, **__: object) -> None:
        gone.connection.lost(1006, "")
        node.rooms.disconnected(gone.connection, clean=True)
        raise Unavailable("the database is away")

    monkeypatch.setattr(node.catching_up, "join", lose_patience)
    await commands.join(gone.connection, Join(rooms=[RoomPosition(room="lobby"), RoomPosition(room="kitchen")]))

    assert node.rooms.online("lobby") == 1
    assert node.rooms.online("kitchen") == 0
    here.connection.lost(1006, "")
    await node.stop()
