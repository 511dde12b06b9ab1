"""TLS without a proxy: a real server with a certificate that the test has made."""

import asyncio
import datetime as dt
import logging
import os
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect

from hubbub.errors import ConfigurationError
from hubbub.serving.app import create_app
from hubbub.serving.records import RECORDS
from hubbub.serving.tls import LOOKED_AT_EVERY, Certificate
from hubbub.settings import Settings
from hubbub.testing import TestServer, serving
from tests.servers import hubbub_command

DEADLINE = 30.0


@dataclass(frozen=True)
class Files:
    certificate: Path
    key: Path

    def write(self, name: str = "localhost", *, encrypt: str = "") -> None:
        """A new certificate and a new key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))])
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(names, critical=False)
            .sign(key, hashes.SHA256())
        )
        encryption: KeySerializationEncryption = NoEncryption()
        if encrypt:
            encryption = BestAvailableEncryption(encrypt.encode())
        self.certificate.write_bytes(made.public_bytes(Encoding.PEM))
        self.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = Files(tmp_path / "certificate.pem", tmp_path / "key.pem")
    made.write()
    return made


def settings_of(files: Files, **given: Any) -> Settings:
    paths: dict[str, Any] = {"tls_certificate": files.certificate, "tls_key": files.key, "data_dir": files.key.parent}
    return Settings(guests="on", **paths, **given)


@asynccontextmanager
async def served(files: Files, **given: Any) -> AsyncIterator[TestServer]:
    settings = settings_of(files, **given)
    async with serving(create_app(settings), settings=settings) as server:
        yield server


def client(server: TestServer, trust: ssl.SSLContext) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"https://127.0.0.1:{server.port}", verify=trust)


async def talk(server: TestServer, trust: ssl.SSLContext, text: str) -> None:
    address = f"wss://127.0.0.1:{server.port}/ws/chat/general?username=alice"
    async with asyncio.timeout(DEADLINE), connect(address, ssl=trust, proxy=None) as alice:
        await alice.send(text)
        async for frame in alice:
            if text in str(frame):
                return


async def test_requests_and_sockets_are_encrypted_and_cookies_are_secure(files: Files) -> None:
    async with served(files, sign_up="open") as server, client(server, files.trust()) as browser:
        await talk(server, files.trust(), "hello")
        assert (await browser.get("/api/v1/rooms/general/messages")).json()["messages"][0]["text"] == "hello"
        account = {"username": "alice", "password": "correct horse battery"}
        headers = {"Origin": str(browser.base_url), "Hubbub-CSRF": "1"}
        answer = await browser.post("/api/v1/accounts", json=account, headers=headers)
        assert answer.status_code == 201, answer.text
        assert "Secure" in answer.headers["set-cookie"]
        assert (await browser.get("/")).status_code == 200


async def test_a_large_answer_comes_whole(files: Files) -> None:
    async with served(files) as server, client(server, files.trust()) as browser:
        answers = [await browser.get(path) for path in ("/schema.json", "/openapi.json") for _ in range(3)]
        assert all(answer.status_code == 200 and answer.json() for answer in answers)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
async def test_versions_before_1_2_are_refused(files: Files, version: str) -> None:
    async with served(files) as server:
        old = files.trust()
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = old.maximum_version = ssl.TLSVersion[version]
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", server.port, ssl=old)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=old)
        writer.close()


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"])
async def test_half_a_handshake_and_plain_http_are_closed_in_time(files: Files, sent: bytes) -> None:
    async with served(files, head_timeout=0.5) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(sent)
        async with asyncio.timeout(DEADLINE):
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(1000)
        writer.close()
        await talk(server, files.trust(), "the others go on")


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_handshake_that_begins_before_its_socket_is_accepted_succeeds(
    files: Files, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def come() -> bytes:
        async with served(files) as server:
            # The server stands still until this has sent all of a client's first message.
            link = socket.create_connection(("127.0.0.1", server.port))
            received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = files.trust().wrap_bio(received, sent, server_hostname="localhost")
            with pytest.raises(ssl.SSLWantReadError):
                tls.do_handshake()
            link.sendall(sent.read())
            with link:
                link.setblocking(False)
                loop = asyncio.get_running_loop()
                received.write(await loop.sock_recv(link, 65536))
                tls.do_handshake()
                tls.write(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                await loop.sock_sendall(link, sent.read())
                while data := await loop.sock_recv(link, 65536):
                    received.write(data)
                return tls.read(12)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(asyncio.wait_for(come(), DEADLINE)) == b"HTTP/1.1 200"


async def test_a_body_in_records_of_one_byte_comes_whole_and_not_faster_than_others_bear(files: Files) -> None:
    async with served(files) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=files.trust())
        body = b'{"account": "%s"}' % (b"a" * 783)
        writer.write(b"POST /api/v1/resets/mail HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n")
        writer.write(b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
        began = time.monotonic()
        for one in body:
            writer.write(bytes([one]))
        async with asyncio.timeout(DEADLINE):
            answer = await reader.read()
        assert b'"loc":["account"],"msg":"String should have at most 256' in answer
        assert time.monotonic() - began > 200 / RECORDS.rate
        writer.close()


async def test_half_a_handshake_counts_as_a_connection_of_its_address(files: Files) -> None:
    async with served(files, connections_per_address=20) as server:
        links = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(80)]
        # So many may stay: those within the limit, and sixteen that would be told why.
        async with asyncio.timeout(DEADLINE):
            ended = 0
            for reader, _ in links[36:]:
                with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                    await reader.readexactly(1)
                ended += 1
        assert (ended, [reader.at_eof() for reader, _ in links[:20]]) == (44, [False] * 20)
        for _, writer in links:
            writer.close()


async def test_who_reads_slowly_goes_on_and_who_reads_nothing_is_dropped(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "hubbub")
    app = create_app(settings := settings_of(files, stall_timeout=1.5))
    async with serving(app, settings=settings) as server:
        bob = await with_small_buffer(server, files.trust(), "bob", max_queue=1)
        eve = await with_small_buffer(server, files.trust(), "eve", max_queue=None)
        eve.transport.pause_reading()
        room = app.state.hub.rooms("general")
        for _ in range(100):
            await room.send("x" * 3900)
        await room.send("the last one")
        async with asyncio.timeout(DEADLINE):
            async for frame in bob:
                if "the last one" in str(frame):
                    break
                await asyncio.sleep(len(frame) / 150_000)
            eve.transport.resume_reading()
            await eve.wait_closed()
        assert eve.close_code == 1006
        assert all(f"of {name} is congested" in caplog.text for name in ("bob", "eve"))
        assert re.findall("dropped [^ ]+ of ([a-z]+)", caplog.text) == ["eve"]
        await bob.close()


async def with_small_buffer(server: TestServer, trust: ssl.SSLContext, name: str, **given: Any) -> ClientConnection:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", server.port))
    address = f"wss://127.0.0.1:{server.port}/ws/chat/general?username={name}"
    alike: dict[str, Any] = {"server_hostname": "127.0.0.1", "proxy": None, "compression": None}
    return await connect(address, sock=sock, ssl=trust, **alike, **given)


async def test_a_renewed_certificate_is_taken_and_no_connection_ends(
    files: Files, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("hubbub.serving.tls.LOOKED_AT_EVERY", 0.0)
    old = files.trust()
    async with served(files) as server:
        address = f"wss://127.0.0.1:{server.port}/ws/chat/general?username=bob"
        async with connect(address, ssl=old, proxy=None) as bob:
            good = files.key.read_bytes()
            files.write()
            new, key = files.trust(), files.key.read_bytes()
            files.key.write_bytes(good)
            await talk(server, old, "between the two files")
            assert "is not that of the certificate" in caplog.text
            files.key.write_bytes(key)
            await talk(server, new, "with the new one")
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.open_connection("127.0.0.1", server.port, ssl=old)
            await bob.send("with the old one")
            async with asyncio.timeout(DEADLINE):
                async for frame in bob:
                    if "with the old one" in str(frame):
                        break


def test_the_files_are_looked_at_now_and_then_only(files: Files) -> None:
    now = 0.0
    certificate = Certificate(files.certificate, files.key, clock=lambda: now)
    first = certificate.context()
    files.write()
    assert certificate.context() is first
    now = LOOKED_AT_EVERY
    assert certificate.context() is not first


def no_key(files: Files) -> None:
    files.key.unlink()


def a_fifo(files: Files) -> None:
    files.key.unlink()
    os.mkfifo(files.key)


def another_key(files: Files) -> None:
    kept = files.certificate.read_bytes()
    files.write()
    files.certificate.write_bytes(kept)


def no_pem(files: Files) -> None:
    files.certificate.write_text("not a certificate")


def encrypted(files: Files) -> None:
    files.write(encrypt="the password")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (no_key, "HUBBUB_TLS_KEY: .*key.pem cannot be read .*No such file"),
        (a_fifo, "HUBBUB_TLS_KEY: .*key.pem cannot be read .*not a regular file"),
        (another_key, "is not that of the certificate"),
        (no_pem, "both must be PEM"),
        (encrypted, "give its password with HUBBUB_TLS_KEY_PASSWORD"),
    ],
)
def test_what_is_wrong_with_the_files_is_said_at_the_start(
    files: Files, spoil: Callable[[Files], None], said: str
) -> None:
    spoil(files)
    with pytest.raises(ConfigurationError, match=said):
        Certificate(files.certificate, files.key)


def test_an_encrypted_key_opens_with_its_password_and_one_file_may_hold_both(files: Files) -> None:
    files.write(encrypt="the password")
    assert Certificate(files.certificate, files.key, password="the password").context().get_ca_certs() == []
    files.write()
    files.certificate.write_bytes(files.certificate.read_bytes() + files.key.read_bytes())
    assert Certificate(files.certificate, None).context().get_ca_certs() == []


def test_the_command_line_names_https_addresses_and_says_what_is_wrong(files: Files) -> None:
    words = ("serve", "--tls-certificate", str(files.certificate), "--tls-key", str(files.certificate))
    status, said = hubbub_command(files.key.parent, *words).run()
    assert (status, said.count("\n")) == (2, 1), said
    assert said.startswith("hubbub: there is no certificate with its key in")


async def test_a_key_without_a_certificate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="a key alone makes no TLS"):
        Certificate.of(Settings(tls_key=tmp_path / "key.pem", tls_key_password=SecretStr("x")))
