"""The machine's clock jumps, as it does after a sleep, a dead battery or a wrong time server."""

from pathlib import Path

import pytest

from tests.conftest import ServerFactory
from tests.people import person

pytestmark = pytest.mark.slow(5)


@pytest.mark.parametrize("jump", ["+1h", "-1h"])
async def test_a_jump_of_the_clock_changes_no_order_and_closes_no_connection(
    serve: ServerFactory, faketime: Path, tmp_path: Path, jump: str
) -> None:
    moment = tmp_path / "moment"
    moment.write_text("+0")
    server = serve(
        environment={
            "LD_PRELOAD": str(faketime),
            "FAKETIME_TIMESTAMP_FILE": str(moment),
            "FAKETIME_NO_CACHE": "1",
            # Only the wall clock jumps; the monotonic clock continues.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "HUBBUB_HEARTBEAT": "0.5",
        }
    )
    async with (
        person(server, "alice", path="/ws/chat/room1") as alice,
        person(server, "bob", path="/ws/chat/room1") as bob,
    ):
        before = await alice.say("room1", "before")
        moment.write_text(jump)
        after = await alice.say("room1", "after")
        # Two heartbeats later everybody is still connected: no deadline has passed.
        await bob.gather("ping", 3)
        moment.write_text("+0")
        back = await alice.say("room1", "back again")

        assert await bob.hear(3) == ["before", "after", "back again"]
        assert [answer["seq"] for answer in (before, after, back)] == [1, 2, 3]
        assert (after["ts"] > before["ts"]) is (jump == "+1h")
        page = await bob.ask({"type": "history", "room": "room1"})
        assert [row["text"] for row in page["messages"]] == ["before", "after", "back again"]
