"""The easy door: what `/ws/chat/{room}` understands beyond the strict protocol, so that people can type at it.

A frame without a `type` is a `message`; one without a `room` means the room of the address; `msg` and `chat` are read
as `message`; a text that does not begin with `{` is a message's text; and a `#` behind an object begins a comment, so
that lines of the documentation can be pasted as they are.
"""

from __future__ import annotations

from typing import Any

from hubbub.wire.codecs import Codec
from hubbub.wire.commands import CommandTable

_ALIASES = frozenset({"msg", "chat"})


def read_easily(codec: Codec, payload: bytes, *, room: str, commands: CommandTable) -> Any:
    """A payload as a strict frame. Raises `Invalid` if it begins like an object and is not one."""
    if not codec.binary and payload.lstrip()[:1] != b"{":
        return {"type": "message", "room": room, "text": payload.decode()}
    frame = codec.decode(payload if codec.binary else _without_comment(payload))
    if not isinstance(frame, dict):
        return frame
    kind = frame.get("type", "message")
    if isinstance(kind, str) and kind in _ALIASES and kind not in commands:
        kind = "message"
    if "room" not in frame and kind != "join":
        frame["room"] = room
    frame["type"] = kind
    return frame


def _without_comment(payload: bytes) -> bytes:
    """The payload without a comment at its end. The comment must hold no `}`: the object ends at the last one."""
    if payload[-1:] == b"}":
        return payload
    object_text, brace, rest = payload.rpartition(b"}")
    return object_text + brace if rest.lstrip()[:1] == b"#" else payload
