"""Administrators make API keys by REST. Each test runs with files beside SQLite, and with PostgreSQL."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.requests import HTTPConnection

from hubbub import Hubbub, Settings, User
from hubbub.accounts.audit import audit_lines
from hubbub.http.bearer import bearer_token
from hubbub.testing import TestServer, serving
from hubbub.wire.base import timestamp
from hubbub.wire.identity import Role

Ask = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture(params=["files", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    if request.param == "postgresql":
        url = SecretStr(request.getfixturevalue("postgres"))
        return Settings(data_dir=tmp_path / "data", database_url=url)
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
async def hub(settings: Settings) -> Hubbub:
    hub = Hubbub(guests="off", settings=settings, page=False)

    async def boss_or_bot(connection: HTTPConnection) -> Any:
        assert hub.credentials is not None
        if bearer_token(connection) == "boss":
            return User("boss", "Boss", role=Role.ADMIN)
        return await hub.credentials.read(connection)

    hub.authenticate = boss_or_bot
    return hub


@pytest.fixture
async def server(hub: Hubbub) -> AsyncIterator[TestServer]:
    app = FastAPI()
    app.include_router(hub.router)
    async with serving(app) as server:
        yield server


@pytest.fixture
async def ask(server: TestServer) -> AsyncIterator[Ask]:
    async with httpx.AsyncClient(base_url=f"{server.url}/api/v1", trust_env=False, timeout=60) as client:

        async def ask(method: str, path: str, key: str = "boss", **options: Any) -> httpx.Response:
            return await client.request(method, path, headers={"Authorization": f"Bearer {key}"}, **options)

        yield ask


async def lines(hub: Hubbub) -> list[tuple[str, str, str]]:
    assert hub.node.database is not None
    found = await hub.node.database.read(audit_lines, never_deferred=True)
    return [(line.actor, line.action, line.target) for line in found][::-1]


async def test_a_key_is_shown_once_works_at_once_and_is_refused_as_soon_as_it_is_revoked(
    hub: Hubbub, server: TestServer, ask: Ask
) -> None:
    made = await ask("POST", "/tokens", json={"name": "weather", "scopes": ["rooms:send", "rooms:read"]})
    assert made.status_code == 201, made.text
    key = made.json()
    token = key.pop("token")
    assert (key["id"], key["scopes"]) == ("weather", ["rooms:send", "rooms:read"])
    assert (await ask("GET", "/tokens")).json() == {"tokens": [key]}

    sent = await ask("POST", "/app/rooms/general/messages", token, json={"text": "Rain"})
    assert sent.status_code == 201, sent.text
    async with server.connect(f"/ws?token={token}") as bot:
        await bot.expect("welcome", user="bot:weather")
        assert (await ask("DELETE", "/tokens/weather")).status_code == 204
        assert await bot.closed() == (4401, "the API key was revoked")

    refused = await ask("POST", "/app/rooms/general/messages", token, json={"text": "Sun"})
    assert refused.status_code == 401
    assert (await ask("DELETE", "/tokens/weather")).status_code == 404
    assert await lines(hub) == [("boss", "key.add", "weather"), ("boss", "key.revoke", "weather")]


async def test_a_name_is_given_once_and_wrong_fields_are_named(hub: Hubbub, ask: Ask) -> None:
    assert (await ask("POST", "/tokens", json={"name": "a", "scopes": ["rooms:send"]})).status_code == 201
    taken = await ask("POST", "/tokens", json={"name": "a", "scopes": ["rooms:read"]})
    assert (taken.status_code, taken.json()["code"]) == (409, "conflict")

    for wrong, field in (
        ({"name": "../a", "scopes": ["rooms:send"]}, "name"),
        ({"name": "b", "scopes": []}, "scopes"),
        ({"name": "b", "scopes": ["all"]}, "scopes"),
        ({"name": "b", "scopes": ["rooms:send"], "expires": "2020-01-01T00:00:00Z"}, "expires"),
    ):
        refused = await ask("POST", "/tokens", json=wrong)
        assert (refused.status_code, refused.json()["message"].partition(":")[0].partition(".")[0]) == (400, field)
    assert (await ask("DELETE", "/tokens/..%2Fa")).status_code == 404
    assert await lines(hub) == [("boss", "key.add", "a")]


async def test_a_key_that_expires_is_refused_from_then_on(
    hub: Hubbub, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    expires = timestamp(4_000_000_000)
    made = (await ask("POST", "/tokens", json={"name": "a", "scopes": ["rooms:send"], "expires": expires})).json()
    assert made["expires"] == expires
    assert (await ask("POST", "/app/rooms/x/messages", made["token"], json={"text": "1"})).status_code == 201

    monkeypatch.setattr(hub.admissions._api_keys, "_wall", lambda: 4_000_000_001.0)
    assert (await ask("POST", "/app/rooms/x/messages", made["token"], json={"text": "2"})).status_code == 401


async def test_a_program_makes_no_keys_with_its_own(ask: Ask) -> None:
    made = (await ask("POST", "/tokens", json={"name": "a", "scopes": ["rooms:send", "rooms:read"]})).json()
    refused = await ask("POST", "/tokens", made["token"], json={"name": "b", "scopes": ["rooms:send"]})
    assert (refused.status_code, refused.json()["message"]) == (403, "no scope allows this")
