"""Heartbeat: a client that is silent for two heartbeats is noticed; one that only answers pings is not."""

import pytest

from examples.heartbeat import app
from hubbub.testing.fixtures import Serve
from tests.examples.conftest import Start
from tests.waiting import eventually


@pytest.fixture(autouse=True)
def quick_and_logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("HUBBUB_HEARTBEAT", "0.2")
    monkeypatch.setenv("HUBBUB_CLOSE_TIMEOUT", "0.2")
    caplog.set_level("INFO", logger="heartbeat")


async def test_a_dead_client_is_noticed_and_a_live_one_is_kept(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    server = await start(app)
    async with server.connect("/ws?username=alice") as alice, server.connect("/ws?username=bob") as bob:
        await alice.expect("welcome", heartbeat=200)
        await bob.expect("welcome")
        alice.fall_silent()

        await eventually(lambda: "alice is gone" in caplog.text)
        alice.vanish()
        await bob.send({"type": "ping", "id": "still here"})
        await bob.expect("pong", id="still here")
        assert "bob is gone" not in caplog.text


async def test_hubbubs_own_transport_logs_why(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    server = await serve(app)
    async with server.connect("/ws?username=alice") as alice:
        await alice.expect("welcome")
        alice.fall_silent()

        await eventually(lambda: "alice is gone: 4408 no frame for two heartbeats" in caplog.text)
        alice.vanish()
