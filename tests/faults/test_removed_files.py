"""The database's files are removed, moved or replaced under a running server: nothing is acked that is not stored."""

import asyncio
import os
import shutil
from pathlib import Path

import httpx
import pytest

from tests.conftest import ServerFactory
from tests.people import Person, person
from tests.servers import WebServer
from tests.waiting import eventually

pytestmark = pytest.mark.slow(2)

FILES = ("hubbub.db", "hubbub.db-wal", "hubbub.db-shm")


@pytest.fixture
def server(serve: ServerFactory) -> WebServer:
    return serve()


@pytest.fixture
def data(server: WebServer) -> Path:
    return server.folder / "hubbub-data"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return tmp_path / "copied"


def move(folder: Path, to: Path) -> None:
    folder.rename(to)


def ready(server: WebServer) -> tuple[int, str]:
    answer = httpx.get(f"{server.url}/health/ready", trust_env=False)
    return answer.status_code, answer.json()["status"]


async def say(somebody: Person, text: str) -> dict[str, object]:
    return await somebody.ask({"type": "message", "room": "hall", "text": text})


@pytest.mark.parametrize("removed", [FILES, ("hubbub.db",), ("hubbub.db-wal",)], ids=["all", "database", "log"])
async def test_after_the_files_were_removed_nothing_is_acked(
    server: WebServer, data: Path, removed: tuple[str, ...]
) -> None:
    async with person(server, "alice") as alice:
        await alice.join("hall")
        assert (await say(alice, "kept"))["type"] == "ack"
        for name in removed:
            (data / name).unlink()

        answers = [await say(alice, "lost") for _ in range(3)]

        assert [(answer["type"], answer.get("code")) for answer in answers] == [("error", "unavailable")] * 3
        assert str(data) not in str(answers)
        assert ready(server) == (503, "database")
    assert f"{removed[0]} was removed, emptied or replaced" in server.log_file.read_text()


async def test_after_the_database_was_emptied_nothing_is_acked(server: WebServer, data: Path) -> None:
    async with person(server, "alice") as alice:
        await alice.join("hall")
        await say(alice, "kept")
        os.truncate(data / "hubbub.db", 0)

        answer = await say(alice, "lost")

        assert (answer["type"], answer.get("code")) == ("error", "unavailable")
        assert ready(server) == (503, "database")


async def test_removed_files_are_noticed_although_nobody_writes(server: WebServer, data: Path) -> None:
    for name in FILES:
        (data / name).unlink(missing_ok=True)

    await eventually(lambda: ready(server) == (503, "database"))

    async with person(server, "alice") as alice:
        answer = await alice.ask({"type": "join", "room": "hall"})
        assert (answer["type"], answer["code"]) == ("error", "unavailable")


async def test_the_server_continues_when_the_files_are_back(server: WebServer, data: Path, copied: Path) -> None:
    async with person(server, "alice") as alice:
        await alice.join("hall")
        await say(alice, "kept")
        move(data, copied)
        assert (await say(alice, "refused"))["code"] == "unavailable"

        move(copied, data)

        await eventually(lambda: ready(server) == (200, "ok"))
        assert (await say(alice, "kept, too"))["type"] == "ack"


async def test_a_server_whose_files_were_replaced_does_not_touch_the_new_ones(
    server: WebServer, data: Path, copied: Path
) -> None:
    async with person(server, "alice") as alice:
        await alice.join("hall")
        await say(alice, "in the log")
        await asyncio.to_thread(shutil.copytree, data, copied)
        before = {name: (copied / name).read_bytes() for name in FILES}
        move(data, data.with_name("moved"))
        move(copied, data)
        assert (await say(alice, "refused"))["code"] == "unavailable"

    assert await asyncio.to_thread(server.stop) == 0
    assert {name: (data / name).read_bytes() for name in FILES} == before

    await asyncio.to_thread(server.start)
    async with person(server, "alice") as alice:
        joined = await alice.join("hall")
    assert [message["text"] for message in joined["messages"]] == ["in the log"]
