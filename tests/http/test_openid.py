"""People log in at somebody else's provider: npm's oidc-provider, to a server of our own."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from websockets.asyncio.client import connect

from hubbub import Hubbub, Settings
from hubbub.accounts import passwords
from hubbub.errors import ConfigurationError
from hubbub.serving.app import create_app
from hubbub.testing import TestServer, serving
from tests.node import openid_provider
from tests.servers import WebServer, hubbub_server, watched
from tests.waiting import eventually

PAGE = "http://chat.test"
"""Where people open the page. The tests lead it to the server."""
SECRET = "canary-client-secret"
DONE = f"{PAGE}/#/log-in/done"
TLS = httpx.create_ssl_context(trust_env=False)
"""To make one takes longer than a request."""


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    folder = tmp_path_factory.mktemp("provider")
    yield from watched(openid_provider(folder, f"{PAGE}/api/v1/oidc/callback", f"{PAGE}/chat/api/v1/oidc/callback"))


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "MEMORY", 64)


def settings_for(provider: WebServer, folder: Path, **others: Any) -> Settings:
    given: dict[str, Any] = {
        "public_url": PAGE,
        "oidc_issuer": provider.url,
        "oidc_client_id": "hubbub",
        "oidc_client_secret": SECRET,
        "sign_up": "open",
        "guests": "on",
        "sign_ups": 100,
        "data_dir": folder / "data",
        "allowed_hosts": ["chat.test"],
    }
    return Settings(**given | others)


class Person(httpx.AsyncClient):
    """A browser, whose name server knows PAGE."""

    def __init__(self, server: TestServer | WebServer, prefix: str = "") -> None:
        super().__init__(base_url=f"{server.url}{prefix}", trust_env=False, verify=TLS, timeout=60)
        self.server = server

    @property
    def api(self) -> httpx.URL:
        return httpx.URL(f"{str(self.base_url).rstrip('/')}/api/v1/")

    async def begin(self, *, secret: str | None = None, **carried: str) -> str:
        """Returns the provider's address."""
        headers = {"Hubbub-Secret": secret} if secret is not None else {}
        begun = await self.post(f"{self.api}oidc", json=carried, headers=headers)
        assert begun.status_code == 200, begun.text
        return str(begun.json()["url"])

    async def enter(self, address: str, subject: str, username: str = "", name: str = "", do: str = "enter") -> str:
        """Log in at the provider, in another browser window. Returns the address to which it sends the browser."""
        form = {"subject": subject, "username": username, "name": name, "do": do}
        async with httpx.AsyncClient(trust_env=False, verify=TLS, timeout=60) as elsewhere:
            shown = await elsewhere.get(address, follow_redirects=True)
            answer = await elsewhere.post(shown.url, data=form)
            while not (location := answer.headers["location"]).startswith(PAGE):
                answer = await elsewhere.get(location)
        return str(location)

    async def come_back(self, address: str) -> str:
        """Follow the provider's address to us. Returns where our answer leads."""
        answer = await self.get(address.replace(PAGE, self.server.url))
        assert answer.status_code == 303, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return str(answer.headers["location"])

    async def log_in(self, subject: str, username: str = "", name: str = "", **carried: Any) -> str:
        return await self.come_back(await self.enter(await self.begin(**carried), subject, username, name))

    async def me(self) -> dict[str, Any]:
        answer = await self.get(f"{self.api}me")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


class People:
    def __init__(self, server: TestServer | WebServer, data: Path, opened: AsyncExitStack) -> None:
        self.server = server
        self._data = data
        self._opened = opened

    async def __call__(self) -> Person:
        return await self._opened.enter_async_context(Person(self.server))

    @property
    def setup_token(self) -> str:
        return (self._data / "setup-link").read_text().strip().rpartition("/")[2]

    async def administrator(self) -> Person:
        root = await self()
        root.headers.update({"Origin": self.server.url, "Hubbub-CSRF": "1"})
        given = {"username": "root", "password": "correct horse"}
        if (await root.get("/api/v1/server")).json()["needs_setup"]:
            made = await root.post("/api/v1/accounts", json=given | {"setup": self.setup_token})
        else:
            made = await root.post("/api/v1/sessions", json=given)
        assert made.status_code == 201
        return root


@asynccontextmanager
async def people_at(settings: Settings) -> AsyncIterator[People]:
    assert settings.data_dir is not None
    async with serving(create_app(settings)) as server, AsyncExitStack() as opened:
        yield People(server, settings.data_dir, opened)


@pytest.fixture(scope="module")
def server(provider: WebServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Where everybody may sign up. At debug, so that a test sees what the log may never hold."""
    settings = settings_for(provider, tmp_path_factory.mktemp("hub"))
    environment = {
        f"HUBBUB_{name.upper()}": value if isinstance(value := getattr(settings, name), str) else json.dumps(value)
        for name in ("public_url", "oidc_issuer", "oidc_client_id", "sign_up", "guests", "sign_ups", "allowed_hosts")
    }
    environment |= {"HUBBUB_OIDC_CLIENT_SECRET": SECRET, "HUBBUB_LOG_LEVEL": "debug"}
    yield from watched(hubbub_server(tmp_path_factory.mktemp("openid"), environment=environment))


@pytest.fixture
async def people(server: WebServer) -> AsyncIterator[People]:
    async with AsyncExitStack() as opened:
        yield People(server, server.folder / "hubbub-data", opened)


async def test_who_logs_in_there_has_an_account_here_and_finds_it_again(people: People) -> None:
    alice, again = await people(), await people()
    shown = (await alice.get("/api/v1/server")).json()["providers"]
    assert shown == [{"id": "oidc", "name": "127.0.0.1"}]

    assert await alice.log_in("subject-1", "alice", "Alice Liddell") == DONE
    me = {"key": "alice", "name": "Alice Liddell", "role": "member", "guest": False}
    assert await alice.me() == me
    # What the provider calls her now is not who she is.
    assert await again.log_in("subject-1", "mallory", "Mallory") == DONE
    assert await again.me() == me

    headers = {"Origin": people.server.url, "Hubbub-CSRF": "1"}
    assert (await alice.delete("/api/v1/sessions/current", headers=headers)).status_code == 204
    assert (await alice.me())["guest"] is True
    assert (await again.me())["guest"] is False


async def test_a_name_or_an_address_of_somebody_here_leads_to_no_account_of_theirs(people: People) -> None:
    root = await people.administrator()
    assert (await root.patch("/api/v1/me", json={"email": "root@example.com"})).status_code == 200
    mallory, other = await people(), await people()

    assert await mallory.log_in("root", "root", "Root") == DONE
    assert await other.log_in("subject-2", "root@example.com", "\u202egnorw") == DONE

    for person in (mallory, other):
        me = await person.me()
        assert me["key"].startswith("root-")
        assert (me["role"], me["key"] != "root") == ("member", True)
    # Nobody logs in with a password that an account has not.
    for key in ((await mallory.me())["key"], "root"):
        given = {"username": key, "password": ""}
        assert (await (await people()).post("/api/v1/sessions", json=given)).status_code == 401


@pytest.mark.parametrize("username", ["", "system", "dm:x", "\u00e4", "x" * 100])
async def test_who_has_no_name_that_can_be_a_key_gets_one_that_is_made(people: People, username: str) -> None:
    person = await people()

    assert await person.log_in(f"subject {username.encode().hex()}", username) == DONE

    assert (await person.me())["key"].startswith("user-")


# Who may sign up.


async def test_where_one_needs_an_invitation_it_is_carried_through(provider: WebServer, tmp_path: Path) -> None:
    async with people_at(settings_for(provider, tmp_path, sign_up="invited")) as people:
        root, bob, setup = await people(), await people(), people.setup_token
        assert await root.log_in("subject-root", "root", setup=setup) == DONE
        assert (await root.me())["role"] == "admin"
        assert await bob.log_in("subject-bob", "bob") == f"{PAGE}/#/log-in/uninvited"
        assert (await bob.me())["guest"] is True

        root.headers.update({"Origin": people.server.url, "Hubbub-CSRF": "1"})
        link = (await root.post("/api/v1/invitations", json={})).json()["url"]
        assert link.startswith(f"{PAGE}/#/invite/")
        token = link.rpartition("/")[2]
        assert await bob.log_in("subject-bob", "bob", invitation=token) == DONE
        assert (await bob.me())["key"] == "bob"

        # Nobody can use a link that is used up; who has an account needs none.
        refused = await bob.post("/api/v1/oidc", json={"invitation": token})
        assert refused.status_code == 403
        refused = await bob.post("/api/v1/oidc", json={"setup": setup})
        assert refused.status_code == 403
        assert await bob.log_in("subject-bob") == DONE


async def test_everybody_whom_the_provider_knows_comes_in_if_a_setting_says_so(
    provider: WebServer, tmp_path: Path
) -> None:
    async with people_at(settings_for(provider, tmp_path, sign_up="closed", oidc_sign_up=True)) as people:
        assert await (await people()).log_in("subject-1", "alice") == DONE


async def test_a_guest_who_logs_in_keeps_key_and_messages(people: People) -> None:
    async with connect(f"{people.server.url.replace('http', 'ws')}/ws?username=Rosalind", proxy=None) as socket:
        welcome = json.loads(await socket.recv())
    rosalind = await people()

    assert await rosalind.log_in("subject-r", "ros", secret=welcome["secret"]) == DONE

    assert (await rosalind.me())["key"] == welcome["user"]
    assert (await rosalind.post("/api/v1/oidc", json={}, headers={"Hubbub-Secret": "made up"})).status_code == 401


async def test_a_deactivated_account_is_refused(people: People) -> None:
    root, bob = await people.administrator(), await people()
    await bob.log_in("subject-d", "dan")
    assert (await root.patch("/api/v1/accounts/dan", json={"deactivated": True})).status_code == 200

    assert await bob.log_in("subject-d", "dan") == f"{PAGE}/#/log-in/deactivated"


async def test_a_banned_account_is_refused(people: People) -> None:
    root, eve = await people.administrator(), await people()
    await eve.log_in("subject-e", "eve")
    assert (await root.put("/api/v1/bans/eve", json={})).status_code == 204

    assert await eve.log_in("subject-e", "eve") == f"{PAGE}/#/log-in/banned"


async def test_somebody_who_refuses_at_the_provider_is_told_so(people: People) -> None:
    bob = await people()

    back = await bob.enter(await bob.begin(), "subject-bob", do="refuse")

    assert await bob.come_back(back) == f"{PAGE}/#/log-in/cancelled"


# Attacks.


async def test_an_answer_is_good_once_and_in_the_browser_that_asked_for_it(people: People) -> None:
    mallory, victim = await people(), await people()
    back = await mallory.enter(await mallory.begin(), "subject-m", "mallory")

    # Log-in CSRF: who follows Mallory's address must not be Mallory here, with or without a log-in of their own.
    assert await victim.come_back(back) == f"{PAGE}/#/log-in/expired"
    own = await victim.enter(await victim.begin(), "subject-v", "victim")
    assert await victim.come_back(back) == f"{PAGE}/#/log-in/expired"
    assert (await victim.me())["guest"] is True
    assert await victim.come_back(own) == DONE

    cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in mallory.cookies.items())}
    assert await mallory.come_back(back) == DONE
    assert await mallory.come_back(back) == f"{PAGE}/#/log-in/expired"
    # The provider takes its code once, even if the cookie was kept.
    replayed = await (await people()).get(back.replace(PAGE, people.server.url), headers=cookie)
    assert replayed.headers["location"] == f"{PAGE}/#/log-in/failed"
    assert "hubbub_session" not in replayed.cookies


async def test_a_forged_state_code_or_issuer_is_refused(people: People) -> None:
    bob = await people()
    back = await bob.enter(await bob.begin(), "subject-bob", "bob")
    query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
    forged: dict[str, list[dict[str, str | None]]] = {
        "expired": [{"state": "x"}, {"state": ""}, {"state": query["state"] + "x"}],
        "failed": [{"code": "x"}, {"code": ""}, {"iss": "https://evil.example"}, {"iss": None}, {"error": "<b>"}],
    }
    cookies = dict(bob.cookies)
    for outcome, changes in forged.items():
        for change in changes:
            parameters = {name: value for name, value in (query | change).items() if value is not None}
            async with Person(people.server) as browser:
                answer = await browser.get("/api/v1/oidc/callback", params=parameters, headers=cookie_of(cookies))
            assert answer.headers["location"] == f"{PAGE}/#/log-in/{outcome}", change
            assert "hubbub_session" not in answer.cookies
    for wrong in ("", "x", "x.y", "\u00e4", cookies["hubbub_log_in"] + "A"):
        async with Person(people.server) as browser:
            headers = {"Cookie": f"hubbub_log_in={wrong}".encode()}
            answer = await browser.get("/api/v1/oidc/callback", params=query, headers=headers)  # type: ignore[arg-type]
        assert answer.headers["location"] == f"{PAGE}/#/log-in/expired"


async def test_nobody_is_led_to_another_site(people: People) -> None:
    bob = await people()
    address = await bob.begin(next="https://evil.example", redirect_uri="https://evil.example")
    assert parse_qs(urlsplit(address).query)["redirect_uri"] == [f"{PAGE}/api/v1/oidc/callback"]
    back = await bob.enter(address, "subject-bob", "bob")

    assert await bob.come_back(f"{back}&next=https://evil.example&redirect_uri=https://evil.example") == DONE


async def test_no_log_shows_a_code_a_state_or_a_token(people: People, server: WebServer) -> None:
    alice = await people()
    address = await alice.begin()
    kept = dict(alice.cookies)["hubbub_log_in"]
    back = await alice.enter(address, "canary", "canary")
    await alice.come_back(f"{back}&token=canary-token")
    # Addresses that are nearly the right one.
    for path in ("/api/v1/oidc/callback/", "/x/api/v1/oidc/callback"):
        await alice.get(f"{path}?{urlsplit(back).query}")
    await alice.get("/end-of-the-canary")
    await eventually(lambda: "end-of-the-canary" in server.log)

    assert "oidc/callback?code=...&state=..." in server.log
    asked, answered = (parse_qs(urlsplit(one).query) for one in (address, back))
    secrets = [SECRET, "canary-token", kept, dict(alice.cookies)["hubbub_session"]]
    secrets += [asked["state"][0], asked["nonce"][0], asked["code_challenge"][0], answered["code"][0]]
    assert [secret for secret in secrets if secret in server.log] == []


async def test_a_foreign_page_cannot_begin_a_log_in(people: People) -> None:
    bob = await people()
    foreign = await bob.post("/api/v1/oidc", json={}, headers={"Origin": "https://evil.example"})
    other = await bob.post("/api/v1/oidc", json={}, headers={"Origin": people.server.url})

    assert (foreign.status_code, other.status_code) == (403, 400)
    assert f"open {PAGE}/" in other.json()["message"]
    assert not bob.cookies


async def test_what_the_browser_keeps_is_for_the_way_back_only(people: People) -> None:
    bob = await people()
    begun = await bob.post("/api/v1/oidc", json={})
    (cookie,) = begun.headers.get_list("set-cookie")

    assert {"HttpOnly", "Path=/api/v1/oidc", "SameSite=lax", "Max-Age=600"} <= set(cookie.split("; "))
    query = parse_qs(urlsplit(begun.json()["url"]).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["response_type"] == ["code"]


async def test_another_node_finishes_what_one_has_begun(provider: WebServer, tmp_path: Path, postgres: str) -> None:
    """Nodes share the database, and nothing of a log-in is in a node's memory."""
    async with AsyncExitStack() as stack:
        nodes = [
            await stack.enter_async_context(
                people_at(settings_for(provider, tmp_path / str(number), database_url=postgres))
            )
            for number in range(2)
        ]
        bob = await nodes[0]()
        back = await bob.enter(await bob.begin(), "subject-bob", "bob")
        bob.server = nodes[1].server

        assert await bob.come_back(back) == DONE
        assert (await bob.me())["key"] == "bob"


async def test_a_mounted_hub_has_it_too(provider: WebServer, tmp_path: Path) -> None:
    settings = settings_for(provider, tmp_path, public_url=f"{PAGE}/chat/")
    app = FastAPI()
    app.include_router(Hubbub(accounts=True, settings=settings).router, prefix="/chat")
    async with serving(app) as server, Person(server, "/chat") as alice:
        assert await alice.log_in("subject-1", "alice") == f"{PAGE}/chat/#/log-in/done"
        answer = await alice.get(f"{alice.api}me")
        assert answer.json()["key"] == "alice"


async def test_a_provider_that_is_down_is_told_to_nobody_but_who_wants_it(tmp_path: Path) -> None:
    given: dict[str, Any] = {"oidc_issuer": "http://127.0.0.1:1", "oidc_client_id": "hubbub", "public_url": PAGE}
    async with people_at(Settings(data_dir=tmp_path / "data", guests="on", **given)) as people:
        bob = await people()
        answers = [await bob.post("/api/v1/oidc", json={}) for _ in range(3)]

        assert {answer.status_code for answer in answers} == {503}
        assert (await bob.me())["guest"] is True


async def test_without_a_provider_there_is_none(tmp_path: Path) -> None:
    async with people_at(Settings(data_dir=tmp_path / "data", guests="on")) as people:
        bob = await people()
        assert (await bob.get("/api/v1/server")).json()["providers"] == []
        assert (await bob.post("/api/v1/oidc", json={})).status_code == 404
        assert (await bob.get("/api/v1/oidc/callback")).status_code == 404


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"oidc_issuer": "https://login.example.com"}, "HUBBUB_OIDC_CLIENT_ID"),
        ({"oidc_issuer": "https://login.example.com", "oidc_client_id": "x"}, "HUBBUB_PUBLIC_URL"),
        ({"oidc_issuer": "http://login.example.com", "oidc_client_id": "x", "public_url": PAGE}, "https://"),
        ({"oidc_client_id": "x"}, "HUBBUB_OIDC_ISSUER"),
        ({"oidc_issuer": "https://login.example.com", "accounts": False}, "no accounts"),
    ],
)
async def test_a_setting_that_is_missing_stops_the_start_with_what_to_do(
    given: dict[str, Any], words: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises((ConfigurationError, RuntimeError)) as caught:
        async with people_at(Settings(data_dir=tmp_path / "data", **given)):
            pass

    assert words in f"{caught.value} {caplog.text}"


def cookie_of(cookies: dict[str, str]) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
