"""`hubbub user …`: beside a running server on SQLite and on PostgreSQL, and without one."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from hubbub import Settings
from hubbub.accounts import passwords
from hubbub.cli import app as cli
from hubbub.serving.app import create_app
from hubbub.testing import TestServer, serving

PASSWORD = "correct horse"

Command = Callable[..., Awaitable[Result]]


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(passwords, "MEMORY", 64)
    monkeypatch.setenv("HUBBUB_DATA_DIR", str(tmp_path / "data"))
    if request.param == "postgresql":
        monkeypatch.setenv("HUBBUB_DATABASE_URL", request.getfixturevalue("postgres"))
    return Settings()


@pytest.fixture
def command(settings: Settings) -> Command:
    def run(*arguments: str, password: str | None = PASSWORD) -> Awaitable[Result]:
        return asyncio.to_thread(CliRunner().invoke, cli, ["user", *arguments], input=f"{password}\n")

    return run


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[TestServer]:
    async with serving(create_app(settings)) as server:
        yield server


async def log_in(server: TestServer, username: str, password: str = PASSWORD) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as client:
        return await client.post("/api/v1/sessions", json={"username": username, "password": password})


async def accounts(command: Command) -> list[dict[str, Any]]:
    listed = await command("list", "--json")
    assert listed.exit_code == 0, listed.output
    found: list[dict[str, Any]] = json.loads(listed.stdout)
    return found


async def test_a_running_server_has_what_the_command_does(server: TestServer, command: Command) -> None:
    made = await command("add", "alice", "--name", "Alice Liddell", "--admin", "--json")
    assert made.exit_code == 0, made.output
    assert {"key": "alice", "role": "admin", "deactivated": None}.items() <= json.loads(made.stdout)[0].items()
    assert PASSWORD not in made.output
    assert (await command("add", "bob")).exit_code == 0
    assert [account["username"] for account in await accounts(command)] == ["alice", "bob"]
    assert (await command("add", "ALICE")).exit_code == 1
    assert (await command("add", "carol", password="short")).exit_code == 1
    assert (await command("passwd", "nobody")).exit_code == 1
    assert (await command("deactivate", "alice")).exit_code == 1  # nobody else could administer the server

    entered = await log_in(server, "bob")
    assert entered.status_code == 201
    cookie = {"Cookie": f"hubbub_session={entered.cookies['hubbub_session']}", "Origin": server.url}
    async with server.connect("/ws", headers=cookie) as socket:
        changed = await command("passwd", "bob", password="battery staple")
        assert changed.exit_code == 0, changed.output
        assert (await socket.closed())[0] == 4401
    assert (await log_in(server, "bob")).status_code == 401
    assert (await log_in(server, "bob", "battery staple")).status_code == 201

    assert (await command("deactivate", "bob")).exit_code == 0
    assert (await log_in(server, "bob", "battery staple")).status_code == 401
    assert (await command("deactivate", "bob", "--undo")).exit_code == 0
    assert (await log_in(server, "bob", "battery staple")).status_code == 201


async def test_a_server_that_starts_later_has_the_accounts(settings: Settings, command: Command) -> None:
    made = await command("add", "alice", "--admin")
    assert made.exit_code == 0, made.output

    async with serving(create_app(settings)) as server:
        assert (await log_in(server, "alice")).status_code == 201
        async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as client:
            assert (await client.get("/api/v1/server")).json()["needs_setup"] is False
    checked = await asyncio.to_thread(CliRunner().invoke, cli, ["db", "check"])
    assert checked.exit_code == 0, checked.output
