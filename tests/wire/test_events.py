"""The events: absent fields are left out, and applications add to the table."""

from typing import Literal

import pytest
from pydantic import ValidationError

from hubbub.wire.answers import ErrorEvent
from hubbub.wire.base import Event, timestamp
from hubbub.wire.codecs import CODECS, JSON_CODEC, MSGPACK_CODEC, Codec
from hubbub.wire.codes import ErrorCode
from hubbub.wire.connection import PongEvent
from hubbub.wire.events import EventTable
from hubbub.wire.messages import MessageEvent
from hubbub.wire.publication import Publication, encode_event

HELLO = MessageEvent(room="lobby", user="alice", name="Alice", text="hello", ts=timestamp(0))


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_absent_fields_are_left_out_and_never_null(codec: Codec) -> None:
    assert codec.decode(encode_event(codec, HELLO)) == {
        "type": "message",
        "room": "lobby",
        "user": "alice",
        "name": "Alice",
        "kind": "text",
        "text": "hello",
        "ts": "1970-01-01T00:00:00.000Z",
    }


def test_both_codecs_say_the_same() -> None:
    error = ErrorEvent(code=ErrorCode.INVALID, message="no", errors=[{"loc": ["room"], "msg": "no", "type": "key"}])

    for event in (HELLO, error, PongEvent(id="1", ts=timestamp(1.5))):
        json = JSON_CODEC.decode(encode_event(JSON_CODEC, event))
        assert MSGPACK_CODEC.decode(encode_event(MSGPACK_CODEC, event)) == json


def test_a_publication_is_encoded_once_for_each_codec() -> None:
    publication = Publication("room:lobby", HELLO)

    for codec in (JSON_CODEC, MSGPACK_CODEC):
        assert publication.payload(codec) is publication.payload(codec)
        assert codec.decode(publication.payload(codec))["text"] == "hello"


def test_a_publication_may_carry_an_applications_own_structure() -> None:
    publication = Publication("room:lobby", {"type": "dice", "rolled": 6})

    assert JSON_CODEC.decode(publication.payload(JSON_CODEC)) == {"type": "dice", "rolled": 6}
    assert MSGPACK_CODEC.decode(publication.payload(MSGPACK_CODEC)) == {"type": "dice", "rolled": 6}


def test_a_time_is_utc_with_milliseconds() -> None:
    assert timestamp(1_795_000_000.1239) == "2026-11-18T11:06:40.123Z"
    assert timestamp(0) == "1970-01-01T00:00:00.000Z"


def test_an_unknown_field_of_an_event_raises_an_error() -> None:
    with pytest.raises(ValidationError):
        PongEvent(ts=timestamp(0), mood="great")  # type: ignore[call-arg]


class Dice(Event):
    """Somebody rolled."""

    type: Literal["dice"] = "dice"
    rolled: int


def test_an_application_registers_an_event_of_its_own() -> None:
    table = EventTable()

    table.register(Dice)

    assert "dice" in table
    with pytest.raises(ValueError, match="'dice' is registered already: Dice"):
        table.register(Dice)


def test_an_event_without_exactly_one_type_is_refused() -> None:
    class Anything(Event):
        pass

    with pytest.raises(TypeError, match="exactly one type"):
        EventTable().register(Anything)
