"""Life-cycle: the log has each step with the client's id, and each end with its code."""

import re

import pytest

from examples.lifecycle import app
from tests.examples.conftest import Start
from tests.waiting import eventually


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="lifecycle")


async def test_connect_messages_and_disconnect_are_logged_with_the_clients_id(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    server = await start(app)
    async with server.connect("/ws") as alice:
        await alice.send("hello")
        await alice.send("bye")
        assert await alice.closed() == (1000, "bye")

    await eventually(lambda: "disconnected" in caplog.text)
    steps = [record.getMessage() for record in caplog.records if record.name == "lifecycle"]
    client = re.fullmatch("client (.+) connected", steps[0])
    assert client is not None
    assert steps[1:] == [
        f"client {client[1]} sent 'hello'",
        f"client {client[1]} sent 'bye'",
        f"client {client[1]} disconnected: 1000 'bye'",
    ]


async def test_a_failing_handler_is_logged_and_closes_only_its_connection_with_1011(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    server = await start(app)
    async with server.connect("/ws") as alice, server.connect("/ws") as bob:
        await alice.send("crash")
        assert (await alice.closed())[0] == 1011
        await bob.send("bye")
        assert (await bob.closed())[0] == 1000

    [failure] = [record for record in caplog.records if record.exc_info]
    assert "receive failed for connection" in failure.getMessage()


async def test_a_client_that_goes_away_is_logged_with_1001(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    server = await start(app)
    async with server.connect("/ws") as alice:
        await alice.close(1001)

    await eventually(lambda: "disconnected: 1001 ''" in caplog.text)


async def test_a_client_that_vanishes_is_logged_with_1006(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    server = await start(app)
    async with server.connect("/ws") as alice:
        alice.vanish()

        await eventually(lambda: "disconnected: 1006" in caplog.text)
