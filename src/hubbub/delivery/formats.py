"""Formats: how a transport wants its bytes, which is a codec and a framing. The same bytes serve all connections with
one format.

A socket takes RFC 6455 frames, joined; a plain ASGI server frames by itself and takes payloads one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

from hubbub.wire.codecs import CODECS, JSON_CODEC, Codec
from hubbub.wire.frames import Opcode, deflate, frame
from hubbub.wire.publication import Publication

CHUNK_BYTES = 64 * 1024
"""The most bytes in one write, so that a client that stops reading is noticed soon."""

COMPRESS_FROM = 1024
"""Below this size, compression saves less than it costs. Most chat messages have a tenth of it."""


class Format(Protocol):
    """The format port. A piece is one message; a chunk is what one write takes."""

    codec: Codec

    def piece(self, publication: Publication) -> Any:
        """One event in this format."""

    def raw(self, message: str | bytes) -> Any:
        """A message that is no event: a text or a binary frame with just this in it."""

    def chunk(self, piece: Any) -> Any:
        """One piece as one write."""

    def along(self, pieces: list[Any], chunk: Any) -> list[Any]:
        """A few pieces before a chunk, as one write if that is possible."""

    def chunks(self, pieces: list[Any]) -> list[Any]:
        """Many pieces, as few writes of at most `CHUNK_BYTES` each. A piece is never cut."""

    def heartbeat(self, publication: Publication) -> Any:
        """One write that asks the peer for a sign of life. `publication` is for clients that cannot see RFC 6455
        pings."""


class SocketFormat:
    """RFC 6455 frames, for a socket that we write to without the ASGI server."""

    def __init__(self, codec: Codec, *, compressed: bool) -> None:
        self.codec = codec
        self._compressed = compressed
        self._opcode = Opcode.BINARY if codec.binary else Opcode.TEXT

    def piece(self, publication: Publication) -> bytes:
        payload = publication.payload(self.codec)
        if self._compressed and len(payload) >= COMPRESS_FROM:
            return frame(self._opcode, deflate(payload), compressed=True)
        return frame(self._opcode, payload)

    def raw(self, message: str | bytes) -> bytes:
        return frame(Opcode.TEXT, message.encode()) if isinstance(message, str) else frame(Opcode.BINARY, message)

    def chunk(self, piece: bytes) -> bytes:
        return piece

    def along(self, pieces: list[bytes], chunk: bytes) -> list[bytes]:
        joined = b"".join((*pieces, chunk))
        return [joined] if len(joined) <= CHUNK_BYTES else [*pieces, chunk]

    def chunks(self, pieces: list[bytes]) -> list[bytes]:
        if len(pieces) == 1:
            return pieces
        return [b"".join(run) for run in _runs(pieces)]

    def heartbeat(self, publication: Publication) -> bytes:
        return frame(Opcode.PING, b"") + self.piece(publication)


class MessageFormat:
    """Payloads without frames, for an ASGI server that makes the frames."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec

    def piece(self, publication: Publication) -> str | bytes:
        payload = publication.payload(self.codec)
        return payload if self.codec.binary else payload.decode()

    def raw(self, message: str | bytes) -> str | bytes:
        return message

    def chunk(self, piece: str | bytes) -> list[str | bytes]:
        return [piece]

    def along(self, pieces: list[str | bytes], chunk: list[str | bytes]) -> list[list[str | bytes]]:
        return [[*pieces, *chunk]]

    def chunks(self, pieces: list[str | bytes]) -> list[list[str | bytes]]:
        return list(_runs(pieces))

    def heartbeat(self, publication: Publication) -> list[str | bytes]:
        return [self.piece(publication)]


class RawSocketFormat(SocketFormat):
    """For sockets that speak an application's own protocol: they get none of our events, only RFC 6455 pings."""

    def heartbeat(self, publication: Publication) -> bytes:
        return frame(Opcode.PING, b"")


class RawMessageFormat(MessageFormat):
    """The same for plain ASGI, where the server sends the pings."""

    def heartbeat(self, publication: Publication) -> list[str | bytes]:
        return []


Piece = TypeVar("Piece", str, bytes, str | bytes)


def _runs(pieces: Iterable[Piece]) -> Iterable[list[Piece]]:
    run: list[Piece] = []
    size = 0
    for piece in pieces:
        if run and size + len(piece) > CHUNK_BYTES:
            yield run
            run, size = [], 0
        run.append(piece)
        size += len(piece)
    if run:
        yield run


SOCKET_FORMATS: dict[tuple[str, bool], Format] = {
    (codec.name, compressed): SocketFormat(codec, compressed=compressed)
    for codec in CODECS
    for compressed in (False, True)
}
RAW_SOCKET_FORMAT: Format = RawSocketFormat(JSON_CODEC, compressed=False)
RAW_MESSAGE_FORMAT: Format = RawMessageFormat(JSON_CODEC)
MESSAGE_FORMATS: dict[str, Format] = {codec.name: MessageFormat(codec) for codec in CODECS}
