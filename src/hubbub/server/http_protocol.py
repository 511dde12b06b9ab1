"""The protocol class that our own server gives to uvicorn for HTTP (`http=`).

It gives a request's head a deadline and a size, loses nothing that comes in one packet with it, and passes it on as it
has parsed it; uvicorn's HTTP classes write it anew for `WebSocketProtocol` to parse again.
"""

from __future__ import annotations

import asyncio

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hubbub.server.handshake import Head
from hubbub.server.websocket_protocol import WebSocketProtocol

HEAD_TIMEOUT = 10.0
HEAD_BYTES = 64 * 1024


class HTTPProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with limits: half a request's head, or none, does not hold a socket for ever, and one
    without end does not fill the memory."""

    head_timeout = HEAD_TIMEOUT

    _deadline: asyncio.TimerHandle | None = None
    _head_size = 0
    """Bytes since the last packet with an end of a head, or with a part of a body: the parser keeps those."""

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
        self._head_size = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._head_size = 0
        super().on_body(body)

    def on_chunk_header(self) -> None:
        self._head_size = 0

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._head_size += len(data)
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
        else:
            if self._head_size > HEAD_BYTES:
                self._too_large()

    def handle_websocket_upgrade(self) -> None:
        protocol_class = self.ws_protocol_class
        if protocol_class is None or not issubclass(protocol_class, WebSocketProtocol):
            super().handle_websocket_upgrade()
            return
        self.connections.discard(self)
        protocol = protocol_class(self.config, self.server_state, self.app_state, self.loop)
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        protocol.open(
            Head(self.scope["method"], self.url, self.scope["http_version"], self.headers),
            scheme="wss" if self.scheme == "https" else "ws",
            client=self.client,
            server=self.server,
        )
        # The parser refers to this object: without this line both would wait for the garbage collector.
        self.parser = None  # type: ignore[assignment]

    def _expect_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.head_timeout, self._too_late)

    def _head_came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_large(self) -> None:
        if self._deadline is not None:
            self.send_400_response("The request's head is too large.")
        else:
            self.transport.abort()

    def _too_late(self) -> None:
        self._deadline = None
        self.transport.abort()
