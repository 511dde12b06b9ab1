"""A hub inside somebody's application: its login, its prefix, its tests, and the mistakes that are easy to make."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, HTTPException
from fastapi.testclient import TestClient
from starlette.requests import HTTPConnection
from websockets.exceptions import InvalidStatus

from hubbub import Hubbub, User
from hubbub.errors import ConfigurationError, Invalid, NotStarted
from hubbub.settings import Settings
from hubbub.testing import serving


def host(hub: Hubbub, prefix: str = "") -> FastAPI:
    app = FastAPI()
    app.include_router(hub.router, prefix=prefix)
    return app


def open_hub() -> Hubbub:
    return Hubbub(guests="auto", page=False, settings=Settings())


def expect(socket: Any, type: str) -> dict[str, Any]:
    while (event := socket.receive_json())["type"] != type:
        pass
    return event  # type: ignore[no-any-return]


# Under Starlette's TestClient.


def test_two_sockets_chat_under_the_test_client() -> None:
    with (
        TestClient(host(open_hub())) as client,
        client.websocket_connect("/ws/chat/room1?username=alice") as alice,
        client.websocket_connect("/ws/chat/room1?username=bob") as bob,
    ):
        expect(alice, "joined")
        expect(bob, "joined")
        alice.send_json({"text": "Hello Bob!"})
        assert expect(bob, "message")["text"] == "Hello Bob!"
        bob.send_text("Hello Alice!")
        assert expect(alice, "message")["text"] == "Hello Bob!"
        assert expect(alice, "message")["text"] == "Hello Alice!"


def test_the_test_client_is_told_when_it_did_not_start_the_application() -> None:
    client = TestClient(host(open_hub()))

    with pytest.raises(NotStarted, match="with TestClient"), client.websocket_connect("/ws"):
        pass


def test_the_test_clients_routes_send_to_a_room() -> None:
    hub = open_hub()
    app = host(hub)

    @app.post("/deploy")
    async def deploy() -> dict[str, int]:
        await hub.rooms("general").send("deployed", data={"version": 2})
        return {"online": hub.rooms("general").online}

    with TestClient(app) as client, client.websocket_connect("/ws/chat?username=alice") as alice:
        expect(alice, "joined")
        assert client.post("/deploy").json() == {"online": 1}

        message = expect(alice, "message")
        assert (message["kind"], message["user"], message["text"]) == ("system", "system", "deployed")
        assert message["data"] == {"version": 2}


def test_a_stopped_hub_can_run_again() -> None:
    app = host(open_hub())

    for _ in range(2):
        with TestClient(app) as client, client.websocket_connect("/ws?username=alice") as alice:
            assert expect(alice, "welcome")["user"] == "alice"


def test_a_hub_that_is_not_running_says_so() -> None:
    hub = open_hub()

    with pytest.raises(NotStarted, match="isn't started"):
        _ = hub.node
    assert hub.problem() == "starting"


# The application's own login.


@dataclass
class Account:
    id: int
    username: str


ALICE = Account(7, "Alice")


def current_account(connection: HTTPConnection) -> Account:
    if connection.headers.get("x-session") != "alice":
        raise HTTPException(401, "log in first")
    return ALICE


@pytest.mark.parametrize(
    ("account", "key", "name"),
    [
        (ALICE, "7", "Alice"),
        ({"id": "u-7", "name": "Alice"}, "u-7", "Alice"),
        ({"key": "alice@example.com", "name": ""}, "alice@example.com", "alice@example.com"),
        (User("alice", "Alice"), "alice", "Alice"),
        ("alice", "alice", "alice"),
        (42, "42", "42"),
    ],
    ids=repr,
)
async def test_what_the_login_returns_is_the_user(account: Any, key: str, name: str) -> None:
    hub = Hubbub(authenticate=lambda: account, page=False, settings=Settings())

    async with serving(host(hub)) as server, server.connect("/ws?username=mallory") as alice:
        welcome = await alice.expect("welcome")

    assert (welcome["user"], welcome["name"]) == (key, name)
    assert "secret" not in welcome


@pytest.mark.parametrize(
    "account", [True, {}, {"id": "no key"}, object(), ["alice"]], ids=["bool", "empty", "bad key", "object", "list"]
)
async def test_a_login_that_returns_no_user_is_an_error_of_the_application(
    account: Any, caplog: pytest.LogCaptureFixture
) -> None:
    hub = Hubbub(authenticate=lambda: account, page=False, settings=Settings())

    async with serving(host(hub)) as server:
        with pytest.raises(InvalidStatus) as caught:
            async with server.connect("/ws"):
                pass

    assert caught.value.response.status_code == 500
    assert "`authenticate` returned" in caplog.text


@pytest.mark.parametrize("plain", [False, True], ids=["own", "foreign"])
async def test_a_login_that_raises_refuses_the_handshake(plain: bool) -> None:
    hub = Hubbub(authenticate=current_account, page=False, settings=Settings())

    async with serving(host(hub, "/chat"), plain=plain) as server:
        with pytest.raises(InvalidStatus) as caught:
            async with server.connect("/chat/ws"):
                pass
        async with server.connect("/chat/ws", headers={"X-Session": "alice"}) as alice:
            assert (await alice.expect("welcome"))["user"] == "7"

    assert caught.value.response.status_code in {401, 403}


async def test_a_login_that_knows_nobody_refuses_unless_guests_are_admitted() -> None:
    for guests, status in ((None, 401), ("off", 401), ("auto", 0)):
        hub = Hubbub(authenticate=lambda: None, guests=guests, page=False, settings=Settings())  # type: ignore[arg-type]
        async with serving(host(hub)) as server:
            if not status:
                async with server.connect("/ws?username=alice") as alice:
                    assert (await alice.expect("welcome"))["guest"] is True
                continue
            with pytest.raises(InvalidStatus) as caught:
                async with server.connect("/ws?username=alice"):
                    pass
            assert caught.value.response.status_code == status


def test_an_overridden_dependency_reaches_the_socket() -> None:
    app = host(Hubbub(authenticate=current_account, page=False, settings=Settings()))
    app.dependency_overrides[current_account] = lambda: Account(8, "Bob")

    with TestClient(app) as client, client.websocket_connect("/ws") as bob:
        assert expect(bob, "welcome")["user"] == "8"


def test_the_login_may_have_dependencies_of_its_own() -> None:
    def session() -> Iterator[dict[str, str]]:
        yield {"alice": "Alice"}

    def login(users: Annotated[dict[str, str], Depends(session)], who: str = "") -> User | None:
        return User(who, users[who]) if who in users else None

    hub = Hubbub(authenticate=login, page=False, settings=Settings())

    with TestClient(host(hub)) as client, client.websocket_connect("/ws?who=alice") as alice:
        assert expect(alice, "welcome")["name"] == "Alice"


# Several hubs, and one hub twice.


def test_two_hubs_under_two_prefixes_know_nothing_of_each_other() -> None:
    app = FastAPI()
    app.include_router(open_hub().router, prefix="/staff")
    app.include_router(open_hub().router, prefix="/public")

    with (
        TestClient(app) as client,
        client.websocket_connect("/staff/ws/chat/room1?username=alice") as alice,
        client.websocket_connect("/public/ws/chat/room1?username=alice") as other,
    ):
        assert expect(alice, "joined")["online"] == 1
        assert expect(other, "joined")["online"] == 1
        alice.send_text("for the staff")
        other.send_text("for all")
        assert expect(alice, "message")["text"] == "for the staff"
        assert expect(other, "message")["text"] == "for all"


def test_a_hub_that_is_included_twice_is_a_named_error() -> None:
    hub = open_hub()
    app = FastAPI()
    app.include_router(hub.router, prefix="/one")
    app.include_router(hub.router, prefix="/two")

    with pytest.raises(ConfigurationError, match="include its router in one application, once"), TestClient(app):
        pass


def test_a_hub_that_does_not_say_who_may_connect_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="nobody could connect"):
        Hubbub()


def test_a_room_that_is_no_key_is_refused() -> None:
    with pytest.raises(Invalid, match="no spaces"):
        open_hub().rooms("no spaces")


def test_an_invalid_text_is_refused_before_anything_is_sent() -> None:
    hub = open_hub()
    app = host(hub)

    @app.post("/say")
    async def say(text: str) -> str:
        try:
            await hub.rooms("general").send(text)
        except Invalid as error:
            return error.message
        return "sent"

    with TestClient(app) as client:
        assert "U+0007" in client.post("/say", params={"text": "bell\x07"}).json()
        assert "4000" in client.post("/say", params={"text": "x" * 4001}).json()
        assert client.post("/say", params={"text": "fine"}).json() == "sent"


def test_the_health_of_a_running_hub_is_good() -> None:
    with TestClient(host(open_hub(), "/chat")) as client:
        assert client.get("/chat/health/live").json() == {"status": "ok"}
        assert client.get("/chat/health/ready").status_code == 200
