"""Cookie or token, in a dependency of your own, together with path and query parameters.

The address is `/items/{item_id}/ws?token=…&q=…`; a browser that is logged in sends its cookie `session` instead.
"""

from typing import Annotated

from fastapi import Cookie, Depends, FastAPI, HTTPException, Query, WebSocket

from hubbub import Connection, Hubbub, User, run

SESSIONS = {"alice-session": User("alice", "Alice")}
TOKENS = {"bob-token": User("bob", "Bob")}


async def cookie_or_token(
    session: Annotated[str | None, Cookie()] = None, token: Annotated[str | None, Query()] = None
) -> User:
    user = SESSIONS.get(session or "") or TOKENS.get(token or "")
    if user is None:
        raise HTTPException(403, "a session cookie or a token is needed")
    return user


hub = Hubbub(authenticate=cookie_or_token)
app = FastAPI(lifespan=hub.lifespan)


@app.websocket("/items/{item_id}/ws")
async def item(
    websocket: WebSocket, item_id: str, user: Annotated[User, Depends(cookie_or_token)], q: int | None = None
) -> None:
    def answer(connection: Connection, message: str | bytes) -> None:
        connection.send(f"{user.name}, item {item_id}, q={q}: {message!r}")

    await hub.serve(websocket, user, on_message=answer)


if __name__ == "__main__":
    run(app)
