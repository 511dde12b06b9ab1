"""A user's key belongs to one identity for ever: what that means for strangers, returning guests and accounts."""

import asyncio
from pathlib import Path
from typing import Annotated

import httpx2
import pytest
from fastapi import Depends, FastAPI, WebSocket
from starlette.requests import HTTPConnection
from websockets.exceptions import InvalidStatus

from hubbub import Hubbub, Settings, User
from hubbub.accounts.users import is_made_of
from hubbub.serving.app import create_app
from hubbub.testing import serving
from tests.conftest import ServerFactory
from tests.people import Refused, encoded, person
from tests.servers import WebServer


async def refused(server: WebServer, username: str) -> Refused:
    with pytest.raises(Refused) as caught:
        async with person(server, username):
            pass
    return caught.value


async def test_a_guest_without_the_secret_is_another_person_of_the_same_name(chat: WebServer) -> None:
    frame = {"type": "message", "room": "pair-1", "text": "one", "key": "the-same-key"}
    async with person(chat, "dup") as first:
        await first.join("pair-1")
        await first.ask(frame)
    async with person(chat, "dup") as second:
        await second.join("pair-1")
        answer = await second.ask({**frame, "text": "another"})
        edit = await second.ask({"type": "edit", "room": "pair-1", "seq": 1, "text": "mine now"})
        page = await second.ask({"type": "history", "room": "pair-1"})

    assert (first.key, answer["type"]) == ("dup", "ack")
    assert is_made_of(second.key, "dup")
    assert second.of_type("welcome")[0]["name"] == "dup"
    assert [(row["user"], row["name"], row["key"]) for row in page["messages"]] == [
        ("dup", "dup", "the-same-key"),
        (second.key, "dup", "the-same-key"),
    ]
    assert edit["code"] == "forbidden"


async def test_the_secret_gives_the_key_back_to_the_guest_who_spoke(chat: WebServer) -> None:
    async with person(chat, "erin") as erin:
        await erin.join("pair-2")
        await erin.say("pair-2", "mine")
        secret = erin.seen[0]["secret"]
    async with person(chat, "erin") as stranger, person(chat, "erin", secret=secret) as erin:
        await erin.join("pair-2")
        joined = await stranger.join("pair-2")
        assert (await erin.ask({"type": "edit", "room": "pair-2", "seq": 1, "text": "mine still"}))["type"] == "ack"

        assert erin.key == "erin"
        assert sorted((user["user"], user["name"]) for user in joined["users"]) == sorted(
            [("erin", "erin"), (stranger.key, "erin")]
        )
        assert (await refused(chat, "erin")).status == 409
    async with person(chat, "erin", secret=stranger.seen[0]["secret"]) as stranger_again:
        assert stranger_again.key == stranger.key


async def test_a_guest_who_said_nothing_owns_no_key(chat: WebServer) -> None:
    async with person(chat, "frank") as frank:
        secret = frank.seen[0]["secret"]
    async with person(chat, "frank") as another:
        assert another.key == "frank"
        await another.join("pair-3")
        await another.say("pair-3", "mine")
    async with person(chat, "frank", secret=secret) as frank:
        assert is_made_of(frank.key, "frank")
        key, secret = frank.key, frank.seen[0]["secret"]
    async with person(chat, "frank", secret=secret) as frank:
        assert frank.key == key


async def test_a_guest_whose_link_breaks_keeps_the_name_for_a_while(serve: ServerFactory) -> None:
    server = serve()
    async with person(server, "bob") as bob, person(server, "alice") as alice:
        await bob.join("hall")
        await alice.join("hall")
        secret = alice.seen[0]["secret"]
        alice.vanish()
        # When the server answers a ping of a later connection, it has noticed the broken link.
        async with person(server, "carol") as carol:
            await carol.catch_up()

        assert (await refused(server, "alice")).status == 409
        async with person(server, "alice", secret=secret) as back:
            assert back.key == "alice"
            await back.join("hall")
            await bob.catch_up()
        assert [event["user"] for event in bob.of_type("leave")] == []


async def test_a_request_after_a_broken_link_does_not_free_the_name(serve: ServerFactory) -> None:
    server = serve(environment={"HUBBUB_DATABASE_URL": "none"})
    async with person(server, "alice") as alice:
        headers = {"Hubbub-Secret": encoded(alice.seen[0]["secret"])}
        alice.vanish()
    async with person(server, "carol") as carol:
        await carol.catch_up()

    async with httpx2.AsyncClient(base_url=server.url, headers=headers) as client:
        probe = await client.get("/ws", params={"username": "alice"})
        after_probe = await refused(server, "alice")
        post = await client.post(
            "/api/v1/rooms/hall/messages", params={"username": "alice"}, json={"text": "I am here"}
        )
        after_post = await refused(server, "alice")

    assert (probe.status_code, after_probe.status) == (426, 409)
    assert (post.status_code, post.json()["user"], after_post.status) == (201, "alice", 409)


async def test_a_name_is_free_if_its_guest_does_not_come_back(serve: ServerFactory) -> None:
    server = serve(environment={"HUBBUB_LINGER": "0.1"})
    async with person(server, "alice") as alice:
        alice.vanish()
    async with asyncio.timeout(20):
        while True:
            try:
                async with person(server, "alice") as another:
                    assert another.key == "alice"
                    return
            except Refused as refusal:
                assert refusal.status == 409  # noqa: PT017 - until the while is over
                await asyncio.sleep(0.1)


async def test_of_two_nodes_guests_with_one_name_the_second_to_speak_gets_another_key(
    postgres: str, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, database_url=postgres)
    async with (
        serving(create_app(settings), settings=settings) as one,
        serving(create_app(settings), settings=settings) as other,
        one.connect("/ws/chat/hall?username=alice") as first,
        other.connect("/ws/chat/hall?username=alice") as second,
    ):
        welcome = await second.expect("welcome")
        for somebody in (first, second):
            await somebody.expect("joined")
            await somebody.send({"type": "message", "text": "hello", "id": "1"})
            await somebody.expect("ack", id="1")

        code, _ = await second.closed()
        async with other.connect(f"/ws/chat/hall?username=alice&secret={welcome['secret']}") as back:
            key = (await back.expect("welcome"))["user"]
            rows = (await back.expect("joined"))["messages"]

    assert code == 1012
    assert is_made_of(key, "alice")
    assert [row["user"] for row in rows] == ["alice", key]


def current_user(connection: HTTPConnection) -> User | None:
    key = connection.cookies.get("session")
    return User(key, key) if key is not None else None


def app_of(hub: Hubbub) -> FastAPI:
    app = FastAPI()
    app.include_router(hub.router)
    return app


@pytest.fixture(params=["sqlite", "postgresql"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    url = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    return Settings(data_dir=tmp_path, database_url=url)


async def test_an_account_does_not_own_an_older_guests_messages(stored: Settings) -> None:
    async with (
        serving(app_of(Hubbub(guests="on", page=False, settings=stored))) as server,
        server.connect("/ws/chat/hall?username=alice") as guest,
    ):
        secret = (await guest.expect("welcome"))["secret"]
        await guest.send({"text": "of the guest", "id": "1"})
        await guest.expect("ack", id="1")
    hub = Hubbub(authenticate=current_user, guests="on", page=False, settings=stored)
    async with serving(app_of(hub)) as server:
        async with httpx2.AsyncClient(cookies={"session": "alice"}) as browser:
            page = (await browser.get(f"{server.url}/api/v1/rooms/hall/messages")).json()
        async with server.connect("/ws/chat/hall", headers={"Cookie": "session=alice"}) as account:
            assert (await account.expect("welcome"))["user"] == "alice"
            (message,) = (await account.expect("joined"))["messages"]
        async with server.connect(f"/ws/chat/hall?username=alice&secret={secret}") as guest:
            back = (await guest.expect("welcome"))["user"]

    assert message["user"] == page["messages"][0]["user"] == back
    assert is_made_of(back, "alice")


async def test_nobody_logs_in_as_the_application_itself() -> None:
    hub = Hubbub(authenticate=current_user, page=False, settings=Settings())
    async with serving(app_of(hub)) as server:
        with pytest.raises(InvalidStatus) as caught:
            async with server.connect("/ws", headers={"Cookie": "session=System"}):
                pass

    assert caught.value.response.status_code == 403


@pytest.mark.parametrize("database", [True, False], ids=["stored", "not stored"])
async def test_a_connected_guest_makes_way_for_an_account(database: bool, tmp_path: Path) -> None:
    hub = Hubbub(guests="on", page=False, settings=Settings(data_dir=tmp_path) if database else Settings())
    app = app_of(hub)

    @app.websocket("/members")
    async def members(websocket: WebSocket, user: Annotated[User | None, Depends(current_user)]) -> None:
        await hub.serve(websocket, user)

    async with serving(app) as server, server.connect("/ws/chat/hall?username=alice") as guest:
        secret = (await guest.expect("welcome"))["secret"]
        await guest.send({"text": "of the guest", "id": "1"})
        await guest.expect("ack", id="1")
        async with server.connect("/ws/chat/hall?username=bob") as bob:
            await bob.expect("joined")
        async with server.connect("/members", headers={"Cookie": "session=alice"}) as account:
            assert (await account.expect("welcome"))["user"] == "alice"
            # The page that bob got a moment ago would say that the account wrote the guest's message.
            await account.send({"type": "join", "room": "hall"})
            shown = [row["user"] for row in (await account.expect("joined"))["messages"]]
            code, _ = await guest.closed()
            async with server.connect(f"/ws?username=alice&secret={secret}") as back:
                key = (await back.expect("welcome"))["user"]

    assert code == 1012
    assert is_made_of(key, "alice")
    assert shown == ([key] if database else [])


async def test_guests_are_asked_to_come_back_while_the_database_hangs(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    monkeypatch.setattr("hubbub.accounts.key_owners.DEADLINE", 0.2)
    settings = Settings(data_dir=tmp_path, database_url=postgres)
    async with serving(create_app(settings), settings=settings) as server:
        async with await psycopg.AsyncConnection.connect(postgres) as beside:
            await beside.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(InvalidStatus) as caught:
                async with server.connect("/ws?username=alice"):
                    pass
        async with server.connect("/ws?username=alice") as alice:
            await alice.expect("welcome")

    assert caught.value.response.status_code == 503
    assert caught.value.response.headers["Retry-After"]
