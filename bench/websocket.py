"""The client's part of RFC 6455 that a load generator needs: request the upgrade, and mask frames.

Deliveries under load are never parsed: they are counted by a marker in their text. `texts` is for frames that are
parsed later, or that come one at a time.
"""

from __future__ import annotations

import base64
import os
import struct

# One mask for all frames. RFC 6455 section 5.3 requires a new one for each frame to protect proxies, but there
# are none on loopback; it must not be zero, because servers skip the unmasking then.
MASK = os.urandom(3) + b"\x01"

TEXT = 0x1
BINARY = 0x2
PING = 0x9
COMPRESSED_TEXT = 0x41
"""TEXT with the bit RSV1: RFC 7692, section 6."""


def upgrade_request(path: str, port: int) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{port}\r\n"
        "Upgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        "\r\n"
    ).encode()


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """One final, masked frame."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x80 | opcode, 0xFE, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0xFF, size)
    mask = (MASK * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")
    return head + MASK + masked.to_bytes(size, "big")


def texts(data: bytes | bytearray) -> tuple[list[bytes], int]:
    """The texts that a server has sent since the upgrade, and the offset of the first unfinished frame.

    Our servers split no message into several frames, and compress none unless it was offered.
    """
    found, place = [], 0
    while len(data) >= place + 2:
        head, size = place + 2, data[place + 1]
        if size >= 126:
            width = 2 if size == 126 else 8
            size = int.from_bytes(data[head : head + width], "big")
            head += width
        if len(data) < head + size:
            break
        if data[place] & 0x0F == TEXT:
            found.append(bytes(data[head : head + size]))
        place = head + size
    return found, place
