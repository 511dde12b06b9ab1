"""Whoever is revoked on one node is cut off on all three, also while Redis is dead."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from hubbub import Authenticated, Role, User
from hubbub.accounts import tickets
from hubbub.accounts.access_changes import AccessKind
from hubbub.errors import Unauthenticated
from hubbub.features.access.feature import AccessFeature
from hubbub.testing import TestClient
from tests.cluster import nodes
from tests.cluster.nodes import Node
from tests.servers import Redis
from tests.waiting import eventually

REVOKED = (4401, "the identity was revoked")


@asynccontextmanager
async def three_nodes(redis: Redis, database: str, **options: Any) -> AsyncIterator[list[Node]]:
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(nodes.node(redis.url, database=database, accounts=True, **options))
            for _ in range(3)
        ]


@asynccontextmanager
async def on_each(three: list[Node], user: str) -> AsyncIterator[list[TestClient]]:
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(node.server.connect(f"/ws?user={user}")) for node in three]
        for client in clients:
            await client.expect("welcome")
        yield clients


@pytest.mark.parametrize("redis_is", ["alive", "dead"])
async def test_a_revocation_reaches_all_nodes_and_nobody_else(own_redis: Redis, postgres: str, redis_is: str) -> None:
    async with (
        three_nodes(own_redis, postgres, broker_timeout=1) as three,
        on_each(three, "alice") as devices,
        on_each(three, "bob") as bobs,
    ):
        if redis_is == "dead":
            own_redis.kill()

        await three[0].hub.users("alice").revoke()

        assert [await device.closed() for device in devices] == [REVOKED] * 3
        for bob in bobs:
            await bob.send({"type": "ping", "id": "1"})
            await bob.expect("pong", id="1")
        for node in three:
            assert node.hub.node.feature(AccessFeature).revocations.is_revoked("alice", 0)


async def test_each_change_is_told_once_though_broker_and_table_tell_it(redis: Redis, postgres: str) -> None:
    async with three_nodes(redis, postgres) as three:
        heard: list[list[str]] = [[], [], []]
        changes = [node.hub.node.feature(AccessFeature).changes for node in three]
        for one, subjects in zip(changes, heard, strict=True):
            one.listen(AccessKind.USER, lambda change, subjects=subjects: subjects.append(change.subject))  # type: ignore[misc]

        for user in ("alice", "bob", "alice"):
            await three[1].hub.users(user).revoke()
        await eventually(lambda: all(len(subjects) == 3 for subjects in heard))
        async with asyncio.timeout(20):
            for one in changes:
                await one.poll()

        assert heard == [["alice", "bob", "alice"]] * 3
        assert not any(one.is_behind for one in changes)


async def test_a_node_that_starts_cuts_nobody_off_for_what_was_before(redis: Redis, postgres: str) -> None:
    async with nodes.node(redis.url, database=postgres, accounts=True) as first:
        await first.hub.users("alice").revoke()
        async with (
            nodes.node(redis.url, database=postgres, accounts=True) as second,
            second.server.connect("/ws?user=alice") as alice,
        ):
            await alice.expect("welcome")
            async with asyncio.timeout(20):
                await second.hub.node.feature(AccessFeature).changes.poll()
            await alice.send({"type": "ping", "id": "1"})
            await alice.expect("pong", id="1")


async def test_a_ticket_of_one_node_is_good_once_on_any_node(redis: Redis, postgres: str) -> None:
    who = Authenticated(User("alice", "Alice", role=Role.ADMIN), expires=2_000_000_000.5, session="s1")
    async with three_nodes(redis, postgres) as three:
        first, second, third = (node.hub.node.feature(AccessFeature).tickets for node in three)
        ticket = await first.make(who)
        taken = await asyncio.gather(*(one.take(ticket) for one in (first, second, third)), return_exceptions=True)

        assert [one for one in taken if isinstance(one, Authenticated)] == [who]
        assert [type(one) for one in taken if one != who] == [Unauthenticated] * 2

        ticket = await first.make(who)
        await three[0].hub.users("alice").revoke()
        with pytest.raises(Unauthenticated):
            await first.take(ticket)


async def test_a_ticket_from_before_a_revocation_is_worth_nothing_also_at_a_node_whose_clock_is_ahead(
    redis: Redis, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with three_nodes(redis, postgres) as (first, _, third):
        ticket = await first.hub.node.feature(AccessFeature).tickets.make(Authenticated(User("alice", "Alice")))
        await first.hub.users("alice").revoke()
        revocations = third.hub.node.feature(AccessFeature).revocations
        await eventually(lambda: revocations.is_revoked("alice", 0.0))

        monkeypatch.setattr(tickets, "time", SimpleNamespace(time=lambda: time.time() + 60))
        with pytest.raises(Unauthenticated):
            await third.hub.node.feature(AccessFeature).tickets.take(ticket)
