"""Broadcast: everybody gets every message, and the number of people."""

from examples.broadcast import app
from tests.examples.conftest import Start


async def test_a_text_reaches_everybody_and_its_sender(start: Start) -> None:
    server = await start(app)
    async with server.connect("/ws") as alice, server.connect("/ws") as bob, server.connect("/ws") as carol:
        for client in (alice, bob, carol):
            await client.expect("joined")
        await alice.send("hello, all")
        for client in (alice, bob, carol):
            await client.expect("message", text="hello, all")


async def test_each_join_and_leave_tells_how_many_are_here(start: Start) -> None:
    server = await start(app)
    async with server.connect("/ws") as alice:
        await alice.expect("joined", online=1)
        async with server.connect("/ws") as bob:
            await bob.expect("joined", online=2)
            await alice.expect("join", online=2)
        await alice.expect("leave", online=1)
