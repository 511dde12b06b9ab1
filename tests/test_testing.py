"""`hubbub.testing`: waiting ends and says what came, and the fixtures work in another project."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI
from websockets.exceptions import ConnectionClosedOK

from hubbub import Hubbub
from hubbub.testing import TestServer, serving

hub = Hubbub(guests="on", page=False)
app = FastAPI()
app.include_router(hub.router)


@asynccontextmanager
async def impatient() -> AsyncIterator[TestServer]:
    async with serving(app, timeout=0.2) as server:
        yield server


async def test_waiting_for_a_missing_event_ends_and_says_what_came_instead() -> None:
    async with impatient() as server, server.connect("/ws?username=alice") as alice:
        # On a busy machine it may come late.
        alice.seen.append(json.loads(await alice._connection.recv()))
        with pytest.raises(AssertionError, match=r"no .*'message'.* came .*'type': 'welcome'"):
            await alice.expect("message", text="hello")
        with pytest.raises(TimeoutError, match=r"waited 0.2 s for a frame"):
            await alice.receive()
        with pytest.raises(TimeoutError, match=r"waited 0.2 s for the server to close the connection"):
            await alice.closed()


async def test_expecting_an_event_fails_when_the_connection_ends() -> None:
    async with serving(app) as server, server.connect("/ws?username=alice") as alice:
        await alice.expect("welcome")
        await hub.users("alice").disconnect(1000, "enough")
        with pytest.raises(AssertionError, match="enough"):
            await alice.expect("message")
        with pytest.raises(ConnectionClosedOK):
            await alice.receive()


async def test_events_before_the_expected_one_are_kept() -> None:
    async with impatient() as server, server.connect("/ws/chat/room1?username=alice") as alice:
        await alice.expect("joined")

        assert [event["type"] for event in alice.seen] == ["welcome"]


async def test_an_application_that_does_not_start_raises_an_error_instead_of_exiting() -> None:
    twice = FastAPI()
    twice.include_router(hub.router, prefix="/one")
    twice.include_router(hub.router, prefix="/two")

    with pytest.raises(RuntimeError, match="the application did not start; its log says why"):
        async with serving(twice):
            pass


PROJECT = {
    "conftest.py": 'pytest_plugins = ["hubbub.testing.fixtures"]\n',
    "pytest.ini": "[pytest]\nanyio_mode = auto\n",
    "test_shop.py": """
from fastapi import FastAPI
from hubbub import Hubbub
from hubbub.testing.fixtures import Serve

hub = Hubbub(guests="on")
app = FastAPI()
app.include_router(hub.router, prefix="/chat")


async def test_a_message_reaches_the_room(serve: Serve) -> None:
    server = await serve(app)
    async with server.connect("/chat/ws/chat/general?username=alice") as alice:
        await alice.send({"text": "hello"})
        await alice.expect("message", text="hello")


async def test_it_does_on_any_asgi_server(serve: Serve) -> None:
    server = await serve(app, plain=True)
    async with server.connect("/chat/ws/chat/general?username=alice") as alice:
        await alice.expect("joined", online=1)
""",
}


def test_the_fixtures_work_in_a_project_that_names_them_as_a_plugin(tmp_path: Path) -> None:
    for name, content in PROJECT.items():
        (tmp_path / name).write_text(content)

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        env=os.environ | {"PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "2 passed" in run.stdout, run.stdout + run.stderr
