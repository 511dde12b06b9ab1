"""Making an account, and what administrators do with accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field, SecretStr
from starlette.responses import Response

from hubbub.accounts.accounts import Account, AccountChange
from hubbub.accounts.passwords import LONGEST as LONGEST_PASSWORD
from hubbub.accounts.policies import Action
from hubbub.errors import Conflict, Invalid, NotFound, TooLarge
from hubbub.features.accounts.log_ins import Wish
from hubbub.features.accounts.routes.me import Me, logged_in
from hubbub.http.asking import COMMON, PAGE, address_of, agent_of, body_of, next_of, permitted, read_model, secret_of
from hubbub.http.bearer import guest_secret
from hubbub.http.error_responses import documented
from hubbub.http.mounted import Mounted
from hubbub.wire.base import timestamp_of
from hubbub.wire.identity import Role

if TYPE_CHECKING:
    from hubbub.features.accounts.feature import AccountsFeature


class SignUp(BaseModel):
    username: str = Field(max_length=64)
    password: SecretStr = Field(max_length=LONGEST_PASSWORD)
    name: str | None = Field(None, max_length=200)
    invitation: SecretStr | None = Field(None, max_length=100)
    setup: SecretStr | None = Field(None, max_length=100)


class Administer(BaseModel):
    role: Role | None = None
    deactivated: bool | None = None


class AccountInfo(BaseModel):
    key: str
    username: str
    name: str
    role: Role
    color: str | None = None
    created: str
    deactivated: str | None = None


class AccountsPage(BaseModel):
    accounts: list[AccountInfo]
    next: str | None = None


def add_entering(router: APIRouter, hub: Mounted, feature: AccountsFeature) -> None:
    @router.post(
        "/api/v1/accounts",
        tags=["accounts"],
        status_code=201,
        response_model=Me,
        response_model_exclude_none=True,
        responses=documented(*COMMON, Conflict, TooLarge),
        openapi_extra=body_of(SignUp),
    )
    async def sign_up(request: Request) -> Response:
        """Make an account, and log in: the answer sets the cookie. By itself where the setting `sign_up` is `open`,
        otherwise with the token of an invitation, or with that of the setup link, which makes the administrator. A
        guest who sends the header `Hubbub-Secret` keeps key and messages."""
        fields = await read_model(hub, request, SignUp)
        secret = guest_secret(request, {})
        wish = Wish(
            fields.username,
            fields.password.get_secret_value(),
            name=fields.name,
            invitation=secret_of(fields.invitation),
            is_first=fields.setup is not None,
            guest=hub.admissions.proven_guest(secret) if secret else None,
        )
        account, session = await feature.sign_up(
            wish, setup=secret_of(fields.setup), address=address_of(request), agent=agent_of(request)
        )
        return logged_in(request, account, session.token)


def add_administration(router: APIRouter, hub: Mounted, feature: AccountsFeature) -> None:
    authenticated = Depends(hub.authenticate)

    @router.get(
        "/api/v1/accounts",
        tags=["administration"],
        response_model=AccountsPage,
        response_model_exclude_none=True,
        responses=documented(*COMMON),
    )
    async def accounts(
        request: Request,
        q: Annotated[str, Query(max_length=64)] = "",
        after: Annotated[str, Query(max_length=64)] = "",
        account: Any = authenticated,
    ) -> AccountsPage:
        """All accounts by their keys, or those with `q` in key or name. For the next page give `next` as `after`."""
        await permitted(hub, request, account, Action.MANAGE_ACCOUNTS)
        found = await feature.administration.accounts(after=after, q=q, number=PAGE + 1)
        page = found[:PAGE]
        return AccountsPage(
            accounts=[_account_info(one) for one in page], next=next_of(found, [one.key for one in page])
        )

    @router.patch(
        "/api/v1/accounts/{key}",
        tags=["administration"],
        response_model=AccountInfo,
        response_model_exclude_none=True,
        responses=documented(*COMMON, NotFound, Conflict, TooLarge),
        openapi_extra=body_of(Administer),
    )
    async def change_account(request: Request, key: str, account: Any = authenticated) -> AccountInfo:
        """Change somebody's role, or deactivate an account: its messages stay, its sessions end, and nobody can log in
        with it until it is activated again."""
        who = await permitted(hub, request, account, Action.MANAGE_ACCOUNTS)
        fields = await read_model(hub, request, Administer)
        if fields.role is Role.GUEST:
            raise Invalid("role: an account is a `member` or an `admin`")
        change = AccountChange(key, by=who.user.key, role=fields.role, is_deactivated=fields.deactivated)
        return _account_info(await feature.administration.change(change))


def _account_info(account: Account) -> AccountInfo:
    return AccountInfo(
        key=account.key,
        username=account.login,
        name=account.name,
        role=account.role,
        color=account.color,
        created=timestamp_of(account.created),
        deactivated=timestamp_of(account.deactivated) if account.deactivated is not None else None,
    )
