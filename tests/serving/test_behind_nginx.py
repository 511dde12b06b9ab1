"""Three nodes behind nginx, with the configuration that docs/scaling.md shows."""

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from tests.behind_nginx import NODES, documented_configuration
from tests.chaos.conftest import UNLIMITED
from tests.conftest import start_and_watch
from tests.people import DEADLINE, Refused, address, person
from tests.ports import free_port
from tests.servers import MissingError, Nginx, Redis, WebServer, hubbub_server
from tests.serving.conversation import NAMES, conversation

pytestmark = pytest.mark.slow(3)

Cluster = tuple[Nginx, list[WebServer]]


@pytest.fixture
def start_cluster(
    tmp_path: Path, redis: Redis, postgres: str, missing: Callable[[MissingError], NoReturn]
) -> Iterator[Callable[..., Cluster]]:
    with ExitStack() as stack:

        def start(**environment: str) -> Cluster:
            everywhere = {
                "HUBBUB_BROKER_URL": redis.url,
                "HUBBUB_DATABASE_URL": postgres,
                "HUBBUB_GUESTS": "on",
                "HUBBUB_TRUSTED_PROXIES": '["127.0.0.1"]',
            }
            nodes = []
            for number in range(NODES):
                folder = tmp_path / f"node-{number}"
                folder.mkdir()
                node = hubbub_server(folder, environment=everywhere | environment)
                nodes.append(start_and_watch(node, stack))
            port = free_port()
            try:
                nginx = Nginx(tmp_path, documented_configuration(port, [node.port for node in nodes]), port=port)
            except MissingError as error:
                missing(error)
            stack.callback(lambda: print(nginx.log))
            return stack.enter_context(nginx), nodes

        yield start


@asynccontextmanager
async def coming_and_going(server: WebServer) -> AsyncIterator[list[str]]:
    """Somebody connects by WebSocket again and again, joins and goes; what refused them is noted."""
    refusals: list[str] = []

    async def go_on() -> None:
        while True:
            try:
                async with person(server) as somebody:
                    # Above a hundred people in a room, nobody is told of each.
                    await somebody.join("lobby")
            except Refused as refused:
                refusals.append(str(refused))
            except (OSError, EOFError) as error:
                refusals.append(repr(error))

    coming = asyncio.create_task(go_on())
    yield refusals
    coming.cancel()
    await asyncio.wait([coming])


@asynccontextmanager
async def watching(node: WebServer, restarted: WebServer) -> AsyncIterator[None]:
    """Somebody on this node sees none of those who talk come or go."""
    async with person(node) as watcher:
        await watcher.join("hall")
        yield
        async with person(restarted) as visitor:
            await visitor.join("hall")
            await watcher.expect("join", user=visitor.key)
        seen = [event for event in watcher.seen if event["type"] in {"join", "leave"}]
    assert [event for event in seen if event["user"] in NAMES] == []


@pytest.mark.slow(20)
async def test_a_rolling_restart_loses_no_message_refuses_nobody_and_shows_nobody_come_or_go(
    start_cluster: Callable[..., Cluster],
) -> None:
    nginx, nodes = start_cluster(**UNLIMITED)
    async with conversation([address(nginx)], nginx.port, people=6) as talk, coming_and_going(nginx) as refusals:
        await talk.goes_on()
        for node, another in zip(nodes, nodes[1:] + nodes[:1], strict=True):
            async with watching(another, node):
                assert await asyncio.to_thread(node.stop) == 0
                await talk.goes_on()
                await asyncio.to_thread(node.start)
                await talk.goes_on()

    print(talk.knocks)
    talk.check()
    assert talk.knocks.refused == []
    assert talk.knocks.unanswered == 0
    assert refusals == []
    assert not [node for node in nodes if "they cannot see each other" in node.log]


async def test_limits_count_the_address_that_nginx_saw_not_the_one_that_a_client_names(
    start_cluster: Callable[..., Cluster],
) -> None:
    nginx, _ = start_cluster(HUBBUB_CONNECTIONS_PER_ADDRESS="2")
    sockets = []
    try:
        answers = []
        for number in range(3 * NODES):
            # Each node counts two of this address, whatever the client says.
            sockets.append(socket.create_connection(("127.0.0.1", nginx.port), DEADLINE, ("127.0.0.2", 0)))
            answers.append(upgrade(sockets[-1], f"192.0.2.{number}"))
        # Somebody else's address has nothing to do with it.
        sockets.append(socket.create_connection(("127.0.0.1", nginx.port), DEADLINE, ("127.0.0.3", 0)))

        assert answers.count(429) > 0
        assert upgrade(sockets[-1], "127.0.0.2") == 101
    finally:
        for sock in sockets:
            sock.close()


def upgrade(sock: socket.socket, claimed: str) -> int:
    sock.sendall(
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        + f"X-Forwarded-For: {claimed}\r\n\r\n".encode()
    )
    return int(sock.recv(20).split()[1])


def test_nginx_accepts_the_documented_configuration(
    tmp_path: Path, missing: Callable[[MissingError], NoReturn]
) -> None:
    try:
        nginx = Nginx(tmp_path, documented_configuration(free_port(), [1, 2, 3]), port=0)
    except MissingError as error:
        missing(error)

    checked = subprocess.run([*nginx.command, "-t"], capture_output=True, text=True, timeout=DEADLINE, check=False)

    assert checked.returncode == 0, checked.stderr
