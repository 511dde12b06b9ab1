"""Logging in and out, and where somebody is logged in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field, SecretStr
from starlette.responses import Response

from hubbub.accounts.policies import Action
from hubbub.accounts.sessions import Session
from hubbub.errors import Forbidden, NotFound, RateLimited, TooLarge, Unavailable
from hubbub.features.accounts.routes.me import Me, logged_in
from hubbub.http.asking import COMMON, address_of, agent_of, body_of, permitted, read_model, who_asks
from hubbub.http.error_responses import documented
from hubbub.http.mounted import Mounted
from hubbub.http.session_cookie import COOKIE, remove_cookie
from hubbub.wire.base import timestamp_of

if TYPE_CHECKING:
    from hubbub.features.accounts.feature import AccountsFeature


class LogIn(BaseModel):
    username: str = Field(max_length=200)
    password: SecretStr = Field(max_length=1000)


class SessionInfo(BaseModel):
    id: str
    created: str
    seen: str
    agent: str
    current: bool


def add_sessions(router: APIRouter, hub: Mounted, feature: AccountsFeature) -> None:
    authenticated = Depends(hub.authenticate)

    @router.post(
        "/api/v1/sessions",
        tags=["accounts"],
        status_code=201,
        response_model=Me,
        response_model_exclude_none=True,
        responses=documented(*COMMON, TooLarge),
        openapi_extra=body_of(LogIn),
    )
    async def log_in(request: Request) -> Response:
        """Log in: the answer sets the cookie. Whether there is such a username is not told."""
        fields = await read_model(hub, request, LogIn)
        account, session = await feature.log_ins.log_in(
            fields.username, fields.password.get_secret_value(), address=address_of(request), agent=agent_of(request)
        )
        return logged_in(request, account, session.token)

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

    @router.get("/api/v1/sessions", tags=["accounts"], responses=documented(*COMMON))
    async def sessions(request: Request, account: Any = authenticated) -> list[SessionInfo]:
        """Where you are logged in, the latest use first."""
        who = await who_asks(hub, request, account)
        return [_session_info(one, who.session) for one in await feature.log_ins.sessions(who.user.key)]

    @router.delete("/api/v1/sessions/{id}", tags=["accounts"], status_code=204, responses=documented(*COMMON, NotFound))
    async def end_session(request: Request, id: str, account: Any = authenticated) -> Response:
        """End one of your sessions, with its connections."""
        who = await who_asks(hub, request, account)
        await feature.log_ins.end(who.user.key, id)
        return Response(status_code=204)


def add_sessions_of_others(router: APIRouter, hub: Mounted, feature: AccountsFeature) -> None:
    authenticated = Depends(hub.authenticate)

    @router.get("/api/v1/accounts/{owner}/sessions", tags=["administration"], responses=documented(*COMMON, NotFound))
    async def sessions_of_account(request: Request, owner: str, account: Any = authenticated) -> list[SessionInfo]:
        """Where somebody is logged in, the latest use first."""
        who = await permitted(hub, request, account, Action.MANAGE_ACCOUNTS)
        return [_session_info(one, who.session) for one in await feature.administration.sessions(owner)]

    @router.delete(
        "/api/v1/accounts/{owner}/sessions",
        tags=["administration"],
        status_code=204,
        responses=documented(*COMMON, NotFound),
    )
    async def end_sessions_of_account(request: Request, owner: str, account: Any = authenticated) -> Response:
        """End all sessions of somebody, with all their connections. They may log in again."""
        who = await permitted(hub, request, account, Action.MANAGE_ACCOUNTS)
        await feature.administration.end_sessions(owner, by=who.user.key)
        return Response(status_code=204)

    @router.delete(
        "/api/v1/accounts/{owner}/sessions/{session}",
        tags=["administration"],
        status_code=204,
        responses=documented(*COMMON, NotFound),
    )
    async def end_session_of_account(
        request: Request, owner: str, session: str, account: Any = authenticated
    ) -> Response:
        """End one of somebody's sessions, with its connections."""
        who = await permitted(hub, request, account, Action.MANAGE_ACCOUNTS)
        await feature.administration.end_session(owner, session, by=who.user.key)
        return Response(status_code=204)


def _session_info(session: Session, current: str | None) -> SessionInfo:
    return SessionInfo(
        id=session.id,
        created=timestamp_of(session.created),
        seen=timestamp_of(session.seen),
        agent=session.agent,
        current=session.id == current,
    )
