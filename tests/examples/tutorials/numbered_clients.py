"""Numbered clients, in plain FastAPI: after FastAPI's own documentation."""

from itertools import count

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
numbers = count(1)


class ConnectionManager:
    def __init__(self) -> None:
        self.active: list[WebSocket] = []

    async def connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.active.append(websocket)

    def disconnect(self, websocket: WebSocket) -> None:
        self.active.remove(websocket)

    async def broadcast(self, text: str) -> None:
        for websocket in list(self.active):
            try:
                await websocket.send_text(text)
            except (WebSocketDisconnect, RuntimeError):
                continue


manager = ConnectionManager()


@app.websocket("/ws")
async def connect(websocket: WebSocket) -> None:
    number = next(numbers)
    await manager.connect(websocket)
    try:
        while True:
            text = await websocket.receive_text()
            await websocket.send_text(f"You wrote: {text}")
            await manager.broadcast(f"Client #{number} says: {text}")
    except WebSocketDisconnect:
        manager.disconnect(websocket)
        await manager.broadcast(f"Client #{number} left the chat")
