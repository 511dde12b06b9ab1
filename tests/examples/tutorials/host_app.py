"""A host app with its login, a chat and notifications, in plain FastAPI."""

import secrets
from collections import defaultdict
from typing import Annotated, Any

from fastapi import (
    BackgroundTasks,
    Body,
    Cookie,
    Depends,
    FastAPI,
    HTTPException,
    Response,
    WebSocket,
    WebSocketDisconnect,
)

PASSWORDS = {"alice": "wonderland", "bob": "builder"}
ORDERS = {7: "alice", 8: "bob"}
sessions: dict[str, str] = {}

app = FastAPI()


class ConnectionManager:
    def __init__(self) -> None:
        self.rooms: defaultdict[str, list[WebSocket]] = defaultdict(list)
        self.users: defaultdict[str, list[WebSocket]] = defaultdict(list)

    async def connect(self, room: str, user: str, websocket: WebSocket) -> None:
        await websocket.accept()
        self.rooms[room].append(websocket)
        self.users[user].append(websocket)

    def disconnect(self, room: str, user: str, websocket: WebSocket) -> None:
        for group, key in ((self.rooms, room), (self.users, user)):
            group[key].remove(websocket)
            if not group[key]:
                del group[key]

    async def send(self, websockets: list[WebSocket], message: dict[str, Any]) -> None:
        for websocket in list(websockets):
            try:
                await websocket.send_json(message)
            except (WebSocketDisconnect, RuntimeError):
                continue


manager = ConnectionManager()


async def current_user(session: Annotated[str | None, Cookie()] = None) -> str:
    if session not in sessions:
        raise HTTPException(401)
    return sessions[session]


@app.post("/login")
async def login(name: Annotated[str, Body()], password: Annotated[str, Body()], response: Response) -> None:
    if not secrets.compare_digest(PASSWORDS.get(name, "").encode(), password.encode()) or name not in PASSWORDS:
        raise HTTPException(403)
    session = secrets.token_urlsafe()
    sessions[session] = name
    response.set_cookie("session", session, httponly=True, samesite="strict")


@app.websocket("/ws/chat/{room}")
async def chat(websocket: WebSocket, room: str, user: Annotated[str, Depends(current_user)]) -> None:
    await manager.connect(room, user, websocket)
    try:
        while True:
            text = await websocket.receive_text()
            await manager.send(manager.rooms[room], {"type": "message", "user": user, "text": text})
    except WebSocketDisconnect:
        manager.disconnect(room, user, websocket)


@app.post("/orders/{order}/ship")
async def ship(order: int, tasks: BackgroundTasks, tonight: bool = False) -> None:
    if order not in ORDERS:
        raise HTTPException(404)
    if tonight:
        tasks.add_task(tell_buyer, order)
    else:
        await tell_buyer(order)


async def tell_buyer(order: int) -> None:
    title = f"Your order {order} has shipped"
    await manager.send(manager.users.get(ORDERS[order], []), {"type": "notification", "title": title})
