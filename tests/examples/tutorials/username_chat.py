"""A chat with usernames, SYSTEM lines and timestamps, in plain FastAPI."""

from datetime import UTC, datetime

from fastapi import FastAPI, HTTPException, WebSocket, WebSocketDisconnect

app = FastAPI()


class ConnectionManager:
    def __init__(self) -> None:
        self.active: dict[str, WebSocket] = {}

    async def connect(self, name: str, websocket: WebSocket) -> None:
        if name in self.active:
            raise HTTPException(409, "the name is in use")
        self.active[name] = websocket
        await websocket.accept()
        await self.broadcast("SYSTEM", f"{name} joined the chat")

    async def disconnect(self, name: str) -> None:
        del self.active[name]
        await self.broadcast("SYSTEM", f"{name} left the chat")

    async def broadcast(self, name: str, text: str) -> None:
        message = {"type": "message", "name": name, "text": text, "ts": datetime.now(UTC).isoformat()}
        for websocket in list(self.active.values()):
            try:
                await websocket.send_json(message)
            except (WebSocketDisconnect, RuntimeError):
                continue


manager = ConnectionManager()


@app.websocket("/ws/chat/lobby")
async def chat(websocket: WebSocket, username: str) -> None:
    await manager.connect(username, websocket)
    try:
        while True:
            await manager.broadcast(username, (await websocket.receive_json())["text"])
    except WebSocketDisconnect:
        await manager.disconnect(username)
