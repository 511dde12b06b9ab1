"""An application's own tables say who is in its rooms, on several nodes."""

from contextlib import AsyncExitStack

import pytest

from hubbub import User
from tests.cluster.nodes import node
from tests.people import person
from tests.servers import Redis


@pytest.mark.parametrize("redis_is", ["alive", "dead"])
async def test_who_is_taken_out_of_the_tables_is_cut_off_on_all_nodes(
    own_redis: Redis, postgres: str, redis_is: str
) -> None:
    members = {"alice", "bob"}

    async def membership(user: User, room: str) -> str | None:
        return "member" if user.key in members else None

    async with AsyncExitStack() as stack:
        nodes = [
            await stack.enter_async_context(
                node(own_redis.url, database=postgres, accounts=True, membership=membership, broker_timeout=1)
            )
            for _ in range(2)
        ]
        alice = await stack.enter_async_context(person(nodes[0], user="alice"))
        devices = [await stack.enter_async_context(person(one, user="bob")) for one in nodes]
        for one in (alice, *devices):
            assert (await one.join("item:1"))["type"] == "joined"
        if redis_is == "dead":
            own_redis.kill()

        members.remove("bob")
        await nodes[0].hub.rooms("item:1").refresh_access("bob")

        for device in devices:
            assert (await device.expect("removed"))["reason"] == "removed"
        await alice.say("item:1", "between us")
        for device in devices:
            await device.catch_up()
            assert device.texts == []
            assert (await device.join("item:1"))["code"] == "forbidden"
