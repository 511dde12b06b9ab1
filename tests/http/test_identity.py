"""What a login says beside the user: until when, by which session, in which role."""

import time

import httpx2
import pytest
from fastapi import FastAPI
from starlette.requests import HTTPConnection
from websockets.exceptions import InvalidStatus

from hubbub import Authenticated, Hubbub, Role, User
from hubbub.testing import serving

ALICE = User("alice", "Alice", role=Role.ADMIN)
IN_AN_HOUR = time.time() + 3600


async def login(connection: HTTPConnection) -> Authenticated:
    expires = IN_AN_HOUR if connection.headers.get("authorization") == "Bearer good" else time.time()
    return Authenticated(ALICE, expires=expires, session="s1", scopes=("rooms:send",))


def host(hub: Hubbub) -> FastAPI:
    app = FastAPI()
    app.include_router(hub.router)
    return app


@pytest.mark.parametrize("plain", [False, True])
async def test_a_connection_knows_what_its_login_said(plain: bool) -> None:
    hub = Hubbub(authenticate=login, page=False)
    async with (
        serving(host(hub), plain=plain) as server,
        server.connect("/ws", headers={"Authorization": "Bearer good"}) as alice,
    ):
        await alice.expect("welcome")
        (connection,) = hub.connections

    assert (connection.user, connection.session, connection.expires) == (ALICE, "s1", IN_AN_HOUR)
    assert connection.scopes == ("rooms:send",)
    assert connection.user.role is Role.ADMIN


async def test_a_login_that_has_expired_is_refused_before_the_upgrade() -> None:
    hub = Hubbub(authenticate=login, page=False)
    async with serving(host(hub)) as server, httpx2.AsyncClient(base_url=server.url) as client:
        with pytest.raises(InvalidStatus) as refused:
            async with server.connect("/ws"):
                pass
        answer = await client.get("/api/v1/rooms/general/messages")

    assert refused.value.response.status_code == answer.status_code == 401
    assert answer.json()["code"] == "unauthenticated"


def test_a_guest_has_no_other_role() -> None:
    assert User("bob", "Bob", guest=True, role=Role.ADMIN).role is Role.GUEST
    assert User("alice", "Alice").role is Role.MEMBER
