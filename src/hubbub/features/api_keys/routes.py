"""The routes with which administrators make API keys for programs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from hubbub.accounts.api_keys import NAME, ApiKey, KeyScope, make_key
from hubbub.accounts.policies import Action
from hubbub.errors import Conflict, NotFound, TooLarge
from hubbub.http.asking import COMMON, body_of, end_of, permitted, read_model
from hubbub.http.error_responses import documented
from hubbub.http.mounted import Mounted
from hubbub.wire.base import timestamp_of
from hubbub.wire.members import Time

if TYPE_CHECKING:
    from hubbub.features.api_keys.feature import ApiKeysFeature


class NewKey(BaseModel):
    name: str = Field(pattern=f"^{NAME}$")
    scopes: list[KeyScope] = Field(min_length=1, max_length=20)
    """What the key allows."""
    expires: Time | None = None


class KeyInfo(BaseModel):
    id: str
    name: str
    scopes: list[str]
    created: str
    expires: str | None = None


class KeyWithToken(KeyInfo):
    token: str = Field(repr=False)
    """Only now: it is not stored."""


class Keys(BaseModel):
    tokens: list[KeyInfo]


def add_routes(router: APIRouter, hub: Mounted, feature: ApiKeysFeature) -> None:
    authenticated = Depends(hub.authenticate)

    @router.get(
        "/api/v1/tokens",
        tags=["administration"],
        response_model=Keys,
        response_model_exclude_none=True,
        responses=documented(*COMMON, NotFound),
    )
    async def tokens(request: Request, account: Any = authenticated) -> Keys:
        """The API keys of this server, by name, without what they are."""
        await permitted(hub, request, account, Action.MANAGE_KEYS)
        return Keys(tokens=[KeyInfo(**_fields(key)) for key in await feature.all()])

    @router.post(
        "/api/v1/tokens",
        tags=["administration"],
        status_code=201,
        response_model=KeyWithToken,
        response_model_exclude_none=True,
        responses=documented(*COMMON, NotFound, Conflict, TooLarge),
        openapi_extra=body_of(NewKey),
    )
    async def make_token(request: Request, account: Any = authenticated) -> KeyWithToken:
        """Make an API key, with which a program may do what the scopes say. The answer has it as `token`, which nobody
        can see again."""
        who = await permitted(hub, request, account, Action.MANAGE_KEYS)
        fields = await read_model(hub, request, NewKey)
        expires = end_of("expires", fields.expires) if fields.expires is not None else None
        key, secret = make_key(fields.name, fields.scopes, expires=expires)
        await feature.add(key, by=who.user.key)
        return KeyWithToken(token=secret, **_fields(key))

    @router.delete(
        "/api/v1/tokens/{api_key}",
        tags=["administration"],
        status_code=204,
        responses=documented(*COMMON, NotFound),
    )
    async def revoke_token(request: Request, api_key: str, account: Any = authenticated) -> Response:
        """Take a key back. Every node refuses it within a second, and ends its connections."""
        who = await permitted(hub, request, account, Action.MANAGE_KEYS)
        if not re.fullmatch(NAME, api_key):
            raise NotFound("there is no such key")
        await feature.remove(api_key, by=who.user.key)
        return Response(status_code=204)


def _fields(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.name,
        "name": key.name,
        "scopes": list(key.scopes),
        "created": timestamp_of(key.created),
        "expires": timestamp_of(key.expires) if key.expires is not None else None,
    }
