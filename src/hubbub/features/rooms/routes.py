"""The WebSocket addresses of rooms, and the lists of rooms and of who is online there.

A client that connects to a room's address joins the room, and may send plain text.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, WebSocket
from pydantic import BaseModel
from starlette.requests import HTTPConnection
from starlette.responses import Response

from hubbub.errors import Forbidden, Invalid, RateLimited, Unauthenticated, Unavailable
from hubbub.http.error_responses import documented
from hubbub.http.list_queries import Part, query_of, size_of
from hubbub.http.mounted import Mounted
from hubbub.http.socket_routes import add_socket, check_key
from hubbub.wire.rooms import OnlinePage, RoomsPage

if TYPE_CHECKING:
    from hubbub.features.rooms.feature import RoomsFeature


def add_routes(router: APIRouter, hub: Mounted, feature: RoomsFeature) -> None:
    _add_sockets(router, hub)
    _add_lists(router, hub, feature)


def _add_sockets(router: APIRouter, hub: Mounted) -> None:
    async def chat(websocket: WebSocket, account: Any) -> None:
        await hub.serve(websocket, account, room=websocket.path_params["room"])

    async def chat_in_default_room(websocket: WebSocket, account: Any) -> None:
        await hub.serve(websocket, account, room=hub.node.settings.room_default)

    add_socket(router, hub, "/ws/chat/{room}", chat, check=_names_a_room, also=("room", "rooms"))
    add_socket(router, hub, "/ws/chat", chat_in_default_room)


def _add_lists(router: APIRouter, hub: Mounted, feature: RoomsFeature) -> None:
    authenticated = Depends(hub.authenticate)

    @router.get(
        "/api/v1/rooms",
        tags=["rooms"],
        response_model=RoomsPage,
        responses=documented(Invalid, Unauthenticated, Forbidden, RateLimited, Unavailable),
    )
    async def rooms(request: Request, part: Annotated[Part, Query()], account: Any = authenticated) -> Response:
        """The rooms that you may join, by their keys, with how many users are online in each: those that somebody has
        sent to, and those that somebody is in. `q` looks for a part of the key. For the next page give `next` as
        `after`; there is none after the last page."""
        hub.node.require_started()
        user = hub.admissions.identify(request, account)
        query = query_of(part)
        await hub.admissions.take_request(request, user, size_of(query))
        return _answer(
            await feature.lists.rooms(user, query, charge=partial(hub.admissions.take_request, request, user))
        )

    @router.get(
        "/api/v1/rooms/{room}/online",
        tags=["rooms"],
        response_model=OnlinePage,
        responses=documented(Invalid, Unauthenticated, Forbidden, RateLimited, Unavailable),
    )
    async def online(
        request: Request, room: str, part: Annotated[Part, Query()], account: Any = authenticated
    ) -> Response:
        """Who is online in a room that you may join, on all nodes, by name. `q` looks for a part of the name or the
        key. For the next page give `next` as `after`; there is none after the last page."""
        hub.node.require_started()
        user = hub.admissions.identify(request, account)
        check_key(request, "room")
        query = query_of(part)
        await hub.admissions.take_request(request, user, size_of(query))
        return _answer(
            await feature.lists.online(user, room, query, charge=partial(hub.admissions.take_request, request, user))
        )


def _answer(page: BaseModel) -> Response:
    return Response(page.model_dump_json(exclude_none=True), media_type="application/json")


def _names_a_room(connection: HTTPConnection) -> None:
    check_key(connection, "room")
