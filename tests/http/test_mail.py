"""Links for forgotten passwords come by mail: a real mail server, and a server of our own."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from hubbub import Settings
from hubbub.accounts import passwords
from hubbub.errors import ConfigurationError
from hubbub.features.mail.smtp import MailServer, mail_server
from hubbub.serving.app import create_app
from hubbub.testing import TestServer, serving
from tests.ports import free_port

PAGE = "https://chat.example.com"
PASSWORD, OTHER = "correct horse", "another horse battery"
DEADLINE = 30.0


class Postman:
    """Takes mails, as aiosmtpd's handler."""

    def __init__(self) -> None:
        self.mails: asyncio.Queue[EmailMessage] = asyncio.Queue()
        self.shown: list[tuple[bytes, bytes]] = []
        self._loop = asyncio.get_running_loop()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - its name
        mail = message_from_bytes(envelope.content, policy=policy.default)
        self._loop.call_soon_threadsafe(self.mails.put_nowait, mail)
        return "250 OK"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.shown.append((data.login, data.password))
        return AuthResult(success=True)

    async def link(self) -> str:
        """That of the next mail."""
        mail = await asyncio.wait_for(self.mails.get(), DEADLINE)
        found = re.search(rf"{PAGE}/#/\S+", mail.get_content())
        assert found is not None
        return found[0]


@pytest.fixture
async def postman() -> AsyncIterator[tuple[Postman, int]]:
    found, port = Postman(), free_port()
    controller = Controller(found, "127.0.0.1", port, authenticator=found.authenticate, auth_require_tls=False)
    controller.start()
    yield found, port
    controller.stop()


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "MEMORY", 64)


class Browser(httpx.AsyncClient):
    def __init__(self, server: TestServer) -> None:
        headers = {"Origin": server.url, "Hubbub-CSRF": "1"}
        super().__init__(base_url=f"{server.url}/api/v1", trust_env=False, timeout=60, headers=headers)

    async def sign_up(self, username: str, email: str = "") -> None:
        made = await self.post("/accounts", json={"username": username, "password": PASSWORD})
        assert made.status_code == 201, made.text
        if email:
            assert (await self.patch("/me", json={"email": email})).json()["email_confirmed"] is False


@asynccontextmanager
async def served(folder: Path, port: int, **others: Any) -> AsyncIterator[Callable[[], Browser]]:
    given: dict[str, Any] = {
        "data_dir": folder / "data",
        "sign_up": "open",
        "sign_ups": 100,
        "public_url": PAGE,
        "smtp_url": f"smtp://postman:canary%2Fpassword@127.0.0.1:{port}",
        "mail_from": "chat@example.com",
    }
    async with serving(create_app(Settings(**given | others))) as server, AsyncExitStack() as stack:
        opened: list[Browser] = []

        def browser() -> Browser:
            opened.append(Browser(server))
            return opened[-1]

        stack.push_async_callback(lambda: asyncio.gather(*(one.aclose() for one in opened)))
        yield browser


async def test_who_has_forgotten_the_password_gets_a_link_at_an_address_that_was_confirmed(
    postman: tuple[Postman, int], tmp_path: Path
) -> None:
    post, port = postman
    async with served(tmp_path, port) as browser:
        alice, nobody = browser(), browser()
        assert (await alice.get("/server")).json()["mail"] is True
        await alice.sign_up("alice", "Alice@example.com")

        # The mail that comes first is not one to an address that anybody may have written there.
        assert (await nobody.post("/resets/mail", json={"account": "alice"})).status_code == 204
        assert (await nobody.post("/resets/mail", json={"account": "Alice@example.com"})).status_code == 204
        refused = await alice.post("/me/email/confirmation", json={"password": "wrong horse"})
        assert refused.status_code == 401
        assert (await alice.post("/me/email/confirmation", json={"password": PASSWORD})).status_code == 204
        link = await post.link()
        assert link.startswith(f"{PAGE}/#/confirm/")
        token = link.rpartition("/")[2]
        assert (await nobody.post("/confirmations", json={"token": token + "x"})).status_code == 403
        assert (await nobody.post("/confirmations", json={"token": token})).status_code == 204
        assert (await alice.get("/me")).json()["email_confirmed"] is True
        assert post.shown[0] == (b"postman", b"canary/password")

        elsewhere = {"Host": "localhost", "Origin": "http://localhost"}
        for account in ("ALICE", "alice@EXAMPLE.com"):
            asked = await nobody.post("/resets/mail", json={"account": account}, headers=elsewhere)
            assert asked.status_code == 204
            link = await post.link()
            assert link.startswith(f"{PAGE}/#/reset/")
        reset = await nobody.post("/resets", json={"token": link.rpartition("/")[2], "password": OTHER})
        assert reset.status_code == 204
        assert (await alice.get("/me")).status_code == 401
        assert (await nobody.post("/sessions", json={"username": "alice", "password": OTHER})).status_code == 201

        # Another address has to be confirmed, and the link of the former one does not do that.
        assert (await nobody.patch("/me", json={"email": "new@example.com"})).json()["email_confirmed"] is False
        assert (await nobody.post("/confirmations", json={"token": token})).status_code == 403


async def test_nobody_is_told_which_accounts_there_are(postman: tuple[Postman, int], tmp_path: Path) -> None:
    async with served(tmp_path, postman[1]) as browser:
        await browser().sign_up("alice", "alice@example.com")
        stranger = browser()

        for account, status in [("alice", 204), ("nobody", 204), ("no key!", 204), ("a\0b", 204), ("", 400)]:
            answer = await stranger.post("/resets/mail", json={"account": account})
            assert (answer.status_code, account, answer.text if status == 204 else "") == (status, account, "")
        # How often one may ask is the same, too.
        for account in ("alice", "nobody"):
            answers = [await stranger.post("/resets/mail", json={"account": account}) for _ in range(5)]
            assert [answer.status_code for answer in answers] == [204] * 4 + [429]


async def test_without_a_mail_server_nothing_is_offered(tmp_path: Path) -> None:
    async with served(tmp_path, 1, smtp_url=None) as browser:
        alice = browser()
        assert (await alice.get("/server")).json()["mail"] is False
        assert (await alice.post("/resets/mail", json={"account": "alice"})).status_code == 404


async def test_a_mail_server_that_is_down_harms_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with served(tmp_path, 1) as browser:
        alice = browser()
        await alice.sign_up("alice", "alice@example.com")
        assert (await alice.post("/me/email/confirmation", json={"password": PASSWORD})).status_code == 204
        async with asyncio.timeout(DEADLINE):
            while "a mail could not be sent" not in caplog.text:  # noqa: ASYNC110 - nobody tells when it is logged
                await asyncio.sleep(0.02)
        assert (await alice.get("/me")).status_code == 200
    assert "canary" not in caplog.text
    assert "alice@" not in caplog.text


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtps://mail.example.com", MailServer("mail.example.com", 465, True, "", "")),
        ("smtp://a%40b:p%3Aw@mail.example.com", MailServer("mail.example.com", 587, False, "a@b", "p:w")),
        ("smtp://localhost:25/", MailServer("localhost", 25, False, "", "")),
        ("http://mail.example.com", None),
        ("mail.example.com:25", None),
        ("smtp://mail.example.com:canary", None),
    ],
)
def test_the_address_of_a_mail_server_is_checked(url: str, expected: MailServer | None) -> None:
    if expected is None:
        with pytest.raises(ConfigurationError, match="smtps://") as caught:
            mail_server(url, "chat@example.com")
        assert "canary" not in str(caught.value)
        return
    found = mail_server(url, "chat@example.com")
    assert (found.host, found.port, found.is_tls) == (expected.host, expected.port, expected.is_tls)
    assert (found.user, found.password) == (expected.user, expected.password)
    assert not found.password or found.password not in repr(found)


async def test_settings_that_are_missing_stop_the_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises((ConfigurationError, RuntimeError)) as caught:
        async with served(tmp_path, 1, mail_from=None):
            pass
    assert "HUBBUB_MAIL_FROM" in f"{caught.value} {caplog.text}"


@pytest.mark.parametrize("address", ["a:=b@];", "a,b@example.com", "a@b.com,c", '"a"@b.com', "(a)@b.com", "a@[b]"])
async def test_what_is_more_than_an_address_is_refused(
    postman: tuple[Postman, int], tmp_path: Path, address: str
) -> None:
    async with served(tmp_path, postman[1]) as browser:
        mallory = browser()
        await mallory.sign_up("mallory")
        assert (await mallory.patch("/me", json={"email": address})).status_code == 400


async def test_a_mail_that_cannot_be_made_keeps_no_other_back(
    postman: tuple[Postman, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = MailServer.mail

    def make_or_fail(server: MailServer, to: str, subject: str, text: str) -> EmailMessage:
        # So does Python's parser with some addresses, such as "a:=b@];".
        if to == "mallory@example.com":
            raise IndexError
        return make(server, to, subject, text)

    monkeypatch.setattr(MailServer, "mail", make_or_fail)
    async with served(tmp_path, postman[1]) as browser:
        for name in ("mallory", "alice"):
            one = browser()
            await one.sign_up(name, f"{name}@example.com")
            assert (await one.post("/me/email/confirmation", json={"password": PASSWORD})).status_code == 204
        assert await postman[0].link()
