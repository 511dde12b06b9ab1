"""What an application's own object in a frame (`data`) may hold."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator

from hubbub.errors import Invalid
from hubbub.wire.codecs import JSON_CODEC, MSGPACK_CODEC, check_plain

DATA_BYTES = 4096


def _bounded(data: dict[str, Any]) -> dict[str, Any]:
    """What one codec received, both must be able to send: MessagePack has no integer over 64 bits."""
    try:
        encoded = JSON_CODEC.encode(data)
        # The size comes first, because the other checks take long with large objects.
        if len(encoded) <= DATA_BYTES:
            check_plain(data)
            MSGPACK_CODEC.encode(data)
    except (Invalid, ValueError, TypeError) as error:
        raise ValueError(f"cannot be carried by every codec: {error}") from None
    if len(encoded) > DATA_BYTES:
        raise ValueError(f"at most {DATA_BYTES} bytes as JSON, not {len(encoded)}")
    if b"\\u0000" in encoded and _holds_nul(data):
        raise ValueError("a string must not hold the character U+0000, which databases cannot store")
    return data


def _holds_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any("\0" in key or _holds_nul(item) for key, item in value.items())
    if isinstance(value, list):
        return any(map(_holds_nul, value))
    return isinstance(value, str) and "\0" in value


Data = Annotated[dict[str, Any], AfterValidator(_bounded)]
