"""A provider that is not ours: what it may say, and what happens when it lies, is slow, down or huge."""

import asyncio
import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

from hubbub.accounts import openid
from hubbub.accounts.jwks import MOST_BYTES
from hubbub.accounts.openid import LogInRefused, Metadata, Person, Progress, Provider, read_metadata
from hubbub.errors import ConfigurationError, RateLimited, Unavailable

KEY, OTHERS = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
EDWARDS = ed25519.Ed25519PrivateKey.generate()
CLIENT = "hubbub & sons"
REDIRECT = "https://chat.example.com/api/v1/oidc/callback"


class Issuer:
    """Answers as a test says."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, dict[str, str], dict[str, list[str]]]] = []
        self.nonce = ""
        self.claims: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.sign: Callable[[dict[str, Any]], str] = lambda claims: jwt.encode(claims, KEY, "ES256", {"kid": "a"})
        self.status = 200
        self.content: bytes | None = None
        self.hangs = asyncio.Event()
        self.hangs.set()
        self._serving: set[asyncio.Task[None]] = set()

    def answer(self, path: str) -> bytes:
        if self.content is not None:
            return self.content
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": "s-1",
            "iat": now,
            "exp": now + 60,
            "nonce": self.nonce,
            "name": "Alice",
            "preferred_username": "alice",
        }
        given: dict[str, Any] = {
            openid.WELL_KNOWN: {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize?tenant=1",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                **self.metadata,
            },
            "/keys": {
                "keys": [
                    {**ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "a"},
                    {**OKPAlgorithm.to_jwk(EDWARDS.public_key(), as_dict=True), "kid": "ed"},
                ]
            },
            "/me": {"sub": "s-1", "name": "Alice Liddell", "preferred_username": "al"},
        }
        if path == "/token":
            # What a test sets to None is left out.
            wanted = {name: value for name, value in (claims | self.claims).items() if value is not None}
            return json.dumps(
                {"access_token": "access", "token_type": "Bearer", "id_token": self.sign(wanted)}
            ).encode()
        return json.dumps(given[path]).encode()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        try:
            await self.serve(reader, writer)
        finally:
            writer.close()

    async def end(self) -> None:
        """Ends all connections, also those that nobody answered."""
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split(" ")[1]
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.asked.append((path, headers, parse_qs(body.decode())))
        await self.hangs.wait()
        content = self.answer(path)
        status = self.status if path == "/token" else 200
        writer.write(f"HTTP/1.1 {status} OK\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    made = Issuer()
    server = await asyncio.start_server(made.accept, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield made
    server.close()
    await made.end()


def provider_at(issuer: Issuer, *, secret: str | None = "s:cret") -> Provider:
    return Provider(issuer.url, client_id=CLIENT, client_secret=secret, redirect=REDIRECT, clock=time.monotonic)


async def log_in(issuer: Issuer, **answer: str | None) -> Person:
    provider, progress = provider_at(issuer), Progress()
    issuer.nonce = progress.nonce
    await provider.begin(progress)
    given = {"code": "c", "state": progress.state} | answer
    return await provider.finish(progress, {name: value for name, value in given.items() if value is not None})


async def test_a_log_in_asks_as_the_specification_says(issuer: Issuer) -> None:
    provider, progress = provider_at(issuer), Progress()
    issuer.nonce = progress.nonce

    address = urlsplit(await provider.begin(progress))
    person = await provider.finish(progress, {"code": "c", "state": progress.state})

    assert person == Person(issuer.url, "s-1", "alice", "Alice")
    challenge = urlsafe_b64encode(hashlib.sha256(progress.verifier.encode()).digest()).decode().rstrip("=")
    assert parse_qs(address.query) == {
        "tenant": ["1"],
        "response_type": ["code"],
        "client_id": [CLIENT],
        "redirect_uri": [REDIRECT],
        "scope": ["openid profile"],
        "state": [progress.state],
        "nonce": [progress.nonce],
        "code_challenge": [challenge],
        "code_challenge_method": ["S256"],
    }
    ((_, headers, form),) = [asked for asked in issuer.asked if asked[0] == "/token"]
    assert form == {
        "grant_type": ["authorization_code"],
        "code": ["c"],
        "redirect_uri": [REDIRECT],
        "code_verifier": [progress.verifier],
    }
    assert headers["authorization"].startswith("Basic ")
    assert progress.verifier not in repr(progress)


@pytest.mark.parametrize(("secret", "shown"), [("s:cret", ["s:cret"]), (None, None)])
async def test_a_client_shows_its_secret_as_the_provider_wants_it(
    issuer: Issuer, secret: str | None, shown: list[str] | None
) -> None:
    issuer.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    provider, progress = provider_at(issuer, secret=secret), Progress()
    issuer.nonce = progress.nonce

    await provider.finish(progress, {"code": "c", "state": progress.state})

    ((_, headers, form),) = [asked for asked in issuer.asked if asked[0] == "/token"]
    assert form["client_id"] == [CLIENT]
    assert form.get("client_secret") == shown
    assert "authorization" not in headers


async def test_a_name_that_is_not_in_the_token_is_asked_for(issuer: Issuer) -> None:
    issuer.metadata = {"userinfo_endpoint": f"{issuer.url}/me"}
    issuer.claims = {"name": None, "preferred_username": None}

    assert await log_in(issuer) == Person(issuer.url, "s-1", "al", "Alice Liddell")
    assert issuer.asked[-1][1]["authorization"] == "Bearer access"

    issuer.claims |= {"sub": "s-2"}
    with pytest.raises(LogInRefused):
        await log_in(issuer)


def header(**fields: Any) -> Callable[[dict[str, Any]], str]:
    return lambda claims: jwt.encode(claims, KEY, "ES256", {"kid": "a", **fields})


def with_public_key_as_secret(claims: dict[str, Any]) -> str:
    # PyJWT refuses to make it.
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    parts = ({"alg": "HS256", "kid": "a"}, claims)
    signed = ".".join(urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    signature = hmac.digest(public, signed.encode(), "sha256")
    return f"{signed}.{urlsafe_b64encode(signature).decode().rstrip('=')}"


WRONG_TOKENS: dict[str, Callable[[dict[str, Any]], str]] = {
    "no signature": lambda claims: jwt.encode(claims, "", "none"),
    "a public key as a secret": with_public_key_as_secret,
    "another key": lambda claims: jwt.encode(claims, OTHERS, "ES256", {"kid": "a"}),
    "an unknown key": header(kid="b"),
    "extensions": header(crit=["exp"]),
    "no token": lambda claims: "x",
}
NOW = int(time.time())
WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "another nonce": {"nonce": "x"},
    "no nonce": {"nonce": None},
    "another issuer": {"iss": "https://evil.example"},
    "another audience": {"aud": "others"},
    "one audience of several, for somebody else": {"aud": [CLIENT, "others"], "azp": "others"},
    "several audiences, for nobody": {"aud": [CLIENT, "others"]},
    "expired": {"exp": NOW - 600},
    "without an end": {"exp": None},
    "issued in the future": {"iat": NOW + 3600},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that no database stores": {"sub": "a\0b"},
    "a long subject": {"sub": "x" * 256},
    "another access token": {"at_hash": "x"},
}


async def test_a_provider_may_sign_with_ed25519(issuer: Issuer) -> None:
    issuer.sign = lambda claims: jwt.encode(claims, EDWARDS, "EdDSA", {"kid": "ed"})
    assert (await log_in(issuer)).subject == "s-1"


@pytest.mark.parametrize("wrong", WRONG_TOKENS)
async def test_a_token_that_is_not_signed_by_the_provider_is_refused(issuer: Issuer, wrong: str) -> None:
    issuer.sign = WRONG_TOKENS[wrong]

    with pytest.raises(LogInRefused):
        await log_in(issuer)


@pytest.mark.parametrize("wrong", WRONG_CLAIMS)
async def test_a_token_of_another_log_in_is_refused(issuer: Issuer, wrong: str) -> None:
    issuer.claims = WRONG_CLAIMS[wrong]

    with pytest.raises(LogInRefused):
        await log_in(issuer)


async def test_an_answer_of_another_issuer_is_refused(issuer: Issuer) -> None:
    assert (await log_in(issuer)).subject == "s-1"
    assert (await log_in(issuer, iss=issuer.url)).subject == "s-1"
    with pytest.raises(LogInRefused):
        await log_in(issuer, iss="https://evil.example")
    issuer.metadata = {"authorization_response_iss_parameter_supported": True}
    with pytest.raises(LogInRefused):
        await log_in(issuer)


async def test_who_said_no_at_the_provider_is_told_apart_from_what_went_wrong(issuer: Issuer) -> None:
    answers: list[tuple[dict[str, str | None], str]] = [
        ({"error": "access_denied"}, "cancelled"),
        ({"error": "server_error"}, "failed"),
        ({"code": None}, "failed"),
        ({"state": None}, "expired"),
        ({"state": "ä"}, "expired"),
    ]
    for answer, reason in answers:
        with pytest.raises(LogInRefused) as caught:
            await log_in(issuer, **answer)
        assert caught.value.reason == reason
    assert not [asked for asked in issuer.asked if asked[0] == "/token"]


# A provider that lies, is slow, down or huge.


@pytest.mark.parametrize(
    "lie",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://login.example.com/authorize"},
        {"token_endpoint": "http://127.0.0.1/token"},
        {"token_endpoint": "https://"},
        {"token_endpoint": "https://x:y/"},
        {"jwks_uri": "/etc/passwd"},
        {"jwks_uri": 1},
        {"userinfo_endpoint": "ftp://login.example.com/"},
    ],
)
def test_what_a_provider_says_of_itself_is_not_believed_blindly(lie: dict[str, Any]) -> None:
    issuer = "https://login.example.com/tenant"
    honest = {
        "issuer": issuer + "/",
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "jwks_uri": f"{issuer}/keys",
    }
    assert isinstance(read_metadata(honest, issuer), Metadata)

    with pytest.raises(ValueError, match=r"issuer|https://"):
        read_metadata(honest | lie, issuer)


@pytest.mark.parametrize("content", [b"x" * (MOST_BYTES + 2), b"[" * 100_000, b"[]", b"", b"<html>", b"\xff{}"])
async def test_what_is_huge_or_nonsense_is_not_used(issuer: Issuer, content: bytes) -> None:
    issuer.content = content

    with pytest.raises(Unavailable):
        await provider_at(issuer).begin(Progress())


async def test_nobody_waits_long_for_a_provider_that_hangs(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openid, "DEADLINE", 0.05)
    issuer.hangs.clear()
    provider = provider_at(issuer)

    async with asyncio.timeout(20):
        outcomes = await asyncio.gather(*(provider.begin(Progress()) for _ in range(50)), return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    # All of them together have asked once, and nobody asks again at once.
    with pytest.raises(Unavailable):
        await provider.begin(Progress())
    assert len(issuer.asked) <= 1


async def test_only_so_many_wait_for_a_provider_at_once(issuer: Issuer) -> None:
    provider, progress = provider_at(issuer), Progress()
    issuer.nonce = progress.nonce
    await provider.begin(progress)
    issuer.hangs.clear()

    asked = [
        asyncio.ensure_future(provider.finish(progress, {"code": "c", "state": progress.state}))
        for _ in range(openid.MOST_AT_ONCE + 5)
    ]
    done, waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED, timeout=20)
    assert {type(one.exception()) for one in done} == {RateLimited}
    issuer.hangs.set()
    await asyncio.wait(waiting, timeout=20)
    assert [one.result().subject for one in asked if one.exception() is None] == ["s-1"] * openid.MOST_AT_ONCE


async def test_a_code_that_is_not_taken_and_a_provider_in_trouble_differ(issuer: Issuer) -> None:
    for status, error in [(400, LogInRefused), (500, Unavailable), (302, LogInRefused)]:
        issuer.status = status
        with pytest.raises(error):
            await log_in(issuer)


def test_an_issuer_without_https_is_a_mistake() -> None:
    for wrong in ("http://login.example.com", "login.example.com", "https://", "ftp://x"):
        with pytest.raises(ConfigurationError, match="https://"):
            Provider(wrong, client_id="x", client_secret=None, redirect=REDIRECT, clock=time.monotonic)
