"""Programs send from outside: `Hubbub.remote`, `hubbub send` and `hubbub notify`, to a real server."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable
from functools import partial
from pathlib import Path
from typing import Literal

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typer.testing import CliRunner, Result

from hubbub import (
    ConfigurationError,
    Conflict,
    Event,
    Forbidden,
    Hubbub,
    Invalid,
    RateLimited,
    Settings,
    Unavailable,
)
from hubbub.accounts.api_keys import SCOPES, KeyFiles, make_key
from hubbub.cli import app as cli
from hubbub.client import Remote
from hubbub.errors import InEventLoop, Unauthenticated
from hubbub.testing import TestServer, serving
from tests.ports import free_port
from tests.servers import hubbub_server

MESSAGES = "/chat/api/v1/rooms/general/messages"


class Shipped(Event):
    type: Literal["shipped"] = "shipped"
    order: int


class LosesAnswers:
    """Like a proxy that passes requests on, and says 502 instead of the first answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.losing = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.losing and scope["type"] == "http":
            self.losing -= 1
            await self._app(scope, receive, self._lose)
            send_lost = Response("Bad Gateway", 502)
            await send_lost(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _lose(self, message: Message) -> None:
        pass


class Place:
    def __init__(self, server: TestServer, proxy: LosesAnswers, data_dir: Path) -> None:
        self.server = server
        self.proxy = proxy
        self.data_dir = data_dir
        self.url = f"{server.url}/chat"

    async def key(self, *scopes: str) -> str:
        key, secret = make_key(f"key-{'-'.join(scopes).replace(':', '.') or 'all'}", scopes or SCOPES)
        assert await KeyFiles(self.data_dir).add(key)
        return secret

    async def texts(self) -> list[str]:
        async with httpx.AsyncClient(trust_env=False) as client:
            page = (await client.get(self.server.url + MESSAGES)).json()
        return [message["text"] for message in page["messages"]]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    app = FastAPI()
    hub = Hubbub(guests="on", settings=Settings(data_dir=tmp_path / "data", request_rate=0.01, request_burst=20))
    app.include_router(hub.router, prefix="/chat")
    proxy = LosesAnswers(app)
    app.router.add_route("/away/{rest:path}", lambda request: RedirectResponse("/chat/health/live", 307), ["POST"])
    async with serving(proxy) as server:
        yield Place(server, proxy, tmp_path / "data")


async def test_a_program_sends_to_rooms_users_and_topics(place: Place) -> None:
    remote = Hubbub.remote(place.url + "/", await place.key())
    async with place.server.connect("/chat/ws/chat/general?username=alice") as alice:
        await alice.send({"type": "follow", "topic": "orders.*", "id": "1"})
        await alice.expect("following")

        sent = await remote.rooms("general").send("Grüße", data={"n": 1})
        reached = await remote.users("alice").send(Shipped(order=7))
        reached += await asyncio.to_thread(remote.users("alice").send_sync, {"type": "paid", "order": 7})
        published = await remote.topics("orders.eu").publish("Shipped", "by train", level="success", data={"n": 1})

        message = await alice.expect("message")
        assert (sent.room, sent.seq, sent.rev, sent.ts) == ("general", 1, 1, message["ts"])
        assert (message["kind"], message["text"], message["data"]) == ("system", "Grüße", {"n": 1})
        assert (reached, published) == (2, 1)
        assert await alice.expect("shipped") == {"type": "shipped", "order": 7}
        assert await alice.expect("paid") == {"type": "paid", "order": 7}
        notification = await alice.expect("notification")
        assert (notification["message"], notification["level"]) == ("by train", "success")


async def test_a_message_whose_answer_was_lost_is_stored_once(place: Place) -> None:
    remote = Hubbub.remote(place.url, await place.key())
    place.proxy.losing = 2

    sent = await remote.rooms("general").send("Deployed")

    assert (sent.seq, await place.texts()) == (1, ["Deployed"])


async def test_a_notification_whose_answer_was_lost_is_not_repeated(place: Place) -> None:
    remote = Hubbub.remote(place.url, await place.key())
    place.proxy.losing = 1
    async with place.server.connect("/chat/ws/notify/orders?username=alice") as alice:
        await alice.expect("following")

        with pytest.raises(Unavailable, match="502"):
            await remote.topics("orders").publish("Shipped")
        await remote.topics("orders").publish("Paid")

        assert (await alice.expect("notification"))["title"] == "Shipped"
        assert (await alice.expect("notification"))["title"] == "Paid"


async def test_a_job_that_runs_again_under_its_own_key_sends_once(place: Place) -> None:
    room = Hubbub.remote(place.url, await place.key()).rooms("general")

    first, again = [await room.send("Report", key="report-2026-11-21") for _ in range(2)]
    with pytest.raises(Conflict):
        await room.send("Another report", key="report-2026-11-21")

    assert first == again
    assert await place.texts() == ["Report"]


async def test_a_server_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    server = hubbub_server(tmp_path)
    key, secret = make_key("billing", SCOPES)
    await KeyFiles(tmp_path / "hubbub-data").add(key)
    topic = Hubbub.remote(server.url, secret, timeout=60).topics("orders")

    publishing = asyncio.create_task(topic.publish("Shipped"))
    await asyncio.to_thread(server.start)
    try:
        assert await publishing == 0
    finally:
        await asyncio.to_thread(server.stop)
    server.check_log()
    assert secret not in server.log


async def test_a_server_that_does_not_answer_is_unavailable_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        remote = Hubbub.remote(f"http://127.0.0.1:{silent.getsockname()[1]}", "hb_x", timeout=0.5)

        with pytest.raises(Unavailable, match="cannot be reached"):
            await asyncio.wait_for(remote.rooms("general").send("hello"), 30)


async def test_errors_are_those_of_the_library(place: Place) -> None:
    remote = Hubbub.remote(place.url, await place.key("rooms:send"))

    with pytest.raises(Forbidden, match="topics:publish"):
        await remote.topics("orders").publish("Shipped")
    with pytest.raises(Invalid) as blank:
        await remote.rooms("general").send("  ")
    with pytest.raises(Invalid, match="as JSON"):
        await remote.rooms("general").send("hello", data={"when": object()})
    with pytest.raises(Unauthenticated):
        await Hubbub.remote(place.url, "hb_wrong").rooms("general").send("hello")
    with pytest.raises(InEventLoop):
        remote.rooms("general").send_sync("hello")
    with pytest.raises(Invalid, match="is no key"):
        remote.rooms("no room")

    assert blank.value.errors is not None
    burst = [remote.rooms("general").send("hello") for _ in range(21)]
    # It would have to wait longer than the call may take.
    assert any(isinstance(sent, RateLimited) for sent in await asyncio.gather(*burst, return_exceptions=True))


async def test_a_redirection_gets_no_key(place: Place) -> None:
    remote = Hubbub.remote(f"{place.server.url}/away", await place.key())

    with pytest.raises(Exception, match="answered 307"):
        await remote.rooms("general").send("hello")


@pytest.mark.parametrize(
    "url",
    ["chat.example.com", "ws://localhost", "http://", "http://a:b@localhost", "http://localhost?x=1", "http://a:x"],
)
def test_an_address_that_cannot_be_one_is_refused_at_once(url: str) -> None:
    with pytest.raises(ConfigurationError, match="is no address"):
        Remote(url, "hb_x")


@pytest.mark.parametrize("key", ["", "hb_\r\nX: y", "hb x", "hb_ü"])
def test_what_cannot_be_a_key_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Remote("http://localhost", key)

    assert not key or key not in str(refused.value)
    assert "canary" not in repr(Remote("http://localhost", "hb_canary"))


# The shell.


def shell(place: Place, *arguments: str, key: str) -> Awaitable[Result]:
    """As `hubbub …` in a shell, without the start of an interpreter."""
    return asyncio.to_thread(CliRunner().invoke, cli, [*arguments, "--url", place.url], env={"HUBBUB_KEY": key})


async def test_the_shell_sends_and_notifies(place: Place) -> None:
    key = await place.key()
    async with place.server.connect("/chat/ws/notify/backups.*?username=alice") as alice:
        await alice.expect("following")

        sent = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "hubbub", "send", "general", "-", "--json", "--url", place.url],
            input="two\nlines\n",
            env={"PATH": "", "HUBBUB_KEY": key},
            capture_output=True,
            text=True,
            check=False,
        )
        notified = await shell(place, "notify", "backups.db", "Failed", "disk full", "--level", "error", key=key)

        assert (sent.returncode, json.loads(sent.stdout)["seq"]) == (0, 1), sent.stderr
        assert (notified.exit_code, notified.stdout) == (0, "Sent to 1 connection.\n"), notified.stderr
        assert await place.texts() == ["two\nlines"]
        notification = await alice.expect("notification")
        assert [notification[field] for field in ("title", "message", "level")] == ["Failed", "disk full", "error"]


async def test_the_exit_status_says_who_must_do_something(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    key = await place.key("rooms:send")

    refused = await shell(place, "notify", "backups.db", "Failed", key=key)
    without = await shell(place, "send", "general", "hello", key="")
    place.url = f"http://127.0.0.1:{free_port()}"
    wrong = await shell(place, "send", "no room", "hello", key=key)
    monkeypatch.setattr("hubbub.client.remote.Remote", partial(Remote, timeout=0.3))
    away = await shell(place, "send", "general", "hello", key=key)

    assert [ended.exit_code for ended in (refused, without, wrong, away)] == [1, 2, 1, 3]
    assert "has not the scope topics:publish" in refused.stderr
    assert "HUBBUB_KEY must hold an API key" in without.stderr
    assert "cannot be reached" in away.stderr
    assert not any("Traceback" in ended.stderr or key in ended.stderr for ended in (refused, without, wrong, away))
