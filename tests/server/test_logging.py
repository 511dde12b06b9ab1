"""What an operator reads in the log: who was refused or cut off, and why; and what is never logged."""

import sys
from pathlib import Path

import httpx
import pytest

from tests.conftest import ServerFactory
from tests.people import Refused, person
from tests.ports import free_port
from tests.servers import WebServer
from tests.waiting import eventually

CANARY = "canary-0b57ac1e"


async def logged(server: WebServer, *parts: str) -> str:
    """Waits for a line with all of these parts, and returns the first one."""

    def found() -> list[str]:
        return [line for line in server.log.splitlines() if all(part in line for part in parts)]

    await eventually(lambda: bool(found()))
    return found()[0]


async def test_debugging_shows_who_connects_and_how_it_ends(serve: ServerFactory) -> None:
    server = serve("--log-level", "debug")

    async with person(server, "alice", path="/ws/chat/room1") as alice:
        connection = alice.seen[0]["connection"]
        opened = await logged(server, "is open", connection)
        assert "alice" in opened
        assert "127.0.0.1" in opened
        assert "'/ws/chat/room1'" in opened
        await alice.link.close(4000, "enough")
    closed = await logged(server, "is closed", connection)
    assert "alice" in closed
    assert "127.0.0.1" in closed
    assert "4000 'enough'" in closed


async def test_debugging_shows_refused_handshakes_with_the_reason(serve: ServerFactory) -> None:
    server = serve("--log-level", "debug", environment={"HUBBUB_TRUSTED_PROXIES": '["127.0.0.1"]'})

    async with person(server, "alice"):
        for headers, query, code in (
            ({}, {"username": "alice"}, "conflict"),
            ({"X-Forwarded-For": "203.0.113.9"}, {}, "forbidden"),
            ({}, {"secret": "nonsense"}, "unauthenticated"),
        ):
            with pytest.raises(Refused):
                async with person(server, headers=headers, **query):
                    pass
            await logged(server, "a handshake is refused", f"{code},", "/ws'")
        line = await logged(server, "guests are admitted from")
        assert "203.0.113.9" in line


async def test_debugging_shows_sockets_over_the_limit_of_an_address(serve: ServerFactory) -> None:
    server = serve("--log-level", "debug", environment={"HUBBUB_CONNECTIONS_PER_ADDRESS": "1"})

    async with person(server, "alice"):
        with pytest.raises(Refused):
            async with person(server, "bob"):
                pass
        await logged(server, "a request from 127.0.0.1 is refused", "429")


async def test_debugging_shows_who_sent_an_invalid_frame(serve: ServerFactory) -> None:
    server = serve("--log-level", "debug")

    async with person(server, "mallory") as mallory:
        await mallory.link.send("{not json")
        await logged(server, "a command of mallory", "is refused: invalid")


async def test_debugging_shows_limits_that_are_hit_and_who_is_cut_off(serve: ServerFactory) -> None:
    server = serve(
        "--log-level", "debug", environment={"HUBBUB_BURST": "2", "HUBBUB_RATE": "0.1", "HUBBUB_VIOLATIONS": "3"}
    )

    async with person(server, "mallory") as mallory:
        connection = mallory.seen[0]["connection"]
        for _ in range(20):
            await mallory.send({"type": "ping"})
        assert (await mallory.ended())[0] == 1008
    line = await logged(server, "rate_limited")
    assert "'ping' of mallory" in line
    assert connection in line
    assert "1008 'too many commands, again and again'" in await logged(server, "is closed", connection)


async def test_debugging_shows_requests_by_http(serve: ServerFactory) -> None:
    server = serve("--log-level", "debug")

    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get(f"{server.url}/api/v1/rooms/no%20room/messages")

    assert "400" in await logged(server, "uvicorn.access", "/api/v1/rooms/")


async def test_messages_are_not_logged(serve: ServerFactory) -> None:
    server = serve("--log-level", "debug")

    async with person(server, "alice") as alice, person(server, "bob") as bob:
        await alice.join("room1")
        await bob.join("room1")
        await logged(server, "bob", "is open")
        before = len(server.log.splitlines())
        for number in range(30):
            await alice.say("room1", f"{CANARY} {number}")
        await bob.hear(30)
        await alice.ask({"type": "message", "room": "room2", "text": CANARY})
        await alice.ask({"type": CANARY, "text": CANARY})
        await bob.catch_up()
        after = len(server.log.splitlines())

    assert after - before <= 5
    assert CANARY not in server.log


async def test_no_secret_and_no_token_is_logged_when_debugging(serve: ServerFactory) -> None:
    server = serve("--log-level", "debug")

    async with person(server, "alice") as alice:
        secret = alice.seen[0]["secret"]
    async with person(server, secret=secret):
        pass
    async with person(server, headers={"Cookie": f"session={CANARY}"}):
        pass
    with pytest.raises(Refused):
        async with person(server, headers={"Authorization": f"Bearer {CANARY}"}):
            pass
    with pytest.raises(Refused):
        async with person(server, secret=CANARY, headers={"Cookie": f"session={CANARY}"}):
            pass
    await logged(server, "unauthenticated")

    assert secret not in server.log
    assert CANARY not in server.log


async def test_without_debugging_connections_are_not_logged(serve: ServerFactory) -> None:
    server = serve()

    async with person(server, "alice"):
        pass
    with pytest.raises(Refused):
        async with person(server, secret="nonsense"):
            pass
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get(f"{server.url}/health/live")

    stored, address = server.log.splitlines()
    assert "messages are stored in SQLite" in stored
    assert address.startswith("Hubbub is at ")


# An application's own program.

PROGRAM = """
import logging

from fastapi import FastAPI
from hubbub import Hubbub, run

app = FastAPI()
app.include_router(Hubbub(guests="auto").router, prefix="/chat")


@app.get("/own")
async def own() -> str:
    return "own"


logging.getLogger("uvicorn.access").addHandler(logging.FileHandler("access.log"))
run(app)
"""


async def test_run_keeps_the_applications_access_log(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    port = free_port()
    environment = {"HUBBUB_PORT": str(port), "HUBBUB_DATABASE_URL": "none"}
    server = WebServer(tmp_path, [sys.executable, str(file)], port=port, ready_path="/own", environment=environment)

    with server:
        async with httpx.AsyncClient(trust_env=False) as client:
            for path in ("ws", "", "health/live", "schema.json"):
                await client.get(f"{server.url}/chat/{path}", params={"secret": CANARY})
            await client.get(f"{server.url}/chat/", params={"SECRET": CANARY, "Token": CANARY})
        assert '"GET /own HTTP/1.1" 200' in await logged(server, "uvicorn.access")
        await logged(server, "uvicorn.access", "/chat/?SECRET=...&Token=...")

    assert "GET /own" in (tmp_path / "access.log").read_text()
    assert CANARY not in server.log
