"""A publication as bytes between nodes: its position, and its event as JSON.

The node that receives it passes these bytes on, and decodes them only where somebody here uses another codec. Almost
nobody does, and encoding each event with a second codec was a sixth of what the sending node needs for a message.
"""

from __future__ import annotations

from struct import Struct

from hubbub.wire.codecs import JSON_CODEC
from hubbub.wire.publication import Publication

VERSION = 1
"""The version of this format. Nodes drop publications of another version, and read the changes from the store as if
they were lost."""
SENDER_BYTES = 8

_HEADER = Struct(f">B{SENDER_BYTES}sBqqI")
_EPHEMERAL, _HEAD, _POSITION, _SINCE = 1, 2, 4, 8


def mark_of(sender: bytes) -> bytes:
    """The first bytes of every publication of a sender. A sender's name has `SENDER_BYTES` bytes."""
    return bytes([VERSION]) + sender


def pack(publication: Publication, sender: bytes) -> bytes:
    """A publication as bytes, without its channel. Raises what encoding its event raises."""
    payload = b"" if publication.is_head else publication.payload(JSON_CODEC)
    position, since = publication.position, publication.since
    flags = (
        (_EPHEMERAL if publication.ephemeral else 0)
        | (_HEAD if publication.is_head else 0)
        | (_POSITION if position is not None else 0)
        | (_SINCE if since is not None else 0)
    )
    return _HEADER.pack(VERSION, sender, flags, position or 0, since or 0, len(payload)) + payload


def unpack(channel: str, packed: bytes) -> Publication:
    """The publication from the bytes that `pack` made. Raises ValueError for other bytes."""
    if len(packed) < _HEADER.size:
        raise ValueError("too short")
    version, _, flags, position, since, size = _HEADER.unpack_from(packed)
    if version != VERSION:
        raise ValueError(f"version {version}")
    if _HEADER.size + size != len(packed):
        raise ValueError("not as long as it says")
    if flags & _HEAD:
        return Publication.head(channel, position)
    return Publication.encoded(
        channel,
        packed[_HEADER.size :],
        position=position if flags & _POSITION else None,
        since=since if flags & _SINCE else None,
        ephemeral=bool(flags & _EPHEMERAL),
    )
