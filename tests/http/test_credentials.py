"""Which credential decides who somebody is, on the socket and on REST: a wrong one is never ignored."""

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import jwt
import pytest
from pydantic import SecretStr
from websockets.exceptions import InvalidStatus

from hubbub import Hubbub, Settings
from hubbub.serving.app import create_app
from hubbub.testing import TestServer, serving

SECRET = "the secret of the server in this test"
JSON = "hubbub.v1.json"
HISTORY = "/api/v1/rooms/general/messages"


def token(**other: Any) -> str:
    now = int(time.time())
    return jwt.encode({"sub": "alice", "iss": "hubbub", "aud": "hubbub", "iat": now, "exp": now + 600, **other}, SECRET)


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
