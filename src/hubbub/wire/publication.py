"""The publication: one event on its way to everybody in a channel, encoded at most once for each codec."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Self, cast

from hubbub.wire.base import Event
from hubbub.wire.codecs import JSON_CODEC, Codec

_ENCODED: Mapping[str, Any] = {}
"""In place of an event of which only the bytes are known."""


class Publication:
    """An event, where it goes, and its position there.

    `position` is the channel's `rev` after this change, or None where nothing is stored. `since` is the position that
    it follows: the one before, unless the event contains several changes. `ephemeral` says that a client which misses
    the event need not recover it (typing, presence).

    A head has no event. It only says which position the channel has reached.
    """

    __slots__ = ("_payloads", "_structure", "channel", "ephemeral", "is_head", "position", "since")

    def __init__(
        self,
        channel: str,
        event: Event | Mapping[str, Any],
        *,
        position: int | None = None,
        since: int | None = None,
        ephemeral: bool = False,
    ) -> None:
        self.channel = channel
        self.position = position
        self.since = position - 1 if since is None and position is not None else since
        self.ephemeral = ephemeral
        self.is_head = False
        self._structure: Event | Mapping[str, Any] = event
        self._payloads: dict[str, bytes] = {}

    @classmethod
    def head(cls, channel: str, position: int) -> Self:
        head = cls(channel, {}, position=position)
        head.is_head = True
        return head

    @classmethod
    def encoded(
        cls,
        channel: str,
        payload: bytes,
        *,
        position: int | None = None,
        since: int | None = None,
        ephemeral: bool = False,
    ) -> Self:
        """A publication whose event is encoded already, as JSON. It is decoded if another codec is asked for."""
        publication = cls(channel, _ENCODED, position=position, since=since, ephemeral=ephemeral)
        publication._payloads[JSON_CODEC.name] = payload
        return publication

    def carries(self, event: type[Event]) -> bool:
        """Whether the event is one of this class."""
        if self._structure is not _ENCODED:
            return type(self._structure) is event
        return self._payloads[JSON_CODEC.name].startswith(_beginning_of(event))

    def fields(self) -> Mapping[str, Any]:
        """The event's fields, without those that are absent."""
        if isinstance(self._structure, Event):
            return self._structure.model_dump(exclude_none=True)
        if self._structure is _ENCODED:
            self._structure = JSON_CODEC.decode(self._payloads[JSON_CODEC.name], containers=None)
        return cast("Mapping[str, Any]", self._structure)

    def payload(self, codec: Codec) -> bytes:
        """The event in a codec, without any framing."""
        payload = self._payloads.get(codec.name)
        if payload is None:
            if self._structure is _ENCODED:
                self._structure = JSON_CODEC.decode(self._payloads[JSON_CODEC.name], containers=None)
            payload = self._payloads[codec.name] = encode_event(codec, self._structure)
        return payload


@cache
def _beginning_of(event: type[Event]) -> bytes:
    return b'{"type":"%s"' % event.type_name().encode()


def encode_event(codec: Codec, event: Event | Mapping[str, Any]) -> bytes:
    """An event as one frame's payload; absent fields are left out."""
    if isinstance(event, Event):
        if codec is JSON_CODEC:
            return event.__pydantic_serializer__.to_json(event, exclude_none=True)
        event = event.model_dump(mode="json", exclude_none=True)
    return codec.encode(event)
