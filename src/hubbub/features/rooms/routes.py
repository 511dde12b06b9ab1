"""The WebSocket addresses of rooms. A client that connects there joins the room, and may send plain text."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.requests import HTTPConnection

from hubbub.http.mounted import Mounted
from hubbub.http.socket_routes import add_socket, check_key


def add_routes(router: APIRouter, hub: Mounted) -> None:
    async def chat(websocket: WebSocket, account: Any) -> None:
        await hub.serve(websocket, account, room=websocket.path_params["room"])

    async def chat_in_default_room(websocket: WebSocket, account: Any) -> None:
        await hub.serve(websocket, account, room=hub.node.settings.room_default)

    add_socket(router, hub, "/ws/chat/{room}", chat, check=_names_a_room)
    add_socket(router, hub, "/ws/chat", chat_in_default_room)


def _names_a_room(connection: HTTPConnection) -> None:
    check_key(connection, "room")
