"""An online list without polling, in plain FastAPI."""

from typing import Any

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


class Presence:
    def __init__(self) -> None:
        self.users: dict[str, list[WebSocket]] = {}

    async def connect(self, user: str, websocket: WebSocket) -> None:
        await websocket.accept()
        is_first = user not in self.users
        self.users.setdefault(user, []).append(websocket)
        await websocket.send_json({"type": "joined", "users": list(self.users)})
        if is_first:
            await self.broadcast({"type": "join", "user": user, "online": len(self.users)})

    async def disconnect(self, user: str, websocket: WebSocket) -> None:
        self.users[user].remove(websocket)
        if not self.users[user]:
            del self.users[user]
            await self.broadcast({"type": "leave", "user": user, "online": len(self.users)})

    async def broadcast(self, message: dict[str, Any]) -> None:
        for websocket in [websocket for tabs in self.users.values() for websocket in tabs]:
            try:
                await websocket.send_json(message)
            except (WebSocketDisconnect, RuntimeError):
                continue


presence = Presence()


@app.get("/online")
async def online() -> list[str]:
    return list(presence.users)


@app.websocket("/ws/chat/office")
async def office(websocket: WebSocket, username: str) -> None:
    await presence.connect(username, websocket)
    try:
        while True:
            text = await websocket.receive_text()
            await presence.broadcast({"type": "message", "user": username, "text": text})
    except WebSocketDisconnect:
        await presence.disconnect(username, websocket)
