"""Who asks, and for what: what routes share that people use by their own account."""

from __future__ import annotations

import time
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr, ValidationError
from starlette.requests import Request

from hubbub.accounts.identity import Authenticated
from hubbub.accounts.policies import Action, permit
from hubbub.errors import Forbidden, Invalid, RateLimited, Unauthenticated, Unavailable
from hubbub.http.admission import as_authenticated
from hubbub.http.bodies import read_body
from hubbub.http.mounted import Mounted
from hubbub.wire.codecs import JSON_CODEC
from hubbub.wire.commands import invalid_fields
from hubbub.wire.identity import User
from hubbub.wire.members import milliseconds

B = TypeVar("B", bound=BaseModel)

COMMON = (Invalid, Unauthenticated, Forbidden, RateLimited, Unavailable)
"""What each of these routes may refuse with."""
PAGE = 100
"""The most rows in one answer."""


async def who_asks(hub: Mounted, request: Request, account: Any) -> Authenticated:
    """Somebody with an account. Raises `Unauthenticated`, and what `user_of` raises."""
    if account is None:
        raise Unauthenticated("log in first")
    await hub.user_of(request, account)
    return as_authenticated(account)


async def permitted(hub: Mounted, request: Request, account: Any, action: Action) -> Authenticated:
    """Somebody with an account, who may do this on the server. Raises `Forbidden` for anybody else, and what `who_asks`
    raises."""
    who = await who_asks(hub, request, account)
    permit(hub.node.services.policy, who.user, action, "")
    return who


def may(hub: Mounted, user: User, action: Action) -> bool:
    """Whether this user may do this on the server."""
    return hub.node.services.policy(user, action, "")


async def read_model(hub: Mounted, request: Request, model: type[B]) -> B:
    """The body. Raises `Invalid`, which names the field but not its value, `TooLarge`, and `Forbidden` for a request
    of another site's page."""
    hub.node.require_started()
    hub.admissions.origins.check(request)
    fields = JSON_CODEC.decode(await read_body(request))
    if not isinstance(fields, dict):
        raise Invalid("the body must be one JSON object")
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise invalid_fields(error, tagged=False) from None


@cache
def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """Describes the body for OpenAPI: for `openapi_extra`."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def end_of(field: str, time_of_wire: str) -> int:
    """When something ends that is made now, in milliseconds since 1970. Raises `Invalid` for a time that is over."""
    end = milliseconds(time_of_wire)
    if end <= time.time() * 1000:
        raise Invalid(f"{field}: this time is over")
    return end


def secret_of(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value is not None else None


def address_of(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def agent_of(request: Request) -> str:
    """What the client says that it is."""
    agent = request.headers.get("user-agent", "")
    return "".join(character for character in agent if character.isprintable())


def next_of(found: list[Any], places: list[str]) -> str | None:
    """Where the next page begins, if more was found than the page holds."""
    return places[-1] if len(found) > len(places) else None


def page_link(hub: Mounted, request: Request, kind: str, token: str) -> str:
    """An address of the page. The token is in the fragment, which no server sees or logs."""
    before = hub.node.settings.public_url or str(request.url).partition("/api/v1/")[0]
    return f"{before}/#/{kind}/{token}"
