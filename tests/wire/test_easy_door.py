"""What people may type where the address names the room."""

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
def test_what_does_not_begin_like_an_object_is_a_text(typed: str) -> None:
    assert read(typed) == {"type": "message", "room": "room1", "text": typed}


def test_what_begins_like_an_object_and_is_none_is_invalid() -> None:
    with pytest.raises(Invalid, match="not JSON"):
        read('{"text": "Hello')


@pytest.mark.parametrize(
    "typed", ['{"text": "hi"} and more', '{"text": "hi" # too early', '{"text": "hi"} # ends in }']
)
def test_only_a_comment_behind_the_object_is_left_out(typed: str) -> None:
    with pytest.raises(Invalid, match="not JSON"):
        read(typed)


def test_a_hash_within_an_object_or_a_text_is_no_comment() -> None:
    assert read('{"text": "issue } # 7"}')["text"] == "issue } # 7"
    assert read("Hello # Bob")["text"] == "Hello # Bob"


def test_a_room_that_is_named_counts() -> None:
    assert read('{"text": "hi", "room": "elsewhere"}')["room"] == "elsewhere"


def test_other_commands_mean_this_room_too() -> None:
    assert read('{"type": "typing"}') == {"type": "typing", "room": "room1"}


def test_a_join_without_a_room_stays_without_one() -> None:
    assert read('{"type": "join", "rooms": [{"room": "a"}]}') == {"type": "join", "rooms": [{"room": "a"}]}


@pytest.mark.parametrize("name", ["[]", "{}", "null", "1", "true"])
def test_a_type_that_is_no_string_is_left_for_the_table_to_refuse(name: str) -> None:
    with pytest.raises(Invalid, match="type: a string is required"):
        TABLE.validate(read(f'{{"type": {name}}}'))


def test_messagepack_has_the_same_door() -> None:
    payload = MSGPACK_CODEC.encode({"text": "hi"})

    frame = read_easily(MSGPACK_CODEC, payload, room="room1", commands=TABLE)

    assert frame == {"type": "message", "room": "room1", "text": "hi"}


def test_an_application_may_own_the_words_that_are_aliases_elsewhere() -> None:
    class Chat(Command):
        type: Literal["chat"] = "chat"

    table = CommandTable()
    table.register(Chat)

    assert read_easily(JSON_CODEC, b'{"type": "chat"}', room="room1", commands=table)["type"] == "chat"
