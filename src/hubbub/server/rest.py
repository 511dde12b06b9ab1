"""The REST API: what has no need of a socket."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from hubbub.accounts.policies import Action
from hubbub.errors import Forbidden, Invalid, RateLimited, RequestError, Unauthenticated, Unavailable
from hubbub.limits import WORK_PER_COMMAND
from hubbub.server.statuses import documented, error_response
from hubbub.wire.codecs import JSON_CODEC
from hubbub.wire.commands import History, invalid_fields
from hubbub.wire.events import HistoryPage
from hubbub.wire.publication import encode_event

if TYPE_CHECKING:
    from hubbub.server.hubbub import Hubbub


ROWS_PER_REQUEST = 20
"""A page with as many messages costs as much again as the request for it."""


class Place(BaseModel):
    """Where in a room's messages. Checked as the command `history` is, so that a mistake gets the same answer."""

    before: str | None = None
    after: str | None = None
    around: str | None = None
    pinned: str | None = None
    limit: str | None = None


def add_rest(router: APIRouter, hub: Hubbub) -> None:
    """Add the routes under `/api/v1`."""
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
        try:
            hub.node.require_started()
            user = hub.admissions.identify(request, account)
            if not user.guest:
                # What an older guest wrote under this key must not look like the account's own.
                await hub.node.claim_key(user)
            query = _query(room, place)
            if not hub.node.policy(user, Action.READ, room):
                raise Forbidden(f"you may not read room {room!r}", room=room)
            debt = hub.admissions.take_request(request, user, _expected(query))

            def charge(work: float) -> None:
                debt.add(max(0.0, work / WORK_PER_COMMAND - _expected(query)), time.monotonic(), hub.node.requests)

            page = await hub.node.catching_up.history(query, charge=charge)
        except RequestError as error:
            return error_response(error)
        return Response(encode_event(JSON_CODEC, page), media_type="application/json")


def _expected(query: History) -> float:
    """How many usual requests a page is worth, before it is read: many at once must not get in before they are."""
    return 1 + query.limit / ROWS_PER_REQUEST


def _query(room: str, place: Place) -> History:
    """Query parameters are strings, so they are read less strictly than a command's fields. Raises `Invalid`."""
    try:
        return History.model_validate({"room": room} | place.model_dump(exclude_none=True), strict=False)
    except ValidationError as error:
        raise invalid_fields(error, tagged=False) from None
