"""Links with which somebody who has forgotten the password sets another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field, SecretStr
from starlette.responses import Response

from hubbub.accounts.passwords import LONGEST as LONGEST_PASSWORD
from hubbub.accounts.policies import Action
from hubbub.errors import NotFound, TooLarge
from hubbub.http.admission import GUEST
from hubbub.http.asking import COMMON, body_of, page_link, permitted, read_model
from hubbub.http.error_responses import documented
from hubbub.http.mounted import Mounted

if TYPE_CHECKING:
    from hubbub.features.accounts.feature import AccountsFeature


class Reset(BaseModel):
    token: SecretStr = Field(max_length=100)
    password: SecretStr = Field(max_length=LONGEST_PASSWORD)


class Link(BaseModel):
    url: str


def add_resets(router: APIRouter, hub: Mounted, feature: AccountsFeature) -> None:
    authenticated = Depends(hub.authenticate)

    @router.post(
        "/api/v1/accounts/{key}/reset-link",
        tags=["administration"],
        status_code=201,
        responses=documented(*COMMON, NotFound),
    )
    async def make_reset_link(request: Request, key: str, account: Any = authenticated) -> Link:
        """A link with which somebody who has forgotten the password sets another one: once, within a day."""
        who = await permitted(hub, request, account, Action.MANAGE_ACCOUNTS)
        reset = await feature.administration.make_reset(key, by=who.user.key)
        return Link(url=page_link(hub, request, "reset", reset.token))

    @router.post(
        "/api/v1/resets",
        tags=["accounts"],
        status_code=204,
        responses=documented(*COMMON, TooLarge),
        openapi_extra=body_of(Reset),
    )
    async def reset_password(request: Request) -> Response:
        """Set another password with the token of such a link. All sessions of the account end."""
        fields = await read_model(hub, request, Reset)
        await hub.admissions.take_request(request, GUEST)
        await feature.administration.reset(fields.token.get_secret_value(), fields.password.get_secret_value())
        return Response(status_code=204)
