"""The library when the application makes mistakes: each mistake is logged by its name, and nobody else notices it."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import anyio
import httpx2
import pytest
from fastapi import Cookie, FastAPI, WebSocket, WebSocketException
from fastapi.testclient import TestClient
from starlette.requests import HTTPConnection
from websockets.exceptions import InvalidStatus

from hubbub import (
    Command,
    Connection,
    Draft,
    Event,
    Forbidden,
    Hubbub,
    Invalid,
    MessageEvent,
    NotStarted,
    RateLimit,
    RateLimited,
    Reply,
    User,
    bearer_token,
)
from hubbub.errors import ConfigurationError
from hubbub.http.admission import as_user
from hubbub.settings import Settings
from hubbub.testing import TestServer, serving
from tests.waiting import eventually


def open_hub() -> Hubbub:
    return Hubbub(guests="on", page=False)


def host(hub: Hubbub) -> FastAPI:
    app = FastAPI()
    app.include_router(hub.router)
    return app


# Hooks that fail.


def fail(*arguments: Any) -> None:
    raise RuntimeError("this hook is broken")


async def fail_later(*arguments: Any) -> None:
    raise RuntimeError("this hook is broken")


async def hang(*arguments: Any) -> None:
    await anyio.sleep_forever()


def talk_nonsense(*arguments: Any) -> Any:
    return "nonsense"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_HOOK_TIMEOUT", "0.1")


HOOKS = ["on_connect", "on_disconnect", "on_join", "on_leave", "before_message", "on_message"]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("broken", [fail, fail_later, hang], ids=lambda hook: hook.__name__)
@pytest.mark.parametrize("moment", [moment for moment in HOOKS if moment != "before_message"])
async def test_a_hook_that_fails_or_hangs_is_logged_by_its_name(
    moment: str, broken: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    hub = open_hub()
    getattr(hub, moment)(broken)

    async with serving(host(hub)) as server:
        await converse(server)
        await eventually(lambda: f"test_library.{broken.__name__}" in caplog.text)


async def converse(server: TestServer) -> None:
    async with server.connect("/ws/chat/room1?username=alice") as alice:
        async with server.connect("/ws/chat/room1?username=bob") as bob:
            await alice.expect("join", user="bob")
            await bob.send({"text": "hello", "id": "1"})
            await bob.expect("ack", id="1")
            await alice.expect("message", text="hello")
        await alice.expect("leave", user="bob")


def not_a_text(draft: Draft) -> None:
    draft.text = 5  # type: ignore[assignment]


def too_long(draft: Draft) -> None:
    draft.text = "x" * 4001


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "broken", [fail, fail_later, hang, talk_nonsense, not_a_text, too_long], ids=lambda hook: hook.__name__
)
async def test_a_broken_before_message_hook_is_internal_for_its_sender_only(
    broken: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    hub = open_hub()

    @hub.before_message
    def only_for_alice(draft: Draft) -> Any:
        return broken(draft) if draft.user.key == "alice" else None

    only_for_alice.__qualname__ = broken.__name__
    async with (
        serving(host(hub)) as server,
        server.connect("/ws/chat/room1?username=alice") as alice,
        server.connect("/ws/chat/room1?username=bob") as bob,
    ):
        await alice.expect("join", user="bob")
        await alice.send({"text": "hello", "id": "1"})
        error = await alice.expect("error", id="1", code="internal", command="message", room="room1")
        assert "broken" not in error["message"]
        await bob.send({"text": "all is well"})
        await alice.expect("message", text="all is well")
        await bob.expect("message", text="all is well")
        assert not [event for event in bob.seen if event["type"] in {"message", "error"}]

    assert any(broken.__name__ in record.getMessage() for record in caplog.records if record.name == "hubbub.hooks")


async def test_before_message_may_change_or_refuse_and_the_next_hook_sees_the_change() -> None:
    hub = open_hub()
    said: list[str] = []

    @hub.before_message
    async def shout(draft: Draft) -> Draft:
        return Draft(draft.connection, draft.room, draft.text.upper(), {"loud": True})

    @hub.before_message
    def no_spam(draft: Draft) -> None:
        if draft.text == "SPAM":
            raise Forbidden("no spam here")

    @hub.on_message
    def note(event: MessageEvent) -> None:
        said.append(event.text)

    async with serving(host(hub)) as server, server.connect("/ws/chat/room1?username=alice") as alice:
        await alice.send("spam")
        await alice.expect("error", code="forbidden", message="no spam here")
        await alice.send("hello")
        await alice.expect("message", text="HELLO", data={"loud": True})

    assert said == ["HELLO"]


async def test_messages_stay_in_order_while_a_hook_waits() -> None:
    hub = open_hub()
    released = anyio.Event()

    @hub.before_message
    async def think(draft: Draft) -> None:
        if draft.text == "first":
            await released.wait()

    async with serving(host(hub)) as server, server.connect("/ws/chat/room1?username=alice") as alice:
        await alice.expect("joined")
        await alice.send("first")
        await alice.send("second")
        released.set()
        await alice.expect("message", text="first")
        await alice.expect("message", text="second")


async def test_a_client_that_waits_for_a_slow_answer_is_not_closed() -> None:
    settings = Settings(heartbeat=0.1)
    hub = Hubbub(guests="auto", page=False, settings=settings)
    released = anyio.Event()

    @hub.before_message
    async def think(draft: Draft) -> None:
        await released.wait()

    async with (
        serving(host(hub), settings=settings) as server,
        server.connect("/ws/chat/room1?username=alice") as alice,
    ):
        await alice.expect("joined")
        await alice.send("hello")
        # The client answers each ping, but the server does not read while the hook thinks.
        for _ in range(10):
            await alice.expect("ping")
        released.set()
        await alice.expect("message", text="hello")
        for _ in range(5):
            await alice.expect("ping")


# Commands of the application's own that fail.


class Try(Command):
    type: Literal["try"] = "try"


async def answers_to(handler: Callable[[Connection, Try], Any]) -> dict[str, Any]:
    hub = open_hub()
    hub.command(handler)
    async with serving(host(hub)) as server, server.connect("/ws?username=alice") as alice:
        await alice.send({"type": "try", "id": "1"})
        answer: dict[str, Any] = {}
        while answer.get("id") != "1":
            answer = await alice.receive()
        await alice.send({"type": "ping", "id": "2"})
        await alice.expect("pong", id="2")
    return answer


async def test_a_command_that_raises_or_returns_nonsense_is_logged_and_answered_internal(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(connection: Connection, command: Try) -> None:
        raise RuntimeError("the secret of the house")

    async def nonsense(connection: Connection, command: Try) -> Any:
        return {"type": "try"}

    for handler in (broken, nonsense):
        caplog.clear()
        answer = await answers_to(handler)
        assert (answer["type"], answer["code"], answer["command"]) == ("error", "internal", "try")
        assert "secret" not in str(answer)
        assert "command 'try'" in caplog.text


async def test_a_commands_refusal_has_its_own_words() -> None:
    def refuse(connection: Connection, command: Try) -> None:
        raise RateLimited("come back later", retry_after=1500)

    answer = await answers_to(refuse)

    assert (answer["code"], answer["message"], answer["retry_after"]) == ("rate_limited", "come back later", 1500)


def test_a_command_is_refused_at_once_if_its_type_is_taken_or_unknown() -> None:
    class Ping(Command):
        type: Literal["ping"] = "ping"

    class Joined(Reply):
        type: Literal["joined"] = "joined"

    def taken(connection: Connection, command: Ping) -> None: ...

    def untyped(connection: Connection, command: Any) -> None: ...

    hub = open_hub()
    with pytest.raises(ValueError, match="registered already"):
        hub.command(taken)
    with pytest.raises(ValueError, match="registered already"):
        hub.event(Joined)
    with pytest.raises(TypeError, match="annotated with its Command model"):
        hub.command(untyped)


# Too many hubs, or hubs in the wrong place or thread.


async def test_one_hub_in_two_apps_is_a_named_error_of_the_second(caplog: pytest.LogCaptureFixture) -> None:
    hub = open_hub()
    first, second = host(hub), host(hub)

    async with serving(first) as server:
        with pytest.raises(RuntimeError, match="did not start"):
            async with serving(second):
                pass
        async with server.connect("/ws?username=alice") as alice:
            await alice.expect("welcome", user="alice")

    assert "this hub runs already: include its router in one application, once" in caplog.text
    async with serving(second) as server, server.connect("/ws?username=alice") as alice:
        await alice.expect("welcome", user="alice")


async def test_each_of_two_hubs_in_one_app_drains_when_the_server_stops() -> None:
    app = FastAPI()
    staff, public = open_hub(), open_hub()
    app.include_router(staff.router, prefix="/staff")
    app.include_router(public.router, prefix="/public")
    said: list[Any] = []

    async with anyio.create_task_group() as clients:

        async def stay(path: str, *, task_status: anyio.abc.TaskStatus[None]) -> None:
            async with server.connect(path) as client:
                await client.expect("welcome")
                task_status.started()
                said.append((await client.expect("draining"))["type"])
                said.append((await client.closed())[0])

        async with serving(app) as server:
            await clients.start(stay, "/staff/ws?username=alice")
            await clients.start(stay, "/public/ws?username=bob")

    assert sorted(said, key=str) == [1012, 1012, "draining", "draining"]


UNSTARTED: dict[str, Callable[[Hubbub], Any]] = {
    "a room's count": lambda hub: hub.rooms("general").online,
    "the rooms": lambda hub: list(hub.rooms),
    "a user's presence": lambda hub: hub.users("alice").is_online,
    "the connections": lambda hub: len(hub.connections),
}

UNSTARTED_SENDS: dict[str, Callable[[Hubbub], Awaitable[Any]]] = {
    "to a room": lambda hub: hub.rooms("general").send("hello"),
    "an event to a room": lambda hub: hub.rooms("general").publish(Event(type="hello")),
    "to a user": lambda hub: hub.users("alice").send(Event(type="hello")),
    "to a topic": lambda hub: hub.topics("news").publish("hello"),
}


@pytest.mark.parametrize("use", UNSTARTED.values(), ids=UNSTARTED)
def test_a_question_before_the_start_is_a_named_error(use: Callable[[Hubbub], Any]) -> None:
    with pytest.raises(NotStarted, match="Hubbub isn't started"):
        use(open_hub())


@pytest.mark.parametrize("send", UNSTARTED_SENDS.values(), ids=UNSTARTED_SENDS)
async def test_sending_before_the_start_is_a_named_error(send: Callable[[Hubbub], Any]) -> None:
    with pytest.raises(NotStarted, match="Hubbub isn't started"):
        await send(open_hub())


def test_a_hub_in_a_route_that_runs_in_a_thread_is_a_named_error() -> None:
    hub = open_hub()
    app = host(hub)

    @app.get("/online")
    def online() -> int:
        return hub.rooms("general").online

    with TestClient(app) as client, pytest.raises(NotStarted, match="send_sync"):
        client.get("/online")


# What an application asks and sends.


async def test_a_title_that_changes_the_direction_of_text_is_refused() -> None:
    hub = open_hub()
    async with serving(host(hub)) as server:
        with pytest.raises(Invalid, match="title"):
            await hub.topics("news").publish("\u202edeyolped")
        async with httpx2.AsyncClient() as browser:
            answer = await browser.post(f"{server.url}/notify/news", json={"title": "two\nlines"})

    assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (400, ["title"])


async def test_the_rooms_with_people_can_be_listed() -> None:
    hub = open_hub()
    async with serving(host(hub)) as server:
        assert not list(hub.rooms)
        async with (
            server.connect("/ws/chat/kitchen?username=alice") as alice,
            server.connect("/ws/chat/garden?username=bob") as bob,
        ):
            await alice.expect("joined")
            await bob.expect("joined")
            assert {room.key: room.online for room in hub.rooms} == {"kitchen": 1, "garden": 1}
            assert len(hub.rooms) == 2
            assert [user.user for user in hub.rooms("KITCHEN").users()] == ["alice"]


async def test_an_application_closes_and_reaches_all_connections_of_a_user() -> None:
    hub = Hubbub(authenticate=lambda username: username, page=False)

    class Nudge(Event):
        type: Literal["nudge"] = "nudge"

    async with (
        serving(host(hub)) as server,
        server.connect("/ws?username=alice") as phone,
        server.connect("/ws?username=Alice") as laptop,
        server.connect("/ws?username=bob") as bob,
    ):
        for client in (phone, laptop, bob):
            await client.expect("welcome")
        assert await hub.users("alice").send(Nudge()) == 2
        await phone.expect("nudge")
        await laptop.expect("nudge")
        assert await hub.users("alice").disconnect(1000, "that is all") == 2
        assert await phone.closed() == (1000, "that is all")
        assert await laptop.closed() == (1000, "that is all")
        assert hub.connections.send(Nudge()) == 1
        await bob.expect("nudge")


async def test_an_apps_own_address_refuses_guests_unless_they_are_admitted() -> None:
    hub = Hubbub(authenticate=lambda: None, page=False)
    app = FastAPI(lifespan=hub.lifespan)

    @app.websocket("/own")
    async def own(websocket: WebSocket) -> None:
        await hub.serve(websocket)

    async with serving(app) as server:
        with pytest.raises(InvalidStatus) as refused:
            async with server.connect("/own"):
                pass

    assert refused.value.response.status_code == 401


# A limit per user.


def test_a_route_must_not_accept_the_socket_before_the_hub() -> None:
    hub = open_hub()
    app = host(hub)

    @app.websocket("/accepted")
    async def accepted(websocket: WebSocket) -> None:
        await websocket.accept()
        await hub.serve(websocket)

    with (
        TestClient(app) as client,
        pytest.raises(ConfigurationError, match="leave out `await websocket"),
        client.websocket_connect("/accepted") as socket,
    ):
        socket.receive_json()


@pytest.mark.parametrize("arguments", [{}, {"room": "kitchen"}, {"room": "no room"}, {"on_message": fail}])
async def test_a_socket_that_the_application_has_closed_is_not_served(
    arguments: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    hub = open_hub()
    app = host(hub)

    @app.websocket("/closed")
    async def closed(websocket: WebSocket) -> None:
        await websocket.close(1008)
        await hub.serve(websocket, User("alice", "Alice"), **arguments)

    async with serving(app) as server:
        with pytest.raises(InvalidStatus) as refused:
            async with server.connect("/closed"):
                pass
        assert len(hub.connections) == 0

    assert refused.value.response.status_code == 403
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("address", ["/ws", "/ws/chat", "/ws/chat/general", "/ws/notify/orders"])
async def test_a_login_may_close_the_socket_itself(address: str, caplog: pytest.LogCaptureFixture) -> None:
    async def login(connection: HTTPConnection) -> str:
        if isinstance(connection, WebSocket):
            await connection.close(1008)
        return "alice"

    hub = Hubbub(authenticate=login)
    async with serving(host(hub)) as server:
        with pytest.raises(InvalidStatus) as refused:
            async with server.connect(address):
                pass
        assert len(hub.connections) == 0

    assert refused.value.response.status_code == 403
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def login_of_sockets(session: Annotated[str | None, Cookie()] = None) -> str:
    if session is None:
        raise WebSocketException(1008, "no session")
    return session


@pytest.mark.parametrize("plain", [False, True])
async def test_a_websocket_exception_of_the_login_is_403_for_requests(plain: bool) -> None:
    hub = Hubbub(authenticate=login_of_sockets)
    async with serving(host(hub), plain=plain) as server, httpx2.AsyncClient(base_url=server.url) as client:
        with pytest.raises(InvalidStatus) as refused:
            async with server.connect("/ws"):
                pass
        answers = [
            await client.get("/ws"),
            await client.get("/api/v1/rooms/general/messages"),
            await client.post("/notify/orders", json={"title": "Shipped"}),
        ]
        alice = await client.get("/ws", headers={"Cookie": "session=alice"})

    assert refused.value.response.status_code == 403
    assert [(answer.status_code, answer.json()) for answer in answers] == [(403, {"detail": "no session"})] * 3
    assert alice.status_code == 426


@pytest.mark.parametrize("key", ["Alice B", "", "a" * 65, "\u202ealice", "a/b"])
@pytest.mark.parametrize("account", [User, lambda key, name: {"id": key, "name": name}, lambda key, name: key])
def test_an_invalid_key_of_an_application_is_an_error_in_every_form(
    account: Callable[[str, str], Any], key: str
) -> None:
    with pytest.raises(ConfigurationError, match="without a usable key"):
        as_user(account(key, "Alice"))


@pytest.mark.parametrize("account", [User, lambda key, name: {"id": key, "name": name}])
def test_the_key_replaces_a_name_that_cannot_be_used(account: Callable[[str, str], Any]) -> None:
    for name in ("Alice \u202e", "A" * 65, " "):
        assert as_user(account("alice", name)) == User("alice", "alice")
    assert as_user(account("alice", " Alice B ")) == User("alice", "Alice B")


def test_a_rate_limit_counts_each_user_alone() -> None:
    clock = SimpleNamespace(now=0.0)
    limit = RateLimit(2, per=10, clock=lambda: clock.now)
    alice, bob = User("alice", "Alice"), User("bob", "Bob")

    limit.take(alice)
    limit.take(User("ALICE", "Alice"))
    with pytest.raises(RateLimited, match="at most 2 in 10 s; come back in 5 s") as refused:
        limit.take(alice)
    assert refused.value.retry_after == 5000
    limit.take(bob)

    clock.now = 5.0
    limit.take(alice)
    with pytest.raises(RateLimited):
        limit.take(alice)


# Where a token can be.


@pytest.mark.parametrize(
    ("headers", "subprotocols", "token"),
    [
        ({"authorization": "Bearer abc.def"}, [], "abc.def"),
        ({"authorization": "bearer abc"}, ["bearer.other"], "abc"),
        ({}, ["hubbub.v1.json", "bearer.abc.def"], "abc.def"),
        ({"authorization": "Basic YTpi"}, [], None),
        ({"authorization": "Bearer "}, ["hubbub.v1.json"], None),
        ({}, [], None),
    ],
)
def test_a_token_is_found_in_the_header_or_a_subprotocol(
    headers: dict[str, str], subprotocols: list[str], token: str | None
) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]

    assert bearer_token(HTTPConnection({"type": "websocket", "headers": raw, "subprotocols": subprotocols})) == token


async def test_a_message_handler_may_return_any_awaitable() -> None:
    hub = Hubbub(guests="on", page=False)
    app = FastAPI(lifespan=hub.lifespan)

    @app.websocket("/raw")
    async def raw(websocket: WebSocket) -> None:
        await hub.serve(websocket, on_message=lambda connection, message: asyncio.ensure_future(fail_later()))

    async with serving(app) as server, server.connect("/raw?username=alice") as alice:
        await alice.send("hello")

        assert (await alice.closed())[0] == 1011
