"""Tokens that npm's jose signs, and its keys at an address: somebody else's program says what a good token is."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from hubbub import Settings
from hubbub.serving.app import create_app
from hubbub.testing import TestServer, serving
from tests.http.test_credentials import SECRET, status_of
from tests.node import token_issuer
from tests.servers import WebServer, watched

THEIRS = {"iss": "https://issuer.test", "aud": "chat", "sub": "alice", "name": "Alice"}
OURS = {"iss": "hubbub", "aud": "hubbub", "sub": "alice", "name": "Alice"}
Sign = Callable[..., Awaitable[str]]


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    yield from watched(token_issuer(tmp_path_factory.mktemp("issuer")))


@pytest.fixture
async def sign(issuer: WebServer) -> AsyncIterator[Sign]:
    async with httpx.AsyncClient(base_url=issuer.url, timeout=60) as client:

        async def ask(alg: str, claims: dict[str, Any], secret: str | None = None, **header: Any) -> str:
            order = {"header": {"alg": alg, **header}, "claims": claims, **({"secret": secret} if secret else {})}
            return (await client.post("/sign", json=order)).text

        yield ask


@asynccontextmanager
async def hub_of(issuer: WebServer, folder: Path) -> AsyncIterator[TestServer]:
    settings = Settings(
        secret=SecretStr(SECRET),
        token_keys=f"{issuer.url}/keys",
        token_issuer=THEIRS["iss"],
        token_audience=THEIRS["aud"],
        data_dir=folder,
    )
    async with serving(create_app(settings), settings=settings) as server:
        yield server


def shown(token: str) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {token}"}}


async def enters(server: TestServer, token: str) -> tuple[str, str]:
    async with server.connect("/ws", **shown(token)) as alice:
        welcome = await alice.expect("welcome")
        return welcome["user"], welcome["name"]


async def test_good_tokens_are_believed_and_others_refused(issuer: WebServer, sign: Sign, tmp_path: Path) -> None:
    good = [
        await sign("RS256", THEIRS),
        await sign("PS256", THEIRS),
        await sign("ES256", THEIRS),
        await sign("ES384", THEIRS),
        await sign("EdDSA", THEIRS),
        await sign("RS256", {**THEIRS, "aud": ["another", "chat"]}, typ="JWT"),
        await sign("HS256", OURS, SECRET),
    ]
    bad = [
        await sign("PS256", THEIRS, kid="RS256-1"),
        await sign("RS256", {**THEIRS, "aud": "another"}),
        await sign("ES256", {**THEIRS, "iss": "https://issuer.test/"}),
        await sign("RS256", THEIRS, kid="ES256-1"),
        await sign("HS256", THEIRS, "public key"),
        await sign("HS256", OURS, "public key"),
        await sign("RS256", OURS),
        await sign("HS256", THEIRS, SECRET),
        await sign("HS512", OURS, SECRET),
        f"{good[0]}x",
    ]
    async with hub_of(issuer, tmp_path) as server:
        assert [await enters(server, token) for token in good] == [("alice", "Alice")] * len(good)
        assert [await status_of(server, **shown(token)) for token in bad] == [401] * len(bad)


async def test_keys_that_are_rotated_are_read_again(
    issuer: WebServer, sign: Sign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.accounts.jwks.PAUSE", 0.0)
    async with hub_of(issuer, tmp_path) as server:
        before = await sign("ES256", THEIRS)
        assert await enters(server, before) == ("alice", "Alice")
        async with httpx.AsyncClient(base_url=issuer.url, timeout=60) as client:
            await client.post("/rotate")
        assert await enters(server, await sign("ES256", THEIRS)) == ("alice", "Alice")
        assert await status_of(server, **shown(before)) == 401
