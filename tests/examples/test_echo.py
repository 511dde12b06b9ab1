"""Echo: text, JSON and bytes come back unchanged."""

from examples.echo import app
from tests.examples.conftest import Start


async def test_text_json_and_bytes_come_back_unchanged(start: Start) -> None:
    server = await start(app)
    async with server.connect("/ws") as alice:
        await alice.send("hello")
        assert await alice.receive() == "echo: hello"
        await alice.send({"answer": [42]})
        assert await alice.receive() == {"echo": {"answer": [42]}}
        await alice.send(b"\x00\xff")
        assert await alice.receive() == b"\x00\xff"


async def test_a_text_that_only_begins_like_json_comes_back_as_text(start: Start) -> None:
    server = await start(app)
    async with server.connect("/ws") as alice:
        await alice.send("{not json")
        assert await alice.receive() == "echo: {not json"
