"""Makes a connection of the hub out of a handshake."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Coroutine, MutableMapping
from functools import lru_cache
from typing import Any

from starlette.requests import Request
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from hubbub.delivery.connection import Connection, Receiver
from hubbub.delivery.formats import MESSAGE_FORMATS, RAW_MESSAGE_FORMAT, RAW_SOCKET_FORMAT, SOCKET_FORMATS, Format
from hubbub.delivery.transport import MessageTransport, Send
from hubbub.dispatch.link import Link, run
from hubbub.dispatch.raw_link import MessageHandler, RawLink
from hubbub.dispatch.registry import Registry
from hubbub.errors import ConfigurationError, RequestError
from hubbub.http.admission import Admissions, Admitted, hide_credentials
from hubbub.http.error_responses import error_response
from hubbub.http.handover import HANDOVER, Handover
from hubbub.http.refusal_log import where
from hubbub.limits import TokenBucket
from hubbub.node import Node
from hubbub.wire.base import Command, timestamp
from hubbub.wire.codecs import CODECS_BY_SUBPROTOCOL, JSON_CODEC, Codec
from hubbub.wire.connection import Limits, Welcome
from hubbub.wire.keys import TEXT_LENGTH

log = logging.getLogger("hubbub.connections")

MakeReceiver = Callable[[Connection], Receiver]
Begin = Callable[[Connection, Receiver], Coroutine[Any, Any, None] | None]
"""Sends the first events. The hub awaits what it returns, and reads nothing from the client until that is done."""


class WebSocketDoor:
    """Serves WebSocket addresses: admits, accepts, welcomes, and gives the connection to the hub."""

    def __init__(self, node: Node, admissions: Admissions, registry: Registry) -> None:
        self._node = node
        self._admissions = admissions
        self._registry = registry
        self._current = node.services.current

    async def serve(
        self, websocket: WebSocket, account: Any, *, room: str | None = None, first: Command | None = None
    ) -> None:
        """Serve the protocol. With `room`, the easy door is open to that room. `first` is the command that the address
        stands for.

        Returns as soon as the hub has taken over the socket; on other servers, when the connection ends.
        """
        admitted = await self._admit(websocket, account)
        if admitted is None:
            return
        subprotocol, codec = _choose_codec(websocket)

        def begin(connection: Connection, receiver: Receiver) -> Coroutine[Any, Any, None] | None:
            assert isinstance(receiver, Link)
            if self._node.fanout.connections.count_of_user(connection.user.key) > 1:
                self._share_pace(connection, receiver)
            connection.reply(self._welcome(connection, admitted, room))
            self._node.features.connected(connection)
            return receiver.complete(first) if first is not None else None

        await self._accept(
            websocket,
            admitted,
            subprotocol=subprotocol,
            choose_format=lambda handover: (
                MESSAGE_FORMATS[codec.name] if handover is None else SOCKET_FORMATS[codec.name, handover.compresses]
            ),
            make_receiver=lambda connection: Link(
                connection,
                self._registry,
                # They hold as long as the connection does: its `welcome` says them.
                self._current.now,
                room=room,
                on_relieved=self._node.recovering.bring_missed,
                on_closed=lambda connection, clean: self._closed(connection, admitted, clean=clean),
            ),
            begin=begin,
        )

    def _share_pace(self, connection: Connection, link: Link) -> None:
        """Let a user's connections to this node have one pace together, beside that of each."""
        of_user = self._node.fanout.connections.of_user(connection.user.key)
        others = [one.receiver for one in of_user if one is not connection and isinstance(one.receiver, Link)]
        pace = next((other.together for other in others if other.together is not None), None) or TokenBucket()
        for one in (*others, link):
            one.together = pace

    async def serve_raw(self, websocket: WebSocket, account: Any, on_message: MessageHandler) -> None:
        """Serve an application's own protocol: each message goes to `on_message`."""
        admitted = await self._admit(websocket, account)
        if admitted is None:
            return
        await self._accept(
            websocket,
            admitted,
            subprotocol=None,
            choose_format=lambda handover: RAW_MESSAGE_FORMAT if handover is None else RAW_SOCKET_FORMAT,
            make_receiver=lambda connection: RawLink(
                connection,
                on_message,
                self._current.now,
                on_closed=lambda connection, clean: self._closed(connection, admitted, clean=clean),
            ),
            begin=lambda connection, receiver: self._node.features.connected(connection),
        )

    async def try_handshake(self, request: Request, account: Any) -> None:
        """Raises the error with which a handshake with the same headers would be refused."""
        self._node.require_started()
        self._admissions.withdraw(await self._admissions.admit(request, account))

    async def _admit(self, websocket: WebSocket, account: Any) -> Admitted | None:
        self._node.require_started()
        try:
            return await self._admissions.admit(websocket, account)
        except RequestError as error:
            await refuse(websocket, error)
            return None

    async def _accept(
        self,
        websocket: WebSocket,
        admitted: Admitted,
        *,
        subprotocol: str | None,
        choose_format: Callable[[Handover | None], Format],
        make_receiver: MakeReceiver,
        begin: Begin,
    ) -> None:
        try:
            await websocket.accept(subprotocol=subprotocol)
        except BaseException:
            self._admissions.withdraw(admitted)
            raise
        handover: Handover | None = websocket.scope.get("extensions", {}).get(HANDOVER)
        connection = Connection(
            self._node.fanout, id=secrets.token_urlsafe(9), user=admitted.user, format=choose_format(handover)
        )
        connection.address = admitted.address
        connection.session, connection.expires = admitted.who.session, admitted.who.expires
        connection.scopes = admitted.who.scopes
        receiver = connection.receiver = make_receiver(connection)
        log.debug(
            "connection %s of %s from %s is open at %a",
            connection.id,
            admitted.user.key,
            admitted.address,
            websocket.scope["path"],
        )
        max_size = self._node.settings.frame_bytes
        if handover is not None:
            try:
                handover.adopt(connection, max_size=max_size)
            except RuntimeError:
                self._admissions.withdraw(admitted)
                raise WebSocketDisconnect(1006) from None
            self._node.fanout.connect(connection)
            self._admissions.check_again(connection, admitted)
            rest = begin(connection, receiver)
            if rest is not None:
                await rest
            return
        transport = MessageTransport(connection, websocket.receive, _sending(websocket), max_size=max_size)
        connection.transport = transport
        self._node.fanout.connect(connection)
        self._admissions.check_again(connection, admitted)
        rest = begin(connection, receiver)
        if rest is not None:
            run(rest)
        await transport.run()

    def _closed(self, connection: Connection, admitted: Admitted, *, clean: bool) -> None:
        self._admissions.leave(admitted, clean=clean)
        log.debug(
            "connection %s of %s from %s is closed: %d %a",
            connection.id,
            connection.user.key,
            admitted.address,
            connection.close_code,
            connection.close_reason,
        )
        self._node.features.disconnected(connection, clean=clean)

    def _welcome(self, connection: Connection, admitted: Admitted, room: str | None) -> Welcome:
        now = self._current.now
        return Welcome(
            user=admitted.user.key,
            name=admitted.user.name,
            guest=admitted.user.guest or None,
            secret=admitted.secret,
            role=None if admitted.user.guest else admitted.user.role,
            color=admitted.user.color,
            expires=timestamp(connection.expires) if connection.expires is not None else None,
            connection=connection.id,
            node=self._node.id,
            epoch=self._node.services.epoch,
            ts=timestamp(time.time()),
            heartbeat=round(self._node.settings.heartbeat * 1000),
            limits=_limits_of(now.frame_bytes, now.unanswered, now.rate, now.burst),
            room=room,
            **self._node.features.welcome(room),
        )


@lru_cache(maxsize=1)
def _limits_of(frame: int, unanswered: int, rate: float, burst: int) -> Limits:
    return Limits(frame=frame, text=TEXT_LENGTH, unanswered=unanswered, rate=rate, burst=burst)


def _choose_codec(websocket: WebSocket) -> tuple[str | None, Codec]:
    """The first offered subprotocol that we speak. If the client offers none of ours: JSON, and no subprotocol in the
    answer."""
    for name in websocket.scope.get("subprotocols", []):
        if name in CODECS_BY_SUBPROTOCOL:
            return name, CODECS_BY_SUBPROTOCOL[name]
    return None, JSON_CODEC


def _sending(websocket: WebSocket) -> Send:
    """Translates Starlette's exception for a client that is gone: the transport does not know Starlette."""

    async def send(message: MutableMapping[str, Any]) -> None:
        try:
            await websocket.send(message)
        except WebSocketDisconnect:
            raise ConnectionResetError from None

    return send


def awaits_answer(websocket: WebSocket) -> bool:
    """Whether a handshake can still be accepted or refused. False if the application has closed it, as a login may do.

    Raises `ConfigurationError` if the application has accepted it: then it could not be refused any more.
    """
    if websocket.application_state is WebSocketState.CONNECTED:
        raise ConfigurationError(
            "the route has accepted the socket before hub.serve: leave out `await websocket.accept()`. The hub accepts "
            "it itself, once nothing refuses it"
        )
    return websocket.application_state is WebSocketState.CONNECTING


async def refuse(websocket: WebSocket, error: RequestError) -> None:
    """Answer a handshake with an HTTP status instead of the upgrade."""
    hide_credentials(websocket)
    if log.isEnabledFor(logging.DEBUG):
        log.debug("a handshake is refused (from %s): %s, %s", where(websocket), error.code, error.message)
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(error_response(error))
    else:
        await websocket.close()
