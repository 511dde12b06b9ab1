"""WebSocket addresses that nobody serves: 404 with a hint, and never in the way of the application's own routes."""

from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from hubbub import Hubbub
from hubbub.http.unknown_addresses import nearest
from hubbub.settings import Settings
from tests.people import Refused, person
from tests.servers import WebServer


@pytest.mark.parametrize("path", ["/room1", "/ws/room1", "/chat/room1", "/ws/chat/room1/", "/websocket", "/"])
async def test_an_unknown_address_gets_404_with_the_nearest_address(chat: WebServer, path: str) -> None:
    with pytest.raises(Refused) as caught:
        async with person(chat, "alice", path=path):
            pass

    assert (caught.value.status, caught.value.body["code"]) == (404, "not_found")
    assert f"'{path}'" in caught.value.body["message"]
    hint = "/ws" if path in {"/", "/websocket"} else "/ws/chat/room1"
    assert f"is {hint} meant?" in caught.value.body["message"]


async def test_a_get_on_an_unknown_address_says_the_same(chat: WebServer) -> None:
    with pytest.raises(Refused) as caught:
        async with person(chat, path="/ws/room1/x"):
            pass
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(chat.url + "/ws/room1/x")
        slash = await client.get(chat.url + "/ws/")
        elsewhere = await client.get(chat.url + "/nowhere")

    assert (answer.status_code, answer.json()) == (404, caught.value.body)
    assert (slash.status_code, slash.headers["location"]) == (307, f"{chat.url}/ws")
    assert elsewhere.json() == {"detail": "Not Found"}


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("", "/ws"),
        ("socket.io/", "/ws"),
        ("chat", "/ws/chat"),
        ("ws/chat/a/b", "/ws/chat/a?username=b"),
        ("ws/lobby/alice", "/ws/chat/lobby?username=alice"),
        ("ws/lobby/a|b", "/ws/chat/lobby?username=a%7Cb"),
        ("ws/rooms/lobby/alice", "/ws/chat/lobby?username=alice"),
        ("ws/rooms", "/ws/chat"),
        ("ws/chatt/lobby", "/ws/chat/lobby"),
        ("ws/notfy/alice", "/ws/notify/alice"),
        ("ws/cat/alice", "/ws/chat/cat?username=alice"),
        ("ws/a/b/c", "/ws/chat/c"),
        ("ws/a/no name", "/ws/chat/{room}"),
        ("items/foo/ws", "/ws/chat/foo"),
        ("ws/chat/no room", "/ws/chat/{room}"),
        ("notify", "/ws/notify/{topic}"),
        ("ws/notifications/alice", "/ws/notify/alice"),
        ("notify/orders.*", "/ws/notify/orders.*"),
        ("ws/notify/a/b", "/ws/notify/b"),
        ("rooms/lobby", "/ws/chat/lobby"),
    ],
)
def test_the_hint_is_an_existing_address(path: str, address: str) -> None:
    mounted = hub()
    FastAPI().include_router(mounted.router)

    assert nearest(path, mounted.sockets) == address


def hub() -> Hubbub:
    return Hubbub(guests="auto", page=False, settings=Settings())


def refused(client: TestClient, path: str) -> tuple[int, str]:
    with pytest.raises(WebSocketDisconnect) as caught, client.websocket_connect(path):
        pass
    response = caught.value
    return response.status_code, response.text  # type: ignore[attr-defined]


@pytest.mark.parametrize("prefix", ["", "/chat"])
def test_a_mounted_hub_leaves_the_application_its_own_routes(prefix: str) -> None:
    app = FastAPI()

    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(websocket.url.path)

    app.add_api_websocket_route(f"{prefix}/before/{{item}}", echo)
    app.include_router(hub().router, prefix=prefix)
    app.add_api_websocket_route(f"{prefix}/items/{{item}}/ws", echo)
    app.add_api_websocket_route("/{anything}", echo)

    @app.get(f"{prefix}/ws/own/page")
    async def own_page() -> str:
        return "own"

    with TestClient(app) as client:
        for path in (f"{prefix}/before/1", f"{prefix}/items/1/ws", "/elsewhere"):
            with client.websocket_connect(path) as socket:
                assert socket.receive_text() == path
        assert client.get(f"{prefix}/ws/own/page").json() == "own"
        status, body = refused(client, f"{prefix}/items/1/2/3")
        assert status == 404
        assert f"is {prefix}/ws/chat/3 meant?" in body


def test_addresses_outside_the_prefix_belong_to_the_application() -> None:
    app = FastAPI()
    app.include_router(hub().router, prefix="/chat")

    with TestClient(app) as client:
        with pytest.raises(WebSocketDisconnect) as caught, client.websocket_connect("/other/ws"):
            pass
        assert not hasattr(caught.value, "status_code")
        assert refused(client, "/chat/room1")[0] == 404


def test_a_hub_below_another_application_hints_at_the_whole_address() -> None:
    inner = FastAPI()
    outer = FastAPI(lifespan=cast(Any, lambda _: inner.router.lifespan_context(inner)))
    inner.include_router(hub().router, prefix="/chat")
    outer.mount("/team", inner)

    with TestClient(outer) as client:
        assert "is /team/chat/ws/chat/room1 meant?" in refused(client, "/team/chat/room1")[1]
