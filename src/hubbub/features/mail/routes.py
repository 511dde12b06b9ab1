"""The REST API of mails: for a forgotten password, and to confirm an address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field, SecretStr
from starlette.responses import Response

from hubbub.errors import Conflict, NotFound, TooLarge
from hubbub.features.mail.resets import Resets
from hubbub.http.admission import GUEST
from hubbub.http.asking import COMMON, address_of, body_of, read_model, who_asks
from hubbub.http.error_responses import documented
from hubbub.http.mounted import Mounted

if TYPE_CHECKING:
    from hubbub.features.mail.feature import MailFeature


class Forgotten(BaseModel):
    account: str = Field(min_length=1, max_length=256)
    """A username or an e-mail address."""


class AskToConfirm(BaseModel):
    password: SecretStr = Field(max_length=1000)


class Confirmation(BaseModel):
    token: SecretStr = Field(max_length=1000)


def add_routes(router: APIRouter, hub: Mounted, feature: MailFeature) -> None:
    """Add the routes under `/api/v1`."""
    authenticated = Depends(hub.authenticate)

    @router.post(
        "/api/v1/resets/mail",
        tags=["accounts"],
        status_code=204,
        responses=documented(*COMMON, NotFound, TooLarge),
        openapi_extra=body_of(Forgotten),
    )
    async def mail_reset(request: Request) -> Response:
        """Send a link for a new password to the confirmed address of an account. Whether there is one is not told."""
        fields = await read_model(hub, request, Forgotten)
        await _resets(feature).ask(fields.account, address=address_of(request))
        return Response(status_code=204)

    @router.post(
        "/api/v1/me/email/confirmation",
        tags=["accounts"],
        status_code=204,
        responses=documented(*COMMON, Conflict, NotFound, TooLarge),
        openapi_extra=body_of(AskToConfirm),
    )
    async def ask_to_confirm(request: Request, account: Any = authenticated) -> Response:
        """Send a link to your own e-mail address, which confirms it. It needs the password, since who has
        the address can set another one."""
        who = await who_asks(hub, request, account)
        fields = await read_model(hub, request, AskToConfirm)
        resets = _resets(feature)
        mine = await feature.accounts.administration.prove_password(
            who.user.key, fields.password.get_secret_value(), address=address_of(request)
        )
        await resets.ask_to_confirm(mine, address=address_of(request))
        return Response(status_code=204)

    @router.post(
        "/api/v1/confirmations",
        tags=["accounts"],
        status_code=204,
        responses=documented(*COMMON, NotFound, TooLarge),
        openapi_extra=body_of(Confirmation),
    )
    async def confirm(request: Request) -> Response:
        """Confirm an e-mail address by the token of such a link."""
        fields = await read_model(hub, request, Confirmation)
        await hub.admissions.take_request(request, GUEST)
        await _resets(feature).confirm(fields.token.get_secret_value())
        return Response(status_code=204)


def _resets(feature: MailFeature) -> Resets:
    if feature.resets is None:
        raise NotFound("this server sends no mails; an administrator can make a link for a new password")
    return feature.resets
