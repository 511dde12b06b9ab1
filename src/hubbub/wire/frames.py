"""RFC 6455 frames: built once for all recipients, and parsed as they come from a client.

A server's frames are not masked (section 5.1), so one frame serves every recipient. The parser is an object that is fed
with bytes. It holds no buffer between two frames, so an idle connection is small. `websockets` does the opening
handshake; to keep its `ServerProtocol` would cost 4 KB per connection.
"""

from __future__ import annotations

import struct
import zlib
from enum import IntEnum
from typing import NamedTuple

from websockets.exceptions import ProtocolError
from websockets.frames import Close

from hubbub.wire.codes import CloseCode

try:
    from websockets.speedups import apply_mask
except ImportError:  # pragma: no cover - a platform without the C extension
    from websockets.utils import apply_mask


class Opcode(IntEnum):
    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


FIN = 0x80
COMPRESSED = 0x40
"""RSV1, which RFC 7692 uses to mark a compressed message."""

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = (int(opcode) for opcode in Opcode)
_SHORT, _MEDIUM, _LONG = (struct.Struct(layout).pack for layout in ("!BB", "!BBH", "!BBQ"))
_DEFLATE_TAIL = b"\x00\x00\xff\xff"
AT_ONCE = 32
"""At most so many units of work are done in one call; its last frame may exceed that. A packet may hold forty thousand
frames. A command takes some 25 µs, so a call takes about as long as `Turns` lets others wait. With half as many, a
room's fastest sender lost a third of its speed: a burst of 32 messages took two commits, and two writes to each
member."""
_UNIT_BITS = 12
"""A frame is one unit of work. Each 4 KiB of it, or of what it inflates to, is another one."""
_QUICK_FROM = 16 * 1024
_FRAGMENT_WEIGHT = 16
"""A fragment counts for at least this many bytes, so that a message of endless empty fragments ends too."""


def frame(opcode: Opcode, payload: bytes, *, compressed: bool = False) -> bytes:
    """One unmasked, unfragmented frame."""
    first = FIN | opcode | COMPRESSED if compressed else FIN | opcode
    length = len(payload)
    if length < 126:
        return _SHORT(first, length) + payload
    if length < 65536:
        return _MEDIUM(first, 126, length) + payload
    return _LONG(first, 127, length) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame; a reason that does not fit into 123 bytes is cut at a character's edge."""
    text = reason.encode()[:123].decode(errors="ignore")
    return frame(Opcode.CLOSE, Close(code, text).serialize())


def deflate(payload: bytes) -> bytes:
    """`payload` compressed with no context before or after it (RFC 7692, sections 7.1.1 and 7.2.1).

    A large payload is a page of history. It is compressed less: it has a sixth more bytes, but takes a third of the
    time, and meanwhile all other clients wait.
    """
    compressor = zlib.compressobj(level=6 if len(payload) < _QUICK_FROM else 3, wbits=-15)
    return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[: -len(_DEFLATE_TAIL)]


def work_of(payload: bytes) -> int:
    """How many units of work a frame is."""
    return 1 + (len(payload) >> _UNIT_BITS)


class FrameViolation(NamedTuple):
    """A reason to close the connection, with its close code."""

    code: CloseCode
    reason: str


class Received(NamedTuple):
    """A whole message, or a control frame. A TEXT payload has been checked to be UTF-8."""

    opcode: int
    payload: bytes


class _Broken(Exception):
    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.violation = FrameViolation(code, reason)


class FrameParser:
    """Turns what a client sends into messages. It follows RFC 6455, section 5, on the server's side, and RFC 7692
    without context takeover.

    `receive(data)` returns the messages that are complete now. After a violation, `violation` says with which close
    code the connection must be closed, and everything that follows is ignored. A message (all its fragments,
    decompressed) has at most `max_size` bytes; a longer one is refused as soon as its length is known, before its bytes
    have come.

    One call does `AT_ONCE` units of work or a little more. `has_more` says that a part of `data` has not been parsed
    yet: handle what was returned, then call `receive(b"")` for more. `work` adds up the units; the caller that charges
    for them sets it to 0.

    Call `await_close` when our own close frame has been sent. From then on the parser looks for the peer's close frame
    only: other frames are neither inflated nor returned.
    """

    __slots__ = (
        "_awaits_close",
        "_buffer",
        "_compressed",
        "_deflate",
        "_fragments",
        "_max_size",
        "_opcode",
        "_position",
        "_weight",
        "has_more",
        "violation",
        "work",
    )

    def __init__(self, max_size: int, *, deflate: bool = False) -> None:
        self._max_size = max_size
        self._deflate = deflate
        self._buffer: bytes | bytearray | None = None
        self._position = 0
        """Where in the buffer the next frame begins. What lies before it stays in the buffer, because to cut it off
        would copy the rest each time."""
        self._fragments: bytearray | None = None
        self._opcode = 0
        self._weight = 0
        self._compressed = False
        self._awaits_close = False
        self.has_more = False
        self.violation: FrameViolation | None = None
        self.work = 0

    def await_close(self) -> None:
        self._awaits_close = True
        self._fragments = None

    def stop(self) -> None:
        """Drop what has come, and parse nothing more."""
        self.await_close()
        self._buffer = None
        self.has_more = False

    def receive(self, data: bytes) -> list[Received]:
        received: list[Received] = []
        if self.violation is not None:
            return received
        position = 0
        if self._buffer is not None:
            if self.has_more:
                data = b"".join((self._buffer, data)) if data else bytes(self._buffer)
                position, self.has_more = self._position, False
            elif self._is_still_incomplete(data):
                return received
            else:
                data = bytes(self._buffer)
            self._buffer = None
        enough = self.work + AT_ONCE
        try:
            while position < len(data):
                end = self._parse_one(data, position, received)
                if end is None:
                    self._buffer = bytearray(data[position:])
                    break
                position = end
                if self.work >= enough and position < len(data):
                    self._buffer, self._position, self.has_more = data, position, True
                    break
        except _Broken as broken:
            self.violation = broken.violation
            self._buffer = self._fragments = None
        return received

    def _is_still_incomplete(self, data: bytes) -> bool:
        assert isinstance(self._buffer, bytearray)
        head_was_checked = len(self._buffer) >= 2
        self._buffer += data
        return head_was_checked and not self._is_complete(self._buffer)

    def _is_complete(self, buffer: bytearray) -> bool:
        """Whether it is worth it to parse again: a frame that comes byte by byte is copied once, not each time."""
        length, start = buffer[1] & 0x7F, 2
        if length == 126:
            if len(buffer) < 4:
                return False
            length, start = int.from_bytes(buffer[2:4], "big"), 4
        elif length == 127:
            if len(buffer) < 10:
                return False
            length, start = int.from_bytes(buffer[2:10], "big"), 10
        return length > self._max_size or len(buffer) >= start + 4 + length

    def _parse_one(self, data: bytes, position: int, received: list[Received]) -> int | None:
        """Parse the frame at `position` and return where it ends, or None if it is not all there."""
        available = len(data) - position
        if available < 2:
            return None
        first, second = data[position], data[position + 1]
        opcode = first & 0x0F
        self._check_head(first, opcode, second)
        length, start = second & 0x7F, position + 2
        if length == 126:
            if available < 4:
                return None
            length, start = int.from_bytes(data[position + 2 : position + 4], "big"), position + 4
        elif length == 127:
            if available < 10:
                return None
            length, start = int.from_bytes(data[position + 2 : position + 10], "big"), position + 10
        if opcode < _CLOSE and self._weight + length > self._max_size:
            raise _Broken(CloseCode.TOO_BIG, f"a message has at most {self._max_size} bytes")
        end = start + 4 + length
        if len(data) < end:
            return None
        self.work += 1 + (length >> _UNIT_BITS)
        if self._awaits_close and opcode != _CLOSE:
            return end
        payload = apply_mask(data[start + 4 : end], data[start : start + 4]) if length else b""
        if opcode >= _CLOSE:
            received.append(self._control(opcode, payload))
        else:
            self._data(first, opcode, payload, received)
        return end

    def _check_head(self, first: int, opcode: int, second: int) -> None:
        if first & 0x30 or (first & COMPRESSED and not (self._deflate and opcode in (_TEXT, _BINARY))):
            raise _Broken(CloseCode.PROTOCOL_ERROR, "reserved bits must be 0")
        if not second & 0x80:
            raise _Broken(CloseCode.PROTOCOL_ERROR, "a client's frames must be masked")
        if opcode >= _CLOSE:
            if opcode > _PONG:
                raise _Broken(CloseCode.PROTOCOL_ERROR, f"reserved opcode {opcode}")
            if not first & FIN:
                raise _Broken(CloseCode.PROTOCOL_ERROR, "a control frame must not be fragmented")
            if second & 0x7F > 125:
                raise _Broken(CloseCode.PROTOCOL_ERROR, "a control frame has at most 125 bytes")
        elif opcode > _BINARY:
            raise _Broken(CloseCode.PROTOCOL_ERROR, f"reserved opcode {opcode}")
        elif self._awaits_close:
            pass
        elif opcode == _CONTINUATION:
            if self._fragments is None:
                raise _Broken(CloseCode.PROTOCOL_ERROR, "nothing to continue")
        elif self._fragments is not None:
            raise _Broken(CloseCode.PROTOCOL_ERROR, "a continuation frame was expected")

    def _control(self, opcode: int, payload: bytes) -> Received:
        if opcode == _CLOSE:
            try:
                Close.parse(payload)
            except ProtocolError as error:
                raise _Broken(CloseCode.PROTOCOL_ERROR, str(error)) from None
            except UnicodeDecodeError:
                raise _Broken(CloseCode.INVALID_DATA, "a close reason must be UTF-8") from None
        return Received(opcode, payload)

    def _data(self, first: int, opcode: int, payload: bytes, received: list[Received]) -> None:
        final = first & FIN
        if opcode == _CONTINUATION:
            assert self._fragments is not None
            self._fragments += payload
            opcode = self._opcode
        else:
            self._compressed = bool(first & COMPRESSED)
            if not final:
                self._opcode = opcode
                self._fragments = bytearray(payload)
        if not final:
            self._weight += max(len(payload), _FRAGMENT_WEIGHT)
            return
        if self._fragments is not None:
            payload = bytes(self._fragments)
            self._fragments = None
            self._weight = 0
        if self._compressed:
            payload = self._inflate(payload)
        if opcode == _TEXT:
            try:
                payload.decode()
            except UnicodeDecodeError as error:
                raise _Broken(CloseCode.INVALID_DATA, f"a text must be UTF-8: byte {error.start}") from None
        received.append(Received(opcode, payload))

    def _inflate(self, payload: bytes) -> bytes:
        """Inflate a message, up to one byte over the limit: the frame may be a compression bomb."""
        decompressor = zlib.decompressobj(wbits=-15)
        try:
            text = decompressor.decompress(payload + _DEFLATE_TAIL, self._max_size + 1)
        except zlib.error:
            raise _Broken(CloseCode.PROTOCOL_ERROR, "the compressed message is damaged") from None
        if len(text) > self._max_size:
            raise _Broken(CloseCode.TOO_BIG, f"a message has at most {self._max_size} bytes")
        self.work += len(text) >> _UNIT_BITS
        return text
