"""The REST API of messages: what can be done without a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ValidationError
from starlette.responses import JSONResponse, Response

from hubbub.accounts.policies import Action
from hubbub.errors import (
    Conflict,
    Forbidden,
    Internal,
    Invalid,
    NotFound,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from hubbub.features.messages.log_changes import ChangeRequest
from hubbub.http.bodies import read_body
from hubbub.http.error_responses import documented
from hubbub.http.mounted import Mounted
from hubbub.limits import WORK_PER_COMMAND
from hubbub.wire.codecs import JSON_CODEC
from hubbub.wire.commands import invalid_fields
from hubbub.wire.identity import SYSTEM
from hubbub.wire.messages import History, HistoryPage, SendMessage
from hubbub.wire.publication import encode_event

if TYPE_CHECKING:
    from hubbub.features.messages.feature import MessagesFeature

ROWS_PER_REQUEST = 20
"""A page with this many messages costs as much as the request itself."""


class Place(BaseModel):
    """Which messages of a room. The command `history` checks the fields, so that a mistake gets the same answer."""

    before: str | None = None
    after: str | None = None
    around: str | None = None
    pinned: str | None = None
    limit: str | None = None


class Posted(BaseModel):
    """The message is durable. In a room that stores nothing it was only published, and has no `seq` and no `rev`."""

    room: str
    seq: int | None = None
    rev: int | None = None
    ts: str
    user: str
    secret: str | None = None
    """Proves next time that this is the same guest."""


_POST_SCHEMA = SendMessage.model_json_schema()
for _given_otherwise in ("type", "room", "id"):
    del _POST_SCHEMA["properties"][_given_otherwise]
_POST_SCHEMA["required"].remove("room")
_POST_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": _POST_SCHEMA}}}}

_POST_ERRORS = documented(
    Invalid, Unauthenticated, Forbidden, NotFound, Conflict, TooLarge, RateLimited, Internal, Unavailable
)


def add_routes(router: APIRouter, hub: Mounted, feature: MessagesFeature) -> None:
    """Add the routes under `/api/v1`."""
    _add_history(router, hub, feature)
    _add_posting(router, hub, feature)


def _add_history(router: APIRouter, hub: Mounted, feature: MessagesFeature) -> None:
    authenticated = Depends(hub.authenticate)

    @router.get(
        "/api/v1/rooms/{room}/messages",
        tags=["rooms"],
        response_model=HistoryPage,
        responses=documented(Invalid, Unauthenticated, Forbidden, RateLimited, Unavailable),
    )
    async def messages(
        request: Request, room: str, place: Annotated[Place, Query()], account: Any = authenticated
    ) -> Response:
        """A page of a room's messages, in the order of their `seq`: those before, after or around one; without any of
        them, the latest. The same as the command `history`."""
        hub.node.require_started()
        user = hub.admissions.identify(request, account)
        if not user.guest:
            # Messages of an earlier guest with this key must not look like the account's own.
            await feature.people.claim_key(user)
        query = _query(room, place)
        access = feature.rooms.access
        charge = await hub.admissions.take_request(request, user, _expected(query))

        def charge_for(work: float) -> None:
            more = work / WORK_PER_COMMAND - _expected(query)
            if more > 0:
                charge(more)

        await access.require(user, Action.READ, room)
        page = await feature.catching_up.history(query, charge=charge_for)
        await access.confirm(user, room)
        return Response(encode_event(JSON_CODEC, page), media_type="application/json")


def _add_posting(router: APIRouter, hub: Mounted, feature: MessagesFeature) -> None:
    authenticated = Depends(hub.authenticate)

    @router.post(
        "/api/v1/rooms/{room}/messages",
        tags=["rooms"],
        status_code=201,
        response_model=Posted,
        response_model_exclude_none=True,
        responses=_POST_ERRORS,
        openapi_extra=_POST_BODY,
    )
    async def post(request: Request, room: str, account: Any = authenticated) -> Response:
        """Say something in a room, without a connection. The same as the command `message`, with the same errors: an
        answer with 201 means that it is durable, and a repeat under the same `key` gets the first answer. A guest takes
        part under the name that `?username=` gives, as at a handshake, and proves to be the same one by the header
        `Hubbub-Secret`."""
        hub.node.require_started()
        user = hub.admissions.identify(request, account)
        await hub.admissions.take_request(request, user)
        command = _message(room, await read_body(request))
        admitted = await hub.admissions.admit(request, account, connects=False)
        try:
            sent = await feature.messages.revise_and_send(ChangeRequest(admitted.user, room, command))
        finally:
            hub.admissions.withdraw(admitted)
        posted = Posted(
            room=sent.room, seq=sent.seq, rev=sent.rev, ts=sent.ts, user=admitted.user.key, secret=admitted.secret
        )
        return JSONResponse(posted.model_dump(exclude_none=True), 201)

    @router.post(
        "/api/v1/app/rooms/{room}/messages",
        tags=["programs"],
        status_code=201,
        response_model=Posted,
        response_model_exclude_none=True,
        responses=_POST_ERRORS,
        openapi_extra=_POST_BODY,
    )
    async def post_as_application(request: Request, room: str) -> Response:
        """Say something in a room as the application (`kind: system`), with an API key that has the scope `rooms:send`.
        Neither the policy nor the hooks are asked. A repeat under the same `key` gets the first answer."""
        await hub.admissions.check_api_key(request, "rooms:send")
        command = _message(room, await read_body(request))
        sent = await feature.messages.change(ChangeRequest(SYSTEM, room, command))
        posted = Posted(room=sent.room, seq=sent.seq, rev=sent.rev, ts=sent.ts, user=SYSTEM.key)
        return JSONResponse(posted.model_dump(exclude_none=True), 201)


_BODY = 'the body must be one JSON object, such as {"text": "hello"}'


def _message(room: str, body: bytes) -> SendMessage:
    """Raises `Invalid`, as the command would."""
    try:
        fields = JSON_CODEC.decode(body)
    except Invalid as error:
        raise Invalid(f"{_BODY}; {error.message}") from None
    if not isinstance(fields, dict):
        raise Invalid(_BODY)
    try:
        return SendMessage.model_validate(fields | {"type": "message", "room": room, "id": None})
    except ValidationError as error:
        raise invalid_fields(error, tagged=False) from None


def _expected(query: History) -> float:
    """What a page costs, in usual requests. It is charged before the page is read, so that many requests at once cannot
    pass the limit."""
    return 1 + query.limit / ROWS_PER_REQUEST


def _query(room: str, place: Place) -> History:
    """Query parameters are strings, so they are read less strictly than a command's fields. Raises `Invalid`."""
    try:
        return History.model_validate({"room": room} | place.model_dump(exclude_none=True), strict=False)
    except ValidationError as error:
        raise invalid_fields(error, tagged=False) from None
