"""Accounts on two nodes: what one node stores, the other one knows."""

import asyncio
import threading
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from hubbub import Settings
from hubbub.accounts import passwords
from hubbub.accounts.passwords import hash_password
from hubbub.accounts.resets import NewReset, add_reset, reset_password
from hubbub.features.access.feature import AccessFeature
from hubbub.serving.app import create_app
from hubbub.store.base import Transaction
from hubbub.testing import serving
from tests.servers import Redis

ALICE = {"username": "alice", "password": "correct horse"}


async def test_a_session_is_good_on_each_node_and_ends_on_all(
    postgres: str, redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "MEMORY", 64)
    settings = Settings(
        data_dir=tmp_path / "data",
        database_url=SecretStr(postgres),
        broker_url=SecretStr(redis.url),
        sign_up="open",
        guests="on",
        log_in_attempts=1,
    )
    async with AsyncExitStack() as stack:
        here, there = [await stack.enter_async_context(serving(create_app(settings))) for _ in range(2)]
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=60))
        made = await client.post(f"{here.url}/api/v1/accounts", json=ALICE)
        assert made.status_code == 201, made.text
        cookie = {"Cookie": f"hubbub_session={made.cookies['hubbub_session']}"}
        client.cookies.clear()

        socket = await stack.enter_async_context(there.connect("/ws", headers=cookie | {"Origin": there.url}))
        assert (await socket.expect("welcome"))["user"] == "alice"
        # A username is taken on all nodes, and attempts count together.
        assert (await client.post(f"{there.url}/api/v1/accounts", json=ALICE)).status_code == 409
        guesses = [
            (await client.post(f"{node.url}/api/v1/sessions", json=ALICE | {"password": "wrong horse"})).status_code
            for node in (here, there)
        ]
        assert guesses == [401, 429]

        ended = await client.delete(
            f"{here.url}/api/v1/sessions/current", headers=cookie | {"Origin": here.url, "Hubbub-CSRF": "1"}
        )
        assert ended.status_code == 204
        assert (await socket.closed())[0] == 4401
        assert (await client.get(f"{there.url}/api/v1/me", headers=cookie)).status_code == 401


async def test_a_log_in_with_the_old_password_does_not_outlive_a_reset_at_the_same_moment(
    postgres: str, redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "MEMORY", 64)
    settings = Settings(
        data_dir=tmp_path / "data",
        database_url=SecretStr(postgres),
        broker_url=SecretStr(redis.url),
        sign_up="open",
        guests="on",
    )
    is_set, may_commit = threading.Event(), threading.Event()
    async with AsyncExitStack() as stack:
        apps = [create_app(settings) for _ in range(2)]
        here, _ = [await stack.enter_async_context(serving(app)) for app in apps]
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=60))
        assert (await client.post(f"{here.url}/api/v1/accounts", json=ALICE)).status_code == 201
        client.cookies.clear()
        database, access = apps[1].state.hub.node.database, apps[1].state.hub.accounts.services
        revocations = access.feature(AccessFeature).revocations
        link = NewReset("alice", "root")
        await database.transact(lambda transaction: add_reset(transaction, link))

        def reset(transaction: Transaction) -> None:
            reset_password(transaction, link.token, hash_password("another horse"))
            revocations.revoke_in(transaction, "alice")
            is_set.set()
            may_commit.wait(30)

        resetting = database.transact(reset)
        await asyncio.to_thread(is_set.wait, 30)
        entering = asyncio.ensure_future(client.post(f"{here.url}/api/v1/sessions", json=ALICE))
        await asyncio.wait({entering}, timeout=1)
        may_commit.set()
        await resetting

        entered = await entering
        cookie = {"Cookie": f"hubbub_session={entered.cookies.get('hubbub_session', '')}"}
        assert (entered.status_code, (await client.get(f"{here.url}/api/v1/me", headers=cookie)).status_code) == (
            401,
            401,
        )


async def test_a_new_colour_is_seen_on_the_other_node_and_kept_there_when_its_owner_has_gone(
    postgres: str, redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "MEMORY", 64)
    settings = Settings(
        data_dir=tmp_path / "data",
        database_url=SecretStr(postgres),
        broker_url=SecretStr(redis.url),
        sign_up="open",
        guests="on",
    )
    green = "#0b6b5e"
    async with AsyncExitStack() as stack:
        here, there = [await stack.enter_async_context(serving(create_app(settings))) for _ in range(2)]
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=60))
        made = await client.post(f"{here.url}/api/v1/accounts", json=ALICE)
        alice = {"Cookie": f"hubbub_session={made.cookies['hubbub_session']}", "Origin": here.url, "Hubbub-CSRF": "1"}
        client.cookies.clear()
        watcher = await stack.enter_async_context(there.connect("/ws/chat/general?username=bob"))
        await watcher.expect("joined")

        async with here.connect("/ws/chat/general", headers=alice) as hers:
            await hers.expect("joined")
            assert "color" not in await watcher.expect("join", user="alice")
            changed = await client.patch(f"{here.url}/api/v1/me", json={"color": green}, headers=alice)
            assert changed.status_code == 200
            assert (await hers.closed())[0] == 1012
        async with here.connect("/ws/chat/general", headers=alice) as hers:
            await hers.expect("joined")
            assert (await watcher.expect("join", user="alice"))["color"] == green
            await hers.send({"type": "message", "room": "general", "text": "hello"})
            await watcher.expect("message")
        await watcher.expect("leave", user="alice")
        async with there.connect("/ws/chat/general?username=carol") as late:
            assert (await late.expect("joined"))["colors"] == {"alice": green}
