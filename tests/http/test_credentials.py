"""Which credential decides who somebody is, on the socket and on REST: a wrong one is never ignored."""

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import jwt
import pytest
from pydantic import SecretStr
from websockets.exceptions import InvalidStatus

from hubbub import Hubbub, Role, Settings
from hubbub.accounts.api_keys import KeyFiles, make_key
from hubbub.features.access.feature import AccessFeature
from hubbub.serving.app import create_app
from hubbub.testing import TestServer, serving
from hubbub.wire.base import timestamp

SECRET = "the secret of the server in this test"
JSON = "hubbub.v1.json"
HISTORY = "/api/v1/rooms/general/messages"


def token(**other: Any) -> str:
    now = int(time.time())
    # Some are made when tests are collected.
    said = {"sub": "alice", "iss": "hubbub", "aud": "hubbub", "iat": now, "exp": now + 86_400, **other}
    return jwt.encode(said, SECRET)


@pytest.fixture
async def served(tmp_path: Any) -> AsyncIterator[tuple[Hubbub, TestServer]]:
    settings = Settings(secret=SecretStr(SECRET), data_dir=tmp_path)
    app = create_app(settings)
    async with serving(app, settings=settings) as server:
        yield app.state.hub, server


async def status_of(server: TestServer, path: str = "/ws", **shown: Any) -> int:
    with pytest.raises(InvalidStatus) as refused:
        async with server.connect(path, **shown):
            pass
    return refused.value.response.status_code


async def test_a_token_is_an_account_by_header_and_by_subprotocol(served: tuple[Hubbub, TestServer]) -> None:
    _, server = served
    async with (
        server.connect("/ws", headers={"Authorization": f"bearer {token(name='Alice')}"}) as by_header,
        server.connect("/ws", subprotocols=[JSON, f"bearer.{token()}"]) as by_subprotocol,
        server.connect("/ws?username=bob") as guest,
    ):
        assert [(welcome["user"], welcome["name"]) for welcome in [await by_header.expect("welcome")]] == [
            ("alice", "Alice")
        ]
        welcome = await by_subprotocol.expect("welcome")
        assert (welcome["user"], welcome.get("guest"), welcome.get("secret")) == ("alice", None, None)
        assert (await guest.expect("welcome"))["guest"]


@pytest.mark.parametrize(
    "shown",
    [
        {"headers": {"Authorization": "Bearer nonsense"}},
        {"subprotocols": [JSON, "bearer.nonsense"]},
        {"headers": {"Authorization": "Bearer hb_nonsense"}},
        {"path": "/ws?username=bob", "headers": {"Authorization": "Bearer nonsense"}},
        {"headers": {"Authorization": "Bearer nonsense"}, "subprotocols": [JSON, f"bearer.{token()}"]},
    ],
)
async def test_a_wrong_credential_is_refused_before_the_upgrade_whatever_else_is_shown(
    served: tuple[Hubbub, TestServer], shown: dict[str, Any]
) -> None:
    hub, server = served
    assert await status_of(server, **shown) == 401
    assert len(hub.connections) == 0


async def test_rest_takes_the_same_token(served: tuple[Hubbub, TestServer]) -> None:
    _, server = served
    async with httpx2.AsyncClient(base_url=server.url) as client:
        good = await client.get(HISTORY, headers={"Authorization": f"Bearer {token()}"})
        wrong = await client.get(HISTORY, headers={"Authorization": f"Bearer {token(aud='else')}"})
        basic = await client.get(HISTORY, headers={"Authorization": "Basic YTpi"})
        why = await client.get("/ws", headers={"Authorization": "Bearer nonsense"})

    assert (good.status_code, wrong.status_code, basic.status_code, why.status_code) == (200, 401, 200, 401)
    assert wrong.json()["code"] == "unauthenticated"


async def test_a_revoked_user_does_not_come_back_with_the_same_token(served: tuple[Hubbub, TestServer]) -> None:
    hub, server = served
    shown = {"Authorization": f"Bearer {token(iat=int(time.time()) - 5)}"}
    async with server.connect("/ws", headers=shown) as alice:
        await alice.expect("welcome")
        await hub.users("alice").revoke()
        assert await alice.closed() == (4401, "the identity was revoked")

    assert await status_of(server, headers=shown) == 401


# Renewing.


async def test_a_connection_goes_on_with_a_newer_token_of_the_same_user(served: tuple[Hubbub, TestServer]) -> None:
    hub, server = served
    soon, later = int(time.time()) + 4, int(time.time()) + 600
    async with server.connect("/ws", headers={"Authorization": f"Bearer {token(exp=soon)}"}) as alice:
        assert (await alice.expect("welcome"))["expires"] == timestamp(soon)
        await alice.send({"type": "auth", "id": "1", "token": token(exp=later, role="admin")})
        assert (await alice.expect("ack", id="1"))["expires"] == timestamp(later)

        (connection,) = hub.connections
        assert (connection.expires, connection.user.role) == (later, Role.ADMIN)
        assert hub.node.feature(AccessFeature)._expiries.over() == []


@pytest.mark.parametrize(
    ("username", "shown", "code"),
    [
        ("", "nonsense", "unauthenticated"),
        ("", token(sub="bob"), "forbidden"),
        ("bob", token(sub="bob"), "forbidden"),
        ("", "", "invalid"),
        ("", "a" * 8193, "invalid"),
    ],
)
async def test_a_wrong_token_renews_nothing(
    served: tuple[Hubbub, TestServer], username: str, shown: str, code: str
) -> None:
    hub, server = served
    headers = {} if username else {"Authorization": f"Bearer {token()}"}
    async with server.connect(f"/ws?username={username}", headers=headers) as client:
        await client.expect("welcome")
        (connection,) = hub.connections
        before = connection.expires
        await client.send({"type": "auth", "id": "1", "token": shown})

        assert (await client.expect("error", id="1"))["code"] == code
        assert connection.expires == before


# Tickets, and tokens in addresses.


async def test_a_ticket_opens_one_socket(served: tuple[Hubbub, TestServer]) -> None:
    _, server = served
    async with httpx2.AsyncClient(base_url=server.url, headers={"Authorization": f"Bearer {token()}"}) as client:
        made = await client.post("/api/v1/tickets")
        ticket = made.json()["ticket"]
        assert (made.status_code, made.json()["expires_in"]) == (201, 30_000)
    async with httpx2.AsyncClient(base_url=server.url) as nobody:
        assert (await nobody.post("/api/v1/tickets")).status_code == 401
        assert (await nobody.get(f"{HISTORY}?ticket={ticket}")).status_code == 401

    async with server.connect(f"/ws?ticket={ticket}") as alice:
        welcome = await alice.expect("welcome")
        assert (welcome["user"], "expires" in welcome) == ("alice", True)
    assert await status_of(server, f"/ws?ticket={ticket}") == 401
    assert await status_of(server, "/ws?ticket=nonsense&username=bob") == 401


async def test_a_revocation_takes_a_ticket_back(served: tuple[Hubbub, TestServer]) -> None:
    hub, server = served
    async with httpx2.AsyncClient(base_url=server.url, headers={"Authorization": f"Bearer {token()}"}) as client:
        ticket = (await client.post("/api/v1/tickets")).json()["ticket"]
    await hub.users("alice").revoke()

    assert await status_of(server, f"/ws?ticket={ticket}") == 401


async def test_a_token_in_the_address_is_taken_on_this_machine_only(served: tuple[Hubbub, TestServer]) -> None:
    _, server = served
    async with server.connect(f"/ws?token={token()}") as alice:
        assert (await alice.expect("welcome"))["user"] == "alice"

    by_proxy = {"X-Forwarded-For": "192.0.2.1"}
    assert await status_of(server, f"/ws?token={token()}", headers=by_proxy) == 401
    assert await status_of(server, "/ws?token=nonsense&username=bob") == 401


# Keys of programs.


async def add_key(hub: Hubbub, *scopes: str) -> str:
    key, secret = make_key("weather", scopes)
    data_dir = hub.node.settings.data_dir
    assert data_dir is not None
    assert await KeyFiles(data_dir).add(key)
    return secret


async def test_a_bot_does_what_its_scopes_allow_and_nothing_else(served: tuple[Hubbub, TestServer]) -> None:
    hub, server = served
    headers = {"Authorization": f"Bearer {await add_key(hub, 'rooms:read')}"}
    async with server.connect("/ws", headers=headers) as bot, httpx2.AsyncClient(base_url=server.url) as client:
        assert (await bot.expect("welcome"))["user"] == "bot:weather"
        await bot.send({"type": "join", "id": "1", "room": "general"})
        await bot.expect("joined", id="1")
        await bot.send({"type": "message", "id": "2", "room": "general", "text": "Rain"})
        assert (await bot.expect("error", id="2"))["code"] == "forbidden"
        client.headers = httpx2.Headers(headers)
        assert (await client.get(HISTORY)).status_code == 200
        assert (await client.post(HISTORY, json={"text": "Rain"})).status_code == 403
        assert (await client.post("/notify/weather", json={"title": "Rain"})).status_code == 403


async def test_a_key_that_is_revoked_ends_its_bot(served: tuple[Hubbub, TestServer]) -> None:
    hub, server = served
    headers = {"Authorization": f"Bearer {await add_key(hub, 'rooms:read')}"}
    async with server.connect("/ws", headers=headers) as bot:
        await bot.expect("welcome")
        assert hub.node.settings.data_dir is not None
        await KeyFiles(hub.node.settings.data_dir).remove("weather")

        assert await bot.closed() == (4401, "the API key was revoked")


async def test_publishing_from_elsewhere_needs_a_key(served: tuple[Hubbub, TestServer]) -> None:
    hub, server = served
    key = await add_key(hub, "topics:publish")
    elsewhere = {"X-Forwarded-For": "192.0.2.1"}
    async with httpx2.AsyncClient(base_url=server.url) as client:

        async def publish(**headers: str) -> int:
            return (await client.post("/notify/news", json={"title": "Rain"}, headers=headers)).status_code

        assert await publish() == 200
        assert await publish(Authorization=f"Bearer {key}", **elsewhere) == 200
        assert await publish(Authorization=f"Bearer {token()}", **elsewhere) == 401
        assert await publish(**elsewhere) == 403
