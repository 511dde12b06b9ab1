"""Numbered clients: a personal answer, a broadcast, and a line when somebody leaves."""

import re

from examples.numbered_clients import app
from hubbub.testing import TestClient
from tests.examples.conftest import Start


async def number_of(client: TestClient) -> int:
    await client.send("hello")
    assert await client.receive() == "You wrote: hello"
    said = re.fullmatch(r"Client #(\d+) says: hello", await client.receive())
    assert said is not None
    return int(said[1])


async def test_a_text_comes_back_to_its_sender_and_reaches_everybody(start: Start) -> None:
    server = await start(app)
    async with server.connect("/ws") as alice:
        first = await number_of(alice)
        async with server.connect("/ws") as bob:
            second = await number_of(bob)
            assert second == first + 1
            assert await alice.receive() == f"Client #{second} says: hello"
        assert await alice.receive() == f"Client #{second} left the chat"
