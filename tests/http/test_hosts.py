"""Under which names `hubbub serve` answers, so that a foreign name which resolves to this machine (DNS rebinding) gets
nothing."""

import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.people import Refused, person
from tests.servers import WebServer, hubbub_server, uvicorn_server, watched

ENVIRONMENT = {"HUBBUB_GUESTS": "on", "HUBBUB_ALLOWED_HOSTS": '["chat.example.com", ".example.net"]'}
CANARY = "canary-51c07e"


@pytest.fixture(scope="module", params=["own", "foreign"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    folder = tmp_path_factory.mktemp("hosts")
    made = (
        hubbub_server(folder, environment=ENVIRONMENT)
        if request.param == "own"
        else uvicorn_server(folder, "hubbub.serving:create_app", "--factory", environment=ENVIRONMENT)
    )
    made.ready_path = "/health/live"
    yield from watched(made)


async def test_a_foreign_name_with_its_own_page_is_refused(server: WebServer) -> None:
    rebound = f"evil.example:{server.port}"

    with pytest.raises(Refused) as caught:
        async with person(server, "mallory", headers={"Host": rebound, "Origin": f"http://{rebound}"}):
            pass

    assert (caught.value.status, caught.value.body["code"]) == (403, "forbidden")
    assert "'evil.example'" in caught.value.body["message"]
    assert "`allowed_hosts`" in caught.value.body["message"]
    assert "allowed_hosts" in server.log


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/favicon.svg"),
        ("GET", "/ws"),
        ("GET", "/api/v1/rooms/general/messages"),
        ("POST", "/notify/orders?title=hello"),
        ("GET", "/health/live"),
        ("GET", "/schema.json"),
        ("GET", "/docs"),
        ("GET", "/nowhere"),
    ],
)
async def test_no_route_answers_under_a_foreign_name(server: WebServer, method: str, path: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.request(method, server.url + path, headers={"Host": "evil.example"})

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "[::1]:8000",
        "192.0.2.7",
        "192.0.2.7:80",
        "localhost",
        "LOCALHOST:8000",
        "localhost.",
        "chat.localhost",
        socket.gethostname(),
        socket.gethostname().partition(".")[0] + ".local",
        "chat.example.com",
        "Chat.Example.com:443",
        "example.net",
        "a.b.example.net",
    ],
)
async def test_addresses_own_names_and_listed_names_are_answered(server: WebServer, host: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(server.url + "/health/ready", headers={"Host": host})

    assert answer.status_code == 200
    async with person(server, headers={"Host": host}):
        pass


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "a.chat.example.com",
        "notexample.net",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "evil.example#.example.net",
        "notlocalhost",
        "local",
        "",
    ],
)
async def test_names_that_only_look_like_allowed_ones_are_refused(server: WebServer, host: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(server.url + "/health/live", headers={"Host": host})

    # Our own HTTP parser refuses some of them earlier.
    assert answer.status_code in {400, 403}


def test_a_health_check_of_http_1_0_without_a_host_is_answered(server: WebServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
        sock.sendall(b"GET /health/live HTTP/1.0\r\n\r\n")

        assert b" 200 " in sock.recv(100)


async def test_a_credential_in_a_refused_address_is_not_logged(server: WebServer) -> None:
    headers = {"Host": "evil.example"}
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get(server.url + "/ws", params={"secret": CANARY}, headers=headers)
    with pytest.raises(Refused):
        async with person(server, headers=headers, secret=CANARY):
            pass

    assert CANARY not in server.log
