"""The protocol class that our own server gives to uvicorn for WebSockets (`ws=`).

It does the opening handshake through ASGI, so that an endpoint is a plain FastAPI route with dependencies. If the
endpoint gives its connection to the hub, it returns, its task ends, and a `SocketTransport` takes over the socket: an
idle client costs no task, no queue and no parser of uvicorn's. If the endpoint receives and sends by itself, uvicorn's
own class serves it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from uvicorn.config import Config
from uvicorn.protocols.utils import (
    ClientDisconnected,
    get_client_addr,
    get_local_addr,
    get_path_with_query_string,
    get_remote_addr,
    is_ssl,
)
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.protocol import State
from websockets.server import ServerProtocol

from hubbub.delivery.connection import Connection, Pause
from hubbub.delivery.transport import SocketTransport, limit_unsent
from hubbub.http.handover import HANDOVER
from hubbub.limits import Outflow
from hubbub.serving.handshake import Agreement, HandshakeRefused, Head, HeaderList, agree, denial, parse_head, refusal
from hubbub.serving.sockets import Place, Sockets
from hubbub.wire.codes import CloseCode
from hubbub.wire.frames import close_frame

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent, ASGISendEvent, WebSocketScope

log = logging.getLogger("uvicorn.error")

EARLY_BYTES = 64 * 1024
"""Bytes that may come after the handshake before it is decided who reads them. With more, reading pauses."""

_DISCONNECT: ASGIReceiveEvent = {"type": "websocket.disconnect", "code": CloseCode.ABNORMAL_CLOSURE, "reason": ""}


class Phase(Enum):
    OPENING = "opening"
    """The application has not decided yet."""
    ACCEPTED = "accepted"
    DENYING = "denying"
    """The application has begun to answer with an HTTP response of its own."""
    DENIED = "denied"


class WebSocketProtocol(asyncio.Protocol):
    """The opening handshake, until it is decided what serves the connection: the hub, or uvicorn's own class.

    What the client sends meanwhile is kept for that. The 101 is sent together with what the endpoint writes at once, or
    in the event loop's next turn. If the application fails after the handshake, the connection is closed with 1011.
    """

    __slots__ = (
        "_adopted",
        "_agreement",
        "_app_state",
        "_config",
        "_connection",
        "_denial",
        "_early",
        "_heir",
        "_loop",
        "_lost",
        "_outflow",
        "_phase",
        "_place",
        "_response",
        "_scope",
        "_server_state",
        "_sockets",
        "_told",
        "_transport",
        "_waiting",
    )

    _transport: asyncio.Transport
    _agreement: Agreement
    _scope: WebSocketScope

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._config = config
        self._server_state = server_state
        self._app_state = app_state
        self._loop = _loop or asyncio.get_running_loop()
        self._phase: Phase | None = None
        """None until the request's head is here."""
        self._told = False
        """Whether the application has received `websocket.connect`."""
        self._lost = False
        self._waiting: asyncio.Future[None] | None = None
        """Done when the client is gone, if the application waits for that."""
        self._denial: tuple[int, HeaderList, bytes] | None = None
        self._response: bytes | None = None
        """The 101, until it is written."""
        self._early = bytearray()
        """What came after the handshake, until it is decided who reads it."""
        self._place: Place | None = None
        self._sockets: Sockets | None = None
        self._outflow: Outflow | None = None
        self._connection: Connection | None = None
        self._adopted: SocketTransport | None = None
        self._heir: WebSocketsSansIOProtocol | None = None

    def take_over(self, sockets: Sockets, place: Place) -> None:
        """The socket is counted already. Call this first."""
        self._sockets, self._place = sockets, place
        sockets.watch(self)

    # What an endpoint calls.

    @property
    def compresses(self) -> bool:
        """Whether this client takes compressed frames that are made once for all, with their window size."""
        return any(
            isinstance(extension, PerMessageDeflate) and extension.local_max_window_bits == 15
            for extension in self._agreement.extensions
        )

    @property
    def inflates(self) -> bool:
        """Whether this client may send compressed frames."""
        return bool(self._agreement.extensions)

    def adopt(self, connection: Connection, *, max_size: int) -> None:
        """Serve `connection` on this socket. Call it after `accept()`, then return from the endpoint.

        Raises RuntimeError before the handshake is complete or when the client is gone already.
        """
        if self._phase is not Phase.ACCEPTED or self._lost or self._transport.is_closing():
            raise RuntimeError("the client is gone, or the handshake is not complete")
        if self._sockets is None:
            limit_unsent(self._transport)
        response, self._response = self._response, None
        self._connection = connection
        self._adopted = connection.transport = SocketTransport(
            connection,
            self._transport,
            max_size=max_size,
            deflate=self.inflates,
            on_lost=self._server_state.connections.discard if self._place is None else self._place.free,
            held=response or b"",
        )
        connection.pause(Pause.HANDSHAKE)

    # The request comes.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._server_state.connections.add(cast(Any, self))

    def data_received(self, data: bytes) -> None:
        if self._phase is None:
            self._parse(data)
            return
        self._early += data
        if len(self._early) > EARLY_BYTES:
            self._transport.pause_reading()

    def _parse(self, data: bytes) -> None:
        transport = self._transport
        try:
            head = parse_head(data)
        except HandshakeRefused as refused:
            self._refuse(refused.response)
            return
        self.open(
            head,
            scheme="wss" if is_ssl(transport) else "ws",
            client=get_remote_addr(transport),
            server=get_local_addr(transport),
        )

    def open(self, head: Head, *, scheme: str, client: tuple[str, int] | None, server: Any) -> None:
        """Let the application decide about this handshake."""
        self._phase = Phase.OPENING
        config = self._config
        try:
            self._agreement = agree(head, compress=config.ws_per_message_deflate)
        except HandshakeRefused as refused:
            self._refuse(refused.response)
            return
        raw_path, _, query_string = head.target.partition(b"?")
        path = raw_path.decode("ascii")
        self._scope = {
            "type": "websocket",
            "asgi": {"version": config.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": cast(Any, scheme),
            "server": server,
            "client": client,
            "root_path": config.root_path,
            "path": config.root_path + (unquote(path) if "%" in path else path),
            "raw_path": config.root_path.encode("ascii") + raw_path,
            "query_string": query_string,
            "headers": head.headers,
            "subprotocols": list(head.values(b"sec-websocket-protocol")),
            "state": self._app_state.copy(),
            "extensions": {"websocket.http.response": {}, HANDOVER: cast(Any, self)},
        }
        task = self._loop.create_task(self._run())
        self._server_state.tasks.add(task)
        task.add_done_callback(self._server_state.tasks.discard)

    async def _run(self) -> None:
        failed = False
        try:
            await self._config.loaded_app(cast(Any, self._scope), cast(Any, self.receive), cast(Any, self.send))
        except ClientDisconnected:
            pass
        except BaseException:
            failed = True
            log.exception("Exception in ASGI application\n")
        if self._adopted is not None:
            self._hand_over(failed=failed)
        elif self._heir is not None:
            self._end(self._heir, failed=failed)
        elif self._phase is Phase.ACCEPTED:
            self._close(CloseCode.INTERNAL_ERROR if failed else None)
        elif self._phase is Phase.OPENING:
            if not failed:
                log.error("ASGI callable returned without completing handshake.")
            self._refuse(refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error"))
        else:
            self._transport.close()

    # The application decides.

    async def receive(self) -> ASGIReceiveEvent:
        if self._heir is not None:
            return await self._heir.receive()
        if not self._told:
            self._told = True
            return {"type": "websocket.connect"}
        if self._phase is Phase.ACCEPTED and not self._lost:
            return await self._stay().receive()
        if self._phase is not Phase.DENIED and not self._lost:
            self._waiting = self._loop.create_future()
            await self._waiting
        return _DISCONNECT

    async def send(self, message: ASGISendEvent) -> None:
        if self._heir is not None:
            await self._heir.send(message)
        elif self._lost:
            raise ClientDisconnected
        elif self._phase is Phase.OPENING:
            self._decide(message)
        elif self._phase is Phase.ACCEPTED:
            await self._stay().send(message)
        elif self._phase is Phase.DENYING:
            self._deny(message)
        else:
            raise RuntimeError(f"Unexpected ASGI message {message['type']!r}, after the handshake was refused.")

    def _decide(self, message: ASGISendEvent) -> None:
        if message["type"] == "websocket.accept":
            self._log("[accepted]")
            self._response = self._agreement.response(
                subprotocol=message.get("subprotocol"),
                headers=[*self._server_state.default_headers, *message.get("headers", ())],
            )
            self._phase = Phase.ACCEPTED
            self._loop.call_soon(self._write_response)
        elif message["type"] == "websocket.close":
            self._log("403")
            self._refuse(refusal(HTTPStatus.FORBIDDEN, ""))
        elif message["type"] == "websocket.http.response.start":
            if not 100 <= message["status"] < 600:
                raise RuntimeError(f"Invalid HTTP status code '{message['status']}' in response.")
            self._log(str(message["status"]))
            self._denial = (message["status"], list(message.get("headers", ())), b"")
            self._phase = Phase.DENYING
        else:
            raise RuntimeError(
                "Expected ASGI message 'websocket.accept', 'websocket.close' or 'websocket.http.response.start' but "
                f"got {message['type']!r}."
            )

    def _deny(self, message: ASGISendEvent) -> None:
        if message["type"] != "websocket.http.response.body":
            raise RuntimeError(f"Expected ASGI message 'websocket.http.response.body', but got {message['type']!r}.")
        assert self._denial is not None
        status, headers, body = self._denial
        self._denial = (status, headers, body + message["body"])
        if not message.get("more_body", False):
            self._refuse(denial(*self._denial))

    def _refuse(self, response: bytes) -> None:
        self._phase = Phase.DENIED
        if not self._transport.is_closing():
            self._transport.write(response)
        self._transport.close()

    def _log(self, outcome: str) -> None:
        if log.isEnabledFor(logging.INFO):
            log.info(
                '%s - "WebSocket %s" %s',
                get_client_addr(self._scope),
                get_path_with_query_string(self._scope),
                outcome,
            )

    def _write_response(self) -> None:
        if self._adopted is not None:
            self._adopted.flush()
        elif self._response is not None:
            response, self._response = self._response, None
            if not self._transport.is_closing():
                self._transport.write(response)

    # Who serves the connection afterwards.

    def _stay(self) -> WebSocketsSansIOProtocol:
        """The application receives and sends by itself. From now on, uvicorn's own class serves it."""
        self._write_response()
        heir = self._heir = _Heir(self._heir_lost, self._config, self._server_state, self._app_state, self._loop)
        heir.conn = ServerProtocol(state=State.OPEN, max_size=self._config.ws_max_size, logger=log)
        heir.conn.extensions = self._agreement.extensions
        heir.scope = self._scope
        heir.handshake_initiated = heir.handshake_complete = True
        self._server_state.connections.discard(cast(Any, self))
        heir.connection_made(self._transport)
        self._transport.set_protocol(heir)
        heir.start_keepalive()
        self._transport.resume_reading()
        early, self._early = bytes(self._early), bytearray()
        if early:
            heir.data_received(early)
        return heir

    def _heir_lost(self, heir: WebSocketsSansIOProtocol) -> None:
        self._leave(heir)

    def _end(self, heir: WebSocketsSansIOProtocol, *, failed: bool) -> None:
        if failed and not heir.close_sent and not heir.disconnected:
            heir.conn.send_close(CloseCode.INTERNAL_ERROR)
            self._transport.write(b"".join(heir.conn.data_to_send()))
        if heir.close_timer is None:
            self._transport.close()

    def _hand_over(self, *, failed: bool) -> None:
        adopted, connection = self._adopted, self._connection
        assert adopted is not None
        assert connection is not None
        self._server_state.connections.discard(cast(Any, self))
        if self._sockets is not None:
            self._sockets.unwatch(self)
        if self._lost:
            return
        adopted.flush()
        self._transport.set_protocol(adopted)
        self._server_state.connections.add(cast(Any, adopted))
        if failed:
            connection.close(CloseCode.INTERNAL_ERROR, "the application failed")
        # The scope refers to this object. Without these lines, it would wait for the garbage collector.
        early, self._early = bytes(self._early), bytearray()
        self._adopted = self._connection = None
        del self._scope
        if early:
            adopted.data_received(early)
        connection.resume(Pause.HANDSHAKE)

    def _close(self, code: CloseCode | None) -> None:
        self._write_response()
        if code is not None and not self._transport.is_closing():
            self._transport.write(close_frame(code))
        self._transport.close()

    # What uvicorn and the event loop call.

    def shutdown(self) -> None:
        if self._adopted is not None:
            self._adopted.shutdown()
        elif self._phase is Phase.ACCEPTED:
            self._close(CloseCode.SERVICE_RESTART)
        else:
            self._refuse(refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave(self)
        self._lost = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
        if self._adopted is not None:
            # At once, not when the application returns. If a flush writes to a lost socket, uvloop raises, and the
            # members after it would get nothing.
            self._adopted.connection_lost(exc)

    def _leave(self, protocol: Any) -> None:
        """The socket is gone; `protocol` served it last."""
        self._server_state.connections.discard(protocol)
        if self._place is not None:
            self._place.free(protocol)
        if self._sockets is not None:
            self._sockets.unwatch(self)

    def check_time(self, elapsed: float) -> None:
        assert self._sockets is not None
        limits = self._sockets.limits
        left = self._transport.get_write_buffer_size() if self._transport.is_closing() else 0
        if left and self._outflow is None:
            self._outflow = Outflow()
        if self._outflow is not None and self._outflow.is_stuck(
            left, elapsed, growing=False, stall=limits.stall_timeout, patience=limits.stall_patience
        ):
            self._transport.abort()

    def give_way(self) -> bool:
        return False

    def pause_writing(self) -> None:
        if self._adopted is not None:
            self._adopted.pause_writing()

    def resume_writing(self) -> None:
        if self._adopted is not None:
            self._adopted.resume_writing()


class _Heir(WebSocketsSansIOProtocol):
    """uvicorn's own class, which also reports that its socket is lost."""

    def __init__(self, on_lost: Callable[[WebSocketsSansIOProtocol], None], *arguments: Any) -> None:
        super().__init__(*arguments)
        self._on_lost = on_lost

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._on_lost(self)
