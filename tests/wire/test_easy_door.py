"""What people may type at an address that names the room."""

from typing import Any, Literal

import pytest

from hubbub.errors import Invalid
from hubbub.wire.base import Command
from hubbub.wire.codecs import JSON_CODEC, MSGPACK_CODEC
from hubbub.wire.commands import CommandTable
from hubbub.wire.easy_door import read_easily

TABLE = CommandTable()


def read(typed: str) -> Any:
    return read_easily(JSON_CODEC, typed.encode(), room="room1", commands=TABLE)


@pytest.mark.parametrize(
    "typed",
    [
        '{"text": "Hello Bob!"}',
        '{"type": "message", "text": "Hello Bob!"}',
        '{"type": "msg", "text": "Hello Bob!"}',
        '{"type": "chat", "text": "Hello Bob!"}',
        '  {"text": "Hello Bob!"}',
        "Hello Bob!",
        '{"text": "Hello Bob!"}   # what a comment says is not sent',
        '{"text": "Hello Bob!"}# nor here',
    ],
)
def test_every_easy_form_is_the_same_message(typed: str) -> None:
    assert read(typed) == {"type": "message", "room": "room1", "text": "Hello Bob!"}


@pytest.mark.parametrize("typed", ["", "[1, 2]", '"quoted"', "42", "null", "NaN", "a {brace}"])
def test_a_frame_that_does_not_begin_like_an_object_is_a_text(typed: str) -> None:
    assert read(typed) == {"type": "message", "room": "room1", "text": typed}


def test_a_broken_object_is_invalid_and_no_text() -> None:
    with pytest.raises(Invalid, match="not JSON"):
        read('{"text": "Hello')


@pytest.mark.parametrize(
    "typed", ['{"text": "hi"} and more', '{"text": "hi" # too early', '{"text": "hi"} # ends in }']
)
def test_only_a_comment_after_the_object_is_removed(typed: str) -> None:
    with pytest.raises(Invalid, match="not JSON"):
        read(typed)


def test_a_hash_in_an_object_or_a_text_begins_no_comment() -> None:
    assert read('{"text": "issue } # 7"}')["text"] == "issue } # 7"
    assert read("Hello # Bob")["text"] == "Hello # Bob"


def test_a_named_room_is_kept() -> None:
    assert read('{"text": "hi", "room": "elsewhere"}')["room"] == "elsewhere"


def test_other_commands_get_the_room_of_the_address_too() -> None:
    assert read('{"type": "typing"}') == {"type": "typing", "room": "room1"}


def test_a_join_without_a_room_stays_without_one() -> None:
    assert read('{"type": "join", "rooms": [{"room": "a"}]}') == {"type": "join", "rooms": [{"room": "a"}]}


@pytest.mark.parametrize("name", ["[]", "{}", "null", "1", "true"])
def test_a_type_that_is_not_a_string_is_refused_by_the_table(name: str) -> None:
    with pytest.raises(Invalid, match="type: a string is required"):
        TABLE.validate(read(f'{{"type": {name}}}'))


def test_the_easy_door_takes_messagepack_too() -> None:
    payload = MSGPACK_CODEC.encode({"text": "hi"})

    frame = read_easily(MSGPACK_CODEC, payload, room="room1", commands=TABLE)

    assert frame == {"type": "message", "room": "room1", "text": "hi"}


def test_an_applications_own_type_wins_over_an_alias() -> None:
    class Chat(Command):
        type: Literal["chat"] = "chat"

    table = CommandTable()
    table.register(Chat)

    assert read_easily(JSON_CODEC, b'{"type": "chat"}', room="room1", commands=table)["type"] == "chat"
