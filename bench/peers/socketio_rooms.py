"""The chat of python-socketio's documentation: rooms, and `emit` to a room. With REDIS_URL it is one node of many. With
DATABASE_URL each message is stored before it is emitted."""

import os
from typing import Any

import asyncpg
import socketio

CREATE = """
    CREATE TABLE IF NOT EXISTS messages
    (id bigserial PRIMARY KEY, room text, sender text, text text, sent timestamptz DEFAULT now())
"""
INSERT = "INSERT INTO messages (room, sender, text) VALUES ($1, $2, $3)"

redis_url, database_url = os.environ.get("REDIS_URL"), os.environ.get("DATABASE_URL")
sio = socketio.AsyncServer(
    async_mode="asgi",
    client_manager=socketio.AsyncRedisManager(redis_url) if redis_url else None,
    # The load generator answers no pings: no measurement may last until the server misses one.
    ping_timeout=600,
)
database: asyncpg.Pool | None = None


async def open_database() -> None:
    global database  # noqa: PLW0603 - as in its documentation: the server's state is in its module
    if database_url:
        database = await asyncpg.create_pool(database_url)
        await database.execute(CREATE)


async def join(sid: str, room: str) -> str:
    await sio.enter_room(sid, room)
    return room


async def message(sid: str, data: dict[str, Any]) -> None:
    if database is not None:
        await database.execute(INSERT, data["room"], sid, data["text"])
    await sio.emit("message", {"user": sid, **data}, room=data["room"])


app = socketio.ASGIApp(sio, on_startup=open_database)
sio.on("join", join)
sio.on("message", message)
