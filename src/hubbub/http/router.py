"""The routes: what `app.include_router(hub.router, prefix="/chat")` adds to an application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Depends, HTTPException, Request, WebSocket, WebSocketException
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response

from hubbub.errors import (
    Conflict,
    Forbidden,
    Invalid,
    RateLimited,
    RequestError,
    Unauthenticated,
    Unavailable,
)
from hubbub.http.admission import hide_credentials
from hubbub.http.cross_origin import route_for_pages
from hubbub.http.error_responses import Refusal, documented, error_response
from hubbub.http.mounted import Mounted
from hubbub.http.page import add_page
from hubbub.http.socket_endpoint import refuse
from hubbub.http.unknown_addresses import UnknownAddresses
from hubbub.wire.keys import is_key, is_topic_pattern
from hubbub.wire.topics import Follow


class Health(BaseModel):
    status: str
    """`ok`, or one word for what is wrong."""


def build_router(hub: Mounted, *, page: bool) -> APIRouter:
    """All of a hub's routes. Its lifespan starts and stops the hub with the application that includes it."""
    refusing = [] if hub.authenticate is nobody else [Depends(_hide_credentials), Depends(_refuse_requests_too)]
    router = APIRouter(lifespan=hub.lifespan, dependencies=refusing, route_class=route_for_pages(hub))
    _add_sockets(router, hub)
    _add_explanations(router, hub)
    for feature in hub.features:
        feature.routes(router, hub)
    # What follows is read by our own page and by programs.
    router.route_class = APIRoute
    _add_operations(router, hub)
    if page:
        add_page(router)
    router.routes.append(UnknownAddresses())
    return router


async def nobody() -> None:
    """The login of an application that has none."""


async def _hide_credentials(connection: HTTPConnection) -> AsyncIterator[None]:
    """Comes before the application's login, which reads them, and may refuse: then the address is logged as it is."""
    try:
        yield
    finally:
        hide_credentials(connection)


async def _refuse_requests_too(connection: HTTPConnection) -> AsyncIterator[None]:
    """A login may refuse by `WebSocketException`, as FastAPI's documentation does. Starlette answers it by closing the
    socket, and to a request, which has none, by a 500."""
    try:
        yield
    except WebSocketException as error:
        if connection.scope["type"] == "websocket":
            raise
        raise HTTPException(403, error.reason or "the login refuses") from None


def _add_sockets(router: APIRouter, hub: Mounted) -> None:
    async def chat(websocket: WebSocket, account: Any) -> None:
        await hub.serve(websocket, account, room=websocket.path_params["room"])

    async def connect(websocket: WebSocket, account: Any) -> None:
        await hub.door.serve(websocket, account)

    async def chat_in_default_room(websocket: WebSocket, account: Any) -> None:
        await hub.serve(websocket, account, room=hub.node.settings.room_default)

    async def notifications(websocket: WebSocket, account: Any) -> None:
        topic = websocket.path_params["topic"]
        if not is_topic_pattern(topic):
            await refuse(websocket, not_a_key("topic", topic))
            return
        await hub.door.serve(websocket, account, first=Follow(topic=topic))

    # Routes are tried in this order: the busiest comes first.
    for path, serve in (
        ("/ws/chat/{room}", chat),
        ("/ws", connect),
        ("/ws/chat", chat_in_default_room),
        ("/ws/notify/{topic}", notifications),
    ):
        router.add_api_websocket_route(path, _endpoint(hub, serve), name=serve.__name__)


def _endpoint(hub: Mounted, serve: Callable[[WebSocket, Any], Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """`serve` as FastAPI calls it. Where nobody logs in it gets no parameter to solve: that is dear at each connect."""
    if hub.authenticate is nobody:

        async def serve_guest(websocket: WebSocket) -> None:
            await serve(websocket, None)

        return serve_guest

    async def serve_account(websocket: WebSocket, account: Any = Depends(hub.authenticate)) -> None:
        await serve(websocket, account)

    return serve_account


def _add_explanations(router: APIRouter, hub: Mounted) -> None:
    authenticated = Depends(hub.authenticate)

    @router.get(
        "/ws",
        summary="Why a WebSocket is refused",
        status_code=426,
        responses={
            426: {"model": Refusal, "description": "A handshake would be accepted."},
            **documented(Invalid, Unauthenticated, Forbidden, Conflict, RateLimited, Unavailable),
        },
    )
    @router.get("/ws/chat", include_in_schema=False)
    @router.get("/ws/chat/{room}", include_in_schema=False)
    @router.get("/ws/notify/{topic}", include_in_schema=False)
    async def explain(
        request: Request, room: str = "general", topic: str = "all", account: Any = authenticated
    ) -> Response:
        """A browser cannot read why its WebSocket was refused. The same address, asked by GET, gives the same status
        and body; 426 if the handshake would be accepted."""
        hide_credentials(request)
        try:
            if not is_key(room):
                raise not_a_key("room", room)
            if not is_topic_pattern(topic):
                raise not_a_key("topic", topic)
            await hub.door.try_handshake(request, account)
        except RequestError as error:
            return error_response(error)
        body = {"code": "upgrade_required", "message": "this address speaks WebSocket (RFC 6455)"}
        return JSONResponse(body, 426, {"Upgrade": "websocket", "Connection": "Upgrade"})


def _add_operations(router: APIRouter, hub: Mounted) -> None:
    @router.get("/health/live", tags=["operations"])
    async def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @router.get(
        "/health/ready",
        tags=["operations"],
        response_model=Health,
        responses={503: {"model": Health, "description": "New clients should go elsewhere; `status` says why."}},
    )
    async def ready() -> Response:
        """New clients are welcome here; 503 while the server starts or drains, other nodes do not hear it, or the
        database's files were removed."""
        problem = hub.problem()
        return JSONResponse({"status": problem or "ok"}, 503 if problem else 200)

    @router.get("/schema.json", include_in_schema=False)
    async def schema() -> Response:
        """The wire protocol as JSON Schema, the application's own commands and events included."""
        return Response(hub.schema_text.get(), media_type="application/json")


def not_a_key(field: str, value: str) -> Invalid:
    message = f"{value[:64]!r} is no key: 1 to 64 of A-Z a-z 0-9 _ . : @ | -, beginning with a letter or digit"
    return Invalid(f"{field}: {message}", errors=[{"loc": [field], "msg": message, "type": "key"}])
