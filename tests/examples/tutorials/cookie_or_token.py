"""Cookie or token, with path and query parameters, in plain FastAPI: after FastAPI's own documentation."""

from typing import Annotated

from fastapi import Cookie, Depends, FastAPI, HTTPException, Query, WebSocket, WebSocketDisconnect

SESSIONS = {"alice-session": "Alice"}
TOKENS = {"bob-token": "Bob"}

app = FastAPI()


async def cookie_or_token(
    session: Annotated[str | None, Cookie()] = None, token: Annotated[str | None, Query()] = None
) -> str:
    user = SESSIONS.get(session or "") or TOKENS.get(token or "")
    if user is None:
        raise HTTPException(403, "a session cookie or a token is needed")
    return user


@app.websocket("/items/{item_id}/ws")
async def item(
    websocket: WebSocket, item_id: str, user: Annotated[str, Depends(cookie_or_token)], q: int | None = None
) -> None:
    await websocket.accept()
    try:
        while True:
            message = await websocket.receive_text()
            await websocket.send_text(f"{user}, item {item_id}, q={q}: {message!r}")
    except WebSocketDisconnect:
        pass
