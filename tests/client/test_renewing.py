"""The clients go on with newer tokens, and do not come back with one that was taken from them."""

import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path

import jwt
import pytest
from pydantic import SecretStr

from hubbub import Hubbub, Settings
from hubbub.client import Client, Ended, State
from hubbub.serving.app import create_app
from hubbub.testing import TestServer, serving
from tests.client.node_program import driven
from tests.waiting import eventually

SECRET = "the secret of the server in this test"


def token(seconds: float, *, issued: float = 0) -> str:
    now = int(time.time())
    claims = {"sub": "alice", "iss": "hubbub", "aud": "hubbub", "iat": now + issued, "exp": now + seconds}
    return jwt.encode(claims, SECRET)


async def read_all(client: Client) -> None:
    async for _ in client:
        pass


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[Hubbub, str]]:
    settings = Settings(secret=SecretStr(SECRET), data_dir=tmp_path)
    app = create_app(settings)
    async with serving(app, settings=settings) as server:
        yield app.state.hub, address_of(server)


def address_of(server: TestServer) -> str:
    return f"ws://127.0.0.1:{server.port}/ws"


async def test_a_token_is_renewed_before_it_expires(
    served: tuple[Hubbub, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hub, address = served
    lasting = token(600)
    given = iter([token(3)])

    async def next_token() -> str:
        return next(given, lasting)

    async with Client(address, token=next_token) as alice:
        assert alice.user == "alice"

        def is_renewed() -> bool:
            return any((connection.expires or 0) > time.time() + 100 for connection in hub.connections)

        await eventually(is_renewed)
        await alice.wait_for(State.LIVE)
    assert caplog.text
    assert lasting not in caplog.text


async def test_a_client_comes_back_with_another_token_only(served: tuple[Hubbub, str]) -> None:
    hub, address = served
    tokens = [token(600, issued=-5)]
    async with Client(address, token=lambda: tokens[-1], first_wait=0.01) as alice:
        (first,) = hub.connections
        tokens.append(token(600, issued=2))
        await hub.users("alice").revoke()
        await eventually(lambda: any(one.is_open and one.id != first.id for one in hub.connections))
        await alice.wait_for(State.LIVE)

        await hub.users("alice").disconnect(4401, "again")
        with pytest.raises(Ended) as ended:
            await read_all(alice)
        assert ended.value.code == 4401


async def test_the_typescript_client_renews_its_token_and_comes_back_with_another_one_only(
    served: tuple[Hubbub, str], folder: Path
) -> None:
    hub, address = served
    first, second, third = token(600, issued=-5), token(600), token(600, issued=2)
    async with driven(folder, address, "json", first) as alice:
        await alice.do("give", token(3), first, second, third)
        await alice.do("open")
        (connection,) = hub.connections
        await eventually(lambda: (connection.expires or 0) > time.time() + 100)
        for _ in (second, third):
            await hub.users("alice").disconnect(4401, "again")
            await alice.expect(state="waiting")
            await alice.expect(state="live")

        await hub.users("alice").disconnect(4401, "again")
        await alice.expect(state="refused")
        assert not [line for line in alice.lines if third in line]
