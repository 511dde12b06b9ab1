"""Handles in threads: those of plain `def` routes, and others."""

import asyncio
import threading

import httpx
import pytest
from fastapi import FastAPI

from hubbub import Hubbub, NotStarted, Settings
from hubbub.errors import InEventLoop
from hubbub.testing import serving
from hubbub.wire.messages import MessageEvent

app_settings = Settings(database_timeout=2)


def make_app(hub: Hubbub) -> FastAPI:
    app = FastAPI()
    app.include_router(hub.router)

    @app.post("/deploy")
    def deploy() -> int:
        hub.topics("deploys").publish_sync("deployed")
        hub.users("alice").send_sync(hub.rooms("general").send_sync("deployed", data={"by": "a thread"}))
        return hub.users("alice").disconnect_sync(4000, "done")

    @app.post("/async")
    async def deploy_in_the_loop() -> str:
        with pytest.raises(InEventLoop, match="would wait for itself"):
            hub.rooms("general").send_sync("deployed")
        return "refused"

    return app


async def test_a_plain_route_sends_to_rooms_users_and_topics() -> None:
    hub = Hubbub(guests="on", settings=app_settings)
    async with (
        serving(make_app(hub)) as server,
        httpx.AsyncClient(base_url=server.url, trust_env=False) as client,
        server.connect("/ws/chat/general?username=alice") as alice,
    ):
        await alice.expect("joined")
        await alice.send({"type": "follow", "topic": "deploys", "id": "1"})
        await alice.expect("following")

        disconnected = await client.post("/deploy")

        assert disconnected.json() == 1
        await alice.expect("notification", title="deployed")
        await alice.expect("message", text="deployed", kind="system", data={"by": "a thread"})
        assert await alice.closed() == (4000, "done")


async def test_in_the_event_loop_the_error_says_what_to_use_instead() -> None:
    hub = Hubbub(guests="on", settings=app_settings)
    async with serving(make_app(hub)) as server, httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
        assert (await client.post("/async")).json() == "refused"


async def test_outside_of_the_lifespan_it_raises_not_started() -> None:
    hub = Hubbub(guests="on", settings=app_settings)
    with pytest.raises(NotStarted):
        await asyncio.to_thread(hub.rooms("general").send_sync, "hello")


async def test_many_threads_send_at_once_and_each_gets_its_own_message() -> None:
    hub = Hubbub(guests="on", settings=app_settings)
    sent: dict[str, MessageEvent] = {}

    def send(text: str) -> None:
        sent[text] = hub.rooms("general").send_sync(text)

    async with serving(make_app(hub)):
        threads = [threading.Thread(target=send, args=(f"text {number}",)) for number in range(20)]
        for thread in threads:
            thread.start()
        await asyncio.gather(*(asyncio.to_thread(thread.join) for thread in threads))

    assert {text: event.text for text, event in sent.items()} == {
        f"text {number}": f"text {number}" for number in range(20)
    }
