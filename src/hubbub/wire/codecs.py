"""The codecs: how one structure becomes bytes, and back.

Both codecs carry the same structures. JSON is the default and what people type by hand; MessagePack is smaller and
keeps binary data as it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import ormsgpack
from pydantic_core import from_json, to_json

from hubbub.errors import Invalid

PROTOCOL_VERSION = 1
NESTING = 64
CONTAINERS = 4096
"""Lists and objects in one frame from a client. 64 KB of empty lists would cost the event loop ten times as much as the
largest text."""


class Codec(Protocol):
    """The codec port."""

    name: str
    subprotocol: str
    binary: bool
    """Whether its frames are binary (RFC 6455 opcode 2) or text (opcode 1)."""

    def decode(self, payload: bytes | str, *, containers: int | None = CONTAINERS) -> Any:
        """One frame's payload as a structure. Raises `Invalid` if it is not well formed, or if it holds more than
        `containers` lists and objects."""

    def encode(self, structure: Mapping[str, Any]) -> bytes:
        """A structure as one frame's payload."""


class JSON:
    name = "json"
    subprotocol = f"hubbub.v{PROTOCOL_VERSION}.json"
    binary = False

    def decode(self, payload: bytes | str, *, containers: int | None = CONTAINERS) -> Any:
        try:
            structure = from_json(payload, allow_inf_nan=False, cache_strings="keys")
        except ValueError as error:
            raise Invalid(f"not JSON: {error}") from None
        if containers is not None and len(payload) > containers:
            _check_containers(structure, containers)
        return structure

    def encode(self, structure: Mapping[str, Any]) -> bytes:
        return to_json(structure)


class MessagePack:
    name = "msgpack"
    subprotocol = f"hubbub.v{PROTOCOL_VERSION}.msgpack"
    binary = True

    def decode(self, payload: bytes | str, *, containers: int | None = CONTAINERS) -> Any:
        try:
            structure = ormsgpack.unpackb(payload if isinstance(payload, bytes) else payload.encode())
        except (ValueError, TypeError) as error:
            raise Invalid(f"not MessagePack: {error}") from None
        # Each of them takes a byte or more.
        if containers is not None and len(payload) > containers:
            _check_containers(structure, containers)
        check_plain(structure)
        return structure

    def encode(self, structure: Mapping[str, Any]) -> bytes:
        return ormsgpack.packb(structure)


_CONTAINERS = frozenset({list, dict})


def _check_containers(structure: Any, most: int) -> None:
    found = [structure] if type(structure) in _CONTAINERS else []
    for container in found:
        items = container.values() if isinstance(container, dict) else container
        found += [item for item in items if type(item) in _CONTAINERS]
        if len(found) > most:
            raise Invalid(f"more than {most} lists and objects")


_PLAIN = frozenset({str, int, bool, type(None)})


def check_plain(value: Any, depth: int = NESTING) -> None:
    """Raises `Invalid` if only one of the codecs can carry this: what one receives, both must be able to send.

    MessagePack has bytes, NaN and keys of any type. JSON has numbers that are too large for a float, and become
    infinite.
    """
    if depth == 0:
        raise Invalid(f"nested deeper than {NESTING} levels")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise Invalid("object keys must be strings")
            if depth == 1 or type(item) not in _PLAIN:
                check_plain(item, depth - 1)
    elif isinstance(value, list):
        for item in value:
            # A frame may hold sixty thousand numbers. A call for each of them would take six times as long.
            if depth == 1 or type(item) not in _PLAIN:
                check_plain(item, depth - 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise Invalid("numbers must be finite")
    elif isinstance(value, (bytes, bytearray)):
        raise Invalid("binary values are not allowed here")


JSON_CODEC: Codec = JSON()
MSGPACK_CODEC: Codec = MessagePack()
CODECS: tuple[Codec, ...] = (JSON_CODEC, MSGPACK_CODEC)
CODECS_BY_SUBPROTOCOL: dict[str, Codec] = {codec.subprotocol: codec for codec in CODECS}
