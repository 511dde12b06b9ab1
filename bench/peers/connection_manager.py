"""The chat server of every FastAPI tutorial, with rooms: accept, keep a list, `send_json` in a loop."""

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


@app.websocket("/ws/{room}/{user}")
async def chat(websocket: WebSocket, room: str, user: str) -> None:
    await manager.connect(room, websocket)
    try:
        while True:
            message = await websocket.receive_json()
            await manager.broadcast(room, {"type": "message", "room": room, "user": user, "text": message["text"]})
    except WebSocketDisconnect:
        manager.disconnect(room, websocket)
