"""Rooms: `/ws/{room}` delivers only to that room. A room exists while somebody is in it."""

from pathlib import Path

from fastapi import FastAPI, WebSocket
from fastapi.responses import FileResponse

from hubbub import Hubbub, run

hub = Hubbub(guests="on")
app = FastAPI(lifespan=hub.lifespan)


@app.get("/")
async def page() -> FileResponse:
    return FileResponse(Path(__file__).parent / "pages/rooms.html")


@app.get("/rooms")
async def rooms() -> dict[str, int]:
    return {room.key: room.online for room in hub.rooms}


@app.websocket("/ws/{room}")
async def enter(websocket: WebSocket, room: str) -> None:
    await hub.serve(websocket, room=room)


if __name__ == "__main__":
    run(app)
