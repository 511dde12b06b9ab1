"""The protocol class that our own server gives to uvicorn for HTTP (`http=`).

One request is parsed at a time. What comes after it waits until it is answered and the client has taken the answer:
what one read gave waits here, the rest in the kernel. So a pipelined upgrade comes after the answers before it, and no
client's requests fill the memory. The size of a head is limited, each wait has a deadline, and parsing takes turns.

The head of an opening handshake is passed on as it was parsed. uvicorn's HTTP classes would write it as bytes again,
and `WebSocketProtocol` would parse these.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from hubbub.delivery.transport import limit_unsent
from hubbub.delivery.turns import BYTES, Turns
from hubbub.errors import RateLimited, RequestError, Unavailable
from hubbub.http.error_responses import error_response
from hubbub.limits import SLOWEST, Outflow
from hubbub.serving.handshake import Head, denial
from hubbub.serving.request_heads import HEAD_BYTES, HEADERS, HeadRefused, body_length, too_large
from hubbub.serving.sockets import Place, SocketLimits, Sockets, Verdict
from hubbub.serving.websocket_protocol import WebSocketProtocol
from hubbub.settings import Settings

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

log = logging.getLogger("hubbub.connections")

DISCARDED_BYTES = 2**20
LINGER = 2.0
"""If a request is refused, or answered before its end, so many bytes after it are still read, for so many seconds. To
close while the client sends would reset the link, and a reset can overtake the answer."""

SLICE = 0.0005
"""Seconds of parsing for one connection before the others have their turn."""
PART = 1024
"""Bytes of a chunked body between two checks of the clock. In the worst case, every six of them are a chunk."""

_END = b"\r\n\r\n"
_DEFAULT_LIMITS = SocketLimits.of(Settings.model_construct())


class Phase(Enum):
    """What the connection waits for."""

    HEAD = "a head"
    BODY = "the rest of a request that the application has begun to answer"
    ANSWER = "the application"
    REMAINDER = "the rest of a request that is answered"
    NEXT = "another request"
    END = "the client's end of the link, after our last answer"


class Flow(FlowControl):
    """Does not read while bytes are held that were read already, even if uvicorn asks for more."""

    held = False

    def hold(self) -> None:
        self.held = True
        if not self._transport.is_closing():
            self.pause_reading()

    def resume_reading(self) -> None:
        if not self.held and not self._transport.is_closing():
            super().resume_reading()


class HTTPProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with limits. `limits` are for a server without settings of ours."""

    limits: ClassVar[SocketLimits] = _DEFAULT_LIMITS
    flow: Flow

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._sockets = Sockets.of(server_state, self.limits)
        self.app = _InTurns(self.app, self._sockets.turns)
        self._place = Place(server_state.connections)
        self._outflow: Outflow | None = None
        """None until the client has left something of an answer untaken."""
        self._verdict = Verdict.WELCOME
        self._phase = Phase.HEAD
        self._waited = 0.0
        """Seconds in this phase in which the server waited for the client."""
        self._received = 0
        """Bytes that came in this phase."""
        self._kept = 0
        """Bytes since the end of the last head, chunk's head or part of a body. The parser may keep these."""
        self._body_left: int | None = None
        """Bytes; None while that is not known: in a head, or a body in chunks."""
        self._before = b""
        """The last three bytes, if the end of a head may begin in them."""
        self._held = b""
        self._held_from = 0
        self._refusal: bytes | None = None
        self._upgrades: bool | None = None
        """Whether the request asks for a WebSocket; None until this is asked for."""

    # A socket comes and goes.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        # The same as in uvicorn's class, which would also make a FlowControl.
        self.connections.add(self)
        self.transport = transport
        self.flow = Flow(transport)
        self.server = get_local_addr(transport)
        self.client = get_remote_addr(transport)
        self.scheme = "https" if is_ssl(transport) else "http"
        limit_unsent(transport)
        peer = self.client[0] if self.client else ""
        # A trusted proxy sends its clients' requests. The head will say which client's.
        address = "" if self._sockets.limits.proxies.trusts(peer) else peer
        self._verdict = self._sockets.enter(self._place, address, file_number(transport))
        if self._verdict is Verdict.DROP:
            self._drop("too many connections, and too many that were told so")
        elif self._verdict is Verdict.NO_FILES:
            self._refuse(_answer(Unavailable("the server is full", retry_after=30_000)))
        self._sockets.watch(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._sockets.unwatch(self)
        self._place.free(self)
        self._held = b""
        super().connection_lost(exc)

    @property
    def is_new(self) -> bool:
        """Whether its first request has not come yet, or not in whole."""
        return self._phase is Phase.HEAD

    def check_time(self, elapsed: float) -> None:
        limits = self._sockets.limits
        left = self.transport.get_write_buffer_size()
        if left and self._outflow is None:
            self._outflow = Outflow()
        growing = self._phase in {Phase.ANSWER, Phase.BODY} and not self.transport.is_closing()
        if self._outflow is not None and self._outflow.is_stuck(
            left, elapsed, growing=growing, stall=limits.stall_timeout, patience=limits.stall_patience
        ):
            self._drop(f"{left} bytes not read")
        elif not left and not self.flow.read_paused and not self.transport.is_closing():
            self._waited += elapsed
            if self._waited >= self._patience:
                self._too_late()

    @property
    def _patience(self) -> float:
        if self._phase is Phase.ANSWER:
            return math.inf
        if self._phase is Phase.NEXT:
            return self.timeout_keep_alive
        if self._phase is Phase.BODY:
            return self._sockets.limits.head_timeout + self._received / SLOWEST
        if self._phase is Phase.END:
            return LINGER
        return self._sockets.limits.head_timeout

    def _too_late(self) -> None:
        if self._phase is Phase.BODY:
            self._refuse(_answer_plainly(HeadRefused(HTTPStatus.REQUEST_TIMEOUT, "The body comes too slowly.")))
        elif self._phase is Phase.NEXT:
            self.transport.close()
        else:
            self._drop(f"it has sent nothing of {self._phase.value} for too long")

    def give_way(self) -> bool:
        if self._phase not in {Phase.HEAD, Phase.NEXT} or self._held:
            return False
        self._drop("others need its file")
        return True

    def _drop(self, why: str) -> None:
        log.debug("a plain socket of %s is dropped: %s", self._address, why)
        self.transport.abort()

    @property
    def _address(self) -> str:
        return self.client[0] if self.client else ""

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._waited = 0.0
        self._received = 0

    # Bytes come.

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._phase is Phase.END:
            self._received += len(data)
            if self._received > DISCARDED_BYTES:
                self.transport.abort()
        elif self._held or self._phase is Phase.ANSWER or (self._phase is Phase.NEXT and self.flow.write_paused):
            self._held = self._held[self._held_from :] + data
            self._held_from = 0
            self.flow.hold()
        else:
            self._take(data, 0)

    def _take(self, data: bytes, start: int) -> None:
        """Parse up to the end of one request, or until this connection's time is over. The rest waits."""
        if self._phase is Phase.NEXT:
            self._enter(Phase.HEAD)
        ends = time.perf_counter() + SLICE
        while not self.transport.is_closing():
            end = self._end_of_part(data, start)
            if not self._feed(data, start, end) or end == len(data):
                return
            start = end
            if self._phase in {Phase.ANSWER, Phase.NEXT} or time.perf_counter() > ends:
                self._held, self._held_from = data, start
                self.flow.hold()
                if self._phase is not Phase.ANSWER:
                    self.loop.call_soon(self._go_on)
                return

    def _go_on(self) -> None:
        """Take what is held, unless an answer must be sent or taken first."""
        if not self._held or self._phase in {Phase.ANSWER, Phase.END} or self.transport.is_closing():
            return
        if self._phase is Phase.NEXT and self.flow.write_paused:
            return
        data, start = self._held, self._held_from
        self._held, self._held_from = b"", 0
        self._take(data, start)
        if not self._held:
            self._read_on()

    def _read_on(self) -> None:
        self.flow.held = False
        # uvicorn reads again by itself when the application has taken the body so far.
        if self._phase is not Phase.BODY or len(self.cycle.body) <= HIGH_WATER_LIMIT:
            self.flow.resume_reading()

    def _end_of_part(self, data: bytes, start: int) -> int:
        """Up to where the parser may get the data, so that it gets no byte of the next request."""
        if self._body_left is not None:
            return min(len(data), start + self._body_left)
        if self._before:
            straddling = (self._before + data[start : start + 3]).find(_END)
            if straddling >= 0:
                return start + straddling + len(_END) - len(self._before)
        limit = len(data) if self._phase is Phase.HEAD else min(len(data), start + PART)
        found = data.find(_END, start, limit)
        return limit if found < 0 else found + len(_END)

    def _feed(self, data: bytes, start: int, end: int) -> bool:
        """Parse a part. False if no more requests of this connection are parsed."""
        part = data if not start and end == len(data) else data[start:end]
        size = end - start
        self._received += size
        self._kept += size
        if self._phase is Phase.HEAD and (
            self._kept > HEAD_BYTES or (size > 4 * HEADERS and part.count(b"\n") > HEADERS + 2)
        ):
            self._too_large()
            return False
        if self._body_left is not None:
            self._body_left -= size
        else:
            self._before = (self._before + part[-3:])[-3:]
        try:
            self.parser.feed_data(part)
        except httptools.HttpParserUpgrade:
            if self._refusal is None:
                self._upgrade(data[end:])
                return False
        except httptools.HttpParserError:
            self._refusal = self._refusal or _invalid()
        if self._phase is Phase.HEAD and self._before == _END[1:]:
            # Empty lines only. RFC 9112, section 2.2, asks servers to ignore one. Each costs as much as a head.
            self._refusal = self._refusal or _invalid()
        if self._refusal is not None:
            self._refuse(self._refusal)
        elif self._kept > HEAD_BYTES and self._body_left is None:
            self._too_large()
        elif self._phase is Phase.REMAINDER and self._received > DISCARDED_BYTES:
            self.transport.close()
        else:
            return True
        return False

    # What the parser says.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._headers_complete = False
        self._upgrades = None

    def on_header(self, name: bytes, value: bytes) -> None:
        # The parser gives trailers too. They must not change the headers by which the application decides.
        if self._headers_complete:
            return
        # The same as in uvicorn's class, but without a second call for each header.
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._headers_complete = True
        self._kept = 0
        is_upgrade = self.parser.should_upgrade()
        try:
            if self._verdict is Verdict.TOO_MANY:
                raise _too_many()
            length = body_length(self.parser.get_http_version(), self.headers, is_upgrade=is_upgrade)
            self._believe_proxy()
        except HeadRefused as refused:
            self._refusal = _answer_plainly(refused)
            return
        except RequestError as error:
            self._refusal = _answer(error)
            return
        self._body_left = length or None
        super().on_headers_complete()
        if not (is_upgrade and self._should_upgrade()):
            self._enter(Phase.BODY)

    def on_body(self, body: bytes) -> None:
        self._kept = 0
        super().on_body(body)

    def on_chunk_header(self) -> None:
        self._kept = 0

    def on_message_complete(self) -> None:
        self._body_left = None
        self._before = b""
        self._kept = 0
        if self._refusal is not None:
            return
        super().on_message_complete()
        if self._phase is Phase.BODY:
            self._enter(Phase.ANSWER)
        elif self._phase is Phase.REMAINDER:
            self._enter(Phase.NEXT)

    def _believe_proxy(self) -> None:
        """If a trusted proxy sent the head, take the address and the scheme from it. Raises `RateLimited`."""
        proxies = self._sockets.limits.proxies
        if self.client is None or not proxies.trusts(self.client[0]):
            return
        address = proxies.client(self.client[0], self.headers)
        if self._sockets.count(self._place, address) is not Verdict.WELCOME:
            raise _too_many()
        self.scope["client"] = (address, 0)
        self.scope["scheme"] = proxies.scheme(self.headers) or self.scope["scheme"]

    # Answers.

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self._phase is Phase.BODY:
            self._enter(Phase.REMAINDER)
            self.flow.resume_reading()
            return
        self._enter(Phase.NEXT)
        if self._held:
            # In another turn of the loop, so that other connections have theirs first.
            self.loop.call_soon(self._go_on)
        else:
            self._read_on()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._held:
            self.loop.call_soon(self._go_on)

    def _too_large(self) -> None:
        if self._phase is Phase.HEAD:
            self._refuse(_answer_plainly(too_large()))
        else:
            self.transport.abort()

    def _refuse(self, answer: bytes) -> None:
        """The last answer on this connection."""
        if log.isEnabledFor(logging.DEBUG):
            status = answer.partition(b"\r\n")[0].decode("ascii").removeprefix("HTTP/1.1 ")
            log.debug("a request from %s is refused: %s", self._address, status)
        if self._phase in {Phase.BODY, Phase.ANSWER}:
            if self.cycle.response_started:
                self.transport.abort()
                return
            # The application answers as well, but its answer is dropped.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(answer)
        if self._verdict is Verdict.NO_FILES or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self._enter(Phase.END)
        self._held, self._held_from = b"", 0
        self._read_on()

    # A WebSocket's opening handshake.

    def _should_upgrade(self) -> bool:
        # This is called four times for each handshake.
        if self._upgrades is None:
            self._upgrades = super()._should_upgrade()
        return self._upgrades

    def _upgrade(self, behind: bytes) -> None:
        if not self._should_upgrade():
            # A server may ignore this request for an upgrade (RFC 9110, section 7.8), but the parser reads nothing
            # after it.
            if self._phase in {Phase.BODY, Phase.ANSWER}:
                self.cycle.keep_alive = False
            return
        self._read_on()
        self.handle_websocket_upgrade()
        protocol = self.transport.get_protocol()
        if behind and protocol is not self:
            cast(asyncio.Protocol, protocol).data_received(behind)

    def handle_websocket_upgrade(self) -> None:
        protocol_class = self.ws_protocol_class
        self._sockets.unwatch(self)
        if protocol_class is None or not issubclass(protocol_class, WebSocketProtocol):
            self._place.free(self)
            super().handle_websocket_upgrade()
            return
        self.connections.discard(self)
        protocol = protocol_class(self.config, self.server_state, self.app_state, self.loop)
        protocol.take_over(self._sockets, self._place)
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        protocol.open(
            Head(self.scope["method"], self.url, self.scope["http_version"], self.headers),
            scheme="wss" if self.scope["scheme"] == "https" else "ws",
            client=self.scope["client"],
            server=self.server,
        )
        # The parser refers to this object. Without this line, both would wait for the garbage collector.
        self.parser = None  # type: ignore[assignment]


class _InTurns:
    """An application of which one request begins in each turn of the event loop. If hundreds come at once, messages are
    delivered between them."""

    __slots__ = ("_app", "_turns")

    def __init__(self, app: ASGI3Application, turns: Turns) -> None:
        self._app = app
        self._turns = turns

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await self._turns.wait(BYTES)
        await self._app(scope, receive, send)


def file_number(transport: asyncio.Transport) -> int:
    sock = transport.get_extra_info("socket")
    number: int = sock.fileno() if sock is not None else 0
    return number


def _too_many() -> RateLimited:
    return RateLimited("too many connections from this address", retry_after=10_000)


def _answer(error: RequestError) -> bytes:
    response = error_response(error)
    return denial(response.status_code, list(response.raw_headers), bytes(response.body))


def _invalid() -> bytes:
    return _answer_plainly(HeadRefused(HTTPStatus.BAD_REQUEST, "Invalid HTTP request received."))


def _answer_plainly(refused: HeadRefused) -> bytes:
    return denial(refused.status, [(b"content-type", b"text/plain; charset=utf-8")], refused.text.encode())
