"""The two protocol classes that our own server gives to uvicorn.

`WebSocketProtocol` (`ws=`) does the opening handshake as uvicorn does, through ASGI, so that an endpoint is a plain
FastAPI route with dependencies. An endpoint that then gives its connection to the hub returns, its task ends, and a
`SocketTransport` takes the socket over: an idle client costs no task, no queue and no parser of uvicorn's. Endpoints
that do not are served by uvicorn's own code.

`HTTPProtocol` (`http=`) gives a request's head a deadline, and loses nothing that comes in one packet with it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.server import ServerProtocol

from hubbub.hub.connection import Connection, Pause
from hubbub.hub.transport import SocketTransport, limit_unsent
from hubbub.wire.codes import CloseCode

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent, ASGISendEvent

HANDOVER = "hubbub.handover"
"""The ASGI extension under which an endpoint finds the `WebSocketProtocol` that can hand its socket over."""

EARLY_BYTES = 64 * 1024
"""What may come behind the handshake before the application has decided; then reading pauses."""

HEAD_TIMEOUT = 10.0


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol, and a way out of it.

    From the 101 until the ASGI callable has returned nothing is read, so whatever the client sends in between is kept
    for whoever serves the connection afterwards. An application that fails after the handshake closes with 1011.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # A compression context costs 32 KB per connection; without one, a compressed frame can also be shared.
        deflate = ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)
        self.conn = ServerProtocol(
            extensions=[deflate] if config.ws_per_message_deflate else [],
            max_size=config.ws_max_size,
            logger=self.logger,
        )
        self._early: list[bytes] | None = []
        """Bytes behind the handshake, until it is known who reads them."""
        self._adopted: SocketTransport | None = None
        self._connection: Connection | None = None

    # What an endpoint calls.

    @property
    def compresses(self) -> bool:
        """Whether this client takes compressed frames, with the window that shared ones are made with."""
        return any(
            isinstance(extension, PerMessageDeflate) and extension.local_max_window_bits == 15
            for extension in self.conn.extensions
        )

    @property
    def inflates(self) -> bool:
        """Whether this client may send compressed frames."""
        return bool(self.conn.extensions)

    def adopt(self, connection: Connection, *, max_size: int) -> None:
        """Serve `connection` on this socket. Call it after `accept()`, then return from the endpoint.

        Raises RuntimeError before the handshake is complete or when the client is gone already.
        """
        if not self.handshake_complete or self.disconnected or self.transport.is_closing():
            raise RuntimeError("the client is gone, or the handshake is not complete")
        self.stop_keepalive()
        limit_unsent(self.transport)
        self._connection = connection
        self._adopted = SocketTransport(
            connection, self.transport, max_size=max_size, deflate=self.inflates, on_lost=self.connections.discard
        )
        connection.transport = self._adopted
        connection.pause(Pause.HANDSHAKE)

    # What uvicorn and the event loop call.

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if self.handshake_initiated and not self.handshake_complete:
            cast(dict[str, object], self.scope["extensions"])[HANDOVER] = self

    def data_received(self, data: bytes) -> None:
        if self._adopted is None and (self._early is None or not self.handshake_initiated):
            super().data_received(data)
            return
        if self._early is None:
            self._early = []
        self._early.append(data)
        if sum(map(len, self._early)) > EARLY_BYTES:
            self.transport.pause_reading()

    async def receive(self) -> ASGIReceiveEvent:
        if self.handshake_complete:
            self._stay()
        return await super().receive()

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] != "websocket.accept":
            if self.handshake_complete:
                self._stay()
            await super().send(message)
            return
        await super().send(message)
        self.transport.pause_reading()

    def _stay(self) -> None:
        """The application reads and writes by itself: uvicorn goes on serving this socket."""
        if self._early is None or self._adopted is not None:
            return
        early, self._early = self._early, None
        if not self.transport.is_closing():
            self.transport.resume_reading()
        for data in early:
            super().data_received(data)

    async def run_asgi(self) -> None:
        failed = False
        try:
            await self.app(cast(Any, self.scope), cast(Any, self.receive), cast(Any, self.send))
        except ClientDisconnected:
            pass
        except BaseException:
            failed = True
            self.logger.exception("Exception in ASGI application\n")
            self.send_500_response()
        if self._connection is not None:
            self._hand_over(self._connection, failed=failed)
            return
        if not (self.handshake_complete or self.initial_response or failed):
            self.logger.error("ASGI callable returned without completing handshake.")
            self.send_500_response()
        if failed and self.handshake_complete and not self.close_sent and not self.disconnected:
            self.conn.send_close(CloseCode.INTERNAL_ERROR)
            self.transport.write(b"".join(self.conn.data_to_send()))
        if self.close_timer is None:
            self.transport.close()

    def _hand_over(self, connection: Connection, *, failed: bool) -> None:
        transport, adopted = self.transport, self._adopted
        assert adopted is not None
        self.connections.discard(self)
        # uvicorn's protocol is a web of references; without these lines it would wait for the garbage collector.
        early, self._early = self._early, None
        self._connection = self._adopted = None
        del self.conn, self.queue, self.scope
        if self.disconnected:
            adopted.connection_lost(None)
            return
        transport.set_protocol(adopted)
        self.connections.add(cast(Any, adopted))
        if failed:
            connection.close(CloseCode.INTERNAL_ERROR, "the application failed")
        for data in early or ():
            adopted.data_received(data)
        connection.resume(Pause.HANDSHAKE)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._adopted is not None:
            self._adopted.pause_writing()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._adopted is not None:
            self._adopted.resume_writing()


class HTTPProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with a deadline: half a request's head, or none, does not hold a socket for ever."""

    head_timeout = HEAD_TIMEOUT

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_head()

    def on_headers_complete(self) -> None:
        self._head_came()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if not self._should_upgrade():
                self._unsupported_upgrade_warning()
                return
            self.handle_websocket_upgrade()
            behind = data[upgrade.args[0] :]
            protocol = self.transport.get_protocol()
            if behind and isinstance(protocol, asyncio.Protocol) and protocol is not self:
                protocol.data_received(behind)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def _expect_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.head_timeout, self._too_late)

    def _head_came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        self.transport.abort()
