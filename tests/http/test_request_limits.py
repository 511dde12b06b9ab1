"""Publishing and reading history by HTTP are limited: by user if people log in, otherwise by address."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import HTTPConnection

from hubbub import Hubbub
from hubbub.settings import Settings
from hubbub.testing import serving

LIMITED = Settings(request_rate=0.01, request_burst=5)


async def login(connection: HTTPConnection) -> str:
    return connection.headers["x-user"]


@asynccontextmanager
async def client_of(hub: Hubbub, *, plain: bool) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(hub.router, prefix="/chat")
    async with (
        serving(app, plain=plain) as server,
        httpx.AsyncClient(base_url=server.url + "/chat", verify=False, headers={"X-User": "alice"}) as client,
    ):
        yield client


@pytest.mark.parametrize("plain", [False, True], ids=["our own protocol", "uvicorn's own"])
async def test_a_users_publications_are_limited(plain: bool) -> None:
    async with client_of(Hubbub(authenticate=login, page=False, settings=LIMITED), plain=plain) as client:
        answers = [await client.post("/notify/topic?title=t") for _ in range(10)]
        others = await client.post("/notify/topic?title=t", headers={"X-User": "bob"})

    assert [answer.status_code for answer in answers] == [200] * 6 + [429] * 4
    assert answers[-1].json()["code"] == "rate_limited"
    assert 90 <= int(answers[-1].headers["Retry-After"]) <= 101
    assert others.status_code == 200


async def test_guests_of_one_address_share_one_limit() -> None:
    async with client_of(Hubbub(guests="on", page=False, settings=LIMITED), plain=True) as client:

        async def ask(address: str) -> int:
            # uvicorn by itself trusts proxies on this machine.
            return (await client.get("/api/v1/rooms?limit=1", headers={"X-Forwarded-For": address})).status_code

        answers = [await ask("2001:db8::1") for _ in range(7)]
        assert answers == sorted(answers)
        assert set(answers) == {200, 429}
        assert await ask("2001:db8::2") == 429
        assert await ask("2001:db8:0:1::1") == 200
        assert await ask("192.0.2.1") == 200


async def test_a_large_page_of_history_counts_for_several_requests() -> None:
    async with client_of(Hubbub(authenticate=login, page=False, settings=LIMITED), plain=False) as client:
        address = "/api/v1/rooms/room1/messages"
        small = [(await client.get(f"{address}?limit=1", headers={"X-User": "bob"})).status_code for _ in range(6)]
        large = [(await client.get(f"{address}?limit=100")).status_code for _ in range(3)]

    assert small == [200] * 5 + [429]
    assert large == [200, 429, 429]
