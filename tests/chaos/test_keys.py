"""The same key again is the same message: after a lost ack, from another connection, at the same moment."""

import asyncio

import pytest

from hubbub.client import Client
from hubbub.errors import Conflict
from tests.client.proxy import Proxy
from tests.conftest import ServerFactory
from tests.people import address, person

pytestmark = pytest.mark.slow(2)

KEY = "one-key-for-all"


@pytest.mark.parametrize("codec", ["json", "msgpack"])
async def test_a_repeat_after_a_lost_ack_gets_the_first_answer(serve: ServerFactory, codec: str) -> None:
    server = serve()
    async with Proxy(server.port) as proxy, person(server, "bob") as bob:
        await bob.join("hall")
        async with Client(proxy.address, username="alice", codec=codec, first_wait=0.01) as alice:  # type: ignore[arg-type]
            hall = await alice.join("hall")
            proxy.hold_answers()
            sending = asyncio.create_task(hall.send("hello", key=KEY))
            stored = await bob.expect("message", key=KEY)

            proxy.cut()
            proxy.let_answers_through()

            ack = await sending
            assert (ack.seq, ack.rev, ack.ts) == (stored["seq"], stored["rev"], stored["ts"])
            assert [message.key for message in (await hall.history()).messages] == [KEY]


async def test_the_same_key_on_two_connections_at_the_same_moment_is_one_message(serve: ServerFactory) -> None:
    server = serve()
    async with person(server, "alice") as alice:
        secret = alice.of_type("welcome")[0]["secret"]
        async with person(server, "alice", secret=secret) as also_alice:
            await alice.join("hall")
            await also_alice.join("hall")

            command = {"type": "message", "room": "hall", "text": "hello", "key": KEY}
            answers = [*await asyncio.gather(alice.ask(command), also_alice.ask(command)), await alice.ask(command)]

            assert {(answer["type"], answer["seq"], answer["rev"]) for answer in answers} == {("ack", 1, 1)}
            page = await alice.ask({"type": "history", "room": "hall"})
            assert [message["key"] for message in page["messages"]] == [KEY]


async def test_a_key_with_another_text_is_a_conflict_also_after_a_restart(serve: ServerFactory) -> None:
    server = serve()
    async with Client(address(server), username="alice", first_wait=0.01, longest_wait=0.1) as alice:
        hall = await alice.join("hall")
        await hall.send("hello", key=KEY)
        with pytest.raises(Conflict):
            await hall.send("good evening", key=KEY)

        server.kill()
        await asyncio.to_thread(server.start)

        with pytest.raises(Conflict):
            await hall.send("good evening", key=KEY)
        assert (await hall.send("hello", key=KEY)).seq == 1
        assert (await hall.send("good evening")).seq == 2


async def test_a_key_belongs_to_one_user_and_one_room(serve: ServerFactory) -> None:
    server = serve()
    async with Client(address(server), username="alice") as alice, Client(address(server), username="bob") as bob:
        hall, kitchen, bobs_hall = await alice.join("hall"), await alice.join("kitchen"), await bob.join("hall")

        acks = [await room.send("hello", key=KEY) for room in (hall, kitchen, bobs_hall)]

        assert [(ack.room, ack.seq) for ack in acks] == [("hall", 1), ("kitchen", 1), ("hall", 2)]
