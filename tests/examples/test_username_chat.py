"""The username chat: lines with names and times, and SYSTEM lines when somebody joins or leaves."""

from datetime import UTC, datetime, timedelta

import pytest
from websockets.exceptions import InvalidStatus

from examples.username_chat import app
from tests.examples.conftest import Start


async def test_a_line_has_an_author_and_a_time(start: Start) -> None:
    server = await start(app)
    async with (
        server.connect("/ws/chat/lobby?username=alice") as alice,
        server.connect("/ws/chat/lobby?username=Zo%C3%AB") as zoe,
    ):
        await alice.expect("join", name="Zoë")
        await zoe.send({"text": "hello"})
        line = await alice.expect("message", text="hello", name="Zoë", kind="text")

    assert datetime.now(UTC) - datetime.fromisoformat(line["ts"]) < timedelta(minutes=1)


async def test_system_says_who_joins_and_who_leaves(start: Start) -> None:
    server = await start(app)
    async with server.connect("/ws/chat/lobby?username=alice") as alice:
        await alice.expect("message", name="System", kind="system", text="alice joined the chat")
        async with server.connect("/ws/chat/lobby?username=bob"):
            await alice.expect("message", name="System", kind="system", text="bob joined the chat")
        await alice.expect("message", name="System", kind="system", text="bob left the chat")


async def test_a_name_that_is_in_use_is_refused_before_the_upgrade(start: Start) -> None:
    server = await start(app)
    async with server.connect("/ws/chat/lobby?username=alice"):
        with pytest.raises(InvalidStatus) as refused:
            async with server.connect("/ws/chat/lobby?username=alice"):
                pass

    assert refused.value.response.status_code == 409
