"""Programs send with an API key. Each test runs with keys in files beside SQLite, and with keys in PostgreSQL."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException
from typer.testing import CliRunner, Result

from hubbub import Hubbub, Settings, User
from hubbub.accounts.api_keys import FRESH
from hubbub.cli import app as cli
from hubbub.testing import TestServer, serving

ROOM, USER, TOPIC = (
    "/api/v1/app/rooms/general/messages",
    "/api/v1/app/users/alice/events",
    "/api/v1/app/topics/orders.eu/notifications",
)
BODIES: dict[str, dict[str, Any]] = {ROOM: {"text": "Deployed"}, USER: {"type": "shipped"}, TOPIC: {"title": "Shipped"}}
SCOPES = {ROOM: "rooms:send", USER: "users:send", TOPIC: "topics:publish"}

Command = Callable[..., Awaitable[Result]]


@pytest.fixture(params=["files", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("HUBBUB_DATA_DIR", str(tmp_path / "data"))
    if request.param == "postgresql":
        monkeypatch.setenv("HUBBUB_DATABASE_URL", request.getfixturevalue("postgres"))
    return Settings()


WHEREVER_KEYS_ARE = pytest.mark.parametrize("settings", ["files"], indirect=True)
"""For what does not depend on where they are: one place is enough."""


@pytest.fixture
def command(settings: Settings) -> Command:
    """Runs `hubbub key …` with the settings of the server, which it does not ask."""
    return lambda *arguments: asyncio.to_thread(CliRunner().invoke, cli, ["key", *arguments])


async def make_key(command: Command, *arguments: str) -> str:
    added = await command("add", *arguments, "--json")
    assert added.exit_code == 0, added.output
    return str(json.loads(added.stdout)["key"])


def login(username: str | None = None) -> User:
    if username is None:
        raise HTTPException(401, "log in first")
    return User(username, username.title())


def mounted(settings: Settings) -> FastAPI:
    app = FastAPI()
    hub = Hubbub(authenticate=login, settings=settings, page=False, policy=lambda user, action, place: action != "send")
    app.include_router(hub.router, prefix="/chat")
    return app


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[TestServer]:
    async with serving(mounted(settings)) as server:
        yield server


@pytest.fixture
async def client(server: TestServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{server.url}/chat", trust_env=False) as client:
        yield client


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def answer_of(client: httpx.AsyncClient, key: str, status: int) -> httpx.Response:
    """The first answer with this status. What a node knows of the keys may be half a second old."""
    async with asyncio.timeout(20 * FRESH):
        while True:
            answer = await client.post(TOPIC, json=BODIES[TOPIC], headers=bearer(key))
            if answer.status_code == status:
                return answer
            await asyncio.sleep(0.02)


async def test_a_program_sends_to_a_room_a_user_and_a_topic(
    server: TestServer, client: httpx.AsyncClient, command: Command
) -> None:
    key = await make_key(command, "billing")
    async with server.connect("/chat/ws/chat/general?username=alice") as alice:
        await alice.send({"type": "follow", "topic": "orders.*", "id": "1"})
        await alice.expect("following")

        said = await client.post(ROOM, json={"text": "Deployed", "data": {"n": 1}}, headers=bearer(key))
        sent = await client.post(USER, json={"type": "shipped", "order": 7}, headers=bearer(key))
        published = await client.post(TOPIC, data={"title": "Shipped"}, headers=bearer(key))

        message = await alice.expect("message")
        assert said.status_code == 201
        assert said.json() == {"room": "general", "seq": 1, "rev": 1, "ts": message["ts"], "user": "system"}
        assert (message["kind"], message["text"], message["data"]) == ("system", "Deployed", {"n": 1})
        assert sent.json() == published.json() == {"sent": 1}
        assert await alice.expect("shipped") == {"type": "shipped", "order": 7}
        assert (await alice.expect("notification"))["title"] == "Shipped"


async def test_a_message_that_is_sent_again_under_its_key_is_stored_once(
    client: httpx.AsyncClient, command: Command
) -> None:
    key = await make_key(command, "billing")
    body = {"text": "Deployed", "key": "deploy-17"}

    first, again = [await client.post(ROOM, json=body, headers=bearer(key)) for _ in range(2)]
    other = await client.post(ROOM, json=body | {"text": "Deployed again"}, headers=bearer(key))

    assert first.json() == again.json()
    assert (other.status_code, other.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize("address", [ROOM, USER, TOPIC])
async def test_a_key_may_only_do_what_its_scopes_name(
    client: httpx.AsyncClient, command: Command, address: str
) -> None:
    keys = {scope: await make_key(command, scope.replace(":", "-"), "--scope", scope) for scope in SCOPES.values()}

    for scope, key in keys.items():
        answer = await client.post(address, json=BODIES[address], headers=bearer(key))
        assert answer.is_success == (scope == SCOPES[address])
        assert answer.is_success or (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@WHEREVER_KEYS_ARE
@pytest.mark.parametrize("address", [ROOM, USER, TOPIC])
@pytest.mark.parametrize("headers", [{}, bearer("hb_" + "A" * 43), bearer("x"), {"Authorization": "Basic aGI6eA=="}])
async def test_without_a_valid_key_a_program_is_refused(
    client: httpx.AsyncClient, address: str, headers: dict[str, str]
) -> None:
    answer = await client.post(f"{address}?username=alice", json=BODIES[address], headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_a_page_of_another_origin_cannot_use_a_key(client: httpx.AsyncClient, command: Command) -> None:
    key = await make_key(command, "billing")

    answer = await client.post(ROOM, json=BODIES[ROOM], headers=bearer(key) | {"Origin": "https://evil.example"})

    assert answer.status_code == 403


async def test_a_key_is_revoked_and_added_while_the_server_runs(client: httpx.AsyncClient, command: Command) -> None:
    key = await make_key(command, "billing")
    await answer_of(client, key, 200)

    revoked = await command("revoke", "billing")
    await answer_of(client, key, 401)
    other = await make_key(command, "billing")
    await answer_of(client, other, 200)

    assert revoked.exit_code == 0
    assert (await client.post(TOPIC, json=BODIES[TOPIC], headers=bearer(key))).status_code == 401


async def test_all_nodes_of_a_database_refuse_a_revoked_key(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_DATABASE_URL", postgres)
    settings = Settings()

    async def run(*arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, cli, ["key", *arguments])

    async with serving(mounted(settings)) as one, serving(mounted(settings)) as two:
        key = await make_key(run, "billing")
        for status in (200, 401):
            for node in (one, two):
                async with httpx.AsyncClient(base_url=f"{node.url}/chat", trust_env=False) as client:
                    await answer_of(client, key, status)
            await run("revoke", "billing")


@WHEREVER_KEYS_ARE
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"type": 1}',
        b'{"type": "@close"}',
        b'{"type": "a\\n"}',
        b'{"type": "message", "text": "forged"}',
        json.dumps({"type": "long", "text": "x" * 5000}).encode(),
        b'{"type": "big", "n": 99999999999999999999}',
    ],
)
async def test_an_event_that_clients_could_not_trust_is_refused(
    client: httpx.AsyncClient, command: Command, body: bytes
) -> None:
    key = await make_key(command, "billing")

    answer = await client.post(USER, content=body, headers=bearer(key))

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


async def test_a_key_appears_in_no_log_and_in_no_file(
    client: httpx.AsyncClient, command: Command, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = await make_key(command, "billing")
    await client.post(ROOM, json=BODIES[ROOM], headers=bearer(key))
    await client.post(ROOM, json=BODIES[ROOM], headers=bearer(key + "x"))
    listed = await command("list")

    assert settings.data_dir is not None
    files = [file.read_bytes() for file in settings.data_dir.rglob("*") if file.is_file()]
    assert "billing" in listed.stdout
    assert key not in caplog.text + listed.output
    assert not any(key.encode() in content for content in files)


async def test_wrong_uses_of_the_command_say_what_to_do(command: Command) -> None:
    await make_key(command, "billing")

    for arguments, said in {
        ("add", "billing"): "there is a key 'billing' already",
        ("add", "../billing"): "is no name for a key",
        ("add", "other", "--scope", "rooms:own"): "is no scope: choose from rooms:send",
        ("revoke", "nobody"): "there is no key 'nobody'",
    }.items():
        refused = await command(*arguments)
        assert (refused.exit_code, said in refused.stderr) == (2, True), refused.output
