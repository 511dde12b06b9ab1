"""The commands: the rules of their fields, the errors that name the fields, and the table to which applications add."""

from typing import Any, Literal

import pytest

from hubbub.errors import Invalid, UnknownType
from hubbub.wire.base import Command
from hubbub.wire.codecs import JSON_CODEC, NESTING
from hubbub.wire.commands import BUILT_IN, CommandTable
from hubbub.wire.connection import Ping
from hubbub.wire.data import DATA_BYTES
from hubbub.wire.messages import SendMessage
from hubbub.wire.rooms import ROOMS_PER_JOIN, Join

TABLE = CommandTable()


def test_an_error_has_the_rules_own_words() -> None:
    with pytest.raises(Invalid) as refusal:
        TABLE.validate({"type": "react", "room": "lobby", "seq": 1, "emoji": "nonsense"})

    assert refusal.value.message == "emoji: a reaction is one emoji"
    assert [entry["msg"] for entry in refusal.value.errors or ()] == ["a reaction is one emoji"]


def nested(levels: int) -> dict[str, Any]:
    structure: dict[str, Any] = {}
    for _ in range(levels - 1):
        structure = {"a": structure}
    return structure


@pytest.mark.parametrize(
    ("frame", "field"),
    [
        ({"type": "message", "text": "hi"}, "room"),
        ({"type": "message", "room": "lobby"}, "text"),
        ({"type": "message", "room": 7, "text": "hi"}, "room"),
        ({"type": "message", "room": "no spaces", "text": "hi"}, "room"),
        ({"type": "message", "room": "-dash", "text": "hi"}, "room"),
        ({"type": "message", "room": "a" * 65, "text": "hi"}, "room"),
        ({"type": "message", "room": "lobby\n", "text": "hi"}, "room"),
        ({"type": "message", "room": "lobby", "text": None}, "text"),
        ({"type": "message", "room": "lobby", "text": "x" * 4001}, "text"),
        ({"type": "message", "room": "lobby", "text": "bell\x07"}, "text"),
        ({"type": "message", "room": "lobby", "text": "hi", "id": ""}, "id"),
        ({"type": "message", "room": "lobby", "text": "hi", "id": "i" * 65}, "id"),
        ({"type": "message", "room": "lobby", "text": "hi", "id": 1}, "id"),
        ({"type": "message", "room": "lobby", "text": "hi", "key": "short"}, "key"),
        ({"type": "message", "room": "lobby", "text": "hi", "key": "k" * 65}, "key"),
        ({"type": "message", "room": "lobby", "text": "hi", "data": []}, "data"),
        ({"type": "message", "room": "lobby", "text": "hi", "data": {"a": "x" * DATA_BYTES}}, "data"),
        ({"type": "message", "room": "lobby", "text": "hi", "data": {"a": 2**64}}, "data"),
        ({"type": "message", "room": "lobby", "text": "hi", "data": {"a": float("inf")}}, "data"),
        ({"type": "message", "room": "lobby", "text": "hi", "data": nested(NESTING + 1)}, "data"),
        ({"type": "join", "room": "lobby", "rev": -1}, "rev"),
        ({"type": "join", "room": "lobby", "rev": 2**53}, "rev"),
        ({"type": "join", "room": "lobby", "rev": "1"}, "rev"),
        ({"type": "join", "room": "lobby", "rev": 1.5}, "rev"),
        ({"type": "join", "room": "lobby", "rev": True}, "rev"),
        ({"type": "join", "room": "lobby", "epoch": "e" * 65}, "epoch"),
        ({"type": "join", "room": "lobby", "limit": 201}, "limit"),
        ({"type": "join", "rooms": []}, "rooms"),
        ({"type": "join", "rooms": "lobby"}, "rooms"),
        ({"type": "join", "rooms": [{"room": "lobby"}] * (ROOMS_PER_JOIN + 1)}, "rooms"),
        ({"type": "join", "rooms": [{"room": "lobby"}, {"room": "!"}]}, "rooms.1.room"),
        ({"type": "join", "rooms": [{"rev": 1}]}, "rooms.0.room"),
        ({"type": "leave"}, "room"),
        ({"type": "typing"}, "room"),
        ({"type": "typing", "room": "lobby", "active": "yes"}, "active"),
        ({"type": "ping", "id": []}, "id"),
    ],
    ids=lambda value: value if isinstance(value, str) else value["type"],
)
def test_an_error_names_the_field(frame: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        TABLE.validate(frame)

    assert caught.value.message.startswith(f"{field}: ")
    assert caught.value.errors is not None
    assert ".".join(caught.value.errors[0]["loc"]) == field


@pytest.mark.parametrize("frame", [{"type": "join"}, {"type": "join", "room": "a", "rooms": [{"room": "b"}]}])
def test_a_join_has_either_room_or_rooms(frame: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="either `room` or `rooms`"):
        TABLE.validate(frame)


def test_a_join_names_each_room_once_in_any_case() -> None:
    with pytest.raises(Invalid, match="name each room once"):
        TABLE.validate({"type": "join", "rooms": [{"room": "lobby"}, {"room": "kitchen"}, {"room": "Lobby"}]})


def test_an_error_never_repeats_what_was_sent() -> None:
    with pytest.raises(Invalid) as caught:
        TABLE.validate({"type": "message", "room": "my secret", "text": "x", "key": "hush", "data": "canary"})

    told = caught.value.message + str(caught.value.errors)
    assert not [word for word in ("my secret", "hush", "canary") if word in told]


def test_an_error_is_short_even_for_a_very_wrong_frame() -> None:
    rooms = [{"room": "!" * 10_000}] * ROOMS_PER_JOIN

    with pytest.raises(Invalid) as caught:
        TABLE.validate({"type": "join", "rooms": rooms})

    assert len(JSON_CODEC.encode({"errors": caught.value.errors})) < 4096


@pytest.mark.parametrize("frame", [None, 1, "message", [], [{"type": "ping"}], True])
def test_a_frame_is_one_object(frame: object) -> None:
    with pytest.raises(Invalid, match="one object"):
        TABLE.validate(frame)


@pytest.mark.parametrize("name", [None, 1, [], {}, ["ping"], {"type": "ping"}])
def test_a_type_is_a_string(name: object) -> None:
    with pytest.raises(Invalid, match="type: a string is required"):
        TABLE.validate({"type": name})


def test_the_error_for_a_missing_type_says_that_it_is_required() -> None:
    with pytest.raises(Invalid, match="type: a string is required"):
        TABLE.validate({"room": "lobby", "text": "hi"})


def test_the_error_for_an_unknown_type_lists_the_known_ones() -> None:
    with pytest.raises(UnknownType) as caught:
        TABLE.validate({"type": "shout" * 1000})

    assert all(model.type_name() in caught.value.message for model in BUILT_IN)
    assert len(caught.value.message) < 500


def test_unknown_fields_are_ignored() -> None:
    assert TABLE.validate({"type": "ping", "id": "1", "mood": "great"}) == Ping(id="1")


def test_a_text_of_the_maximum_length_is_kept_as_written() -> None:
    text = "  👩‍👩‍👧‍👦\t\n" + "é" * 3900

    command = TABLE.validate({"type": "message", "room": "lobby", "text": text})

    assert isinstance(command, SendMessage)
    assert command.text == text


def test_data_is_kept_unchanged() -> None:
    data = nested(NESTING) | {"n": 2**64 - 1, "f": 1.5, "list": [None, True, "x"]}

    command = TABLE.validate({"type": "message", "room": "lobby", "text": "", "data": data})

    assert isinstance(command, SendMessage)
    assert command.data == data


def test_one_room_is_joined_with_its_position_like_many_rooms() -> None:
    one = TABLE.validate({"type": "join", "room": "lobby", "rev": 7, "epoch": "e1"})
    many = TABLE.validate({"type": "join", "rooms": [{"room": "lobby", "rev": 7, "epoch": "e1"}]})

    assert isinstance(one, Join)
    assert isinstance(many, Join)
    assert one.positions == many.positions


class Roll(Command):
    """Roll a die."""

    type: Literal["roll"] = "roll"
    sides: int


def test_an_application_registers_a_command_of_its_own() -> None:
    table = CommandTable()
    assert "roll" not in table

    table.register(Roll)

    assert "roll" in table
    assert table.validate({"type": "roll", "sides": 6}) == Roll(sides=6)
    with pytest.raises(Invalid, match="sides: "):
        table.validate({"type": "roll"})


def test_a_command_registered_after_the_first_validation_is_understood() -> None:
    table = CommandTable()
    table.validate({"type": "ping"})

    table.register(Roll)

    assert table.validate({"type": "roll", "sides": 6}) == Roll(sides=6)


def test_the_error_for_a_taken_type_names_its_model() -> None:
    class Other(Command):
        type: Literal["ping"] = "ping"

    with pytest.raises(ValueError, match="'ping' is registered already: Ping"):
        CommandTable().register(Other)


def test_a_command_without_exactly_one_type_is_refused() -> None:
    class Anything(Command):
        pass

    class Two(Command):
        type: Literal["one", "two"]

    for model in (Anything, Two):
        with pytest.raises(TypeError, match="exactly one type"):
            CommandTable().register(model)
