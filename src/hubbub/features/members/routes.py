"""The REST API of rooms themselves: each command by the same name, under `/api/v1/rooms`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ValidationError
from starlette.responses import JSONResponse, Response

from hubbub.accounts.policies import Action, permit
from hubbub.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from hubbub.features.members.rooms_of_people import change_of
from hubbub.features.rooms.access import Access
from hubbub.http.bodies import read_body
from hubbub.http.error_responses import documented
from hubbub.http.list_queries import Part, query_of, size_of
from hubbub.http.mounted import Mounted
from hubbub.http.socket_routes import check_key
from hubbub.wire.base import Command
from hubbub.wire.codecs import JSON_CODEC
from hubbub.wire.commands import invalid_fields
from hubbub.wire.members import (
    Ban,
    ChangeRoom,
    Create,
    Direct,
    Invite,
    Kick,
    LeaveRoom,
    MembersPage,
    Mute,
    Remove,
    SetRole,
)
from hubbub.wire.rooms import LISTED, ListQuery

if TYPE_CHECKING:
    from hubbub.features.members.feature import MembersFeature

_CHANGES: tuple[type[Command], ...] = (ChangeRoom, Invite, Remove, LeaveRoom, SetRole, Kick, Mute, Ban)
SEARCHED_PER_REQUEST = 1000
"""To look for a name among so many people costs as much as the request itself."""
_FIRST = ListQuery(limit=LISTED)
_ERRORS = documented(Invalid, Unauthenticated, Forbidden, NotFound, Conflict, TooLarge, RateLimited, Unavailable)


class ChangedRoom(BaseModel):
    """The change is durable. `rev` is its number."""

    room: str
    rev: int


def add_routes(router: APIRouter, hub: Mounted, feature: MembersFeature) -> None:
    _add_making(router, hub, feature)
    _add_members(router, hub, feature)
    for model in _CHANGES:
        _add_change(router, hub, feature, model)


def _add_making(router: APIRouter, hub: Mounted, feature: MembersFeature) -> None:
    authenticated = Depends(hub.authenticate)

    @router.post(
        "/api/v1/rooms",
        tags=["rooms"],
        status_code=201,
        response_model=MembersPage,
        response_model_exclude_none=True,
        responses=_ERRORS,
        openapi_extra=_body_of(Create),
    )
    async def create(request: Request, account: Any = authenticated) -> Response:
        """Make a room. The same as the command `create`."""
        user, command = await _admitted(hub, request, account, Create, {})
        permit(feature.services.policy, user, Action.CREATE, "")
        room = await feature.rooms_of_people.create(user, command)
        return _page(await feature.access.require(user, Action.SEE_MEMBERS, room), room, _FIRST, 201)

    @router.post(
        "/api/v1/direct",
        tags=["rooms"],
        response_model=MembersPage,
        response_model_exclude_none=True,
        responses=_ERRORS,
        openapi_extra=_body_of(Direct),
    )
    async def direct(request: Request, account: Any = authenticated) -> Response:
        """Find or make the direct room with these users. The same as the command `direct`."""
        user, command = await _admitted(hub, request, account, Direct, {})
        permit(feature.services.policy, user, Action.DIRECT, "")
        room = await feature.rooms_of_people.direct(user, command.users)
        return _page(await feature.access.require(user, Action.SEE_MEMBERS, room), room, _FIRST)


def _add_members(router: APIRouter, hub: Mounted, feature: MembersFeature) -> None:
    authenticated = Depends(hub.authenticate)

    @router.get(
        "/api/v1/rooms/{room}/members",
        tags=["rooms"],
        response_model=MembersPage,
        response_model_exclude_none=True,
        responses=documented(Invalid, Unauthenticated, Forbidden, RateLimited, Unavailable),
    )
    async def members(
        request: Request, room: str, part: Annotated[Part, Query()], account: Any = authenticated
    ) -> Response:
        """What is said about a room, and who has a role in it, or is muted or banned, by name. `q` looks for a part of
        the name or the key. For the next page give `next` as `after`; there is none after the last page."""
        hub.node.require_started()
        user = hub.admissions.identify(request, account)
        check_key(request, "room")
        query = query_of(part)
        charge = await hub.admissions.take_request(request, user, size_of(query))
        access = await feature.access.require(user, Action.SEE_MEMBERS, room)
        if query.q and access is not None:
            charge(len(access.people) / SEARCHED_PER_REQUEST)
        return _page(access, room, query)


def _add_change(router: APIRouter, hub: Mounted, feature: MembersFeature, model: type[Command]) -> None:
    authenticated = Depends(hub.authenticate)
    name = model.type_name()

    async def change(request: Request, room: str, account: Any = authenticated) -> Response:
        user, command = await _admitted(hub, request, account, model, {"room": room})
        wanted = change_of(command)
        await feature.access.require(user, wanted.action, room)
        changed = await feature.rooms_of_people.change(user, room, wanted)
        return JSONResponse(ChangedRoom(room=changed.room, rev=changed.rev).model_dump())

    router.add_api_route(
        f"/api/v1/rooms/{{room}}/{name}",
        change,
        methods=["POST"],
        name=name,
        tags=["rooms"],
        response_model=ChangedRoom,
        responses=_ERRORS,
        openapi_extra=_body_of(model),
        description=f"The same as the command `{name}`. {model.__doc__}",
    )


async def _admitted(
    hub: Mounted, request: Request, account: Any, model: type[Command], given: dict[str, Any]
) -> tuple[Any, Any]:
    """The user who asks, and the command. Raises as a handshake does, and `Invalid`."""
    hub.node.require_started()
    user = hub.admissions.identify(request, account)
    await hub.admissions.take_request(request, user)
    body = await read_body(request)
    fields = JSON_CODEC.decode(body) if body else {}
    if not isinstance(fields, dict):
        raise Invalid("the body must be one JSON object")
    try:
        command = model.model_validate(fields | given | {"type": model.type_name(), "id": None})
    except ValidationError as error:
        raise invalid_fields(error, tagged=False) from None
    admitted = await hub.admissions.admit(request, account, connects=False)
    hub.admissions.withdraw(admitted)
    return admitted.user, command


def _page(access: Access | None, room: str, query: ListQuery, status: int = 200) -> Response:
    page = access.page(query) if access is not None else MembersPage(room=room, kind="public", members=[])
    return JSONResponse(page.model_dump(exclude_none=True), status)


def _body_of(model: type[Command]) -> dict[str, Any]:
    schema = model.model_json_schema()
    for given_otherwise in ("type", "room", "id") if model is not Create else ("type", "id"):
        schema["properties"].pop(given_otherwise, None)
    schema["required"] = [name for name in schema.get("required", ()) if name != "room"]
    if not schema["required"]:
        del schema["required"]
    return {
        "requestBody": {"required": bool(schema.get("required")), "content": {"application/json": {"schema": schema}}}
    }
