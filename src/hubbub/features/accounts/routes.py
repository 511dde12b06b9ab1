"""The REST API of accounts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field, SecretStr, ValidationError
from starlette.responses import JSONResponse, Response

from hubbub.accounts.accounts import Account, AccountChange, check_name
from hubbub.accounts.audit import LATEST, AuditLine
from hubbub.accounts.identity import Authenticated
from hubbub.accounts.invitations import LONGEST, MOST_USES, USUAL, Invitation, NewInvitation
from hubbub.accounts.passwords import LONGEST as LONGEST_PASSWORD
from hubbub.accounts.sessions import Session
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
from hubbub.features.accounts.log_ins import Wish
from hubbub.http.admission import GUEST, as_authenticated
from hubbub.http.bearer import guest_secret
from hubbub.http.bodies import read_body
from hubbub.http.error_responses import documented
from hubbub.http.mounted import Mounted
from hubbub.http.session_cookie import COOKIE, remove_cookie, set_cookie
from hubbub.wire.base import timestamp
from hubbub.wire.codecs import JSON_CODEC
from hubbub.wire.commands import invalid_fields
from hubbub.wire.identity import Role, User

if TYPE_CHECKING:
    from hubbub.features.accounts.feature import AccountsFeature

B = TypeVar("B", bound=BaseModel)

PAGE = 100
"""The most accounts, or lines of the audit log, in one answer."""

_COMMON = (Invalid, Unauthenticated, Forbidden, RateLimited, Unavailable)


# What clients send.


class SignUp(BaseModel):
    username: str = Field(max_length=64)
    password: SecretStr = Field(max_length=LONGEST_PASSWORD)
    name: str | None = Field(None, max_length=200)
    invitation: SecretStr | None = Field(None, max_length=100)
    setup: SecretStr | None = Field(None, max_length=100)


class LogIn(BaseModel):
    username: str = Field(max_length=200)
    password: SecretStr = Field(max_length=1000)


class Profile(BaseModel):
    """What is left out stays; an empty text removes a value."""

    name: str | None = Field(None, max_length=200)
    color: str | None = Field(None, pattern=r"^(#[0-9a-fA-F]{6})?$")
    time_zone: str | None = Field(None, pattern=r"^([A-Za-z][A-Za-z0-9_+/-]{0,63})?$")
    email: str | None = Field(None, pattern=r"^([^@\s<>]{1,64}@[^@\s<>]{1,190})?$")


class NewPassword(BaseModel):
    old: SecretStr = Field(max_length=1000)
    new: SecretStr = Field(max_length=LONGEST_PASSWORD)


class Reset(BaseModel):
    token: SecretStr = Field(max_length=100)
    password: SecretStr = Field(max_length=LONGEST_PASSWORD)


class Invite(BaseModel):
    uses: int = Field(1, ge=1, le=MOST_USES)
    seconds: int = Field(USUAL, ge=60, le=LONGEST)
    """How long it is valid."""
    role: Role = Role.MEMBER


class Administer(BaseModel):
    role: Role | None = None
    deactivated: bool | None = None


# What they get.


class Me(BaseModel):
    key: str
    name: str
    role: Role
    guest: bool
    color: str | None = None
    time_zone: str | None = None
    email: str | None = None


class SessionInfo(BaseModel):
    id: str
    created: str
    seen: str
    agent: str
    current: bool


class InvitationInfo(BaseModel):
    id: str
    url: str | None = None
    """Only when it is made: the token is not stored."""
    role: Role
    uses_left: int
    expires: str
    by: str


class AccountInfo(BaseModel):
    key: str
    username: str
    name: str
    role: Role
    created: str
    deactivated: str | None = None


class AccountsPage(BaseModel):
    accounts: list[AccountInfo]
    next: str | None = None


class AuditPage(BaseModel):
    lines: list[AuditLine]
    next: str | None = None


class Link(BaseModel):
    url: str


def add_routes(router: APIRouter, hub: Mounted, feature: AccountsFeature) -> None:
    """Add the routes under `/api/v1`."""
    _add_entering(router, hub, feature)
    _add_sessions(router, hub, feature)
    _add_me(router, hub, feature)
    _add_invitations(router, hub, feature)
    _add_resets(router, hub, feature)
    _add_administration(router, hub, feature)


def _add_entering(router: APIRouter, hub: Mounted, feature: AccountsFeature) -> None:
    @router.post(
        "/api/v1/accounts",
        tags=["accounts"],
        status_code=201,
        response_model=Me,
        response_model_exclude_none=True,
        responses=documented(*_COMMON, Conflict, TooLarge),
        openapi_extra=_body(SignUp),
    )
    async def sign_up(request: Request) -> Response:
        """Make an account, and log in: the answer sets the cookie. By itself where the setting `sign_up` is `open`,
        otherwise with the token of an invitation, or with that of the setup link, which makes the administrator. A
        guest who sends the header `Hubbub-Secret` keeps key and messages."""
        fields = await _read(hub, request, SignUp)
        secret = guest_secret(request, {})
        wish = Wish(
            fields.username,
            fields.password.get_secret_value(),
            name=fields.name,
            invitation=_secret(fields.invitation),
            is_first=fields.setup is not None,
            guest=hub.admissions.proven_guest(secret) if secret else None,
        )
        account, session = await feature.sign_up(
            wish, setup=_secret(fields.setup), address=_address(request), agent=_agent(request)
        )
        return _logged_in(request, account, session.token)

    @router.post(
        "/api/v1/sessions",
        tags=["accounts"],
        status_code=201,
        response_model=Me,
        response_model_exclude_none=True,
        responses=documented(*_COMMON, TooLarge),
        openapi_extra=_body(LogIn),
    )
    async def log_in(request: Request) -> Response:
        """Log in: the answer sets the cookie. Whether there is such a username is not told."""
        fields = await _read(hub, request, LogIn)
        account, session = await feature.log_ins.log_in(
            fields.username, fields.password.get_secret_value(), address=_address(request), agent=_agent(request)
        )
        return _logged_in(request, account, session.token)


def _add_sessions(router: APIRouter, hub: Mounted, feature: AccountsFeature) -> None:
    authenticated = Depends(hub.authenticate)

    @router.delete(
        "/api/v1/sessions/current",
        tags=["accounts"],
        status_code=204,
        responses=documented(Forbidden, RateLimited, Unavailable),
    )
    async def log_out(request: Request) -> Response:
        """Log out: the session and its connections end, and the cookie is removed, also if it was worth nothing."""
        hub.node.require_started()
        hub.admissions.origins.check(request)
        assert hub.session_cookie is not None
        token = request.cookies.get(COOKIE)
        if token is not None:
            hub.session_cookie.require_own_page(request)
            found = await feature.log_ins.whose(token)
            if found is not None:
                await feature.log_ins.end(found.user.key, found.session)
        response = Response(status_code=204)
        remove_cookie(response, request)
        return response

    @router.get("/api/v1/sessions", tags=["accounts"], responses=documented(*_COMMON))
    async def sessions(request: Request, account: Any = authenticated) -> list[SessionInfo]:
        """Where one is logged in, the latest use first."""
        who = await _member(hub, request, account)
        return [_session_info(one, who.session) for one in await feature.log_ins.sessions(who.user.key)]

    @router.delete(
        "/api/v1/sessions/{id}", tags=["accounts"], status_code=204, responses=documented(*_COMMON, NotFound)
    )
    async def end_session(request: Request, id: str, account: Any = authenticated) -> Response:
        """End one of one's own sessions, with its connections."""
        who = await _member(hub, request, account)
        await feature.log_ins.end(who.user.key, id)
        return Response(status_code=204)


def _add_me(router: APIRouter, hub: Mounted, feature: AccountsFeature) -> None:
    authenticated = Depends(hub.authenticate)

    @router.get(
        "/api/v1/me",
        tags=["accounts"],
        response_model=Me,
        response_model_exclude_none=True,
        responses=documented(*_COMMON),
    )
    async def me(request: Request, account: Any = authenticated) -> Me:
        """Who one is: an account, or a guest where guests are admitted. Otherwise 401."""
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
        responses=documented(*_COMMON, NotFound, TooLarge),
        openapi_extra=_body(Profile),
    )
    async def change_me(request: Request, account: Any = authenticated) -> Me:
        """Change one's name, colour, time zone or e-mail address. Open connections are made again after a new name."""
        who = await _member(hub, request, account)
        fields = await _read(hub, request, Profile)
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

    @router.put(
        "/api/v1/me/password",
        tags=["accounts"],
        status_code=204,
        responses=documented(*_COMMON, NotFound, TooLarge),
        openapi_extra=_body(NewPassword),
    )
    async def change_password(request: Request, account: Any = authenticated) -> Response:
        """Set a new password. All other sessions end, with their connections."""
        who = await _member(hub, request, account)
        fields = await _read(hub, request, NewPassword)
        await feature.administration.change_password(
            who.user.key, fields.old.get_secret_value(), fields.new.get_secret_value(), kept=who.session
        )
        return Response(status_code=204)


def _add_invitations(router: APIRouter, hub: Mounted, feature: AccountsFeature) -> None:
    authenticated = Depends(hub.authenticate)

    @router.post(
        "/api/v1/invitations",
        tags=["accounts"],
        status_code=201,
        responses=documented(*_COMMON, TooLarge),
        openapi_extra=_body(Invite),
    )
    async def invite(request: Request, account: Any = authenticated) -> InvitationInfo:
        """Make a link with which others may sign up, `uses` times, for `seconds`. Only administrators invite
        administrators."""
        who = await _member(hub, request, account)
        fields = await _read(hub, request, Invite)
        if hub.node.settings.sign_up == "closed":
            raise Forbidden("nobody can sign up here (the setting `sign_up`), so nobody can be invited")
        if fields.role is Role.GUEST:
            raise Invalid("role: an account is a `member` or an `admin`")
        if fields.role is Role.ADMIN and who.user.role is not Role.ADMIN:
            raise Forbidden("only administrators invite administrators")
        expires = int((time.time() + fields.seconds) * 1000)
        new = NewInvitation(who.user.key, fields.role, fields.uses, expires)
        made = await feature.administration.invite(new)
        return _invitation_info(made, _link(request, "invite", new.token))

    @router.get("/api/v1/invitations", tags=["accounts"], responses=documented(*_COMMON))
    async def invitations(request: Request, account: Any = authenticated) -> list[InvitationInfo]:
        """The invitations that one has made and that are still valid; for an administrator, those of all."""
        who = await _member(hub, request, account)
        all_of_them = await feature.administration.invitations()
        return [_invitation_info(one) for one in all_of_them if _is_admin(who.user) or one.made_by == who.user.key]

    @router.delete(
        "/api/v1/invitations/{id}", tags=["accounts"], status_code=204, responses=documented(*_COMMON, NotFound)
    )
    async def revoke_invitation(request: Request, id: str, account: Any = authenticated) -> Response:
        """Make an invitation worthless."""
        who = await _member(hub, request, account)
        await feature.administration.revoke_invitation(id, by=who.user.key, of_anybody=_is_admin(who.user))
        return Response(status_code=204)


def _add_resets(router: APIRouter, hub: Mounted, feature: AccountsFeature) -> None:
    authenticated = Depends(hub.authenticate)

    @router.post(
        "/api/v1/accounts/{key}/reset-link",
        tags=["administration"],
        status_code=201,
        responses=documented(*_COMMON, NotFound),
    )
    async def make_reset_link(request: Request, key: str, account: Any = authenticated) -> Link:
        """A link with which somebody who has forgotten the password sets another one: once, within a day."""
        who = await _administrator(hub, request, account)
        reset = await feature.administration.make_reset(key, by=who.user.key)
        return Link(url=_link(request, "reset", reset.token))

    @router.post(
        "/api/v1/resets",
        tags=["accounts"],
        status_code=204,
        responses=documented(*_COMMON, TooLarge),
        openapi_extra=_body(Reset),
    )
    async def reset_password(request: Request) -> Response:
        """Set another password with the token of such a link. All sessions of the account end."""
        fields = await _read(hub, request, Reset)
        await hub.admissions.take_request(request, GUEST)
        await feature.administration.reset(fields.token.get_secret_value(), fields.password.get_secret_value())
        return Response(status_code=204)


def _add_administration(router: APIRouter, hub: Mounted, feature: AccountsFeature) -> None:
    authenticated = Depends(hub.authenticate)

    @router.get(
        "/api/v1/accounts",
        tags=["administration"],
        response_model=AccountsPage,
        response_model_exclude_none=True,
        responses=documented(*_COMMON),
    )
    async def accounts(
        request: Request,
        q: Annotated[str, Query(max_length=64)] = "",
        after: Annotated[str, Query(max_length=64)] = "",
        account: Any = authenticated,
    ) -> AccountsPage:
        """All accounts by their keys, or those with `q` in key or name. For the next page give `next` as `after`."""
        await _administrator(hub, request, account)
        found = await feature.administration.accounts(after=after, q=q, number=PAGE + 1)
        page = found[:PAGE]
        return AccountsPage(accounts=[_account_info(one) for one in page], next=_next(found, [one.key for one in page]))

    @router.patch(
        "/api/v1/accounts/{key}",
        tags=["administration"],
        response_model=AccountInfo,
        response_model_exclude_none=True,
        responses=documented(*_COMMON, NotFound, Conflict, TooLarge),
        openapi_extra=_body(Administer),
    )
    async def change_account(request: Request, key: str, account: Any = authenticated) -> AccountInfo:
        """Change somebody's role, or deactivate an account: its messages stay, its sessions end, and nobody can log in
        with it until it is activated again."""
        who = await _administrator(hub, request, account)
        fields = await _read(hub, request, Administer)
        if fields.role is Role.GUEST:
            raise Invalid("role: an account is a `member` or an `admin`")
        change = AccountChange(key, by=who.user.key, role=fields.role, is_deactivated=fields.deactivated)
        return _account_info(await feature.administration.change(change))

    @router.get(
        "/api/v1/audit",
        tags=["administration"],
        response_model=AuditPage,
        response_model_exclude_none=True,
        responses=documented(*_COMMON),
    )
    async def audit(
        request: Request, before: Annotated[str, Query(max_length=64)] = LATEST, account: Any = authenticated
    ) -> AuditPage:
        """Who did what to whom, the latest first. For the next page give `next` as `before`."""
        await _administrator(hub, request, account)
        found = await feature.administration.audit(before=before, number=PAGE + 1)
        page = found[:PAGE]
        return AuditPage(lines=page, next=_next(found, [line.id for line in page]))


# Who asks.


async def _member(hub: Mounted, request: Request, account: Any) -> Authenticated:
    """Somebody with an account. Raises `Unauthenticated`, and what `user_of` raises."""
    if account is None:
        raise Unauthenticated("log in first")
    await hub.user_of(request, account)
    return as_authenticated(account)


async def _administrator(hub: Mounted, request: Request, account: Any) -> Authenticated:
    """Raises `Forbidden` for anybody else."""
    who = await _member(hub, request, account)
    if not _is_admin(who.user):
        raise Forbidden("this is for administrators")
    return who


def _is_admin(user: User) -> bool:
    return user.role is Role.ADMIN


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def _agent(request: Request) -> str:
    agent = request.headers.get("user-agent", "")
    return "".join(character for character in agent if character.isprintable())


# Bodies and answers.


async def _read(hub: Mounted, request: Request, model: type[B]) -> B:
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


def _body(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value is not None else None


def _logged_in(request: Request, account: Account, token: str) -> Response:
    response = JSONResponse(_me(account.user, account).model_dump(mode="json", exclude_none=True), 201)
    set_cookie(response, request, token)
    return response


def _me(user: User, account: Account | None) -> Me:
    shown = Me(key=user.key, name=user.name, role=user.role, guest=False)
    if account is None:
        return shown
    return shown.model_copy(
        update={"color": account.color, "time_zone": account.time_zone, "email": account.email, "name": account.name}
    )


def _session_info(session: Session, current: str | None) -> SessionInfo:
    return SessionInfo(
        id=session.id,
        created=timestamp(session.created / 1000),
        seen=timestamp(session.seen / 1000),
        agent=session.agent,
        current=session.id == current,
    )


def _invitation_info(invitation: Invitation, url: str | None = None) -> InvitationInfo:
    return InvitationInfo(
        id=invitation.id,
        url=url,
        role=invitation.role,
        uses_left=invitation.uses_left,
        expires=timestamp(invitation.expires / 1000),
        by=invitation.made_by,
    )


def _account_info(account: Account) -> AccountInfo:
    return AccountInfo(
        key=account.key,
        username=account.login,
        name=account.name,
        role=account.role,
        created=timestamp(account.created / 1000),
        deactivated=timestamp(account.deactivated / 1000) if account.deactivated is not None else None,
    )


def _next(found: list[Any], places: list[str]) -> str | None:
    """Where the next page begins, if more was found than the page holds."""
    return places[-1] if len(found) > len(places) else None


def _link(request: Request, kind: str, token: str) -> str:
    """An address of the page. The token is in the fragment, which no server sees or logs."""
    before = str(request.url).partition("/api/v1/")[0]
    return f"{before}/#/{kind}/{token}"
