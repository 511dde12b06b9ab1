"""The commands that the server handles."""

from hubbub import Hubbub
from hubbub.wire.commands import CommandTable
from hubbub.wire.events import EventTable
from hubbub.wire.schema import json_schema


def test_the_contract_names_what_is_served_and_nothing_else() -> None:
    assert Hubbub(guests="on").schema() == json_schema(CommandTable(), EventTable())
