"""An application reaches all connections of a user, whichever node they are connected to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from hubbub import Event, Hubbub
from hubbub.testing import TestServer
from tests.cluster import nodes
from tests.people import Person
from tests.servers import Redis

CODECS = ["hubbub.v1.json", "hubbub.v1.msgpack"]


class Nudge(Event):
    type: Literal["nudge"] = "nudge"
    text: str


@asynccontextmanager
async def node(redis: Redis) -> AsyncIterator[tuple[Hubbub, TestServer]]:
    """One of several nodes that store nothing."""
    async with nodes.node(redis.url, accounts=True) as one:
        yield one.hub, one.server


@pytest.mark.parametrize("codec", CODECS)
async def test_an_event_reaches_a_user_on_all_nodes_and_nobody_else(redis: Redis, codec: str) -> None:
    async with (
        node(redis) as (one, first),
        node(redis) as (two, second),
        first.connect("/ws?user=alice") as phone,
        connect(f"ws://127.0.0.1:{second.port}/ws?user=Alice", subprotocols=[Subprotocol(codec)]) as link,
        second.connect("/ws?user=bob") as bob,
    ):
        laptop = Person(link)
        for client in (phone, laptop, bob):
            await client.expect("welcome")

        sent = await one.users("ALICE").send(Nudge(text="Grüße"))
        on_phone, on_laptop = await phone.expect("nudge"), await laptop.expect("nudge")
        to_bob = await one.users("bob").send(Nudge(text="only you"))
        to_nobody = await two.users("carol").send(Nudge(text="anybody?"))

        assert (sent, to_bob, to_nobody) == (2, 1, 0)
        assert on_phone["text"] == on_laptop["text"] == "Grüße"
        assert (await bob.expect("nudge"))["text"] == "only you"


async def test_a_user_is_disconnected_on_all_nodes(redis: Redis) -> None:
    async with (
        node(redis) as (one, first),
        node(redis) as (_, second),
        first.connect("/ws?user=alice") as phone,
        second.connect("/ws?user=alice") as laptop,
        second.connect("/ws?user=bob") as bob,
    ):
        for client in (phone, laptop, bob):
            await client.expect("welcome")

        assert await one.users("alice").disconnect(4403, "you are banned") == 2

        assert await phone.closed() == (4403, "you are banned")
        assert await laptop.closed() == (4403, "you are banned")
        assert await one.users("bob").send(Nudge(text="still here?")) == 1
        await bob.expect("nudge")


async def test_a_user_who_left_and_came_back_is_reached_again(redis: Redis) -> None:
    async with node(redis) as (one, _), node(redis) as (_, second):
        for _ in range(3):
            async with second.connect("/ws?user=alice") as alice:
                await alice.expect("welcome")
                assert await one.users("alice").send(Nudge(text="there you are")) == 1
                await alice.expect("nudge")


async def test_a_notification_says_how_many_get_it_on_all_nodes(redis: Redis) -> None:
    async with (
        node(redis) as (one, first),
        node(redis) as (_, second),
        first.connect("/ws/notify/orders.*?user=alice") as alice,
        second.connect("/ws/notify/orders.eu?user=bob") as bob,
        second.connect("/ws/notify/other?user=carol") as carol,
    ):
        for client in (alice, bob, carol):
            await client.expect("following")

        assert await one.topics("orders.eu").publish("Shipped") == 2
        assert (await bob.expect("notification"))["title"] == "Shipped"
