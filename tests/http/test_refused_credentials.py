"""A credential that an application's own login refuses is in no log line, whichever server logs the address."""

import pytest
from fastapi import FastAPI, HTTPException
from starlette.requests import HTTPConnection
from starlette.types import Message

from hubbub import Hubbub, Settings

CANARY = "canary-51d0b2"


def refuse(connection: HTTPConnection) -> None:
    assert connection.query_params["token"] == CANARY
    raise HTTPException(401, "log in first")


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_a_refused_credential_is_hidden_before_the_answer(kind: str) -> None:
    hub = Hubbub(authenticate=refuse, page=False, settings=Settings())
    app = FastAPI()
    app.include_router(hub.router)
    scope = {
        "type": kind,
        "method": "GET",
        "path": "/ws",
        "headers": [],
        "query_string": f"token={CANARY}".encode(),
        "extensions": {"websocket.http.response": {}},
    }
    logged: list[bytes] = []

    async def receive() -> Message:
        return {"type": "websocket.connect" if kind == "websocket" else "http.request"}

    async def send(message: Message) -> None:
        logged.append(scope["query_string"])  # type: ignore[arg-type]

    async with hub.lifespan(app):
        await app(scope, receive, send)

    assert logged
    assert all(CANARY.encode() not in query for query in logged)
