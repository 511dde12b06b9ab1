"""However access ends, it ends on all of three nodes: by the broker at once, and without it at their next look at the
database.

No second is measured, because the machine may be busy: a node looks every `POLL` (half a second), so two looks are one
second.
"""

import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from hubbub import Settings
from hubbub.accounts import access_changes, passwords
from hubbub.accounts.access_changes import AccessKind
from hubbub.features.access.feature import AccessFeature
from hubbub.features.accounts.feature import AccountsFeature
from hubbub.serving.app import create_app
from hubbub.testing import TestClient, TestServer, serving
from tests.servers import Redis

PASSWORD = "correct horse battery"
PEOPLE = ("logging out", "new password", "deactivated", "banned", "removed")


class Cluster:
    """Three nodes, an administrator, and people who are connected to each node."""

    def __init__(self, servers: list[TestServer], client: httpx.AsyncClient) -> None:
        self.servers = servers
        self._client = client
        self._cookies: dict[str, str] = {}

    async def ask(self, method: str, path: str, body: Any = None, *, who: str, node: int = 0) -> httpx.Response:
        server = self.servers[node]
        headers = {"Cookie": self._cookies.get(who, ""), "Origin": server.url, "Hubbub-CSRF": "1"}
        answer = await self._client.request(method, f"{server.url}/api/v1/{path}", json=body, headers=headers)
        assert answer.is_success, answer.text
        if (token := answer.cookies.get("hubbub_session")) is not None:
            self._cookies[who] = f"hubbub_session={token}"
        self._client.cookies.clear()
        return answer

    def connect(self, who: str, server: TestServer) -> Any:
        return server.connect("/ws", headers={"Cookie": self._cookies[who], "Origin": server.url})


@asynccontextmanager
async def three_nodes(
    redis: Redis, postgres: str, folder: Path, **given: Any
) -> AsyncIterator[tuple[Cluster, list[FastAPI]]]:
    defaults: dict[str, Any] = {"broker_timeout": 1, "sign_up": "open", "connections_per_address": 0}
    settings = Settings(
        data_dir=folder,
        database_url=SecretStr(postgres),
        broker_url=SecretStr(redis.url),
        log_level="info",
        **defaults | given,
    )
    async with AsyncExitStack() as stack:
        apps = [create_app(settings) for _ in range(3)]
        servers = [await stack.enter_async_context(serving(app, timeout=60)) for app in apps]
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=60))
        yield Cluster(servers, client), apps


def name_of(how: str) -> str:
    return how.replace(" ", "-")


@pytest.mark.parametrize("redis_is", ["alive", "dead", "frozen"])
async def test_every_end_of_access_reaches_three_nodes(
    own_redis: Redis, postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_is: str
) -> None:
    monkeypatch.setattr(passwords, "MEMORY", 64)
    monkeypatch.setattr(access_changes, "BEHIND", 3600.0)
    async with three_nodes(own_redis, postgres, tmp_path) as (cluster, apps), AsyncExitStack() as stack:
        setup = apps[0].state.hub.node.feature(AccountsFeature).setup_fragment.rpartition("/")[2]
        await cluster.ask("POST", "accounts", {"username": "root", "password": PASSWORD, "setup": setup}, who="root")
        room = (await cluster.ask("POST", "rooms", {"kind": "private", "title": "Plans"}, who="root")).json()["room"]
        devices: dict[str, list[TestClient]] = {}
        for how in PEOPLE:
            user = {"username": name_of(how), "password": PASSWORD}
            await cluster.ask("POST", "accounts", user, who=f"{how}, elsewhere")
            await cluster.ask("POST", "sessions", user, who=how)
            devices[how] = [await stack.enter_async_context(cluster.connect(how, server)) for server in cluster.servers]
        await cluster.ask("POST", f"rooms/{room}/invite", {"user": "removed"}, who="root")
        for device in devices["removed"]:
            await device.send({"type": "join", "room": room})
            await device.expect("joined")
        if redis_is == "dead":
            own_redis.kill()
        if redis_is == "frozen":
            own_redis.signal(signal.SIGSTOP)
            stack.callback(own_redis.kill)
        looks = [Looks(app) for app in apps]
        if redis_is == "alive":
            # The first look also follows the channel. Then only the broker can tell.
            for one in looks:
                await one.end()

        ends: dict[str, tuple[str, str, Any, str, int | None]] = {
            "logging out": ("DELETE", "sessions/current", None, "logging out", 4401),
            "new password": (
                *("PUT", "me/password", {"old": PASSWORD, "new": f"{PASSWORD} 2"}),
                *("new password, elsewhere", 4401),
            ),
            "deactivated": ("PATCH", "accounts/deactivated", {"deactivated": True}, "root", 4401),
            "banned": ("PUT", "bans/banned", {}, "root", 4403),
            "removed": ("POST", f"rooms/{room}/remove", {"user": "removed"}, "root", None),
        }
        for how, (method, path, body, who, code) in ends.items():
            await cluster.ask(method, path, body, who=who)
            before, began = [one.ended for one in looks], time.monotonic()
            for device in devices[how]:
                if code is None:
                    await device.expect("removed", room=room)
                else:
                    assert (await device.closed())[0] == code, how
            print(f"{how}, Redis {redis_is}: {time.monotonic() - began:.3f} s")
            # A look that had begun may have come too early: the next one must tell.
            for one, ended in zip(looks, before, strict=True):
                # A room's own log may have told of a removal already.
                assert one.ended_when_heard or code is None, how
                assert max(one.ended_when_heard[:1], default=ended) - ended <= 1, how
                one.ended_when_heard.clear()


class Looks:
    """A node's looks at the table of changes."""

    def __init__(self, app: FastAPI) -> None:
        self.ended = 0
        self._is_over = False
        self.ended_when_heard: list[int] = []
        changes = app.state.hub.node.feature(AccessFeature).changes
        self._look = changes.poll
        changes.poll = self._poll
        for kind in (AccessKind.USER, AccessKind.SESSION, AccessKind.ROOM, AccessKind.BAN):
            changes.listen(kind, lambda _: self.ended_when_heard.append(self.ended))

    async def end(self) -> None:
        await self._poll()
        self._is_over = True

    async def _poll(self) -> None:
        if not self._is_over:
            await self._look()
            self.ended += 1
