"""The wire contract as JSON Schema (draft 2020-12), from which the TypeScript types and the docs are made."""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import models_json_schema

from hubbub.wire.codecs import PROTOCOL_VERSION
from hubbub.wire.codes import CLOSE_MEANINGS, ERROR_MEANINGS
from hubbub.wire.commands import CommandTable
from hubbub.wire.events import EventTable
from hubbub.wire.members import MembersPage
from hubbub.wire.rooms import OnlinePage, RoomsPage

REST_PAGES = (RoomsPage, OnlinePage, MembersPage)
"""What only REST answers. Clients need their types too."""


def json_schema(commands: CommandTable, events: EventTable) -> dict[str, Any]:
    """One schema with every frame and every page of a list in `$defs`, and the unions `Command` and `Event` by their
    `type`. `x-error-codes` and `x-close-codes` say what the codes mean.

    Clients ignore unknown fields, so no definition forbids them. Single fields have no title: it would repeat the
    field's name, and generators would make a type of each.
    """
    models = [
        *((model, "validation") for model in commands),
        *((model, "serialization") for model in events),
        *((model, "serialization") for model in REST_PAGES),
    ]
    _, schema = models_json_schema(models, ref_template="#/$defs/{model}")  # type: ignore[arg-type]
    definitions: dict[str, Any] = schema["$defs"]
    for definition in definitions.values():
        definition.pop("additionalProperties", None)
        for field in definition.get("properties", {}).values():
            _simplify(field)
    definitions["Command"] = _union(definitions, [model.__name__ for model in commands])
    definitions["Event"] = _union(definitions, [model.__name__ for model in events])
    for name in definitions["Command"].pop("_members") + definitions["Event"].pop("_members"):
        _require_type(definitions[name])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Hubbub wire protocol, version {PROTOCOL_VERSION}",
        "$defs": dict(sorted(definitions.items())),
        "x-error-codes": {
            str(code): {"meaning": meaning.meaning, "mayRetry": meaning.may_retry, "status": meaning.status}
            for code, meaning in ERROR_MEANINGS.items()
        },
        "x-close-codes": {
            str(int(code)): {
                "meaning": meaning.meaning,
                "reconnect": meaning.reconnect,
                "afterAWhile": meaning.after_a_while,
            }
            for code, meaning in CLOSE_MEANINGS.items()
        },
    }


class SchemaText:
    """`json_schema` as JSON. It takes tens of milliseconds to make, so it is kept until something is added."""

    def __init__(self, commands: CommandTable, events: EventTable) -> None:
        self._commands = commands
        self._events = events
        self._made_of: tuple[type, ...] = ()
        self._text = b""

    def get(self) -> bytes:
        models = (*self._commands, *self._events)
        if models != self._made_of:
            self._text = json.dumps(json_schema(self._commands, self._events), ensure_ascii=False).encode()
            self._made_of = models
        return self._text


def _simplify(field: dict[str, Any]) -> None:
    """A field without a value is left out on the wire, never null. Python says so with `| None`, the schema with
    `required`."""
    field.pop("title", None)
    if "default" in field and field["default"] is None:
        del field["default"]
        choices = [choice for choice in field.pop("anyOf", []) if choice != {"type": "null"}]
        if len(choices) == 1:
            field.update(choices[0] | field)
        elif choices:
            field["anyOf"] = choices


def _union(definitions: dict[str, Any], names: list[str]) -> dict[str, Any]:
    return {
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in names],
        "discriminator": {
            "propertyName": "type",
            "mapping": {definitions[name]["properties"]["type"]["const"]: f"#/$defs/{name}" for name in names},
        },
        "_members": names,
    }


def _require_type(definition: dict[str, Any]) -> None:
    """Mark `type` as required: it has a default in Python, but is always there on the wire."""
    required = definition.setdefault("required", [])
    if "type" not in required:
        required.insert(0, "type")
