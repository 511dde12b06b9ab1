"""The registry: each user has one connection, the newest one."""

from examples.connection_registry import app
from tests.examples.conftest import Start


async def test_a_new_connection_of_a_user_replaces_the_old_one(start: Start) -> None:
    server = await start(app)
    async with (
        server.connect("/ws/chat?user=alice") as older,
        server.connect("/ws/chat?user=bob") as bob,
        server.connect("/ws/chat?user=Alice") as newer,
    ):
        assert await older.closed() == (1000, "replaced by a newer connection")
        await newer.expect("joined")
        await bob.send({"text": "hello"})
        await newer.expect("message", text="hello")
