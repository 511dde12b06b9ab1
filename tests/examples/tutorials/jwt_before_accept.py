"""JWT before accept, in plain FastAPI."""

import os
from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException, WebSocket, WebSocketDisconnect

SECRET = os.environ.get("JWT_SECRET", "for this tutorial only, so it may be known")

app = FastAPI()
active: list[WebSocket] = []


def bearer_token(websocket: WebSocket) -> str:
    scheme, _, token = websocket.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token
    for name in websocket.scope["subprotocols"]:
        if name.startswith("bearer."):
            return str(name.removeprefix("bearer."))
    return ""


async def user_of_token(websocket: WebSocket) -> str:
    try:
        claims = jwt.decode(bearer_token(websocket), SECRET, algorithms=["HS256"], options={"require": ["sub", "exp"]})
    except jwt.InvalidTokenError as error:
        raise HTTPException(403, f"token: {error}") from None
    return str(claims["sub"])


@app.post("/token/{user}")
async def token(user: str) -> str:
    return jwt.encode({"sub": user, "exp": datetime.now(UTC) + timedelta(minutes=15)}, SECRET, "HS256")


@app.websocket("/ws/chat")
async def chat(websocket: WebSocket, user: Annotated[str, Depends(user_of_token)]) -> None:
    await websocket.accept("chat" if "chat" in websocket.scope["subprotocols"] else None)
    active.append(websocket)
    try:
        while True:
            text = await websocket.receive_text()
            for other in active.copy():
                try:
                    await other.send_json({"type": "message", "user": user, "text": text})
                except (WebSocketDisconnect, RuntimeError):
                    continue
    except WebSocketDisconnect:
        active.remove(websocket)
