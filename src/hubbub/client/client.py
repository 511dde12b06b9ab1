"""The client that people use: a session, and a WebSocket under it that comes back by itself."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from inspect import isawaitable
from typing import Literal, Self, TypeVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.http11 import Response
from websockets.typing import Subprotocol

from hubbub.client.requests import MAY_PASS, http_root, read_page, refusal
from hubbub.client.room import Room, made, new_key
from hubbub.client.session import Session, State, Undelivered
from hubbub.client.view import KEPT
from hubbub.errors import HubbubError, Internal, RequestError
from hubbub.wire.answers import Ack
from hubbub.wire.base import Command, Event, Reply
from hubbub.wire.codecs import CODECS, CODECS_BY_SUBPROTOCOL, JSON_CODEC, Codec
from hubbub.wire.codes import CloseCode
from hubbub.wire.connection import Auth, Welcome
from hubbub.wire.events import EventTable
from hubbub.wire.members import (
    Create,
    Direct,
    MembersPage,
)
from hubbub.wire.rooms import Join, Joined, ListQuery, OnlinePage, RoomsPage

log = logging.getLogger("hubbub.client")

M = TypeVar("M", bound=BaseModel)
R = TypeVar("R", bound=Reply)

Token = str | Callable[[], str | Awaitable[str | None] | None]
"""A token, or a function that gives one, which may be async."""

UNREAD_EVENTS = 10_000
RENEWED_BEFORE = 60.0
"""Seconds before its end at which an identity is renewed; a short one in the last fifth of its time."""
CLOSE_TIMEOUT = 5.0
HEADERS_LOG = logging.getLogger("hubbub.client.websockets")
"""Not below INFO: `websockets` logs all headers at DEBUG, with the secret and the token among them."""
HEADERS_LOG.setLevel(logging.INFO)
OVER = frozenset({State.REFUSED, State.CLOSED})


class EventsLost(HubbubError):
    """The events were not read for too long, and the oldest ones are gone. The rooms' messages are complete
    nevertheless. Iteration may go on.
    """


class Client:
    """One user's connection to a Hubbub server, over as many WebSockets as it takes.

        async with Client("ws://localhost:8000/ws", username="alice") as client:
            room = await client.join("general")
            await room.send("hello")
            async for event in client:
                ...

    `async with` returns when the server has welcomed us. It raises the `RequestError` with which the server refuses us,
    or `Ended`. While there is no server it tries again, without a limit: use `asyncio.timeout` to set one. From then on
    the client reconnects by itself, joins its rooms again from its last positions, and sends again what had no answer.
    Failures are logged at INFO, as `hubbub.client`: the first one, and then ever more seldom.

    `username` is for guests; `secret` (`client.secret` of an earlier session) proves that it is the same guest. `token`
    is sent as `Authorization: Bearer`, and `headers` as they are. If `token` is a function, it is asked at each
    attempt, and shortly before the token expires: then the connection goes on with the newer one. `events` are an
    application's own event models. The first wait between attempts is below `first_wait` seconds, the longest below
    `longest_wait`.

    Iterating gives the events of all rooms, in each room's order. Each message comes as a `message` event once, whether
    it came live or was missed and read later. Other changes that were missed are in the `joined` or `sync` event before
    it. After a `joined` that is not `recovered`, the messages between the last position and that event are not given.
    Iteration raises `EventsLost` if more than 10,000 events were not read. It raises the reason if the server ended the
    session, and ends when the client is closed.
    """

    def __init__(
        self,
        address: str,
        *,
        username: str | None = None,
        secret: str | None = None,
        token: Token | None = None,
        headers: Mapping[str, str] | None = None,
        codec: Literal["json", "msgpack"] = "json",
        events: Iterable[type[Event]] = (),
        first_wait: float = 0.5,
        longest_wait: float = 30.0,
    ) -> None:
        if urlsplit(address).scheme not in {"ws", "wss"}:
            raise ValueError(f"an address begins with ws:// or wss://, not {address!r}")
        self._address = address
        self._username = username
        self.secret = secret
        """Proves to the server, later, that a guest is this one."""
        self._headers = dict(headers or {})
        self._token = token
        self._shown: str | None = None
        """The token that the server has seen last."""
        self._renewing: asyncio.Task[None] | None = None
        self._subprotocol = next(known.subprotocol for known in CODECS if known.name == codec)
        self._models = {model.type_name(): model for model in (*EventTable(), *events)}
        self._session = Session(first_wait=first_wait, longest_wait=longest_wait)
        self._answers: dict[str, asyncio.Future[Reply]] = {}
        self._events: deque[Event] = deque(maxlen=UNREAD_EVENTS)
        self._has_lost_events = False
        self._waiters: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()
        self._failures = 0
        """Attempts to connect since the last that succeeded."""
        self._task: asyncio.Task[None] | None = None

    @property
    def state(self) -> State:
        return self._session.state

    @property
    def user(self) -> str:
        """One's own key, as the server knows it. Empty before the first welcome."""
        return self._session.me.user if self._session.me is not None else ""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep_connected(), name=f"hubbub client {self._address}")
        try:
            await self.wait_for(State.LIVE)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection. Callers that wait for an answer get `Undelivered`."""
        self._session.close()
        self._take_output()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def wait_for(self, state: State) -> None:
        """Returns when the client is in this state. If the session has ended for good, raises the reason."""
        await self._until(lambda: self.state is state or self.state in OVER)
        if self.state is not state:
            raise self._session.failure or Undelivered("the client is closed")

    async def join(self, room: str, *, limit: int | None = None, kept: int = KEPT) -> Room:
        """Follow a room, until `leave`. It begins with the latest `limit` messages; at most `kept` messages are held.

        Raises the `RequestError` that the server refuses it with.
        """
        view = self._session.view(room)
        if view is None or view.epoch is None:
            made(Join, room=room, limit=limit)
            folded = self._session.join(room, limit=limit, kept=kept)
            await self._answer_to(folded, Joined)
            view = self._session.view(room)
            assert view is not None
        return Room(self, view)

    async def create(
        self,
        kind: Literal["private", "public"],
        room: str | None = None,
        *,
        title: str | None = None,
        users: Iterable[str] = (),
        key: str | None = None,
    ) -> Room:
        """Make a room, once, and follow it as `join` does. A public room needs a key, and the server makes that of a
        private one, where `users` are invited. If a call is repeated with the same `key`, also in another process, it
        finds the room of the first time.

        Raises `Conflict` if there is a room with this key, `NotFound` if there is no such user.
        """
        command = made(Create, kind=kind, room=room, title=title, users=list(users), key=key or new_key())
        return await self._made(command)

    async def direct(self, *users: str) -> Room:
        """Find or make the direct room with these users, and follow it. Raises `NotFound` if there is no such user."""
        return await self._made(made(Direct, users=list(users)))

    async def _made(self, command: Command) -> Room:
        joined = await self.ask(command, Joined)
        view = self._session.view(joined.room)
        if view is None:
            raise Undelivered(f"room {joined.room!r} was left or taken away before it could be used")
        return Room(self, view)

    async def ask(self, command: Command, reply: type[R] = Reply) -> R:  # type: ignore[assignment]
        """Have a command done, and return its answer. It is sent again after a reconnect, if it had no answer.

        Raises the `RequestError` with which the server refuses it, `Undelivered`, or the reason why the session ended.
        If the caller is cancelled, it does not know whether the command was done.
        """
        id = self._session.ask(command)
        try:
            return await self._answer_to(id, reply)
        except asyncio.CancelledError:
            self._session.withdraw(id)
            self._answers.pop(id, None)
            raise

    def tell(self, command: Command) -> None:
        """Send a command that needs no answer and is useless later. It is dropped if there is no connection, or if it
        would exceed the server's limits."""
        self._session.tell(command)
        self._wake.set()

    def leave(self, room: str) -> None:
        """Stop following a room. Callers that wait for an answer in it get `Undelivered`."""
        self._session.leave(room)
        self._wake.set()

    async def rooms(self, q: str = "", *, after: str | None = None, limit: int = 50) -> RoomsPage:
        """A page of the rooms that you may join, by their keys, with how many are online; `q` is a part of the key.
        Give a page's `next` as `after` for the page that follows.

        It is one HTTP request, which needs no connection and is not repeated. Raises the `RequestError` that the server
        refuses it with, `RateLimited` and `Unavailable` too.
        """
        query = made(ListQuery, q=q, after=after or "", limit=limit)
        return await self._page("/api/v1/rooms", query, RoomsPage)

    async def online(self, room: str, q: str = "", *, after: str | None = None, limit: int = 50) -> OnlinePage:
        """A page of the users who are online in a room, by their names; `q` is a part of the name or the key. As
        `rooms`."""
        query = made(ListQuery, q=q, after=after or "", limit=limit)
        return await self._page(f"/api/v1/rooms/{quote(room, safe='')}/online", query, OnlinePage)

    async def members(self, room: str, q: str = "", *, after: str | None = None, limit: int = 50) -> MembersPage:
        """What is said about a room, and a page of those who have a role in it, by their names; `q` is a part of the
        name or the key. As `rooms`."""
        query = made(ListQuery, q=q, after=after or "", limit=limit)
        return await self._page(f"/api/v1/rooms/{quote(room, safe='')}/members", query, MembersPage)

    async def _page(self, path: str, query: ListQuery, page: type[M]) -> M:
        url = http_root(self._address) + path
        headers = self._headers | _bearer(self._shown or await self._ask_for_token())
        return await read_page(url, query.model_dump(), page, headers=headers)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        await self._until(lambda: bool(self._events) or self.state in OVER)
        if self._has_lost_events:
            self._has_lost_events = False
            raise EventsLost(f"more than {UNREAD_EVENTS} events were not read; the oldest ones are gone")
        if self._events:
            return self._events.popleft()
        if self._session.failure is not None:
            raise self._session.failure
        raise StopAsyncIteration

    async def _answer_to(self, id: str, kind: type[R]) -> R:
        answer = self._answers.get(id)
        if answer is None:
            answer = self._answers[id] = asyncio.get_running_loop().create_future()
        self._take_output()
        self._wake.set()
        # Several callers may wait for the same `joined`. If one is cancelled, the others must still get it.
        reply = await asyncio.shield(answer)
        if not isinstance(reply, kind):
            raise Internal(f"the server answered {reply.type!r}, not {kind.__name__}")
        return reply

    def _take_output(self) -> None:
        """Give answers and events of the session to the callers that wait for them."""
        output = self._session.output
        while output.answers:
            id, answer = output.answers.popleft()
            waiting = self._answers.pop(id, None)
            if waiting is None:
                continue
            if isinstance(answer, Exception):
                waiting.set_exception(answer)
                # The caller may have been cancelled since.
                waiting.exception()
            else:
                waiting.set_result(answer)
        while output.events:
            self._has_lost_events |= len(self._events) == UNREAD_EVENTS
            self._events.append(output.events.popleft())
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    # The connection.

    async def _keep_connected(self) -> None:
        session = self._session
        try:
            while session.state not in OVER:
                if session.state is State.WAITING:
                    await asyncio.sleep(session.due - time.monotonic())
                self._shown = await self._ask_for_token()
                session.open()
                link = await self._connect()
                if link is not None:
                    await self._talk(link)
                self._take_output()
        except Exception as error:  # noqa: BLE001 - those who wait get it: this task has nobody else to tell
            session.fail(error)
            self._take_output()

    async def _connect(self) -> ClientConnection | None:
        try:
            async with asyncio.timeout(self._session.silence_deadline - time.monotonic()):
                return await connect(
                    self._uri(),
                    subprotocols=[Subprotocol(name) for name in self._subprotocols()],
                    additional_headers=self._headers | _bearer(self._shown),
                    logger=HEADERS_LOG,
                    compression=None,
                    open_timeout=None,
                    close_timeout=CLOSE_TIMEOUT,
                    ping_interval=None,
                )
        except InvalidStatus as error:
            refusal = refusal_of(error.response)
            may_pass = error.response.status_code in MAY_PASS
            self._session.rejected(refusal, may_pass=may_pass, is_strange=not is_ours(error.response))
            self._log_failure(refusal.message)
        except (OSError, InvalidHandshake) as error:
            self._session.lost()
            self._log_failure(str(error) or type(error).__name__)
        return None

    def _log_failure(self, reason: str) -> None:
        """Log the first failure, the second, the fourth, the eighth …: a night without a server makes one page of
        log."""
        self._failures += 1
        if self._session.state is State.WAITING and self._failures & (self._failures - 1) == 0:
            seconds = self._session.due - time.monotonic()
            log.info("no connection to %s (%s): trying again in %.1f s", self._shown_address, reason, seconds)

    async def _talk(self, link: ClientConnection) -> None:
        codec = CODECS_BY_SUBPROTOCOL.get(link.subprotocol or "", JSON_CODEC)
        writing = asyncio.create_task(self._write(link, codec))
        writing.add_done_callback(lambda _: link.transport.abort())
        try:
            while True:
                async with asyncio.timeout(self._session.silence_deadline - time.monotonic()):
                    payload = await link.recv()
                self._receive(payload, codec)
        except ConnectionClosed as closed:
            if writing.done():
                writing.result()
            code, reason = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (None, "")
            has_another = code == CloseCode.UNAUTHENTICATED and await self._ask_for_token() != self._shown
            self._session.lost(None if has_another else code, reason)
            log.info("%s has closed the connection (%s)", self._shown_address, code or "without a word")
        except TimeoutError:
            # A closing handshake would wait for the silent server again.
            link.transport.abort()
            self._session.lost()
            log.info("%s is silent: taken for gone", self._shown_address)
        finally:
            if self._renewing is not None:
                self._renewing.cancel()
            await link.close()
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    def _receive(self, payload: str | bytes, codec: Codec) -> None:
        frame = codec.decode(payload, containers=None)
        model = self._models.get(frame.get("type", "")) if isinstance(frame, dict) else None
        if model is None:
            self._session.heard()
            return
        try:
            # A newer server may send fields that this client does not know.
            event = model.model_validate(frame, extra="ignore")
        except ValidationError as error:
            raise Internal(f"the server sent an event that makes no sense here: {error}") from None
        self._session.receive(event)
        if isinstance(event, Welcome):
            self._failures = 0
            log.info("connected to %s as %s", self._shown_address, event.user)
            self.secret = event.secret or self.secret
            if callable(self._token) and event.expires is not None:
                self._renewing = asyncio.create_task(self._renew(event.ts, event.expires))
        self._take_output()
        self._wake.set()

    async def _write(self, link: ClientConnection, codec: Codec) -> None:
        while True:
            self._wake.clear()
            while (command := self._session.next_command()) is not None:
                payload = codec.encode(command.model_dump(mode="json", exclude_none=True))
                try:
                    await link.send(payload if codec.binary else payload.decode())
                except ConnectionClosed:
                    # The reader gets the close frame later, after the events before it.
                    await link.wait_closed()
                    return
            due = self._session.next_send()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if due is None else due - time.monotonic()):
                    await self._wake.wait()

    async def _ask_for_token(self) -> str | None:
        if not callable(self._token):
            return self._token
        token = self._token()
        return await token if isawaitable(token) else token

    async def _renew(self, now: str, expires: str) -> None:
        """Show the server a newer token, each time before the identity ends."""
        server_is_ahead = _seconds(now) - time.monotonic()
        while True:
            left = _seconds(expires) - server_is_ahead - time.monotonic()
            await asyncio.sleep(left - min(RENEWED_BEFORE, left / 5))
            try:
                token = await self._ask_for_token()
                if token is None or token == self._shown:
                    return
                answer = await self.ask(made(Auth, token=token), Ack)
            except Exception as error:  # noqa: BLE001 - the function is the application's
                # The server closes the connection when the identity ends; then the token is asked for again.
                log.info("%s does not take another token (%s)", self._shown_address, type(error).__name__)
                return
            self._shown = token
            # A token that lasts no longer would be followed by another one at once.
            if answer.expires is None or answer.expires <= expires:
                return
            expires = answer.expires

    def _uri(self) -> str:
        parts = urlsplit(self._address)
        query = parse_qsl(parts.query, keep_blank_values=True)
        query += [("username", self._username)] if self._username else []
        return urlunsplit(parts._replace(query=urlencode(query)))

    def _subprotocols(self) -> list[str]:
        """Proxies log addresses, so a secret is never in one. The server never selects the subprotocol that holds
        it."""
        if not self.secret:
            return [self._subprotocol]
        encoded = base64.urlsafe_b64encode(self.secret.encode()).decode().rstrip("=")
        return [self._subprotocol, f"secret.{encoded}"]

    @property
    def _shown_address(self) -> str:
        """The address for logs, without any credentials that it may hold."""
        parts = urlsplit(self._address)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


def is_ours(response: Response) -> bool:
    """Whether our server has answered, or the application that it is mounted in, and not a proxy in front of them."""
    try:
        body = from_json(response.body or b"")
    except ValueError:
        return False
    return isinstance(body, dict) and ("code" in body or "detail" in body)


def refusal_of(response: Response) -> RequestError:
    """Why a handshake was refused."""
    return refusal(response.status_code, bytes(response.body or b""), response.headers.get("Retry-After", ""))
