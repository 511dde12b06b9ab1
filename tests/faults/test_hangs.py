"""Parts of a real server hang instead of failing: the server answers in time, and stops in time."""

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from tests.conftest import ServerFactory, UvicornFactory
from tests.fault_proxy import FaultProxy
from tests.people import Person, person
from tests.ports import free_port
from tests.servers import REPOSITORY, Program, WebServer, hubbub_command, impatient_server
from tests.waiting import eventually

pytestmark = pytest.mark.slow(3)

DATABASE_TIMEOUT = 5.0
DRAIN = 1.0
GRACE = 1.0 + 2.0
"""`close_timeout`, and the additional time that an impatient server has for its stop."""
SLACK = 40.0
"""More for a busy machine. A part that hangs would take for ever."""

QUICK = {
    "HUBBUB_DATABASE_TIMEOUT": str(DATABASE_TIMEOUT),
    "HUBBUB_DRAIN_TIMEOUT": str(DRAIN),
    "HUBBUB_CLOSE_TIMEOUT": "1",
}


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


@pytest.mark.slow(10)
async def test_a_send_is_unavailable_while_the_database_is_locked_and_the_connection_stays_open(
    serve: ServerFactory, postgres: str
) -> None:
    server = serve(environment=QUICK | {"HUBBUB_DATABASE_URL": postgres})
    async with person(server, "alice") as alice:
        await alice.join("general")
        with psycopg.connect(postgres) as other:
            other.execute("LOCK TABLE rooms")
            refused = await alice.say("general", "refused")
            page = await alice.ask({"type": "history", "room": "general"})
        async with asyncio.timeout(SLACK):
            while (answered := await alice.say("general", "hello"))["type"] != "ack":
                assert answered["code"] == "unavailable"

    assert (refused["type"], refused["code"]) == ("error", "unavailable")
    assert refused["retry_after"] > 0
    assert (page["type"], page["code"]) == ("error", "unavailable")


async def test_a_server_whose_postgresql_is_frozen_is_not_ready(serve: ServerFactory, postgres: str) -> None:
    with FaultProxy(port_of(postgres)) as proxy:
        server = serve(environment=QUICK | {"HUBBUB_DATABASE_URL": proxy.before(postgres)})

        def readiness() -> tuple[int, str]:
            answer = httpx.get(f"{server.url}/health/ready", trust_env=False)
            return answer.status_code, answer.json()["status"]

        assert readiness() == (200, "ok")
        proxy.freeze()
        await eventually(lambda: readiness() == (503, "database"), deadline=DATABASE_TIMEOUT + SLACK)
        proxy.thaw()
        await eventually(lambda: readiness() == (200, "ok"), deadline=DATABASE_TIMEOUT + SLACK)


async def test_sigterm_ends_a_server_whose_postgresql_is_frozen_and_the_log_names_what_hung(
    tmp_path: Path, postgres: str
) -> None:
    with FaultProxy(port_of(postgres)) as proxy:
        patience = {"HUBBUB_DATABASE_URL": proxy.before(postgres), "HUBBUB_DATABASE_TIMEOUT": "60"}
        server = impatient_server(tmp_path, QUICK | patience)
        server.start()
        async with person(server, "alice") as alice:
            await alice.join("general")
            acked = await alice.say("general", "before")
            proxy.freeze()
            await alice.send({"type": "message", "room": "general", "text": "after"})
            await alice.catch_up()

            server.signal(signal.SIGTERM)
            assert (await alice.ended())[0] == 1012
            status = await asyncio.to_thread(server.wait, DRAIN + GRACE + SLACK)
        assert status == 1
        assert "the database hangs: the last commit did not end" in server.log
        proxy.thaw()

    assert acked["type"] == "ack"
    with psycopg.connect(postgres) as database:
        assert ("before",) in database.execute("SELECT text FROM messages").fetchall()


async def test_under_another_server_a_hub_gives_up_a_frozen_postgresql_and_the_server_ends(
    uvicorn: UvicornFactory, postgres: str
) -> None:
    with FaultProxy(port_of(postgres)) as proxy:
        server = uvicorn(
            "tests.impatient:create_app",
            "--factory",
            environment=QUICK | {"HUBBUB_DATABASE_URL": proxy.before(postgres), "HUBBUB_DATABASE_TIMEOUT": "60"},
        )
        async with person(server, "alice") as alice:
            await alice.join("general")
            proxy.freeze()
            await alice.send({"type": "message", "room": "general", "text": "hello"})
            await alice.catch_up()

            server.signal(signal.SIGTERM)
            await asyncio.to_thread(server.wait, GRACE + SLACK)

        assert "the database hangs: the last commit did not end" in server.log
        proxy.thaw()


async def test_sigterm_ends_a_start_that_waits_for_a_frozen_postgresql(tmp_path: Path, postgres: str) -> None:
    with psycopg.connect(postgres) as other, FaultProxy(port_of(postgres)) as proxy:
        # Another server is migrating, and never ends.
        other.execute("SELECT pg_advisory_xact_lock(%s)", (0x68756262,))
        environment = QUICK | {"HUBBUB_DATABASE_URL": proxy.before(postgres), "PYTHONPATH": str(REPOSITORY)}
        command = [sys.executable, "-m", "tests.impatient", "serve", "--port", "0"]
        server = Program(tmp_path, command, environment=environment).start()
        await eventually(lambda: "the database's schema is upgraded" in server.log, deadline=SLACK)

        server.signal(signal.SIGTERM)

        assert await asyncio.to_thread(server.wait, GRACE + SLACK) == 1
    assert "hubbub-opening-the-database in" in server.log


HANGING_APP = """
import time
from fastapi import FastAPI
import hubbub.serving.server

hubbub.serving.server.STOPPING = 2.0
app = FastAPI()
hub = hubbub.Hubbub(guests="on")
app.include_router(hub.router)

@hub.on_message
def hang(event):
    print("in the hook", flush=True)
    while True:
        time.sleep(0.05)

@app.get("/thread")
def thread():
    print("in the thread", flush=True)
    time.sleep(1000)

if __name__ == "__main__":
    hubbub.run(app)
"""


@pytest.fixture
def hanging_app(tmp_path: Path) -> WebServer:
    """An application whose hook blocks the event loop, and whose route blocks a thread that Python waits for."""
    (tmp_path / "app.py").write_text(HANGING_APP)
    port = free_port()
    environment = QUICK | {"HUBBUB_PORT": str(port), "HUBBUB_HOST": "127.0.0.1", "PYTHONPATH": str(REPOSITORY)}
    return WebServer(
        tmp_path, [sys.executable, "app.py"], port=port, ready_path="/health/live", environment=environment
    )


@asynccontextmanager
async def alice_in_the_hook(server: WebServer) -> AsyncIterator[Person]:
    """Alice has sent a message, and the hook that got it blocks the event loop."""
    async with person(server, "alice") as alice:
        await alice.join("general")
        await alice.send({"type": "message", "room": "general", "text": "hello"})
        await eventually(lambda: "in the hook" in server.log)
        yield alice


async def test_sigterm_ends_a_server_whose_hook_blocks_the_event_loop(hanging_app: WebServer) -> None:
    with hanging_app as server:
        async with alice_in_the_hook(server) as alice:
            server.signal(signal.SIGTERM)
            status = await asyncio.to_thread(server.wait, DRAIN + GRACE + SLACK)
            alice.vanish()

    assert status == 1
    assert "app.py:15 hang" in server.log


async def test_a_second_signal_ends_a_hanging_server_at_once(hanging_app: WebServer) -> None:
    hanging_app.environment["HUBBUB_DRAIN_TIMEOUT"] = "600"
    with hanging_app as server:
        async with alice_in_the_hook(server) as alice:
            server.signal(signal.SIGTERM)
            server.signal(signal.SIGINT)
            began = time.monotonic()
            status = await asyncio.to_thread(server.wait, SLACK)
            alice.vanish()

    assert status == 1
    assert time.monotonic() - began < SLACK


async def test_sigterm_ends_a_server_with_a_thread_that_never_returns(hanging_app: WebServer) -> None:
    with hanging_app as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /thread HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await eventually(lambda: "in the thread" in server.log)

        server.signal(signal.SIGTERM)
        assert await asyncio.to_thread(server.wait, DRAIN + GRACE + SLACK) == 1
        writer.close()

    assert "app.py:20 thread" in server.log


# Files that are none.


@pytest.mark.parametrize(
    "file",
    ["hubbub-data/hubbub.db", "hubbub-data/hubbub.db-wal", "hubbub-data/secret", "hubbub-data/lock", "hubbub.toml"],
)
def test_a_fifo_in_place_of_a_file_ends_the_start_with_one_sentence(tmp_path: Path, file: str) -> None:
    (tmp_path / "hubbub-data").mkdir()
    os.mkfifo(tmp_path / file)

    status, log = hubbub_command(tmp_path, "serve", "--port", "0").run()

    assert status == 2
    assert "it is not a regular file" in log
    assert Path(file).name in log
    assert "Traceback" not in log


def test_db_commands_on_a_fifo_end_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "hubbub-data").mkdir()
    os.mkfifo(tmp_path / "hubbub-data/hubbub.db")
    os.mkfifo(tmp_path / "backup.db")

    for words in (["check"], ["upgrade"], ["backup", "copy.db"]):
        status, log = hubbub_command(tmp_path, "db", *words).run()
        assert status == 2
        assert re.search("not a (regular )?file", log)
    status, log = hubbub_command(tmp_path, "db", "restore", "backup.db").run()
    assert status == 2
    assert "backup.db is not a backup" in log
