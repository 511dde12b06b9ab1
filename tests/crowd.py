"""A crowd: clients that are as small as possible, so that a test can have two thousand of them."""

import asyncio
import base64
import json
from collections.abc import Sequence
from typing import Any, cast

AT_A_TIME = 50
DEADLINE = 60.0
HANDSHAKE = (
    "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: {protocols}\r\n\r\n"
)
TEXT, CLOSE = 1, 8


class Listener(asyncio.Protocol):
    """A guest who joins a room, reads everything, and answers a close frame. It follows the rules for positions."""

    def __init__(self, port: int, room: str, before: "Listener | None") -> None:
        self._port = port
        self._room = room
        self._secret: str = before._secret if before is not None else ""
        self.rev: int | None = before.rev if before is not None else None
        self.epoch: str | None = before.epoch if before is not None else None
        self.repairs: int = before.repairs if before is not None else 0
        """How often something was missing between two events. The server must not cause that."""
        self._rows: dict[int, str] = dict(before._rows) if before is not None else {}
        """The texts that were shown, by seq."""
        self.joined: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """Whether what the guest missed was recovered."""
        self.gone: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """The close code; 1006 if there was none."""
        self.was_told = False
        """Whether the server said that it would close the connection."""
        self._code = 1006
        self._unread = b""
        self._is_open = False

    @property
    def texts(self) -> list[str]:
        return [self._rows[seq] for seq in sorted(self._rows)]

    @property
    def transport(self) -> asyncio.Transport:
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        protocols = "hubbub.v1.json"
        if self._secret:
            protocols += ", secret." + base64.urlsafe_b64encode(self._secret.encode()).decode().rstrip("=")
        self._transport.write(HANDSHAKE.format(port=self._port, protocols=protocols).encode())

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if not self._is_open:
            head, end, rest = self._unread.partition(b"\r\n\r\n")
            if not end:
                return
            assert head.startswith(b"HTTP/1.1 101 "), head
            self._is_open, self._unread = True, rest
            self._join()
        while (frame := self._frame()) is not None:
            self._take(*frame)

    def _join(self) -> None:
        position = {"rev": self.rev, "epoch": self.epoch} if self.rev is not None else {}
        self._send(TEXT, json.dumps({"type": "join", "room": self._room, **position}).encode())

    def _frame(self) -> tuple[int, bytes] | None:
        """The next whole frame: its opcode and payload. A server's frames are not masked."""
        data = self._unread
        if len(data) < 2:
            return None
        length, at = data[1], 2
        if length >= 126:
            at = 4 if length == 126 else 10
            length = int.from_bytes(data[2:at])
        if len(data) < at + length:
            return None
        self._unread = data[at + length :]
        return data[0] & 0x0F, data[at : at + length]

    def _send(self, opcode: int, payload: bytes) -> None:
        """With a mask of zeros."""
        size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2)
        self._transport.write(bytes([0x80 | opcode]) + size + bytes(4) + payload)

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == CLOSE:
            self._code = int.from_bytes(payload[:2])
            self._send(CLOSE, payload[:2])
        elif opcode == TEXT:
            self._hear(json.loads(payload))

    def _hear(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "welcome":
                self._secret = event["secret"]
            case "joined":
                if not event["recovered"]:
                    self._rows.clear()
                self.epoch = event["epoch"]
                self._put(event.get("messages", []), event["rev"])
                if not self.joined.done():
                    self.joined.set_result(event["recovered"])
            case "sync":
                # What one node missed is sent to all of its clients, also to those who have some of it.
                self._take_up(event["since"], event["rev"], event["messages"])
            case "message":
                self._take_up(event["rev"] - 1, event["rev"], [event])
            case "draining":
                self.was_told = True
            case "error":
                raise AssertionError(event)

    def _take_up(self, since: int, rev: int, messages: Sequence[dict[str, Any]]) -> None:
        """Put in what changed in (since, rev]. If that does not continue what the guest knows, ask again."""
        if since > (self.rev or 0):
            self.repairs += 1
            self._join()
        else:
            self._put(messages, rev)

    def _put(self, messages: Sequence[dict[str, Any]], rev: int) -> None:
        self._rows |= {message["seq"]: message["text"] for message in messages}
        self.rev = max(rev, self.rev or 0)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set_result(self._code)
        if not self.joined.done():
            self.joined.set_exception(ConnectionError("the server ended the link before joining"))


async def come(ports: Sequence[int], number: int, room: str) -> list[Listener]:
    """So many guests, shared out among the servers, who have all joined a room. They come a few at a time."""
    crowd: list[Listener] = []
    while len(crowd) < number:
        some = [await connect(ports[len(crowd) % len(ports)], room) for _ in range(min(AT_A_TIME, number - len(crowd)))]
        async with asyncio.timeout(DEADLINE):
            await asyncio.gather(*(listener.joined for listener in some))
        crowd += some
    return crowd


async def come_back(crowd: Sequence[Listener], ports: Sequence[int], room: str) -> list[Listener]:
    """The same guests with their positions, all at once and shared out among the servers. Returns when all have
    joined."""
    back = await asyncio.gather(
        *(connect(ports[number % len(ports)], room, before) for number, before in enumerate(crowd))
    )
    async with asyncio.timeout(DEADLINE):
        await asyncio.gather(*(listener.joined for listener in back))
    return back


async def connect(port: int, room: str, before: Listener | None = None) -> Listener:
    loop = asyncio.get_running_loop()
    _, listener = await loop.create_connection(lambda: Listener(port, room, before), "127.0.0.1", port)
    return listener


async def all_hear(crowd: Sequence[Listener], texts: list[str]) -> None:
    """Returns when each of them has been shown exactly this. Raises AssertionError if that does not come."""
    try:
        async with asyncio.timeout(DEADLINE):
            while any(listener.texts != texts for listener in crowd):  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # they are too many for an event each
    except TimeoutError:
        wrong = [listener.texts for listener in crowd if listener.texts != texts]
        raise AssertionError(f"{len(wrong)} of {len(crowd)} were not shown {texts}, but {wrong[0]}") from None


def repairs(crowd: Sequence[Listener]) -> int:
    """How often guests had to ask for what was missing. Otherwise their asking would hide a page with a hole."""
    return sum(listener.repairs for listener in crowd)


def hang_up(crowd: Sequence[Listener]) -> None:
    for listener in crowd:
        listener.transport.abort()
