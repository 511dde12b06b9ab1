"""For the tests of delivery: connections on a transport that keeps what it is told, and a clock to turn."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from websockets import frames as peer
from websockets.client import ClientProtocol
from websockets.protocol import State as PeerState
from websockets.uri import parse_uri

from hubbub.delivery.connection import Connection
from hubbub.delivery.fanout import NO_LIMIT, Fanout
from hubbub.delivery.formats import SOCKET_FORMATS, Format
from hubbub.delivery.transport import HIGH_WATER
from hubbub.limits import Allowance
from hubbub.wire.identity import User
from hubbub.wire.publication import Publication

JSON_FORMAT = SOCKET_FORMATS["json", False]
MSGPACK_FORMAT = SOCKET_FORMATS["msgpack", False]


class Clock:
    """An event loop whose time stands still until the test moves it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.now = 1000.0

    def time(self) -> float:
        return self.now

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


class Recorder:
    """A transport that records each write. The peer takes `capacity` bytes; the rest stays in the buffer."""

    hears_pongs = True

    def __init__(self, connection: Connection, capacity: float = float("inf")) -> None:
        self._connection = connection
        self.capacity = capacity
        self.writes: list[bytes] = []
        self.backlog = 0
        self.closed_with: tuple[int, str] | None = None
        self.aborted = False
        self.reading = True
        self.on_write: Callable[[], object] = lambda: None

    def write(self, chunk: bytes) -> None:
        self.writes.append(chunk)
        taken = min(self.capacity, len(chunk))
        self.capacity -= taken
        self.backlog += int(len(chunk) - taken)
        self.on_write()
        if self.backlog > HIGH_WATER:
            self._connection.filled()

    def empty(self) -> None:
        """The peer reads everything, now and from now on."""
        self.backlog, self.capacity = 0, float("inf")
        self._connection.emptied()

    def close(self, code: int, reason: str) -> None:
        self.closed_with = (code, reason)

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Listener:
    """A receiver that records what it gets. It never needs to catch up."""

    def __init__(self, connection: Connection, fanout: Fanout) -> None:
        self._connection = connection
        self._fanout = fanout
        self.heard: list[tuple[int, bytes]] = []
        self.missed: list[dict[str, int | None]] = []
        self.endings: list[tuple[int, str]] = []

    def receive(self, opcode: int, payload: bytes) -> None:
        self.heard.append((opcode, payload))

    def relieved(self, missed: dict[str, int | None]) -> None:
        self.missed.append(missed)
        for channel in missed:
            with self._fanout.recovering(self._connection, channel):
                pass

    def closed(self, code: int, reason: str) -> None:
        self.endings.append((code, reason))


class Person:
    """A connection with what its transport and its receiver have seen."""

    def __init__(
        self,
        fanout: Fanout,
        name: str,
        *,
        id: str | None = None,
        form: Format = JSON_FORMAT,
        capacity: float = float("inf"),
    ) -> None:
        self.connection = Connection(fanout, id=id or name, user=User(name, name.title()), format=form)
        self.transport = Recorder(self.connection, capacity)
        self.listener = Listener(self.connection, fanout)
        self.connection.transport = self.transport
        self.connection.receiver = self.listener
        self._form = form
        fanout.connect(self.connection)

    @property
    def frames(self) -> list[peer.Frame]:
        """All that was written, as the client of `websockets` reads it."""
        client = ClientProtocol(parse_uri("ws://localhost/"), state=PeerState.OPEN)
        client.receive_data(b"".join(self.transport.writes))
        assert client.parser_exc is None
        return [frame for frame in client.events_received() if isinstance(frame, peer.Frame)]

    @property
    def events(self) -> list[Any]:
        return [self._form.codec.decode(bytes(frame.data)) for frame in self.frames if frame.opcode in {1, 2}]

    @property
    def texts(self) -> list[str]:
        """The texts that `say` published and that came here."""
        return [event["text"] for event in self.events]


async def opened_at_once(channel: str) -> None:
    """A broker that confirms each subscription, and each end of one."""


def new_fanout(
    *,
    clock: Clock | None = None,
    open_channel: Callable[[str], Awaitable[None]] = opened_at_once,
    close_channel: Callable[[str], Awaitable[None]] = opened_at_once,
    work: Allowance = NO_LIMIT,
    for_node: Callable[[Publication], None] = lambda _: None,
    **deadlines: float,
) -> Fanout:
    fanout = Fanout(
        open_channel=open_channel,
        close_channel=close_channel,
        ping=lambda: Publication("", {"type": "ping"}),
        work=work,
        for_node=for_node,
        **deadlines,
    )
    fanout.start(cast(asyncio.AbstractEventLoop, clock) if clock is not None else asyncio.get_running_loop())
    return fanout


def say(fanout: Fanout, channel: str, text: str, *, position: int | None = None, ephemeral: bool = False) -> None:
    fanout.deliver(Publication(channel, {"type": "said", "text": text}, position=position, ephemeral=ephemeral))


async def congest(fanout: Fanout, slow: Person, channel: str) -> None:
    """A subscriber whose buffer is full. It was sent position 1 of the channel and missed position 2."""
    await fanout.subscribe(slow.connection, channel)
    slow.transport.capacity = 0
    say(fanout, channel, "w" * (HIGH_WATER + 1), position=1)
    await turn()
    say(fanout, channel, "missed", position=2)
    await turn()


def size_of(text: str) -> int:
    return len(JSON_FORMAT.piece(Publication("", {"type": "said", "text": text})))


async def turn(times: int = 1) -> None:
    """Let the event loop run its turns."""
    for _ in range(times):
        await asyncio.sleep(0)
