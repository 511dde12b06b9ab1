"""Who is admitted: guests and their names, origins, capacity. Refusals come before the upgrade, and a GET gives the
same reason."""

import socket
from collections.abc import Mapping, Sequence

import httpx
import pytest
from starlette.requests import HTTPConnection

from hubbub.errors import Conflict, RateLimited
from hubbub.features.access.feature import AccessFeature
from hubbub.features.api_keys.feature import ApiKeysFeature
from hubbub.features.bans.feature import BansFeature
from hubbub.features.people.feature import PeopleFeature
from hubbub.features.server_settings.feature import ServerSettingsFeature
from hubbub.http.admission import Admissions
from hubbub.settings import Settings
from hubbub.wire.identity import User
from tests.conftest import ServerFactory, UvicornFactory
from tests.lone_node import lone_node
from tests.people import Person, Refused, encoded, person
from tests.servers import WebServer

CANARY = "canary-7f3a91c2"


async def refused(
    server: WebServer, path: str = "/ws", *, headers: Mapping[str, str] | None = None, **query: str
) -> Refused:
    """How a handshake is refused; and a GET on the same address gets the same answer."""
    with pytest.raises(Refused) as caught:
        async with person(server, path=path, headers=headers, **query):
            pass
    refusal = caught.value
    # Without certificates, which take longer to read than all the rest.
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        answer = await client.get(server.url + path, params=query, headers=headers)
    assert answer.status_code == refusal.status
    assert answer.json() == refusal.body
    assert answer.headers.get("retry-after") == refusal.headers.get("retry-after")
    return refusal


# Guests and their names.


async def test_a_guest_has_the_chosen_name_and_is_marked_as_a_guest(chat: WebServer) -> None:
    async with person(chat, "Ada.Lovelace") as ada:
        welcome = ada.seen[0]

    assert (welcome["user"], welcome["name"], welcome["guest"]) == ("Ada.Lovelace", "Ada.Lovelace", True)


async def test_a_guest_without_a_name_gets_one(chat: WebServer) -> None:
    async with person(chat) as one, person(chat) as other:
        names = {somebody.seen[0]["name"] for somebody in (one, other)}

    assert len(names) == 2
    assert all(name.startswith("guest-") for name in names)


@pytest.mark.parametrize("name", ["Zoë", "李雷", "two words", "-dash", "👩‍🚀"])
async def test_a_name_that_cannot_be_a_key_gets_a_made_key(chat: WebServer, name: str) -> None:
    async with person(chat, name) as guest:
        welcome = guest.seen[0]

    assert welcome["name"] == name
    assert welcome["user"].startswith("guest-")


async def test_a_used_name_is_refused_until_its_guest_is_gone(chat: WebServer) -> None:
    async with person(chat, "nora"):
        refusal = await refused(chat, username="nora")
        assert (refusal.status, refusal.body["code"]) == (409, "conflict")
        assert (await refused(chat, username="NORA")).status == 409

    async with person(chat, "nora") as another:
        assert another.key == "nora"


async def test_a_made_keys_name_is_in_use_as_well(chat: WebServer) -> None:
    async with person(chat, "Zoë Müller"):
        assert (await refused(chat, username="zoë müller")).status == 409


async def test_a_guest_with_the_secret_is_the_same_guest(chat: WebServer) -> None:
    async with person(chat, "Øyvind") as first:
        welcome = first.seen[0]
        async with person(chat, secret=welcome["secret"]) as second:
            assert second.seen[0]["user"] == welcome["user"]
            assert second.seen[0]["name"] == "Øyvind"
    async with person(chat, "Øyvind", secret=welcome["secret"]) as third:
        assert third.seen[0]["user"] == welcome["user"]


async def test_a_guest_without_the_secret_is_another_guest(chat: WebServer) -> None:
    async with person(chat, "Åsa") as first:
        key = first.key
    async with person(chat, "Åsa") as second:
        assert second.key != key


@pytest.mark.parametrize("secret", ["nonsense", "a.b.alice", "..", "x" * 5000, "é.é.é"])
async def test_a_foreign_secret_is_refused(chat: WebServer, secret: str) -> None:
    refusal = await refused(chat, secret=secret)

    assert (refusal.status, refusal.body["code"]) == (401, "unauthenticated")


async def test_a_secret_is_valid_for_one_guest_only(chat: WebServer) -> None:
    async with person(chat, "mallory") as mallory:
        secret = str(mallory.seen[0]["secret"])

    assert (await refused(chat, secret=secret.replace("mallory", "victim"))).status == 401


@pytest.mark.parametrize("name", ["system", "Admin", "dm:alice"])
async def test_names_of_the_server_itself_are_reserved(chat: WebServer, name: str) -> None:
    assert (await refused(chat, username=name)).status == 409


@pytest.mark.parametrize("name", ["x" * 65, "   ", "\u202eecila", "a\x00b", "a\nb"], ids=ascii)
async def test_the_error_for_an_invalid_name_names_the_field(chat: WebServer, name: str) -> None:
    refusal = await refused(chat, username=name)

    assert (refusal.status, refusal.body["code"]) == (400, "invalid")
    assert refusal.body["errors"][0]["loc"] == ["username"]


@pytest.mark.parametrize("room", ["no%20spaces", "-dash", "x" * 65, "%00", "a%0Ab", "Zo%C3%AB"])
async def test_the_error_for_an_invalid_room_names_the_field(chat: WebServer, room: str) -> None:
    refusal = await refused(chat, f"/ws/chat/{room}")

    assert (refusal.status, refusal.body["errors"][0]["loc"]) == (400, ["room"])


# Where a client can put a secret.


@pytest.mark.parametrize("subprotocol", [None, "hubbub.v1.json", "hubbub.v1.msgpack"])
async def test_a_secret_among_the_subprotocols_is_read_and_never_selected(
    chat: WebServer, subprotocol: str | None
) -> None:
    name = f"Ann|e@home:{subprotocol and subprotocol[-4:]}"
    async with person(chat, name) as first:
        proof = f"secret.{encoded(str(first.seen[0]['secret']))}"
        offers: list[Sequence[str]] = [[proof], ["other", proof, "third"]]
        for offering in offers:
            async with person(chat, subprotocol=subprotocol, offering=offering) as again:
                assert again.key == name
                assert again.link.subprotocol == subprotocol


@pytest.mark.parametrize("offered", ["nonsense", "e30", "!!!!", "a"])
async def test_a_subprotocol_with_a_foreign_secret_is_refused(chat: WebServer, offered: str) -> None:
    with pytest.raises(Refused) as caught:
        async with person(chat, offering=[f"secret.{offered}"]):
            pass

    assert (caught.value.status, caught.value.body["code"]) == (401, "unauthenticated")


async def test_the_error_for_a_refused_secret_names_the_field(chat: WebServer) -> None:
    refusal = await refused(chat, secret="someone.elses.secret")

    assert [error["loc"] for error in refusal.body["errors"]] == [["secret"]]


@pytest.mark.parametrize("place", ["address", "header"])
async def test_a_get_with_a_valid_secret_does_not_say_that_it_is_refused(chat: WebServer, place: str) -> None:
    async with person(chat, f"Ingrid-{place}") as ingrid:
        secret = str(ingrid.seen[0]["secret"])
        params = {"username": ingrid.key} | ({"secret": secret} if place == "address" else {})
        headers = {"Hubbub-Secret": encoded(secret)} if place == "header" else {}
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:
            for path in ("/ws", "/ws/chat", "/ws/chat/room1", "/ws/notify/orders"):
                answer = await client.get(chat.url + path, params=params, headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (426, "upgrade_required")
            stranger = await client.get(chat.url + "/ws", params={"username": ingrid.key})

    assert stranger.status_code == 409


# Origins, and where guests come from.


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "http://127.0.0.1.evil.example:{port}",
        "http://127.0.0.1@evil.example:{port}",
        "http://evil.example:{port}",
        "http://localhost.evil.example:{port}",
        "http://127.0.0.1:{port}/path",
        "file://",
        "chrome-extension://abc",
        "http://127.0.0.1:{port}, https://evil.example",
        "http://[::1",
        "http://127.0.0.1:99999999",
    ],
)
async def test_a_foreign_page_is_refused(chat: WebServer, origin: str) -> None:
    refusal = await refused(chat, headers={"Origin": origin.format(port=chat.port)})

    assert (refusal.status, refusal.body["code"]) == (403, "forbidden")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_the_servers_own_page_is_admitted_under_each_of_its_names(chat: WebServer, host: str) -> None:
    own = f"{host}:{chat.port}"

    async with person(chat, headers={"Origin": f"http://{own}", "Host": own}) as guest:
        await guest.catch_up()


async def test_the_servers_own_page_is_admitted_behind_a_tls_proxy(chat: WebServer) -> None:
    own = f"127.0.0.1:{chat.port}"

    async with person(chat, headers={"Origin": f"https://{own}"}) as guest:
        await guest.catch_up()


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "203.0.113.9"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=203.0.113.9"},
        {"X-Real-IP": "203.0.113.9"},
        {"X-Forwarded-Host": "chat.example.com"},
        {"X-Forwarded-Proto": "https"},
        {"CF-Connecting-IP": "203.0.113.9"},
        {"Via": "1.1 proxy"},
        {"Host": "chat.example.com"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "192.0.2.1"},
    ],
    ids=str,
)
async def test_guests_are_refused_through_a_proxy_or_under_a_foreign_name(
    chat: WebServer, headers: dict[str, str]
) -> None:
    refusal = await refused(chat, headers=headers)

    assert (refusal.status, refusal.body["code"]) == (403, "forbidden")


async def test_with_guests_on_only_foreign_pages_are_refused(serve: ServerFactory) -> None:
    server = serve(
        environment={
            "HUBBUB_GUESTS": "on",
            "HUBBUB_ALLOWED_ORIGINS": '["https://app.example.com"]',
            "HUBBUB_ALLOWED_HOSTS": '["chat.example.com"]',
        }
    )

    async with person(server, headers={"X-Forwarded-For": "203.0.113.9", "Host": "chat.example.com"}):
        pass
    async with person(server, headers={"Origin": "https://app.example.com"}):
        pass
    assert (await refused(server, headers={"Origin": "https://evil.example"})).status == 403
    assert (await refused(server, headers={"Origin": "http://app.example.com"})).status == 403


# Capacity.


async def test_a_full_server_says_when_to_try_again(serve: ServerFactory) -> None:
    server = serve(environment={"HUBBUB_CONNECTIONS": "2"})

    async with person(server, "alice") as alice, person(server, "bob"):
        refusal = await refused(server)
        assert (refusal.status, refusal.body["code"]) == (503, "unavailable")
        assert int(refusal.headers["Retry-After"]) * 1000 == refusal.body["retry_after"] > 0
        await alice.catch_up()
    async with person(server, "alice"):
        pass


async def test_one_address_has_a_limit_and_a_refused_name_is_not_in_use(serve: ServerFactory) -> None:
    server = serve(environment={"HUBBUB_CONNECTIONS_PER_ADDRESS": "2"})

    async with person(server, "alice"):
        async with person(server, "bob"):
            refusal = await refused(server, username="carol")
            assert (refusal.status, refusal.body["code"]) == (429, "rate_limited")
            assert int(refusal.headers["Retry-After"]) > 0
        async with person(server, "carol") as carol:
            assert carol.key == "carol"


async def test_a_get_where_the_handshake_would_succeed_asks_for_an_upgrade(chat: WebServer) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(chat.url + "/ws/chat/room1", params={"username": "iris"})
        again = await client.get(chat.url + "/ws/chat/room1", params={"username": "iris"})

    assert answer.status_code == again.status_code == 426
    assert answer.headers["upgrade"] == "websocket"
    async with person(chat, "iris") as iris:
        assert iris.key == "iris"


# What is logged.


async def use_credentials(server: WebServer, *others: str) -> list[str]:
    """Present a credential in every way, to addresses that read it and to addresses that don't.

    Returns what no log may show: the canary, and the secret of an admitted guest.
    """
    for path in ("/ws", "/ws/chat/room1", "/ws/chat/no%20room", "/ws/notify/no%20topic", *others):
        for name in ("token", "ticket", "secret"):
            for headers in ({}, {"Origin": "https://evil.example"}):
                try:
                    async with person(server, path=path, headers=headers, **{name: CANARY, "x": "1"}):
                        pass
                except Refused:
                    pass
                async with httpx.AsyncClient(trust_env=False, verify=False) as client:
                    await client.get(server.url + path, params={name: CANARY}, headers=headers)
        for form in (CANARY, encoded(CANARY)):
            try:
                async with person(server, path=path, offering=[f"secret.{form}", f"bearer.{form}"]):
                    pass
            except Refused:
                pass
            async with httpx.AsyncClient(trust_env=False, verify=False) as client:
                await client.get(server.url + path, headers={"Hubbub-Secret": form, "Authorization": f"Bearer {form}"})
    async with person(server) as guest:
        secret = str(guest.seen[0]["secret"])
        async with person(server, secret=secret), person(server, offering=[f"secret.{encoded(secret)}"]):
            pass
    return [CANARY, encoded(CANARY), secret, encoded(secret)]


async def test_a_credential_is_in_no_log_line(serve: ServerFactory) -> None:
    server = serve("--log-level", "debug")

    hidden = await use_credentials(server, "/ws/none", "/ws/chat/a/b", "/", "/none", "/ws/chat/room1/", "/notify/all")

    assert not [credential for credential in hidden if credential in server.log]


@pytest.mark.parametrize("ws", ["websockets-sansio", "wsproto"])
async def test_a_credential_is_in_no_log_line_of_a_foreign_server(uvicorn: UvicornFactory, ws: str) -> None:
    server = uvicorn("tests.server.apps:mounted", "--log-level", "info", ws=ws)

    hidden = await use_credentials(server)

    assert "[accepted]" in server.log, "it does log requests"
    assert not [credential for credential in hidden if credential in server.log]


# Raw bytes.


def handshake(server: WebServer, path: str, *lines: str) -> bytes:
    head = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        *lines,
    ]
    return ("\r\n".join(head) + "\r\n\r\n").encode()


@pytest.mark.parametrize(
    "query", ["username=%FF%FE", "username=%", "username=a&username=b", "%00=%00", "&&==&", "username=caf\u00e9"]
)
def test_a_malformed_query_is_answered(chat: WebServer, query: str) -> None:
    with socket.create_connection(("127.0.0.1", chat.port), timeout=20) as sock:
        sock.sendall(handshake(chat, f"/ws?{query}"))

        assert sock.recv(12).startswith(b"HTTP/1.1 ")


async def test_a_guest_is_present_until_its_last_connection_ends(chat: WebServer) -> None:
    async with person(chat, "petra") as one:
        secret = one.seen[0]["secret"]
        async with person(chat, secret=secret):
            pass
        assert (await refused(chat, username="petra")).status == 409
    async with person(chat, "petra") as another:
        assert isinstance(another, Person)


async def test_a_refused_account_does_not_remove_a_guest_with_its_key() -> None:
    node = lone_node(
        Settings(connections_per_address=1, guests="on"),
        features=[PeopleFeature(), ApiKeysFeature(), AccessFeature(), BansFeature(), ServerSettingsFeature()],
    )
    await node.start()
    admissions = Admissions(node)

    def handshake(address: str) -> HTTPConnection:
        scope = {
            "type": "websocket",
            "path": "/ws",
            "headers": [],
            "query_string": b"username=alice",
            "client": (address, 1),
        }
        return HTTPConnection(scope)

    await admissions.admit(handshake("192.0.2.1"), None)
    with pytest.raises(RateLimited):
        await admissions.admit(handshake("192.0.2.1"), User("alice", "Alice", guest=True))

    with pytest.raises(Conflict):
        await admissions.admit(handshake("192.0.2.2"), None)
    await node.stop()
