"""From an accepted handshake to a connection that the hub looks after."""

from __future__ import annotations

import secrets
import time
from collections.abc import MutableMapping
from typing import Any

from starlette.requests import Request
from starlette.websockets import WebSocket, WebSocketDisconnect

from hubbub.errors import RequestError
from hubbub.hub.connection import Connection
from hubbub.hub.formats import MESSAGE_FORMATS, SOCKET_FORMATS
from hubbub.hub.transport import MessageTransport, Send
from hubbub.node import Node
from hubbub.server.admission import Admissions, Admitted
from hubbub.server.commands import recover_missed
from hubbub.server.link import Link
from hubbub.server.registry import Registry
from hubbub.server.statuses import error_response
from hubbub.server.uvicorn_protocols import HANDOVER
from hubbub.wire.codecs import CODECS_BY_SUBPROTOCOL, JSON_CODEC, Codec
from hubbub.wire.commands import Join
from hubbub.wire.events import Limits, Welcome, timestamp
from hubbub.wire.keys import TEXT_LENGTH


class WebSocketDoor:
    """Serves one WebSocket address: admits, accepts, welcomes, and gives the connection to the hub."""

    def __init__(self, node: Node, admissions: Admissions, registry: Registry) -> None:
        self._node = node
        self._admissions = admissions
        self._registry = registry

    async def serve(self, websocket: WebSocket, account: Any, *, room: str | None = None) -> None:
        """Returns as soon as the hub has taken the socket over; on other servers, when the connection ends."""
        self._node.require_started()
        try:
            admitted = self._admissions.admit(websocket, account)
        except RequestError as error:
            await refuse(websocket, error)
            return
        subprotocol, codec = _choose_codec(websocket)
        try:
            await websocket.accept(subprotocol=subprotocol)
        except BaseException:
            self._admissions.leave(admitted)
            raise
        handover = websocket.scope.get("extensions", {}).get(HANDOVER)
        if handover is None:
            connection = self._connect(admitted, MESSAGE_FORMATS[codec.name], room)
            transport = MessageTransport(
                connection, websocket.receive, _sending(websocket), max_size=self._node.settings.frame_bytes
            )
            connection.transport = transport
            self._begin(connection, admitted, room)
            await transport.run()
            return
        connection = self._connect(admitted, SOCKET_FORMATS[codec.name, handover.compresses], room)
        try:
            handover.adopt(connection, max_size=self._node.settings.frame_bytes)
        except RuntimeError:
            self._admissions.leave(admitted)
            raise WebSocketDisconnect(1006) from None
        self._begin(connection, admitted, room)

    def try_handshake(self, request: Request, account: Any) -> None:
        """Raises what a handshake with the same headers would be refused with."""
        self._node.require_started()
        self._admissions.leave(self._admissions.admit(request, account))

    def _connect(self, admitted: Admitted, format: Any, room: str | None) -> Connection:
        connection = Connection(self._node.hub, id=secrets.token_urlsafe(9), user=admitted.user, format=format)

        def closed(connection: Connection, clean: bool) -> None:
            self._node.rooms.disconnected(connection, clean=clean)
            self._admissions.leave(admitted)

        connection.receiver = Link(
            connection,
            self._registry,
            self._node.settings,
            room=room,
            on_drained=lambda connection, missed: recover_missed(self._node, connection, missed),
            on_closed=closed,
        )
        return connection

    def _begin(self, connection: Connection, admitted: Admitted, room: str | None) -> None:
        self._node.hub.connect(connection)
        settings = self._node.settings
        connection.reply(
            Welcome(
                user=admitted.user.key,
                name=admitted.user.name,
                guest=admitted.user.guest or None,
                secret=admitted.secret,
                connection=connection.id,
                node=self._node.id,
                epoch=self._node.epoch,
                ts=timestamp(time.time()),
                heartbeat=round(settings.heartbeat * 1000),
                limits=Limits(
                    frame=settings.frame_bytes,
                    text=TEXT_LENGTH,
                    unanswered=settings.unanswered,
                    rate=settings.rate,
                    burst=settings.burst,
                ),
                room=room,
                online=self._node.rooms.online(room) if room is not None else None,
            )
        )
        if room is not None:
            assert isinstance(connection.receiver, Link)
            connection.receiver.perform(Join(room=room))


def _choose_codec(websocket: WebSocket) -> tuple[str | None, Codec]:
    """The first subprotocol that we speak; JSON, and none named, where the client asks for none (of ours)."""
    for name in websocket.scope.get("subprotocols", []):
        if name in CODECS_BY_SUBPROTOCOL:
            return name, CODECS_BY_SUBPROTOCOL[name]
    return None, JSON_CODEC


def _sending(websocket: WebSocket) -> Send:
    """Starlette says that a client is gone in its own way; the transport knows no Starlette."""

    async def send(message: MutableMapping[str, Any]) -> None:
        try:
            await websocket.send(message)
        except WebSocketDisconnect:
            raise ConnectionResetError from None

    return send


async def refuse(websocket: WebSocket, error: RequestError) -> None:
    """Answer a handshake with an HTTP status instead of the upgrade."""
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(error_response(error))
    else:
        await websocket.close()
