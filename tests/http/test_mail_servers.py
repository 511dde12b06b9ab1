"""Mail servers that speak TLS, that hang, and that never end."""

import asyncio
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from hubbub.accounts import passwords
from hubbub.features.mail import resets, smtp
from hubbub.features.mail.smtp import MailServer
from tests.http.test_mail import PASSWORD, Postman, served
from tests.ports import free_port
from tests.serving.test_tls import Files

DEADLINE = 60.0
STEPS = ("greeting", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "end of mail")
ENDLESS = b"250-never ends\r\n" * 100


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "MEMORY", 64)


class BadServer:
    """A mail server that goes on until a step, and then says `then` for ever, or nothing. It serves one client after
    the other."""

    def __init__(self, step: str, then: bytes = b"") -> None:
        self._step, self._then = step, then
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._link: socket.socket | None = None
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        if self._link is not None:
            with suppress(OSError):
                self._link.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                self._link, _ = self._listener.accept()
                with self._link, suppress(OSError):
                    self._serve(self._link)

    def _serve(self, link: socket.socket) -> None:
        answers = {"EHLO": b"250-hello\r\n250 AUTH PLAIN\r\n", "AUTH": b"235 ok\r\n", "DATA": b"354 go on\r\n"}
        with link.makefile("rb") as lines:
            word = "greeting"
            while word != self._step:
                link.sendall(b"220 hello\r\n" if word == "greeting" else answers.get(word, b"250 ok\r\n"))
                if word == "DATA":
                    while lines.readline() not in {b".\r\n", b""}:
                        pass
                    word = "end of mail"
                elif not (line := lines.readline()):
                    return
                else:
                    word = line[:4].decode().strip().upper()
            while self._then:
                link.sendall(self._then)
            lines.read()


@contextmanager
def bad_server(step: str, then: bytes = b"") -> Iterator[BadServer]:
    server = BadServer(step, then)
    try:
        yield server
    finally:
        server.close()


def send(server: MailServer) -> None:
    server.send(server.mail("alice@example.com", "hello", "a link"))


def at(port: int, *, host: str = "127.0.0.1", is_tls: bool = False) -> MailServer:
    return MailServer(host, port, is_tls, "postman", "canary", "chat@example.com")


@pytest.mark.parametrize("step", STEPS)
def test_a_mail_server_that_hangs_at_any_step_is_given_up(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "DEADLINE", 0.2)
    with bad_server(step) as server, pytest.raises(OSError):  # noqa: PT011 - of whatever kind
        send(at(server.port))


@pytest.mark.parametrize("step", STEPS)
def test_a_mail_server_whose_answer_never_ends_is_given_up_long_before_the_deadline(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "DEADLINE", 10 * DEADLINE)
    with bad_server(step, ENDLESS) as server, pytest.raises(OSError):  # noqa: PT011 - of whatever kind
        send(at(server.port))


def test_a_mail_is_sent_even_if_the_server_fails_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "DEADLINE", 10 * DEADLINE)
    with bad_server("QUIT", ENDLESS) as server:
        send(at(server.port))


def certificate(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "localhost") -> ssl.SSLContext:
    """That of a mail server with this name. This process trusts it."""
    files = Files(folder / "certificate.pem", folder / "key.pem")
    files.write(name)
    monkeypatch.setenv("SSL_CERT_FILE", str(files.certificate))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    return context


class EncryptedController(Controller):
    """Its own check that it has started speaks no TLS to our certificate."""

    def _trigger_server(self) -> None:
        socket.create_connection((self.hostname, self.port)).close()


@contextmanager
def postman(
    *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None
) -> Iterator[tuple[Postman, int]]:
    found, port = Postman(), free_port()
    controller = EncryptedController(
        found,
        "127.0.0.1",
        port,
        ssl_context=tls,
        tls_context=starttls,
        require_starttls=starttls is not None,
        authenticator=found.authenticate,
        auth_require_tls=tls is None,
    )
    controller.start()
    try:
        yield found, port
    finally:
        controller.stop()


@pytest.mark.parametrize("way", ["tls", "starttls"])
async def test_a_mail_goes_through_tls_and_starttls(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "is_loopback", lambda _: False)
    with postman(**{way: certificate(tmp_path, monkeypatch)}) as (post, port):
        await asyncio.to_thread(send, at(port, host="localhost", is_tls=way == "tls"))

        assert (await asyncio.wait_for(post.mails.get(), DEADLINE))["Subject"] == "hello"
        assert post.shown == [(b"postman", b"canary")]


@pytest.mark.parametrize("way", ["tls", "starttls"])
async def test_a_mail_server_with_another_name_gets_no_password(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "is_loopback", lambda _: False)
    with postman(**{way: certificate(tmp_path, monkeypatch, "mail.example.com")}) as (post, port):
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.to_thread(send, at(port, host="localhost", is_tls=way == "tls"))
        assert post.shown == []


async def test_a_mail_server_without_starttls_gets_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "is_loopback", lambda _: False)
    with postman() as (post, port):
        with pytest.raises(smtplib.SMTPNotSupportedError):
            await asyncio.to_thread(send, at(port))
        assert post.shown == []


async def test_a_mail_server_that_hangs_delays_no_log_in_and_no_stop_and_few_mails_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(smtp, "DEADLINE", 10 * DEADLINE)
    monkeypatch.setattr(resets, "MOST_WAITING", 3)
    with bad_server("greeting") as server:
        async with asyncio.timeout(DEADLINE), served(tmp_path, server.port) as browser:
            alice = browser()
            await alice.sign_up("alice", "alice@example.com")
            confirm = {"password": PASSWORD}
            assert (await alice.post("/me/email/confirmation", json=confirm)).status_code == 204
            answers = [await alice.post("/resets/mail", json={"account": f"a{number}"}) for number in range(6)]
            assert {answer.status_code for answer in answers} == {204, 429}
            log_in = {"username": "alice", "password": PASSWORD}
            assert (await browser().post("/sessions", json=log_in)).status_code == 201
    assert "canary" not in caplog.text
