"""The routes: what `app.include_router(hub.router, prefix="/chat")` adds to an application."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter, Depends, HTTPException, WebSocketException
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response

from hubbub.features.rooms.feature import RoomsFeature
from hubbub.http.admission import hide_credentials
from hubbub.http.cross_origin import route_for_pages
from hubbub.http.mounted import Mounted
from hubbub.http.page import add_page
from hubbub.http.server_info import add_server_info
from hubbub.http.socket_routes import add_socket
from hubbub.http.unknown_addresses import UnknownAddresses


class Health(BaseModel):
    status: str
    """`ok`, or one word for the problem."""
    detail: str | None = None
    """More about the problem, if more is known."""
    limits: str | None = None
    """Why the node holds limits of its own now, and not those of all nodes. New clients are welcome nevertheless."""
    private_rooms: str | None = None
    """`held back` while the node does not know who may be in them."""


def build_router(hub: Mounted, *, page: bool) -> APIRouter:
    """All routes of a hub. The router's lifespan starts and stops the hub, together with the application."""
    refusing = [] if hub.credentials is not None else [Depends(_hide_credentials), Depends(_refuse_requests_too)]
    router = APIRouter(lifespan=hub.lifespan, dependencies=refusing, route_class=route_for_pages(hub))
    add_socket(router, hub, "/ws", hub.serve, is_documented=True)
    # Routes are tried in this order. Rooms are the first feature with routes: most clients connect to them.
    for feature in hub.features:
        feature.routes(router, hub)
    add_server_info(router, hub)
    # Pages of other origins need nothing of what follows.
    router.route_class = APIRoute
    # None of the routes below reads credentials, so none is logged there.
    router.dependencies.append(Depends(_hide_unread_credentials))
    _add_operations(router, hub)
    if page:
        add_page(router)
    router.routes.append(UnknownAddresses(hub.sockets))
    return router


async def _hide_credentials(connection: HTTPConnection) -> AsyncIterator[None]:
    """Runs around the application's login. The login reads the credentials; if it refuses, they must not be logged."""
    try:
        yield
    finally:
        hide_credentials(connection)


async def _hide_unread_credentials(connection: HTTPConnection) -> None:
    hide_credentials(connection)


async def _refuse_requests_too(connection: HTTPConnection) -> AsyncIterator[None]:
    """A login may raise `WebSocketException`, as FastAPI's documentation shows. For a WebSocket, Starlette then closes
    the socket. For an HTTP request it would answer 500, so the answer is a 403 here."""
    try:
        yield
    except WebSocketException as error:
        if connection.scope["type"] == "websocket":
            raise
        raise HTTPException(403, error.reason or "the login refuses") from None


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
        """New clients are welcome here; 503 while the server starts or drains, other nodes do not hear it, the
        database does not answer, its files were removed, or nobody can know who may be in private rooms."""
        problem = hub.problem()
        body = {"status": problem or "ok"}
        if problem == "broker":
            body["detail"] = hub.node.broker_problem or ""
        if problem != "starting" and (own_limits := hub.node.limits.problem):
            body["limits"] = own_limits
        if problem != "starting" and hub.node.feature(RoomsFeature).rooms.access.is_behind:
            body["private_rooms"] = "held back"
        return JSONResponse(body, 503 if problem else 200)

    @router.get("/schema.json", include_in_schema=False)
    async def schema() -> Response:
        """The wire protocol as JSON Schema, the application's own commands and events included."""
        return Response(hub.schema_text.get(), media_type="application/json")
