"""The golden frames in conformance/, which the tests of every client read as well, and the schema beside them.

Each entry has the frame as JSON and as MessagePack (in hexadecimal digits), and who sends it. A client's frame that is
wrong has the `error` that it gets: its code and, where a field is to blame, the `loc` of the first one.
"""

import json
from typing import Any

import pytest
from pydantic import BaseModel

from hubbub.errors import Invalid, RequestError, UnknownType
from hubbub.wire import commands, events
from hubbub.wire.codecs import JSON_CODEC, MSGPACK_CODEC, PROTOCOL_VERSION
from hubbub.wire.publication import encode_event
from hubbub.wire.schema import json_schema
from tests.servers import REPOSITORY

FOLDER = REPOSITORY / "conformance"

COMMANDS = commands.CommandTable()
EVENTS = {model.type_name(): model for model in events.EventTable()}


def golden(file: str) -> list[Any]:
    entries = json.loads((FOLDER / f"v{PROTOCOL_VERSION}" / file).read_text())
    return [pytest.param(entry, id=entry["name"]) for entry in entries]


def every_entry() -> list[Any]:
    return golden("commands.json") + golden("events.json") + golden("errors.json")


@pytest.mark.parametrize("entry", every_entry())
def test_both_codecs_say_the_same(entry: dict[str, Any]) -> None:
    assert MSGPACK_CODEC.decode(bytes.fromhex(entry["msgpack"])) == entry["frame"]
    if isinstance(entry["frame"], dict):
        assert MSGPACK_CODEC.encode(entry["frame"]).hex() == entry["msgpack"]
        assert JSON_CODEC.decode(JSON_CODEC.encode(entry["frame"])) == entry["frame"]


@pytest.mark.parametrize("entry", golden("commands.json"))
def test_a_command_is_understood_and_every_field_kept(entry: dict[str, Any]) -> None:
    assert entry["direction"] == "client"

    command = COMMANDS.validate(entry["frame"])

    known = {name: value for name, value in entry["frame"].items() if name in type(command).model_fields}
    assert command.model_dump(include=set(known), exclude_unset=True) == known


@pytest.mark.parametrize("entry", golden("events.json"))
def test_an_event_is_sent_exactly_like_this(entry: dict[str, Any]) -> None:
    assert entry["direction"] == "server"

    event = EVENTS[entry["frame"]["type"]].model_validate(entry["frame"])

    assert JSON_CODEC.decode(encode_event(JSON_CODEC, event)) == entry["frame"]
    assert MSGPACK_CODEC.decode(encode_event(MSGPACK_CODEC, event)) == entry["frame"]


@pytest.mark.parametrize("entry", golden("errors.json"))
def test_a_wrong_command_gets_this_error(entry: dict[str, Any]) -> None:
    assert entry["direction"] == "client"

    with pytest.raises(RequestError) as caught:
        COMMANDS.validate(entry["frame"])

    assert isinstance(caught.value, (Invalid, UnknownType))
    assert caught.value.code == entry["error"]["code"]
    if "loc" in entry["error"]:
        assert caught.value.errors is not None
        assert caught.value.errors[0]["loc"] == entry["error"]["loc"]


@pytest.mark.parametrize(
    ("file", "models"),
    [("commands.json", list(COMMANDS)), ("events.json", list(EVENTS.values()))],
    ids=["commands", "events"],
)
def test_every_type_has_a_golden_frame_and_so_has_every_field(file: str, models: list[type[BaseModel]]) -> None:
    frames = [param.values[0]["frame"] for param in golden(file)]

    for model in models:
        name = model.model_fields["type"].default
        shown = {field for frame in frames if frame["type"] == name for field in frame}
        assert shown >= {"type"}, f"no golden frame of type {name}"
        missing = set(model.model_fields) - shown - {"id"}
        assert not missing, f"no golden frame of type {name} has {missing}"


def test_the_schema_beside_the_frames_is_up_to_date() -> None:
    kept = json.loads((FOLDER / "schema.json").read_text())

    assert kept == json_schema(COMMANDS, events.EventTable()), "run: hubbub schema > conformance/schema.json"


def test_the_schema_knows_every_frame_by_its_type() -> None:
    definitions = json_schema(COMMANDS, events.EventTable())["$defs"]

    for union, models in (("Command", list(COMMANDS)), ("Event", list(EVENTS.values()))):
        mapping = definitions[union]["discriminator"]["mapping"]
        assert mapping == {model.type_name(): f"#/$defs/{model.__name__}" for model in models}
        for model in models:
            assert "type" in definitions[model.__name__]["required"]
            assert "additionalProperties" not in definitions[model.__name__]
