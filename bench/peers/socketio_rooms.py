"""The chat of python-socketio's documentation: rooms, and `emit` to a room. With REDIS_URL it is one node of many."""

import os
from typing import Any

import socketio

url = os.environ.get("REDIS_URL")
sio = socketio.AsyncServer(async_mode="asgi", client_manager=socketio.AsyncRedisManager(url) if url else None)
app = socketio.ASGIApp(sio)


async def join(sid: str, room: str) -> str:
    await sio.enter_room(sid, room)
    return room


async def message(sid: str, data: dict[str, Any]) -> None:
    await sio.emit("message", {"user": sid, **data}, room=data["room"])


sio.on("join", join)
sio.on("message", message)
