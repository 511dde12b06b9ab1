"""Rooms that are cleaned up, in plain FastAPI."""

from collections import defaultdict
from typing import Any

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


class ConnectionManager:
    def __init__(self) -> None:
        self.rooms: defaultdict[str, list[WebSocket]] = defaultdict(list)

    async def connect(self, room: str, websocket: WebSocket) -> None:
        await websocket.accept()
        self.rooms[room].append(websocket)

    def disconnect(self, room: str, websocket: WebSocket) -> None:
        if websocket in self.rooms[room]:
            self.rooms[room].remove(websocket)
        if not self.rooms[room]:
            del self.rooms[room]

    async def broadcast(self, room: str, message: dict[str, Any]) -> None:
        for websocket in list(self.rooms[room]):
            try:
                await websocket.send_json(message)
            except (WebSocketDisconnect, RuntimeError):
                self.disconnect(room, websocket)


manager = ConnectionManager()


@app.get("/rooms")
async def rooms() -> dict[str, int]:
    return {room: len(members) for room, members in manager.rooms.items()}


@app.websocket("/ws/{room}")
async def enter(websocket: WebSocket, room: str) -> None:
    await manager.connect(room, websocket)
    try:
        while True:
            text = await websocket.receive_text()
            await manager.broadcast(room, {"type": "message", "room": room, "text": text})
    except WebSocketDisconnect:
        manager.disconnect(room, websocket)
