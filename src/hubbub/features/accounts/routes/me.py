"""Who somebody is: the own profile and password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field, SecretStr
from starlette.responses import JSONResponse, Response

from hubbub.accounts.accounts import Account, AccountChange, check_name
from hubbub.accounts.passwords import LONGEST as LONGEST_PASSWORD
from hubbub.errors import NotFound, TooLarge
from hubbub.http.asking import COMMON, address_of, body_of, read_model, who_asks
from hubbub.http.bearer import guest_secret
from hubbub.http.error_responses import documented
from hubbub.http.mounted import Mounted
from hubbub.http.session_cookie import set_cookie
from hubbub.wire.identity import Role, User

if TYPE_CHECKING:
    from hubbub.features.accounts.feature import AccountsFeature


_OF_EMAIL = r"""[^@\s<>()\[\]\\",;:\x00-\x1f]"""
"""Not what gives an address another meaning in the head of a mail: lists, groups, comments, quotes."""


class Profile(BaseModel):
    """What is left out stays; an empty text removes a value."""

    name: str | None = Field(None, max_length=200)
    color: str | None = Field(None, pattern=r"^(#[0-9a-fA-F]{6})?$")
    time_zone: str | None = Field(None, pattern=r"^([A-Za-z][A-Za-z0-9_+/-]{0,63})?$")
    email: str | None = Field(None, pattern=f"^({_OF_EMAIL}{{1,64}}@{_OF_EMAIL}{{1,190}})?$")


class NewPassword(BaseModel):
    old: SecretStr = Field(max_length=1000)
    new: SecretStr = Field(max_length=LONGEST_PASSWORD)


class Me(BaseModel):
    key: str
    name: str
    role: Role
    guest: bool
    color: str | None = None
    time_zone: str | None = None
    email: str | None = None
    email_confirmed: bool | None = None
    """Whether its owner has shown to read the mail at this address."""


def add_me(router: APIRouter, hub: Mounted, feature: AccountsFeature) -> None:
    authenticated = Depends(hub.authenticate)

    @router.get(
        "/api/v1/me",
        tags=["accounts"],
        response_model=Me,
        response_model_exclude_none=True,
        responses=documented(*COMMON),
    )
    async def me(request: Request, account: Any = authenticated) -> Me:
        """Who you are: an account, or a guest where guests are admitted. Otherwise 401."""
        user = await hub.user_of(request, account)
        if user.guest:
            secret = guest_secret(request, {})
            user = hub.admissions.proven_guest(secret) if secret else user
            return Me(key=user.key, name=user.name, role=Role.GUEST, guest=True)
        return _me(user, await feature.administration.account(user.key))

    @router.patch(
        "/api/v1/me",
        tags=["accounts"],
        response_model=Me,
        response_model_exclude_none=True,
        responses=documented(*COMMON, NotFound, TooLarge),
        openapi_extra=body_of(Profile),
    )
    async def change_me(request: Request, account: Any = authenticated) -> Me:
        """Change one's name, colour, time zone or e-mail address. Open connections are made again after a new name."""
        who = await who_asks(hub, request, account)
        fields = await read_model(hub, request, Profile)
        changed = await feature.administration.change(
            AccountChange(
                who.user.key,
                by=who.user.key,
                name=check_name(fields.name) if fields.name is not None else None,
                color=fields.color,
                time_zone=fields.time_zone,
                email=fields.email,
            )
        )
        return _me(changed.user, changed)


def add_password(router: APIRouter, hub: Mounted, feature: AccountsFeature) -> None:
    authenticated = Depends(hub.authenticate)

    @router.put(
        "/api/v1/me/password",
        tags=["accounts"],
        status_code=204,
        responses=documented(*COMMON, NotFound, TooLarge),
        openapi_extra=body_of(NewPassword),
    )
    async def change_password(request: Request, account: Any = authenticated) -> Response:
        """Set a new password. All other sessions end, with their connections."""
        who = await who_asks(hub, request, account)
        fields = await read_model(hub, request, NewPassword)
        await feature.administration.change_password(
            who.user.key,
            fields.old.get_secret_value(),
            fields.new.get_secret_value(),
            kept=who.session,
            address=address_of(request),
        )
        return Response(status_code=204)


def _me(user: User, account: Account | None) -> Me:
    shown = Me(key=user.key, name=user.name, role=user.role, guest=False)
    if account is None:
        return shown
    more = {"color": account.color, "time_zone": account.time_zone, "email": account.email, "name": account.name}
    confirmed = account.has_confirmed_email if account.email is not None else None
    return shown.model_copy(update=more | {"email_confirmed": confirmed})


def logged_in(request: Request, account: Account, token: str) -> Response:
    response = JSONResponse(_me(account.user, account).model_dump(mode="json", exclude_none=True), 201)
    set_cookie(response, request, token)
    return response
