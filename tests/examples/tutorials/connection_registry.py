"""A registry that replaces a user's older connection, in plain FastAPI."""

import contextlib

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


class ConnectionManager:
    def __init__(self) -> None:
        self.active: dict[str, WebSocket] = {}

    async def connect(self, user: str, websocket: WebSocket) -> None:
        await websocket.accept()
        older = self.active.get(user)
        self.active[user] = websocket
        if older is not None:
            with contextlib.suppress(RuntimeError):
                await older.close(1000, "replaced by a newer connection")

    def disconnect(self, user: str, websocket: WebSocket) -> None:
        if self.active.get(user) is websocket:
            del self.active[user]

    async def broadcast(self, user: str, text: str) -> None:
        for websocket in list(self.active.values()):
            try:
                await websocket.send_json({"type": "message", "user": user, "text": text})
            except (WebSocketDisconnect, RuntimeError):
                continue


manager = ConnectionManager()


@app.websocket("/ws/chat")
async def chat(websocket: WebSocket, user: str) -> None:
    await manager.connect(user, websocket)
    try:
        while True:
            await manager.broadcast(user, await websocket.receive_text())
    except (WebSocketDisconnect, RuntimeError):
        manager.disconnect(user, websocket)
