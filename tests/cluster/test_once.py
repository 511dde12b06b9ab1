"""What is good once is good once on all nodes together, also if it is used on all of them at the same moment."""

import asyncio
from collections import Counter
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from hubbub.accounts import passwords
from hubbub.features.accounts.feature import AccountsFeature
from hubbub.testing import TestServer
from tests.cluster.test_ends_of_access import PASSWORD, Cluster, three_nodes
from tests.servers import Redis

AT_ONCE = 12


async def come(cluster: Cluster, **fields: str) -> list[httpx.Response]:
    """Many sign up at once, on all nodes, with the same link."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        return await asyncio.gather(
            *(
                client.post(
                    f"{server.url}/api/v1/accounts",
                    json={"username": f"{next(iter(fields))}{number}", "password": PASSWORD, **fields},
                    headers={"Origin": server.url, "Hubbub-CSRF": "1"},
                )
                for number, server in enumerate(cluster.servers * (AT_ONCE // 3))
            )
        )


async def test_links_and_tickets_are_good_once_on_three_nodes_at_the_same_moment(
    redis: Redis, postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "MEMORY", 64)
    async with three_nodes(redis, postgres, tmp_path, sign_up="invited", sign_ups=100) as (cluster, apps):
        links = [app.state.hub.node.feature(AccountsFeature).setup_fragment for app in apps]
        assert len(set(links)) == 1
        administrators = await come(cluster, setup=links[0].rpartition("/")[2])
        assert Counter(answer.status_code for answer in administrators) == {201: 1, 409: AT_ONCE - 1}

        (root,) = [answer.json()["key"] for answer in administrators if answer.is_success]
        await cluster.ask("POST", "sessions", {"username": root, "password": PASSWORD}, who="root")
        made = await cluster.ask("POST", "invitations", {"uses": 1}, who="root")
        invited = await come(cluster, invitation=made.json()["url"].rpartition("/")[2])
        assert Counter(answer.status_code for answer in invited) == {201: 1, 403: AT_ONCE - 1}

        ticket = (await cluster.ask("POST", "tickets", who="root")).json()["ticket"]

        async def connects(server: TestServer) -> int:
            try:
                async with server.connect(f"/ws?ticket={ticket}", headers={"Origin": server.url}) as socket:
                    await socket.expect("welcome")
            except InvalidStatus as refused:
                return refused.response.status_code
            return 101

        came = await asyncio.gather(*(connects(server) for server in cluster.servers * 2))
        assert Counter(came) == {101: 1, 401: 5}
