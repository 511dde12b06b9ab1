"""What clients of tutorials do, tried on both kinds of server: the guide's table is true.

The clients are our own. They do what pages, scripts and test functions from the documentation of FastAPI and Django
Channels do, and what similar chats do: the same addresses, frames and expectations.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, Literal, TypeVar

import httpx
import pytest
from fastapi import Cookie, Depends, FastAPI, Query, WebSocket, WebSocketException
from fastapi.testclient import TestClient
from playwright.async_api import Page, expect
from starlette.websockets import WebSocketDisconnect
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from hubbub import Command, Connection, Event, Hubbub, NotStarted, User
from hubbub.errors import ConfigurationError
from hubbub.testing import TIMEOUT, TestServer, serving
from tests.conftest import PageFactory
from tests.examples.test_guide import GUIDE, program
from tests.servers import hubbub_server

TRIED: dict[str, set[str]] = {}
"""The first cell of each row of the table, and the tests that try it."""

Test = TypeVar("Test", bound=Callable[..., Any])


def tries(*rows: str) -> Callable[[Test], Test]:
    """Marks a test with the rows of the table that it checks."""

    def note(test: Test) -> Test:
        for row in rows:
            TRIED.setdefault(row, set()).add(test.__name__)
        return test

    return note


def rows_of_the_table() -> list[str]:
    section = GUIDE.split("\n## What your clients do\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| .+ \| .+ \|$", section, re.MULTILINE)
    return [row for row in rows if row not in {"what they do", "---"} and not row.startswith("**")]


def test_a_test_exists_for_every_row_of_the_table() -> None:
    assert sorted(rows_of_the_table()) == sorted(TRIED)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    """`hubbub serve`, as a new user starts it."""
    with hubbub_server(tmp_path_factory.mktemp("serve")) as server:
        yield TestServer(server.port, timeout=TIMEOUT)
        server.check_log()


@pytest.fixture
async def mounted() -> AsyncIterator[TestServer]:
    """An application that includes the router, and admits guests."""
    hub = Hubbub(guests="on")
    app = FastAPI()
    app.include_router(hub.router)
    async with serving(app) as server:
        yield server


@pytest.fixture(params=["alone", "mounted"])
def server(request: pytest.FixtureRequest, alone: TestServer, mounted: TestServer) -> TestServer:
    return {"alone": alone, "mounted": mounted}[request.param]


async def refusal(server: TestServer, path: str, **headers: str) -> tuple[int, str]:
    """The status and the message with which a handshake is refused."""
    with pytest.raises(InvalidStatus) as refused:
        async with server.connect(path, headers=headers):
            pass
    body = refused.value.response.body
    return refused.value.response.status_code, json.loads(body)["message"] if body else ""


# Pages.


def theirs(address: str, shown: str = "event.data") -> str:
    """A page like those of tutorials: a form, a list and a socket."""
    return f"""<!doctype html>
<form><input aria-label="Message"><button>Send</button></form>
<ul></ul>
<script>
  const socket = new WebSocket("{address}");
  socket.onopen = () => document.body.append("open");
  socket.onclose = (event) => document.body.append("closed " + event.code);
  socket.onmessage = (event) => {{
    const line = {shown};
    if (line) document.querySelector("ul").appendChild(document.createElement("li")).textContent = line;
  }};
  document.querySelector("form").onsubmit = (event) => {{
    socket.send(document.querySelector("input").value);
    event.preventDefault();
  }};
</script>"""


MESSAGES_ONLY = """((said) => said.type === "message" && `${said.name}: ${said.text}`)(JSON.parse(event.data))"""


async def show(page: Page, origin: str, html: str) -> None:
    """Open a page of this origin, without a content security policy."""
    await page.goto(f"{origin}/openapi.json")
    await page.set_content(html)


@tries("a page at `http://127.0.0.1:8000` opens `ws://localhost:8000/…`", "a page shows `event.data` as it comes")
async def test_a_page_shows_json_until_it_is_parsed(server: TestServer, new_page: PageFactory) -> None:
    address = f"ws://localhost:{server.port}/ws/chat/page?username="
    literal, parsing = await new_page(), await new_page()
    await show(literal, server.url, theirs(address + "alice"))
    await expect(literal.get_by_role("listitem").first).to_contain_text('{"type":"welcome"')

    await show(parsing, server.url, theirs(address + "bob", MESSAGES_ONLY))
    await expect(parsing.get_by_text("open")).to_be_visible()
    await parsing.get_by_label("Message").fill("<b>hello</b>")
    await parsing.get_by_role("button").click()

    await expect(parsing.get_by_role("listitem").last).to_have_text("bob: <b>hello</b>")
    await expect(literal.get_by_role("listitem").last).to_contain_text('"text":"<b>hello</b>"')


@tries("`/ws/{client_id}`, `/ws/{username}`, `/items/{item}/ws`, with a route of your own")
async def test_a_page_of_a_route_with_on_message_needs_no_change(new_page: PageFactory) -> None:
    app = program("1. The hub keeps the list")["app"]
    async with serving(app) as server:
        page = await new_page()
        await show(page, server.url, theirs(f"ws://localhost:{server.port}/ws/1700000000000"))
        await expect(page.get_by_text("open")).to_be_visible()
        await page.get_by_label("Message").fill("hello")
        await page.get_by_role("button").click()

        lines = ["You wrote: hello", "Client #1700000000000 says: hello"]
        await expect(page.get_by_role("listitem")).to_have_text(lines)


@tries("a page of another port: React on 3000, Vite on 5173, Live Server on 5500", "a page that was opened from a file")
async def test_a_page_of_another_port_needs_a_setting_and_a_page_from_a_file_needs_a_server(
    tmp_path_factory: pytest.TempPathFactory, alone: TestServer
) -> None:
    path = "/ws/chat/page"
    status, message = await refusal(alone, path, Origin="http://localhost:5173")
    assert (status, "allowed_origins" in message) == (403, True)
    assert (await refusal(alone, path, Origin="null"))[0] == 403

    allowed = {"HUBBUB_ALLOWED_ORIGINS": '["http://localhost:5173"]'}
    with hubbub_server(tmp_path_factory.mktemp("allowed"), environment=allowed) as process:
        server = TestServer(process.port, timeout=TIMEOUT)
        async with server.connect(path, headers={"Origin": "http://localhost:5173"}) as alice:
            await alice.expect("joined")


@tries("a page waits for `event.code === 1008`")
async def test_a_page_sees_1006_when_a_handshake_is_refused(server: TestServer, new_page: PageFactory) -> None:
    page = await new_page()
    await show(page, server.url, theirs(f"ws://localhost:{server.port}/ws/chat/page?username=admin"))

    await expect(page.get_by_text("closed 1006")).to_be_visible()
    async with httpx.AsyncClient(base_url=server.url) as client:
        answer = await client.get("/ws/chat/page?username=admin")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


@tries("a second tab with the same username")
async def test_a_second_tab_is_refused_as_a_guest_and_is_the_same_user_with_the_secret(server: TestServer) -> None:
    path = "/ws/chat/tabs?username=carol"
    async with server.connect(path) as first:
        secret = (await first.expect("welcome"))["secret"]
        status, message = await refusal(server, path)
        assert (status, "in use" in message) == (409, True)
        async with server.connect(f"{path}&secret={secret}") as second:
            assert (await second.expect("welcome"))["user"] == "carol"
            assert (await second.expect("joined"))["online"] == 1


# Addresses.


@tries("`/ws`, and plain text to it")
async def test_plain_text_to_the_strict_address_is_refused_with_the_right_address(server: TestServer) -> None:
    async with server.connect("/ws") as alice:
        await alice.send("hello")
        error = await alice.expect("error", code="invalid")
    assert "/ws/chat/" in error["message"]
    async with server.connect("/ws/chat/general") as alice:
        await alice.send("hello")
        await alice.expect("message", text="hello")


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/ws/1700000000000", "/ws/chat/1700000000000"),
        ("/items/foo/ws?token=some-key", "/ws/chat/foo"),
        ("/ws/general/alice", "/ws/chat/general?username=alice"),
        ("/ws/chat/general/alice", "/ws/chat/general?username=alice"),
        ("/ws/chat/general/", "/ws/chat/general"),
        ("/ws/notifications/alice", "/ws/notify/alice"),
    ],
)
@tries(
    "`/ws/{client_id}`, `/ws/{username}`, `/items/{item}/ws`, without one",
    "`/ws/{room}/{username}`, `/ws/chat/{room}/{username}`",
    "`/ws/chat/{room}/`, with a slash (Django Channels)",
    "`/ws/notifications/{user_id}`",
)
async def test_an_unknown_address_is_refused_with_the_nearest_one(server: TestServer, path: str, meant: str) -> None:
    status, message = await refusal(server, path)

    assert status == 404
    assert message.endswith(f"; is {meant} meant?")
    async with server.connect(meant) as alice:
        await alice.expect("welcome")


@tries("`/ws/chat/{username}`")
async def test_a_username_at_the_end_of_the_address_is_a_room_of_its_own(server: TestServer) -> None:
    async with server.connect("/ws/chat/dave") as dave, server.connect("/ws/chat/erin") as erin:
        assert (await dave.expect("welcome"))["user"].startswith("guest-")
        assert (await erin.expect("joined"))["room"] == "erin"
        await erin.send("hello")
        await erin.expect("message", room="erin")
        await dave.send({"type": "ping"})
        await dave.expect("pong")
        assert not [event for event in dave.seen if event["type"] == "message"]
    async with server.connect("/ws/chat/names?username=dave") as dave:
        assert (await dave.expect("welcome"))["user"] == "dave"


@tries("`?username=alice`", "`?user=`, `?name=`, `?user_id=`, `?client_id=`; `?room=`")
async def test_the_name_is_the_parameter_username_and_the_room_is_in_the_path(server: TestServer) -> None:
    async with server.connect("/ws/chat/queries?username=frank%20b&user_id=7") as frank:
        assert (await frank.expect("welcome"))["name"] == "frank b"
    for query in ("user=frank", "name=frank", "user_id=7", "client_id=7"):
        async with server.connect(f"/ws/chat/queries?{query}") as somebody:
            assert (await somebody.expect("welcome"))["name"].startswith("guest-")
    async with server.connect("/ws/chat?username=grace&room=kitchen") as grace:
        assert (await grace.expect("joined"))["room"] == "general"


# Frames.


@tries(
    '`ws.send(input.value)`, a script\'s `await ws.send("hello")`, a line in `wscat`',
    "a script's first `recv()`, a test's first `receive_json()`",
    '`{"type": "message", "text": …}`, also `"chat"` or `"msg"`',
    "`data.message` or `data.content`, `data.username` or `data.sender`, `data.timestamp`",
    "one's own message comes back",
    "a line that somebody joined or left",
)
async def test_the_first_frames_are_welcome_joined_and_join(server: TestServer) -> None:
    address = f"ws://localhost:{server.port}/ws/chat/scripts?username=heidi"
    async with server.connect("/ws/chat/scripts?username=ivan") as ivan, connect(address, proxy=None) as heidi:
        await ivan.expect("join", user="heidi")
        first = [json.loads(await heidi.recv()) for _ in range(2)]
        assert [event["type"] for event in first] == ["welcome", "joined"]
        for frame in ("hello", '{"type": "message", "text": "hello"}', '{"type": "chat", "text": "hello"}'):
            await heidi.send(frame)
            heard = await ivan.expect("message", text="hello")
            assert (heard["name"], heard["room"], "ts" in heard) == ("heidi", "scripts", True)
        texts: list[str] = []
        while len(texts) < 3:
            event = json.loads(await asyncio.wait_for(heidi.recv(), 10))
            texts += [event["text"]] if event["type"] == "message" else []
        await heidi.close()
        await ivan.expect("leave", user="heidi")


@pytest.mark.parametrize("field", ["message", "content", "msg"])
@tries('`{"message": …}`, `{"content": …}`, `{"msg": …}`')
async def test_a_text_in_another_field_is_refused_and_the_error_names_the_field(server: TestServer, field: str) -> None:
    async with server.connect("/ws/chat/frames") as alice:
        for frame in ({field: "hello"}, {"type": "message", field: "hello"}):
            await alice.send(frame)
            error = await alice.expect("error", code="invalid")
            assert error["message"] == "text: Field required"


@tries('`{"type": "chat_message", …}` and other types', 'private messages: `{"to": "bob", …}`')
async def test_an_error_for_an_unknown_type_lists_the_types(server: TestServer) -> None:
    async with server.connect("/ws/chat/frames") as alice:
        for kind in ("chat_message", "private"):
            await alice.send({"type": kind, "to": "bob", "message": "hello"})
            error = await alice.expect("error", code="unknown_type")
            assert re.search(r"known: .*\bmessage\b", error["message"])


class Private(Command):
    """Say something to one user. Answered by `ack`."""

    type: Literal["private"] = "private"
    room: str
    to: str
    message: str


class Whispered(Event):
    """Somebody said something to this user alone."""

    type: Literal["whispered"] = "whispered"
    user: str
    message: str


@tries('private messages: `{"to": "bob", …}`')
async def test_a_command_of_the_application_sends_private_messages() -> None:
    hub = Hubbub(guests="on")

    @hub.command
    async def private(connection: Connection, command: Private) -> None:
        await hub.users(command.to).send(Whispered(user=connection.user.key, message=command.message))

    hub.event(Whispered)
    app = FastAPI()
    app.include_router(hub.router)
    async with (
        serving(app) as server,
        server.connect("/ws/chat/general?username=alice") as alice,
        server.connect("/ws/chat/general?username=bob") as bob,
        server.connect("/ws/chat/general?username=carol") as carol,
    ):
        await bob.expect("joined")
        await alice.send({"type": "private", "to": "bob", "message": "hello"})
        await bob.expect("whispered", user="alice", message="hello")
        await alice.send("to all")
        await carol.expect("message", text="to all")
        assert not [event for event in carol.seen if event["type"] == "whispered"]


@pytest.mark.parametrize("text", ["", "   ", "\n"])
@tries("an empty message, because Enter was pressed")
async def test_a_blank_message_is_refused_and_only_its_sender_is_told(server: TestServer, text: str) -> None:
    async with server.connect("/ws/chat/blank") as alice, server.connect("/ws/chat/blank") as bob:
        await alice.send(text)
        error = await alice.expect("error", code="invalid")
        assert "blank" in error["message"]
        await alice.send("hello")
        await bob.expect("message", text="hello")
        assert not [event for event in bob.seen if event["type"] == "message"]


@tries('`ws.send("ping")` every 30 s')
async def test_a_ping_in_plain_text_is_a_message_and_the_command_ping_is_answered(server: TestServer) -> None:
    async with server.connect("/ws/chat/pings") as alice:
        await alice.send("ping")
        await alice.expect("message", text="ping")
        await alice.send({"type": "ping"})
        await alice.expect("pong")


@tries('`{"type": "typing", "is_typing": true}`')
async def test_typing_needs_no_field_and_active_false_ends_it(server: TestServer) -> None:
    async with server.connect("/ws/chat/typing") as alice, server.connect("/ws/chat/typing") as bob:
        await bob.expect("joined")
        await alice.send({"type": "typing", "is_typing": True})
        await bob.expect("typing", active=True)
        await alice.send({"type": "typing", "active": False})
        await bob.expect("typing", active=False)


@tries("`ws.send(blob)`, `send_bytes`")
async def test_the_error_for_a_binary_frame_names_text_frames(server: TestServer) -> None:
    async with server.connect("/ws/chat/frames") as alice:
        await alice.send(b"\x00")
        error = await alice.expect("error", code="invalid")
    assert "text frames only" in error["message"]


@tries("an empty message, because Enter was pressed", "`ws.send(blob)`, `send_bytes`")
async def test_on_message_gets_empty_and_binary_frames_too() -> None:
    async with serving(program("1. The hub keeps the list")["app"]) as server, server.connect("/ws/7") as seven:
        await seven.send("")
        assert [await seven.receive(), await seven.receive()] == ["You wrote: ", "Client #7 says: "]
        await seven.send(b"x")
        assert await seven.receive() == "You wrote: b'x'"


# Logins.


def cookie_or_token(
    session: Annotated[str | None, Cookie()] = None, token: Annotated[str | None, Query()] = None
) -> str:
    if session is None and token is None:
        raise WebSocketException(1008)
    return session or token or ""


@tries("a second tab with the same username", "`?username=alice`")
@tries("`?token=…`, or a cookie, in a dependency that raises `WebSocketException(1008)`")
async def test_a_dependency_with_cookie_and_token_is_a_login() -> None:
    hub = Hubbub(authenticate=cookie_or_token)
    app = FastAPI()
    app.include_router(hub.router)
    async with serving(app) as server, httpx.AsyncClient(base_url=server.url) as client:
        async with server.connect("/ws/chat/general?token=judy") as judy:
            assert (await judy.expect("welcome"))["user"] == "judy"
        async with server.connect("/ws/chat/general", headers={"Cookie": "session=mallory"}) as mallory:
            assert (await mallory.expect("welcome"))["user"] == "mallory"
        path = "/ws/chat/tabs?token=judy&username=mallory"
        async with server.connect(path) as first, server.connect(path) as second:
            await first.expect("join", user="judy", online=1)
            assert (await second.expect("joined"))["users"] == [{"user": "judy", "name": "judy"}]
        assert (await refusal(server, "/ws/chat/general"))[0] == 403
        assert (await client.get("/ws/chat/general")).status_code == 403


@tries("`?token=…` to `hubbub serve`")
async def test_a_token_that_the_server_does_not_know_is_refused(server: TestServer) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with server.connect("/ws/chat/general?token=judy"):
            pass
    assert refusal.value.response.status_code == 401


async def closing_login(websocket: WebSocket, token: Annotated[str | None, Query()] = None) -> str | None:
    if token is None:
        await websocket.close(code=1008)
    return token


@tries("a dependency that takes the `WebSocket` and closes it (`websocket.close(1008)`)")
async def test_a_dependency_that_closes_the_socket_works_in_a_route_but_not_as_authenticate() -> None:
    with pytest.raises(ConfigurationError, match="HTTPConnection"):
        Hubbub(authenticate=closing_login)
    hub = Hubbub(guests="on")
    app = FastAPI(lifespan=hub.lifespan)

    @app.websocket("/items/{item}/ws")
    async def item_chat(websocket: WebSocket, item: str, user: Annotated[str, Depends(closing_login)]) -> None:
        await hub.serve(websocket, user, room=item)

    async with serving(app) as server:
        async with server.connect("/items/foo/ws?token=judy") as judy:
            assert (await judy.expect("joined"))["users"] == [{"user": "judy", "name": "judy"}]
        assert (await refusal(server, "/items/foo/ws"))[0] == 403


@tries("`await websocket.accept()`, or `await manager.connect(websocket)`, before `hub.serve`")
def test_accepting_before_the_hub_is_told_to_be_left_out() -> None:
    hub = Hubbub(guests="on")
    app = FastAPI(lifespan=hub.lifespan)

    @app.websocket("/ws/{client_id}")
    async def chat(websocket: WebSocket, client_id: int) -> None:
        await websocket.accept()
        await hub.serve(websocket, User(str(client_id), f"Client #{client_id}"), room="general")

    with (
        TestClient(app) as client,
        pytest.raises(ConfigurationError, match="leave out"),
        client.websocket_connect("/ws/7") as seven,
    ):
        seven.receive_json()


# Test functions.


@tries(
    "`client = TestClient(app)`, without `with`",
    "`with client.websocket_connect(…) as a, client.websocket_connect(…) as b:`",
)
def test_two_clients_of_a_test_client_need_its_lifespan_and_nothing_more() -> None:
    app = program("1. The hub keeps the list")["app"]
    with pytest.raises(NotStarted, match="with TestClient"), TestClient(app).websocket_connect("/ws/7"):
        pass
    with TestClient(app) as client, client.websocket_connect("/ws/7") as seven:
        with client.websocket_connect("/ws/8") as eight:
            eight.send_text("hello")
            assert [eight.receive_text(), eight.receive_text()] == ["You wrote: hello", "Client #8 says: hello"]
            assert seven.receive_text() == "Client #8 says: hello"
        assert seven.receive_text() == "Client #8 left the chat"


@tries("a script's first `recv()`, a test's first `receive_json()`")
def test_a_test_client_gets_welcome_first() -> None:
    hub = Hubbub(guests="on")
    app = FastAPI()
    app.include_router(hub.router)
    with TestClient(app) as client, client.websocket_connect("/ws/chat/general?username=alice") as alice:
        alice.send_json({"text": "hello"})
        assert [alice.receive_json()["type"] for _ in range(4)] == ["welcome", "joined", "join", "message"]


@tries("`with pytest.raises(WebSocketDisconnect):`, and `.code == 1008`")
def test_a_refusal_is_a_websocket_disconnect_with_a_status() -> None:
    hub = Hubbub(guests="on")
    app = FastAPI()
    app.include_router(hub.router)
    with TestClient(app) as client:
        with (
            pytest.raises(WebSocketDisconnect) as refused,
            client.websocket_connect("/ws/chat/general?username=admin"),
        ):
            pass
        assert refused.value.status_code == 409  # type: ignore[attr-defined]
        assert not hasattr(refused.value, "code")
    with (
        TestClient(program("4. The router")["app"]) as client,
        pytest.raises(WebSocketDisconnect) as refused,
        client.websocket_connect("/chat/ws/chat/general"),
    ):
        pass
    assert refused.value.status_code == 403  # type: ignore[attr-defined]
    hub = Hubbub(authenticate=cookie_or_token)
    app = FastAPI()
    app.include_router(hub.router)
    with (
        TestClient(app) as client,
        pytest.raises(WebSocketDisconnect) as refused,
        client.websocket_connect("/ws/chat/general"),
    ):
        pass
    assert refused.value.code == 1008
