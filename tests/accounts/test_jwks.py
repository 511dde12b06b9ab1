"""The keys of an issuer who is not ours: it may be slow, down, huge, or lie, and may change its keys."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from hubbub.accounts import jwks
from hubbub.accounts.jwks import FRESH, MOST_BYTES, PAUSE, STALE, IssuerKeys, read_keys, source_at
from hubbub.errors import ConfigurationError, Unavailable

KEYS = {kid: ec.generate_private_key(ec.SECP256R1()) for kid in ("a", "b")}


def entry(kid: str, **other: str) -> dict[str, str]:
    return {**ECAlgorithm.to_jwk(KEYS[kid].public_key(), as_dict=True), "kid": kid, **other}


def key_set(*entries: dict[str, str]) -> bytes:
    return json.dumps({"keys": entries}).encode()


class Shelf:
    """Keys that a test can change, or take away."""

    place = "a shelf"

    def __init__(self, content: bytes | Exception) -> None:
        self.content = content
        self.read = 0
        self.may_answer = threading.Event()
        self.may_answer.set()

    def load(self) -> bytes:
        self.read += 1
        self.may_answer.wait(20)
        if isinstance(self.content, Exception):
            raise self.content
        return self.content


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def settled(keys: IssuerKeys) -> None:
    if keys._reading is not None:
        await asyncio.shield(keys._reading)


async def test_made_up_key_ids_do_not_make_us_ask_again() -> None:
    shelf, clock = Shelf(key_set(entry("a"))), Clock()
    keys = IssuerKeys(shelf, clock=clock)

    found = await asyncio.gather(*(keys.find("ES256", f"made up {number}") for number in range(200)))
    assert found == [None] * 200
    assert await keys.find("ES256", "a") is not None
    assert shelf.read == 1

    clock.now += PAUSE
    await asyncio.gather(*(keys.find("ES256", f"made up {number}") for number in range(200)))
    assert shelf.read == 2


async def test_a_new_key_is_found_and_a_withdrawn_one_is_refused_in_time() -> None:
    shelf, clock = Shelf(key_set(entry("a"))), Clock()
    keys = IssuerKeys(shelf, clock=clock)
    assert await keys.find("ES256", "a") is not None

    shelf.content = key_set(entry("b"))
    clock.now += FRESH
    assert await keys.find("ES256", "b") is not None
    assert await keys.find("ES256", "a") is None


async def test_known_keys_stay_good_for_a_day_while_the_issuer_is_down(caplog: pytest.LogCaptureFixture) -> None:
    shelf, clock = Shelf(key_set(entry("a"))), Clock()
    keys = IssuerKeys(shelf, clock=clock)
    await keys.find("ES256", "a")

    shelf.content = OSError("connection refused")
    for _ in range(5):
        clock.now += FRESH
        assert await keys.find("ES256", "a") is not None
        await settled(keys)
    assert [record.message for record in caplog.records] == ["the keys of a shelf cannot be read: connection refused"]
    assert shelf.read == 6

    clock.now += STALE
    with pytest.raises(Unavailable):
        await keys.find("ES256", "a")


async def answer_of(keys: IssuerKeys) -> object | None:
    with contextlib.suppress(Unavailable):
        return await keys.find("ES256", "a")
    return None


async def test_nobody_waits_for_an_issuer_that_hangs_and_no_second_thread_is_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jwks, "DEADLINE", 0.05)
    shelf, clock = Shelf(key_set(entry("a"))), Clock()
    shelf.may_answer.clear()
    keys = IssuerKeys(shelf, clock=clock)

    for _ in range(3):
        with pytest.raises(Unavailable):
            await keys.find("ES256", "a")
        clock.now += PAUSE
    assert shelf.read == 1

    shelf.may_answer.set()
    async with asyncio.timeout(20):
        while await answer_of(keys) is None:
            clock.now += PAUSE
            await asyncio.sleep(0.01)  # the thread ends by itself


def short_rsa() -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    return {**RSAAlgorithm.to_jwk(key, as_dict=True), "kid": "short"}


@pytest.mark.parametrize(
    "lie",
    [
        b"",
        b"<html>",
        b"[" * 100_000,
        b"[]",
        b'{"keys": 7}',
        b'{"keys": [7, null, {}, []]}',
        b'{"keys": []}',
        key_set({"kty": "oct", "k": "c2VjcmV0", "kid": "a", "alg": "HS256"}),
        key_set(entry("a", use="enc")),
        key_set(entry("a", alg="HS256")),
        key_set(entry("a", crv="P-521")),
        key_set(entry("a", x="AAAA")),
        b'{"keys": [{"kty": ["RSA"], "crv": ["P-256"], "alg": {}}, {"kty": "EC", "crv": {}}]}',
        key_set(short_rsa()),
        key_set(*[entry("a")] * 101),
        b" " * (MOST_BYTES + 1),
    ],
    ids=lambda lie: lie[:40].decode(),
)
def test_what_is_no_usable_key_set_is_refused_whole(lie: bytes) -> None:
    with pytest.raises(ValueError, match=r"^it "):
        read_keys(lie)


def test_two_keys_with_one_id_are_ambiguous_and_other_keys_stay_good() -> None:
    found = read_keys(key_set(entry("a"), entry("b"), {"kty": "oct", "kid": "c"}))
    assert set(found) == {("ES256", "a"), ("ES256", "b")}


@pytest.mark.parametrize("place", ["http://id.example/keys", "ftp://id.example/keys", "https:///keys", "file:///keys"])
def test_keys_come_by_https_or_from_this_machine(place: str) -> None:
    with pytest.raises(ConfigurationError, match="https://"):
        source_at(place)


def test_keys_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(key_set(entry("a")))

    assert set(read_keys(source_at(str(file)).load())) == {("ES256", "a")}


@contextmanager
def issuer(answer: bytes, *, drips: bool = False) -> Iterator[str]:
    """A server that says this to whoever connects, and then nothing more."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.recv(4096)
            peer.sendall(answer)
            while drips and not ended.wait(0.02):
                try:
                    peer.sendall(b"x")
                except OSError:
                    return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/keys"
    finally:
        ended.set()
        thread.join(20)
        listener.close()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"


def test_keys_are_read_from_an_address() -> None:
    with issuer(HEAD + key_set(entry("a"))) as url:
        assert set(read_keys(source_at(url).load())) == {("ES256", "a")}


@pytest.mark.parametrize("begins", [b"HTTP/1.1 200 OK\r\nX-Endless: ", HEAD], ids=["head", "body"])
def test_an_issuer_that_never_ends_is_hung_up_on(begins: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "DEADLINE", 0.2)
    with issuer(begins, drips=True) as url, pytest.raises((OSError, ValueError)):
        read_keys(source_at(url).load())


def test_a_huge_answer_is_not_read_to_its_end() -> None:
    with issuer(HEAD + b" " * (MOST_BYTES + 100)) as url, pytest.raises(ValueError, match="bytes"):
        read_keys(source_at(url).load())


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 302 Found\r\nLocation: https://other.example/keys\r\n\r\n", b"HTTP/1.1 500 No\r\n\r\n", b"SSH-2.0\r\n"],
)
def test_another_answer_than_200_gives_no_keys(answer: bytes) -> None:
    with issuer(answer) as url, pytest.raises(ValueError, match=r"^it "):
        source_at(url).load()
