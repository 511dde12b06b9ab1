"""Broadcast with the number of clients, in plain FastAPI."""

from typing import Any

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


class ConnectionManager:
    def __init__(self) -> None:
        self.active: list[WebSocket] = []

    async def connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.active.append(websocket)
        await self.broadcast({"type": "join", "online": len(self.active)})

    async def disconnect(self, websocket: WebSocket) -> None:
        self.active.remove(websocket)
        await self.broadcast({"type": "leave", "online": len(self.active)})

    async def broadcast(self, message: dict[str, Any]) -> None:
        for websocket in list(self.active):
            try:
                await websocket.send_json(message)
            except (WebSocketDisconnect, RuntimeError):
                continue


manager = ConnectionManager()


@app.websocket("/ws")
async def connect(websocket: WebSocket) -> None:
    await manager.connect(websocket)
    try:
        while True:
            text = await websocket.receive_text()
            await manager.broadcast({"type": "message", "text": text})
    except WebSocketDisconnect:
        await manager.disconnect(websocket)
