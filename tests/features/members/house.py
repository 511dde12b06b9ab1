"""A hub with a login, and people in its rooms."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.requests import HTTPConnection

from hubbub import Hubbub, Settings, User, bearer_token
from hubbub.testing import TestServer, serving
from hubbub.wire.identity import Role
from tests.people import Person, person


async def login(connection: HTTPConnection) -> User | None:
    """Whoever names themselves as `user`; everybody else is a guest. Those called boss are administrators."""
    key = connection.query_params.get("user") or connection.headers.get("x-user") or bearer_token(connection)
    if key is None:
        return None
    return User(key, key.title(), role=Role.ADMIN if key.startswith("boss") else Role.MEMBER)


class House:
    def __init__(self, hub: Hubbub, server: TestServer, stack: AsyncExitStack, http: httpx.AsyncClient) -> None:
        self.hub = hub
        self.http = http
        self._server = server
        self._stack = stack

    @property
    def ws_url(self) -> str:
        return self._server.url.replace("http", "ws", 1)

    async def enter(self, name: str, *, guest: bool = False) -> Person:
        who = person(self, name) if guest else person(self, user=name)
        return await self._stack.enter_async_context(who)

    async def private(self, owner: Person, *others: Person, title: str = "Plans") -> str:
        """A private room of the owner's, with these people in it."""
        room: str = (await owner.ask({"type": "create", "kind": "private", "title": title}))["room"]
        for somebody in others:
            await do(owner, "invite", room, user=somebody.key)
            assert (await somebody.join(room))["type"] == "joined"
        return room

    async def get(self, path: str, user: str | None = None, **query: Any) -> httpx.Response:
        return await self.http.get(path, params=query, headers={"X-User": user} if user else {})

    async def post(self, path: str, user: str | None = None, /, **body: Any) -> httpx.Response:
        return await self.http.post(path, json=body, headers={"X-User": user} if user else {})


async def do(somebody: Person, type: str, room: str, **fields: Any) -> dict[str, Any]:
    answer = await somebody.ask({"type": type, "room": room, **fields})
    assert answer["type"] == "ack", answer
    return answer


async def code_of(somebody: Person, type: str, room: str, **fields: Any) -> str:
    answer = await somebody.ask({"type": type, "room": room, **fields})
    assert answer["type"] == "error", answer
    return str(answer["code"])


@asynccontextmanager
async def house(folder: Path, settings: Mapping[str, Any] | None = None, **options: Any) -> AsyncIterator[House]:
    """A hub with these settings and arguments."""
    common = {"data_dir": folder, "connections_per_address": 0, "rate": 1000, "burst": 1000}
    made = Settings(**{**common, **(settings or {})})
    hub = Hubbub(authenticate=login, guests="on", page=False, settings=made, **options)
    app = FastAPI()
    app.include_router(hub.router)
    async with serving(app) as server, AsyncExitStack() as stack, httpx.AsyncClient(base_url=server.url) as http:
        yield House(hub, server, stack, http)
