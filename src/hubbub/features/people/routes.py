"""The REST API of users: a program sends them events."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, TypeAdapter, ValidationError

from hubbub.errors import Forbidden, Invalid, RateLimited, TooLarge, Unauthenticated, Unavailable
from hubbub.http.bodies import read_body
from hubbub.http.error_responses import documented
from hubbub.http.mounted import Mounted
from hubbub.wire.codecs import JSON_CODEC
from hubbub.wire.data import Data
from hubbub.wire.events import BUILT_IN
from hubbub.wire.keys import is_key

if TYPE_CHECKING:
    from hubbub.features.people.feature import PeopleFeature

_BUILT_IN = {event.type_name() for event in BUILT_IN}
_data = TypeAdapter(Data)
# Types that begin with @ are orders between nodes, so no event may have one.
_type = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,63}\Z")


class SentToUser(BaseModel):
    sent: int


def add_routes(router: APIRouter, hub: Mounted, feature: PeopleFeature) -> None:
    @router.post(
        "/api/v1/app/users/{user}/events",
        tags=["programs"],
        response_model=SentToUser,
        responses=documented(Invalid, Unauthenticated, Forbidden, TooLarge, RateLimited, Unavailable),
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "properties": {"type": {"type": "string"}},
                            "required": ["type"],
                        }
                    }
                },
            }
        },
    )
    async def send_event(request: Request, user: str) -> SentToUser:
        """Send an event of the application's own to all connections of a user, with an API key that has the scope
        `users:send`. The body is the event: a JSON object with a `type`, of at most 4 KB. The answer says to how many
        connections it was sent."""
        await hub.admissions.check_api_key(request, "users:send")
        if not is_key(user):
            raise Invalid(f"user: {user[:64]!r} is no key")
        event = read_event(await read_body(request))
        return SentToUser(sent=await feature.user_channels.send(user, event))


def read_event(body: bytes) -> dict[str, Any]:
    """An application's own event. Raises `Invalid`, also for a type that is one of the protocol's: clients must be able
    to believe that a `message` was said in a room."""
    event = JSON_CODEC.decode(body)
    if not isinstance(event, dict):
        raise Invalid('the body must be one JSON object: {"type": "order_shipped", ...}')
    kind = event.get("type")
    if not isinstance(kind, str) or not _type.match(kind):
        raise Invalid("type: an event needs a type: 1 to 64 of A-Z a-z 0-9 _ . : -, beginning with a letter")
    if kind in _BUILT_IN:
        raise Invalid(f"type: {kind!r} is an event of the protocol; choose another name for your own")
    try:
        event = _data.validate_python(event)
    except ValidationError as error:
        raise Invalid(f"the event {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None
    return {"type": kind} | event
