"""How many TLS records a client may send.

A record costs the server the same work whether it holds one byte or 16 KB, and one that changes the keys (RFC 8446,
section 4.6.3) holds nothing for us and costs most of all. So records are counted where they come in, before they are
decrypted. This module knows no certificates and no HTTP.
"""

from __future__ import annotations

import asyncio
import time
from typing import cast

from hubbub.limits import Allowance, Debt

READ_BYTES = 4096
"""At most so many bytes are read at once. Then other connections have their turn."""
RECORDS = Allowance(rate=500.0, burst=500.0)
"""Records of one connection. One who sends more is read more slowly."""
_HEADER = 5
"""Bytes of a record's header. The last two are the length of what follows. (RFC 8446, section 5.1.)"""


class Records(asyncio.BufferedProtocol):
    """Stands between a socket's transport and `tls`, the protocol that decrypts, which has the transport already."""

    def __init__(self, transport: asyncio.Transport, tls: asyncio.BufferedProtocol) -> None:
        self._transport = transport
        self._tls = tls
        self._debt = Debt()
        self._header = b""
        """The part of a record's header that has come."""
        self._left = 0
        """Bytes to the next header."""
        self._resuming: asyncio.TimerHandle | None = None

    def feed(self, data: bytes) -> None:
        """Bytes that came before this did."""
        for start in range(0, len(data), READ_BYTES):
            part = data[start : start + READ_BYTES]
            self.get_buffer(len(part))[: len(part)] = part
            self.buffer_updated(len(part))

    def get_buffer(self, sizehint: int) -> memoryview:
        self._buffer = memoryview(self._tls.get_buffer(READ_BYTES))[:READ_BYTES]
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        records = self._count(self._buffer[:nbytes])
        self._tls.buffer_updated(nbytes)
        wait = self._debt.add(records, time.monotonic(), RECORDS)
        # If nobody reads now, TLS has stopped that itself, since the application does not take its data.
        if wait and self._transport.is_reading():
            self._transport.pause_reading()
            self._resuming = asyncio.get_running_loop().call_later(wait, self._resume)

    def _resume(self) -> None:
        self._resuming = None
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def _count(self, data: memoryview) -> int:
        """How many records' headers end in these bytes."""
        begun, at, end = 0, self._left, len(data)
        if self._header:
            missing = _HEADER - len(self._header)
            self._header += data[:missing]
            if len(self._header) < _HEADER:
                return 0
            begun, at = 1, missing + int.from_bytes(self._header[3:])
            self._header = b""
        while at + _HEADER <= end:
            begun += 1
            at += _HEADER + (data[at + 3] << 8 | data[at + 4])
        if at < end:
            self._header = bytes(data[at:])
            at = end
        self._left = at - end
        return begun

    def eof_received(self) -> bool | None:
        return self._tls.eof_received()

    def pause_writing(self) -> None:
        self._tls.pause_writing()

    def resume_writing(self) -> None:
        self._tls.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._resuming is not None:
            self._resuming.cancel()
        self._tls.connection_lost(exc)


def stand_before_tls(transport: asyncio.Transport) -> Records:
    """Count the records of this transport, of which TLS reads."""
    records = Records(transport, cast(asyncio.BufferedProtocol, transport.get_protocol()))
    transport.set_protocol(records)
    return records
