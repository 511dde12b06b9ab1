"""The chat of python-socketio's documentation: rooms, and `emit` to a room."""

from typing import Any

import socketio

sio = socketio.AsyncServer(async_mode="asgi")
app = socketio.ASGIApp(sio)


async def join(sid: str, room: str) -> str:
    await sio.enter_room(sid, room)
    return room


async def message(sid: str, data: dict[str, Any]) -> None:
    await sio.emit("message", {"user": sid, **data}, room=data["room"])


sio.on("join", join)
sio.on("message", message)
