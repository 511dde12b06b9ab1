"""What pages of other origins may do: connect, read by HTTP, or read why they may not. A real browser enforces it."""

import json
from typing import Any

import httpx
import pytest
from playwright.async_api import Page

from tests.conftest import PageFactory, ServerFactory, UvicornFactory
from tests.people import Refused, person
from tests.servers import WebServer

PAGE = "https://app.example.com"
EVIL = "https://evil.example"
MESSAGES = "/api/v1/rooms/general/messages"
ALLOWING = {"HUBBUB_ALLOWED_ORIGINS": json.dumps([PAGE])}


async def ask(server: WebServer, method: str, path: str, origin: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.request(method, server.url + path, headers={"Origin": origin} | headers)


def preflight(server: WebServer, path: str, origin: str, **headers: str) -> Any:
    return ask(server, "OPTIONS", path, origin, **{"Access-Control-Request-Method": "POST"} | headers)


async def test_an_allowed_page_may_read_the_rest_api_and_publish(serve: ServerFactory) -> None:
    server = serve(environment=ALLOWING)

    for method, path, status in (
        ("GET", MESSAGES, 200),
        ("GET", f"{MESSAGES}?limit=nonsense", 400),
        ("POST", "/notify/orders?title=hello", 200),
        ("GET", "/ws", 426),
    ):
        answer = await ask(server, method, path, PAGE)
        assert answer.status_code == status
        assert answer.headers.get_list("access-control-allow-origin") == [PAGE]
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert "Origin" in answer.headers["vary"]
        assert "Retry-After" in answer.headers["access-control-expose-headers"]


async def test_an_allowed_pages_preflight_is_granted_with_the_headers_that_it_asks_for(serve: ServerFactory) -> None:
    server = serve(environment=ALLOWING)

    answer = await preflight(
        server, "/notify/orders", PAGE, **{"Access-Control-Request-Headers": "content-type,x-session"}
    )

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == "content-type,x-session"
    assert "Origin" in answer.headers["vary"]


async def test_a_foreign_page_reads_only_why_it_is_refused(serve: ServerFactory) -> None:
    server = serve(environment=ALLOWING)

    for method, path in (("GET", MESSAGES), ("POST", "/notify/orders?title=hello"), ("GET", "/ws")):
        answer = await ask(server, method, path, EVIL)
        assert answer.status_code == 403
        assert EVIL in answer.json()["message"]
        assert "`allowed_origins`" in answer.json()["message"]
        assert answer.headers["access-control-allow-origin"] == EVIL
        assert "access-control-allow-credentials" not in answer.headers
        assert "Origin" in answer.headers["vary"]
    for path in (MESSAGES, "/notify/orders"):
        answer = await preflight(server, path, EVIL)
        assert answer.status_code == 403
        assert not [name for name in answer.headers if name.startswith("access-control")]
    for path in ("/", "/health/ready", "/schema.json"):
        answer = await ask(server, "GET", path, EVIL)
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_page_of_the_other_scheme_is_the_servers_own_but_may_not_read_by_http(
    serve: ServerFactory,
) -> None:
    server = serve("--guests", "on")

    answer = await ask(server, "GET", MESSAGES, "https://192.0.2.1", Host="192.0.2.1")

    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


async def test_a_refused_page_is_logged_with_the_setting_and_an_attacker_cannot_fill_the_log(
    serve: ServerFactory,
) -> None:
    server = serve()

    for number in range(30):
        with pytest.raises(Refused):
            async with person(server, headers={"Origin": f"https://app{number}.example.com"}):
                pass

    lines = [line for line in server.log.splitlines() if "refused a page" in line]
    assert "WARNING" in lines[0]
    assert "'https://app0.example.com'" in lines[0]
    assert "allowed_origins" in lines[0]
    assert len(lines) <= 6


# In an application that has its own login and its own CORS middleware.


@pytest.fixture
def beside_cors(uvicorn: UvicornFactory) -> WebServer:
    return uvicorn("tests.server.apps:behind_cors", environment=ALLOWING)


async def test_the_applications_cors_middleware_doubles_no_header(beside_cors: WebServer) -> None:
    for origin in (PAGE, "https://host.example"):
        answer = await ask(beside_cors, "GET", f"/chat{MESSAGES}", origin, **{"X-User": "alice"})
        assert len(answer.headers.get_list("access-control-allow-origin")) == 1
        assert len(answer.headers.get_list("access-control-allow-credentials")) == 1

    refused = await ask(beside_cors, "GET", f"/chat{MESSAGES}", "https://host.example", **{"X-User": "alice"})
    assert refused.status_code == 403
    assert refused.headers["access-control-allow-origin"] == "https://host.example"


async def test_an_allowed_page_can_read_that_it_has_to_log_in(beside_cors: WebServer) -> None:
    answer = await ask(beside_cors, "GET", f"/chat{MESSAGES}", PAGE)

    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == PAGE


async def test_a_foreign_page_does_not_reach_the_applications_login(beside_cors: WebServer) -> None:
    for headers in ({}, {"X-User": "alice"}):
        answer = await ask(beside_cors, "GET", f"/chat{MESSAGES}", EVIL, **headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


# In a browser.

FETCH = """async (url) => {
    try {
        const answer = await fetch(url, {credentials: 'include'});
        return [answer.status, (await answer.json()).code ?? null];
    } catch (error) {
        return [0, String(error)];
    }
}"""

FETCH_WITHOUT_CREDENTIALS = FETCH.replace("'include'", "'omit'")

OPEN = """(url) => new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.onmessage = (message) => resolve(JSON.parse(message.data).type);
    socket.onerror = () => resolve('refused');
})"""


async def page_of(new_page: PageFactory, server: WebServer, host: str) -> Page:
    """A page without a content security policy about where it may connect."""
    page = await new_page()
    await page.goto(f"http://{host}:{server.port}/health/live")
    return page


async def test_a_page_of_127_0_0_1_connects_to_localhost_and_back(
    uvicorn: UvicornFactory, new_page: PageFactory
) -> None:
    server = uvicorn("tests.server.apps:mounted")

    for home, other in (("127.0.0.1", "localhost"), ("localhost", "127.0.0.1")):
        page = await page_of(new_page, server, home)
        assert await page.evaluate(OPEN, f"ws://{other}:{server.port}/ws") == "welcome"
        # Nothing is stored there, and the page can read the answer that says so.
        assert (await page.evaluate(FETCH, f"http://{other}:{server.port}{MESSAGES}"))[0] in {200, 404}


async def test_a_page_of_another_port_is_refused_and_can_read_why(
    uvicorn: UvicornFactory, serve: ServerFactory, new_page: PageFactory
) -> None:
    server, foreign = serve(), uvicorn("tests.server.apps:mounted")
    page = await page_of(new_page, foreign, "127.0.0.1")

    assert await page.evaluate(OPEN, f"{server.ws_url}/ws") == "refused"
    assert await page.evaluate(FETCH_WITHOUT_CREDENTIALS, f"{server.url}/ws") == [403, "forbidden"]
    assert (await page.evaluate(FETCH, f"{server.url}/ws"))[0] == 0


async def test_a_page_of_an_allowed_origin_connects_and_reads(
    uvicorn: UvicornFactory, serve: ServerFactory, new_page: PageFactory
) -> None:
    foreign = uvicorn("tests.server.apps:mounted")
    server = serve(environment={"HUBBUB_ALLOWED_ORIGINS": json.dumps([foreign.url])})

    for host in ("127.0.0.1", "localhost"):
        page = await page_of(new_page, foreign, host)
        assert await page.evaluate(OPEN, f"{server.ws_url}/ws") == "welcome"
        assert (await page.evaluate(FETCH, f"{server.url}{MESSAGES}"))[0] == 200
