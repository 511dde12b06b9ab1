"""People who chat with a real server, through the client of `websockets`.

Nothing here waits for a fixed time: a person waits for an event, and a deadline limits the wait.
"""

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, Self
from urllib.parse import urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from hubbub.wire.codecs import CODECS_BY_SUBPROTOCOL, JSON_CODEC

DEADLINE = 60.0


class Person:
    """A person with a connection. Events that come while they wait for another one are kept in `seen`."""

    def __init__(self, link: ClientConnection) -> None:
        self.link = link
        self.seen: list[dict[str, Any]] = []
        self._codec = CODECS_BY_SUBPROTOCOL.get(link.subprotocol or "", JSON_CODEC)
        self._ids = itertools.count(1)

    @property
    def key(self) -> str:
        return str(self.of_type("welcome")[0]["user"])

    def of_type(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.seen if event["type"] == name]

    @property
    def texts(self) -> list[str]:
        return [event["text"] for event in self.of_type("message")]

    async def send(self, frame: Mapping[str, Any]) -> None:
        payload = self._codec.encode(frame)
        await self.link.send(payload if self._codec.binary else payload.decode())

    async def type(self, line: str) -> None:
        """Send a text, as people do with `wscat`."""
        await self.link.send(line)

    async def next(self) -> dict[str, Any]:
        """The next event. Raises `ConnectionClosed` if there is none, TimeoutError after the deadline."""
        async with asyncio.timeout(DEADLINE):
            payload = await self.link.recv()
        event: dict[str, Any] = self._codec.decode(payload.encode() if isinstance(payload, str) else payload)
        self.seen.append(event)
        return event

    async def expect(self, type: str, **fields: Any) -> dict[str, Any]:
        """The next event of this type with these fields; others before it are skipped."""
        wanted = {"type": type, **fields}
        try:
            async with asyncio.timeout(DEADLINE):
                while True:
                    event = await self.next()
                    if event.items() >= wanted.items():
                        return event
        except TimeoutError:
            raise AssertionError(f"no {wanted} among {self.seen[-10:]}") from None

    async def hear(self, number: int) -> list[str]:
        """The texts of all messages so far. Waits until there are this many."""
        await self.gather("message", number)
        return self.texts

    async def gather(self, type: str, number: int) -> list[dict[str, Any]]:
        """All events of a type so far. Waits until there are this many."""
        # Pings come again and again, so `next` alone might wait for ever.
        async with asyncio.timeout(DEADLINE):
            while len(found := self.of_type(type)) < number:
                await self.next()
        return found

    async def ask(self, frame: Mapping[str, Any]) -> dict[str, Any]:
        """Send a command and return its answer."""
        id = f"{self.link.id.hex[:8]}-{next(self._ids)}"
        async with asyncio.timeout(DEADLINE):
            await self.send({**frame, "id": id})
            while (event := await self.next()).get("id") != id:
                pass
        return event

    async def join(self, room: str) -> dict[str, Any]:
        return await self.ask({"type": "join", "room": room})

    async def say(self, room: str, text: str) -> dict[str, Any]:
        return await self.ask({"type": "message", "room": room, "text": text})

    async def catch_up(self) -> None:
        """Returns when everything that was delivered before is in `seen`."""
        # An answer may come before the events of the same turn of the server's loop, not before those of earlier turns.
        await self.ask({"type": "ping"})
        await self.ask({"type": "ping"})

    async def ended(self) -> tuple[int, str]:
        """Read to the end. Returns the close code and reason, 1006 if none came."""
        try:
            while True:
                await self.next()
        except ConnectionClosed as closed:
            return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")

    def vanish(self) -> None:
        """Break the link without a close frame, as a train in a tunnel does."""
        self.link.transport.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.link.close()


class Served(Protocol):
    """A server, in whatever process."""

    @property
    def ws_url(self) -> str: ...


def address(server: Served, path: str = "/ws", **query: str) -> str:
    return f"{server.ws_url}{path}" + (f"?{urlencode(query)}" if query else "")


@asynccontextmanager
async def person(
    server: Served,
    username: str | None = None,
    *,
    path: str = "/ws",
    subprotocol: str | None = None,
    offering: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
    compression: str | None = None,
    **query: str,
) -> AsyncIterator[Person]:
    """A person after the welcome. `offering` are additional subprotocols. Raises `Refused`."""
    if username is not None:
        query = {"username": username, **query}
    headers = dict(headers or {})
    offered = [Subprotocol(name) for name in (subprotocol, *offering) if name is not None]
    uri = urlsplit(address(server, path, **query))
    try:
        link = await connect(
            urlunsplit(uri._replace(netloc=headers.pop("Host", uri.netloc))),
            host=uri.hostname,
            port=uri.port,
            subprotocols=offered or None,
            additional_headers=headers,
            compression=compression,
            open_timeout=DEADLINE,
            close_timeout=DEADLINE,
            ping_interval=None,
            max_queue=None,
            proxy=None,
        )
    except InvalidStatus as error:
        raise Refused(error) from None
    async with Person(link) as somebody:
        await somebody.expect("welcome")
        yield somebody


def encoded(secret: str) -> str:
    """A guest's secret as it is sent in a subprotocol or a header."""
    return base64.urlsafe_b64encode(secret.encode()).decode().rstrip("=")


class Refused(Exception):
    """A handshake was answered with an HTTP status."""

    def __init__(self, error: InvalidStatus) -> None:
        response = error.response
        super().__init__(f"{response.status_code} {response.body!r}")
        self.status = response.status_code
        self.body: dict[str, Any] = json.loads(response.body or b"{}")
        self.headers = response.headers
