"""What an administrator does on one node holds on the other one within a second, also while Redis is dead."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import jwt
import pytest
from pydantic import SecretStr

from hubbub import Settings
from hubbub.serving.app import create_app
from hubbub.testing import TestServer, serving
from tests.cluster.nodes import SECRET
from tests.servers import Redis


def token(user: str, **claims: str) -> dict[str, str]:
    now = int(time.time())  # some tokens are made when tests are collected
    said = {
        "sub": user,
        "iss": "hubbub",
        "aud": "hubbub",
        "iat": now,
        "exp": now + 86_400,
        **claims,
    }  # made when tests are collected
    return {"Authorization": f"Bearer {jwt.encode(said, SECRET)}"}


BOSS = token("boss", role="admin")


@asynccontextmanager
async def two_nodes(
    redis: Redis, database: str, folder: Path
) -> AsyncIterator[tuple[list[TestServer], httpx.AsyncClient]]:
    settings = Settings(
        data_dir=folder,
        secret=SecretStr(SECRET),
        database_url=SecretStr(database),
        broker_url=SecretStr(redis.url),
        broker_timeout=1,
    )
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(serving(create_app(settings))) for _ in range(2)]
        yield nodes, await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=60))


@pytest.mark.parametrize("redis_is", ["alive", "dead"])
async def test_settings_reach_the_other_node(own_redis: Redis, postgres: str, tmp_path: Path, redis_is: str) -> None:
    async with two_nodes(own_redis, postgres, tmp_path) as ((here, there), client):
        async with there.connect("/ws?username=alice") as guest, there.connect("/ws", headers=token("bob")) as bob:
            await guest.expect("welcome", guest=True)
            await bob.expect("welcome", user="bob")
            if redis_is == "dead":
                own_redis.kill()
            done = await client.patch(f"{here.url}/api/v1/settings", headers=BOSS, json={"guests": "off", "name": "W"})
            assert done.status_code == 200, done.text

            assert (await guest.closed())[0] == 4401
            await bob.send({"type": "ping", "id": "1"})
            await bob.expect("pong", id="1")
        seen = (await client.get(f"{there.url}/api/v1/server")).json()
        assert (seen["name"], seen["guests"]) == ("W", False)


@pytest.mark.parametrize("redis_is", ["alive", "dead"])
async def test_a_ban_ends_connections_on_the_other_node(
    own_redis: Redis, postgres: str, tmp_path: Path, redis_is: str
) -> None:
    async with two_nodes(own_redis, postgres, tmp_path) as ((here, there), client):
        async with (
            there.connect("/ws", headers=token("alice")) as alice,
            there.connect("/ws", headers=token("bob")) as bob,
        ):
            await alice.expect("welcome", user="alice")
            await bob.expect("welcome", user="bob")
            if redis_is == "dead":
                own_redis.kill()
            done = await client.put(f"{here.url}/api/v1/bans/alice", headers=BOSS, json={})
            assert done.status_code == 204, done.text

            assert await alice.closed() == (4403, "you are banned from this server")
            await bob.send({"type": "ping", "id": "1"})
            await bob.expect("pong", id="1")
        refused = await client.get(f"{there.url}/ws", headers=token("alice"))
        assert (refused.status_code, refused.json()["message"]) == (403, "you are banned from this server")


@pytest.mark.parametrize("redis_is", ["alive", "dead"])
async def test_a_report_is_told_on_the_other_node(
    own_redis: Redis, postgres: str, tmp_path: Path, redis_is: str
) -> None:
    async with two_nodes(own_redis, postgres, tmp_path) as ((here, there), client):
        said = await client.post(
            f"{here.url}/api/v1/rooms/lobby/messages", headers=token("mallory"), json={"text": "pills"}
        )
        path = f"{here.url}/api/v1/rooms/lobby/messages/{said.json()['seq']}/reports"
        async with there.connect("/ws", headers=BOSS) as boss, there.connect("/ws", headers=token("bob")) as bob:
            await boss.expect("welcome")
            await bob.expect("welcome")
            if redis_is == "dead":
                own_redis.kill()
            made = await client.post(path, headers=token("alice"), json={"reason": "spam"})
            assert made.status_code == 201, made.text

            told = await boss.expect("report")
            assert (told["id"], told["room"], told["state"]) == (made.json()["id"], "lobby", "open")
            await bob.send({"type": "ping", "id": "1"})
            assert (await bob.receive())["type"] == "pong"


async def test_reports_and_the_audit_log_are_those_of_all_nodes(redis: Redis, postgres: str, tmp_path: Path) -> None:
    async with two_nodes(redis, postgres, tmp_path) as ((here, there), client):
        said = await client.post(
            f"{here.url}/api/v1/rooms/lobby/messages", headers=token("mallory"), json={"text": "pills"}
        )
        path = f"/api/v1/rooms/lobby/messages/{said.json()['seq']}/reports"
        twice = [
            await client.post(f"{node.url}{path}", headers=token("alice"), json={"reason": "spam"})
            for node in (here, there)
        ]
        assert {answer.status_code for answer in twice} == {201}
        (report,) = (await client.get(f"{there.url}/api/v1/reports", headers=BOSS)).json()["reports"]
        assert {answer.json()["id"] for answer in twice} == {report["id"]}
        assert (report["author"], report["text"], report["by"]) == ("mallory", "pills", "alice")
        closed = await client.patch(f"{here.url}/api/v1/reports/{report['id']}", headers=BOSS, json={"state": "closed"})
        assert closed.status_code == 200, closed.text
        assert (await client.get(f"{there.url}/api/v1/reports", headers=BOSS)).json()["reports"] == []

        lines = (await client.get(f"{there.url}/api/v1/audit?action=report.", headers=BOSS)).json()["lines"]
        assert [(line["actor"], line["action"]) for line in lines] == [
            ("boss", "report.close"),
            ("alice", "report.add"),
        ]
