"""The examples as a reader runs them: each file is a program, and stops like any program."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.conftest import UvicornFactory
from tests.examples.test_readme import ROWS
from tests.ports import free_port
from tests.servers import REPOSITORY, WebServer

EXAMPLES = REPOSITORY / "examples"
PROGRAM = """

if __name__ == "__main__":
    run(app)
"""


def program(example: Path, folder: Path) -> WebServer:
    port = free_port()
    return WebServer(
        folder,
        [sys.executable, str(example)],
        port=port,
        ready_path="/openapi.json",
        environment={"HUBBUB_PORT": str(port)},
    )


async def until_closed(client: ClientConnection) -> AsyncIterator[str | bytes]:
    with suppress(ConnectionClosed):
        while True:
            yield await client.recv()


@pytest.mark.parametrize("name", [row[0] for row in ROWS])
def test_each_of_the_sixteen_ends_as_a_program_does(name: str) -> None:
    assert (EXAMPLES / f"{name}.py").read_text().endswith(PROGRAM)


# One with the hub's routes and one with its own only; starting all sixteen would take half a minute and show no more.
@pytest.mark.parametrize("name", ["echo", "host_app"])
def test_such_a_program_serves_and_stops_when_told(name: str, tmp_path: Path) -> None:
    with program(EXAMPLES / f"{name}.py", tmp_path) as server:
        assert httpx.get(f"{server.url}/openapi.json").status_code == 200
        assert server.stop() == 0

    server.check_log()


async def test_a_program_that_is_told_to_stop_tells_its_clients_first(tmp_path: Path) -> None:
    with program(EXAMPLES / "broadcast.py", tmp_path) as server:
        async with connect(f"{server.ws_url}/ws", proxy=None) as alice:
            assert '"welcome"' in str(await alice.recv())
            stopping = asyncio.create_task(asyncio.to_thread(server.stop))
            said = [str(frame) async for frame in until_closed(alice)]
            assert await stopping == 0

    assert '"draining"' in said[-1]
    assert alice.close_code == 1012


def test_uvicorn_serves_an_example_by_its_name(uvicorn: UvicornFactory) -> None:
    server = uvicorn("examples.rooms:app", ws="auto")

    assert httpx.get(f"{server.url}/rooms").json() == {}
