"""A client comes back with a position that this database cannot continue: it is told so, and never has a gap."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest

from hubbub.client import Client
from tests.chaos.conftest import UNLIMITED
from tests.conftest import ServerFactory
from tests.people import Person, address, person
from tests.servers import WebServer, hubbub_server, watched

pytestmark = pytest.mark.slow(2)

MORE_THAN_CAN_BE_RECOVERED = 1001


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """A server that many tests share: each uses a room of its own."""
    yield from watched(hubbub_server(tmp_path_factory.mktemp("town"), environment=UNLIMITED))


@pytest.fixture
def room() -> str:
    return f"hall-{uuid4().hex[:8]}"


@pytest.fixture
async def alice(town: WebServer) -> AsyncIterator[Person]:
    async with person(town, "alice") as alice:
        yield alice


def database(server: WebServer, *words: str) -> subprocess.CompletedProcess[str]:
    """`hubbub db …`, in the server's folder."""
    command = [sys.executable, "-m", "hubbub.cli", "db", *words]
    return subprocess.run(command, cwd=server.folder, capture_output=True, text=True, timeout=60, check=False)


async def say(server: WebServer, room: str, number: int) -> dict[str, Any]:
    """Send this many messages as another person. Returns the last one's ack."""
    async with Client(address(server), username="bob") as bob:
        hall = await bob.join(room)
        acks = await asyncio.gather(*(hall.send(f"message {each}") for each in range(number)))
        return acks[-1].model_dump()


async def come_back(somebody: Person, room: str, rev: int, epoch: str) -> dict[str, Any]:
    return await somebody.ask({"type": "join", "room": room, "rev": rev, "epoch": epoch, "limit": 2})


async def test_a_position_of_this_database_is_recovered(town: WebServer, alice: Person, room: str) -> None:
    epoch = (await alice.join(room))["epoch"]
    await say(town, room, 5)

    joined = await come_back(alice, room, 3, epoch)

    assert (joined["recovered"], joined["since"], joined["rev"]) == (True, 3, 5)
    assert [message["seq"] for message in joined["messages"]] == [4, 5]


async def test_a_position_above_the_rooms_is_not_recovered(town: WebServer, alice: Person, room: str) -> None:
    epoch = (await alice.join(room))["epoch"]
    await say(town, room, 5)

    joined = await come_back(alice, room, 6, epoch)

    assert (joined["recovered"], joined["rev"]) == (False, 5)
    assert [message["seq"] for message in joined["messages"]] == [4, 5]


async def test_a_position_too_far_below_the_rooms_is_not_recovered(town: WebServer, alice: Person, room: str) -> None:
    epoch = (await alice.join(room))["epoch"]
    await say(town, room, MORE_THAN_CAN_BE_RECOVERED)

    joined = await come_back(alice, room, 0, epoch)
    assert (joined["recovered"], joined["rev"], len(joined["messages"])) == (False, MORE_THAN_CAN_BE_RECOVERED, 2)

    joined = await come_back(alice, room, 1, epoch)
    assert joined["recovered"] is True


async def test_a_position_of_another_database_is_not_recovered(town: WebServer, alice: Person, room: str) -> None:
    await say(town, room, 5)

    joined = await come_back(alice, room, 5, "another")

    assert joined["recovered"] is False
    assert joined["epoch"] != "another"


@pytest.mark.parametrize(
    ("field", "position"),
    [
        ("rev", {"rev": -1}),
        ("rev", {"rev": "5"}),
        ("rev", {"rev": 2**60}),
        ("rev", {"rev": 1.5}),
        ("epoch", {"rev": 1, "epoch": 7}),
    ],
    ids=str,
)
async def test_a_nonsense_position_is_refused(alice: Person, room: str, field: str, position: dict[str, Any]) -> None:
    refusal = await alice.ask({"type": "join", "room": room, **position})

    assert (refusal["type"], refusal["code"], refusal["errors"][0]["loc"]) == ("error", "invalid", [field])


async def test_a_position_from_before_a_restore_is_not_recovered(serve: ServerFactory) -> None:
    server = serve(environment=UNLIMITED)
    async with person(server, "alice") as alice:
        epoch = (await alice.join("hall"))["epoch"]
        await say(server, "hall", 3)
        assert database(server, "backup", "hall.db").returncode == 0
        await say(server, "hall", 2)
    await asyncio.to_thread(server.stop)
    restored = database(server, "restore", "hall.db")
    assert restored.returncode == 0, restored.stderr
    await asyncio.to_thread(server.start)

    async with person(server, "alice") as alice:
        # First rev 5 does not exist again yet; then it does, but as another change than the one that alice knows.
        assert (await come_back(alice, "hall", 5, epoch))["recovered"] is False
        # Up to the backup the room is the same, also if it has changed since.
        assert (await come_back(alice, "hall", 3, epoch))["recovered"] is True
        await say(server, "hall", 2)
        for rev, recovered in ((3, True), (4, False), (5, False)):
            joined = await come_back(alice, "hall", rev, epoch)
            assert (joined["recovered"], joined["rev"]) == (recovered, 5)
        assert joined["epoch"] != epoch


async def test_a_restore_under_connected_clients_makes_them_start_over(serve: ServerFactory) -> None:
    server = serve()
    async with Client(address(server), username="alice", first_wait=0.01, longest_wait=0.1) as alice:
        hall = await alice.join("hall")
        await hall.send("before")
        assert database(server, "backup", "hall.db").returncode == 0
        await hall.send("lost")
        await asyncio.to_thread(server.stop)
        restored = database(server, "restore", "hall.db")
        assert restored.returncode == 0, restored.stderr
        await asyncio.to_thread(server.start)

        last = (await hall.send("after")).rev
        while hall.view.rev != last:
            await anext(alice)

        assert [message.text for message in hall.messages] == ["before", "after"]


def test_a_second_server_on_the_same_data_is_told_what_to_do(serve: ServerFactory) -> None:
    server = serve()
    command = [sys.executable, "-m", "hubbub.cli", "serve", "--port", "0"]

    second = subprocess.run(command, cwd=server.folder, capture_output=True, text=True, timeout=60, check=False)

    assert second.returncode == 2
    assert "another Hubbub" in second.stderr
    assert str(server.pid) in second.stderr
    assert "--data-dir" in second.stderr
    assert server.running


def test_commands_that_write_are_refused_while_a_server_runs(serve: ServerFactory) -> None:
    server = serve()
    assert database(server, "backup", "copy.db").returncode == 0

    refused = database(server, "restore", "copy.db")

    assert refused.returncode == 2
    assert "another Hubbub" in refused.stderr
    assert database(server, "check").returncode == 0
