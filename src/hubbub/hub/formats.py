"""How a transport wants its bytes: a codec and a framing. One format's bytes serve all connections that use it.

A socket takes RFC 6455 frames, joined; a plain ASGI server frames by itself and takes payloads one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from hubbub.wire.codecs import CODECS, Codec
from hubbub.wire.frames import Opcode, deflate, frame
from hubbub.wire.publication import Publication

CHUNK_BYTES = 64 * 1024
"""The most that is handed to a transport in one write, so that a client which stops reading is seen soon."""

COMPRESS_FROM = 1024
"""Below this a compressed frame saves less than the work costs; most chat messages are a tenth of it."""


class Format(Protocol):
    """The format port. A piece is one event; a chunk is what one write takes."""

    codec: Codec

    def piece(self, publication: Publication) -> bytes:
        """One event in this format."""

    def chunks(self, pieces: list[bytes]) -> list[Any]:
        """Many events, as few writes of at most `CHUNK_BYTES` each, cut between events."""

    def heartbeat(self, publication: Publication) -> Any:
        """One write that asks the peer whether it lives; `publication` is for those who cannot see RFC 6455 pings."""


class SocketFormat:
    """RFC 6455 frames for a socket that the hub writes to by itself."""

    def __init__(self, codec: Codec, *, compressed: bool) -> None:
        self.codec = codec
        self._compressed = compressed
        self._opcode = Opcode.BINARY if codec.binary else Opcode.TEXT

    def piece(self, publication: Publication) -> bytes:
        payload = publication.payload(self.codec)
        if self._compressed and len(payload) >= COMPRESS_FROM:
            return frame(self._opcode, deflate(payload), compressed=True)
        return frame(self._opcode, payload)

    def chunks(self, pieces: list[bytes]) -> list[bytes]:
        return [b"".join(run) for run in _runs(pieces)]

    def heartbeat(self, publication: Publication) -> bytes:
        return frame(Opcode.PING, b"") + self.piece(publication)


class MessageFormat:
    """Bare payloads, for a server that frames by itself."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec

    def piece(self, publication: Publication) -> bytes:
        return publication.payload(self.codec)

    def chunks(self, pieces: list[bytes]) -> list[list[bytes]]:
        return list(_runs(pieces))

    def heartbeat(self, publication: Publication) -> list[bytes]:
        return [self.piece(publication)]


def _runs(pieces: Iterable[bytes]) -> Iterable[list[bytes]]:
    run: list[bytes] = []
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
MESSAGE_FORMATS: dict[str, Format] = {codec.name: MessageFormat(codec) for codec in CODECS}
