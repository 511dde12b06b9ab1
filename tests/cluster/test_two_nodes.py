"""People on two nodes chat as if there were one."""

import re
from functools import partial

import httpx
import pytest

from tests.cluster.conftest import MakeNodes
from tests.cluster.nodes import node
from tests.cluster.views import messages, shown
from tests.people import person
from tests.servers import REPOSITORY, Redis, WebServer
from tests.waiting import eventually

Nodes = tuple[WebServer, WebServer]
CODECS = ["hubbub.v1.json", "hubbub.v1.msgpack"]


@pytest.mark.parametrize("subprotocol", CODECS)
async def test_what_alice_says_edits_and_deletes_reaches_bob_on_the_other_node(nodes: Nodes, subprotocol: str) -> None:
    serving, mounted = nodes
    async with (
        person(serving, "alice", subprotocol=CODECS[0]) as alice,
        person(mounted, "bob", subprotocol=subprotocol, compression="deflate") as bob,
    ):
        await alice.join("hall")
        await bob.join("hall")

        ack = await alice.say("hall", "Hello Bob!")
        said = await shown(bob, rev=ack["rev"])
        long = await alice.say("hall", "Grüße 👋 " * 400)
        said_long = await shown(bob, rev=long["rev"])
        await alice.ask({"type": "edit", "room": "hall", "seq": ack["seq"], "text": "Hello, Bob!"})
        edited = await shown(bob, rev=3)
        await bob.ask({"type": "react", "room": "hall", "seq": ack["seq"], "emoji": "👋"})
        reacted = await shown(alice, rev=4)
        await alice.ask({"type": "delete", "room": "hall", "seq": ack["seq"]})
        deleted = await shown(bob, rev=5)

    assert (said["seq"], said["rev"], said["text"]) == (ack["seq"], ack["rev"], "Hello Bob!")
    assert (said_long["rev"], said_long["text"]) == (long["rev"], "Grüße 👋 " * 400)
    assert edited["text"] == "Hello, Bob!"
    assert [reaction["emoji"] for reaction in reacted["reactions"]] == ["👋"]
    assert deleted["deleted"]


async def test_typing_and_notifications_reach_the_other_node(nodes: Nodes) -> None:
    serving, mounted = nodes
    async with person(serving, "alice") as alice, person(mounted, "bob") as bob:
        await alice.join("hall")
        await bob.join("hall")
        await bob.ask({"type": "follow", "topic": "orders.*"})

        await alice.send({"type": "typing", "room": "hall"})
        typing = await bob.expect("typing")
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.post(f"{serving.url}/notify/orders.eu", data={"title": "Shipped"})
        notification = await bob.expect("notification")

    assert typing["user"] == "alice"
    assert (notification["topic"], notification["title"]) == ("orders.eu", "Shipped")


async def test_a_thousand_messages_from_both_nodes_arrive_everywhere_in_one_order(nodes: Nodes) -> None:
    serving, mounted = nodes
    async with person(serving, "alice") as alice, person(mounted, "bob", subprotocol=CODECS[1]) as bob:
        await alice.join("hall")
        await bob.join("hall")

        for number in range(500):
            await alice.send({"type": "message", "room": "hall", "text": f"alice {number}"})
            await bob.send({"type": "message", "room": "hall", "text": f"bob {number}"})

        revs = list(range(1, 1001))
        assert [message["rev"] for message in await messages(alice, 1000)] == revs
        assert [message["rev"] for message in await messages(bob, 1000)] == revs
        assert await messages(alice, 1000) == await messages(bob, 1000)


async def test_nobody_is_given_a_page_without_what_their_node_has_heard_from_the_other(
    redis: Redis, postgres: str
) -> None:
    page = {"type": "history", "room": "hall"}
    async with (
        node(redis.url, database=postgres) as first,
        node(redis.url, database=postgres) as second,
        person(first, "alice") as alice,
        person(second, "bob") as bob,
        person(second, "carol") as carol,
    ):
        await alice.join("hall")
        await alice.say("hall", "one")
        await bob.join("hall")
        await bob.ask(page)
        await alice.ask({"type": "edit", "room": "hall", "seq": 1, "text": "One"})
        await shown(bob, rev=2)
        await alice.say("hall", "two")
        await shown(bob, rev=3)

        # Both ask for pages that their node has read a moment ago, before it heard of the changes.
        joined = await carol.join("hall")
        history = await bob.ask(page)
        await alice.say("hall", "three")
        heard = await shown(carol, text="three")

    assert joined["rev"] == history["rev"] == 3
    assert [row["text"] for row in joined["messages"]] == ["One", "two"]
    assert [row["text"] for row in history["messages"]] == ["One", "two"]
    assert heard["rev"] == joined["rev"] + 1


async def test_a_node_hears_of_a_room_only_while_it_has_a_member_there(nodes: Nodes, redis: Redis) -> None:
    def listeners() -> list[int]:
        channels = redis.ask("PUBSUB", "CHANNELS", "*hall*")
        return [redis.ask("PUBSUB", "NUMSUB", channel)[1] for channel in channels]

    serving, mounted = nodes
    async with person(serving, "alice") as alice, person(mounted, "bob") as bob:
        await alice.join("hall")
        await alice.say("hall", "Is anybody there?")
        assert listeners() == [1]
        await bob.join("hall")
        assert listeners() == [2]
        await bob.ask({"type": "leave", "room": "hall"})
        await eventually(lambda: listeners() == [1])


async def test_three_redis_servers_share_the_rooms(make_nodes: MakeNodes, three_redis: list[Redis]) -> None:
    serving, mounted = make_nodes(",".join(server.url for server in three_redis))
    rooms = [f"room-{number}" for number in range(20)]
    async with person(serving, "alice") as alice, person(mounted, "bob") as bob:
        for room in rooms:
            await alice.join(room)
            await bob.join(room)

        for room in rooms:
            await alice.say(room, f"Hello {room}!")
        said = await messages(bob, len(rooms))
        channels = [len(server.ask("PUBSUB", "CHANNELS", "hubbub:0:room:*")) for server in three_redis]

    assert {message["text"] for message in said} == {f"Hello {room}!" for room in rooms}
    assert sum(channels) == len(rooms)
    assert all(channels)


async def test_the_documented_rights_at_redis_are_enough(make_nodes: MakeNodes, redis: Redis) -> None:
    (rights,) = re.findall(r"`(resetchannels [^`]+)`", (REPOSITORY / "docs/scaling.md").read_text())
    redis.ask("ACL", "SETUSER", "hub", "on", ">a password", *rights.split())
    try:
        serving, mounted = make_nodes(f"redis://hub:a%20password@127.0.0.1:{redis.port}")
        async with person(serving, "alice") as alice, person(mounted, "bob") as bob:
            await alice.join("hall")
            await bob.join("hall")
            await alice.expect("join", user="bob", online=2)
            await alice.say("hall", "Hello Bob!")
            await shown(bob, text="Hello Bob!")
    finally:
        redis.ask("ACL", "DELUSER", "hub")


async def test_both_nodes_are_ready(nodes: Nodes) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        for node in nodes:
            assert (await client.get(f"{node.url}/health/ready")).json() == {"status": "ok"}


async def lists(node: WebServer, client: httpx.AsyncClient, *expected: tuple[str, int]) -> bool:
    rooms = (await client.get(f"{node.url}/api/v1/rooms")).json()["rooms"]
    return [(room["room"], room["online"]) for room in rooms] == list(expected)


async def test_both_nodes_list_the_same_rooms_and_people(nodes: Nodes) -> None:
    serving, mounted = nodes
    async with (
        person(serving, "alice") as alice,
        person(mounted, "bob") as bob,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        await alice.join("hall")
        await alice.say("hall", "hello")
        await bob.join("hall")
        await bob.join("beach")
        await bob.join("attic")

        for node in nodes:
            # A join counts within a tenth of a second.
            await eventually(partial(lists, node, client, ("attic", 1), ("beach", 1), ("hall", 2)))
            for room, users in (("hall", ["alice", "bob"]), ("beach", ["bob"])):
                online = (await client.get(f"{node.url}/api/v1/rooms/{room}/online")).json()
                assert [user["user"] for user in online["users"]] == users
                assert online["online"] == len(users)
