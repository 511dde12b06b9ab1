"""The routes of log-in by OpenID Connect: one begins it, and the provider sends the browser back to the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, SecretStr
from starlette.responses import JSONResponse, RedirectResponse, Response

from hubbub.accounts.openid import LogInRefused
from hubbub.errors import Forbidden, Invalid, NotFound, RateLimited, TooLarge, Unauthenticated, Unavailable
from hubbub.features.openid.feature import CALLBACK
from hubbub.features.openid.log_ins import LASTS, OpenIdLogIns
from hubbub.http.admission import GUEST, hide_credentials
from hubbub.http.asking import address_of, agent_of, body_of, read_model, secret_of
from hubbub.http.bearer import guest_secret
from hubbub.http.error_responses import documented
from hubbub.http.mounted import Mounted
from hubbub.http.session_cookie import hub_path, set_cookie

if TYPE_CHECKING:
    from hubbub.features.openid.feature import OpenIdFeature

COOKIE = "hubbub_log_in"
"""Keeps a log-in in progress. It is what makes the answer of a provider good in one browser only."""
_NOT_STORED = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


class Begin(BaseModel):
    invitation: SecretStr | None = Field(None, max_length=100)
    setup: SecretStr | None = Field(None, max_length=100)


class Begun(BaseModel):
    url: str
    """Where the browser must go now."""


def add_routes(router: APIRouter, hub: Mounted, feature: OpenIdFeature) -> None:
    """Add the routes under `/api/v1/oidc`."""
    _add_way_there(router, hub, feature)
    _add_way_back(router, hub, feature)


def _add_way_there(router: APIRouter, hub: Mounted, feature: OpenIdFeature) -> None:
    @router.post(
        "/api/v1/oidc",
        tags=["accounts"],
        response_model=Begun,
        responses=documented(Invalid, Unauthenticated, Forbidden, NotFound, RateLimited, TooLarge, Unavailable),
        openapi_extra=body_of(Begin),
    )
    async def begin(request: Request) -> Response:
        """Begin to log in at the provider. The answer names the address to go to, and sets a cookie that is good for
        ten minutes; so it is for browsers only. With the token of an invitation or of the setup link, a newcomer gets
        an account; a guest who sends the header `Hubbub-Secret` keeps key and messages then."""
        log_ins = _log_ins(feature)
        fields = await read_model(hub, request, Begin)
        await hub.admissions.take_request(request, GUEST)
        origin = request.headers.get("origin")
        if origin is not None and not f"{feature.page}/".startswith(f"{origin}/"):
            # The cookie would not be sent to the address at which the provider sends people back.
            raise Invalid(f"to log in at {feature.provider_name}, open {feature.page}/")
        address, kept = await log_ins.begin(
            invitation=secret_of(fields.invitation),
            setup=secret_of(fields.setup),
            secret=guest_secret(request, {}),
        )
        response = JSONResponse({"url": address}, headers=_NOT_STORED)
        response.set_cookie(
            COOKIE,
            kept,
            max_age=LASTS,
            path=_cookie_path(request),
            secure=feature.page.startswith("https://"),
            httponly=True,
            samesite="lax",
        )
        return response


def _add_way_back(router: APIRouter, hub: Mounted, feature: OpenIdFeature) -> None:
    @router.get(CALLBACK, tags=["accounts"], status_code=303, responses=documented(NotFound))
    async def come_back(request: Request) -> Response:
        """Where the provider sends the browser. It leads to the page, logged in (`#/log-in/done`) or with the reason
        why not (`#/log-in/failed`)."""
        answer = hide_credentials(request)
        log_ins = _log_ins(feature)
        hub.node.require_started()
        token = None
        try:
            session = await log_ins.finish(
                request.cookies.get(COOKIE),
                answer,
                address=address_of(request),
                agent=agent_of(request),
            )
            outcome, token = "done", session.token
        except LogInRefused as error:
            outcome = error.reason
        except (RateLimited, Unavailable, Unauthenticated) as error:
            outcome = error.code
        response = RedirectResponse(f"{feature.page}/#/log-in/{outcome}", 303, headers=_NOT_STORED)
        if outcome != "expired":
            # Otherwise somebody else's answer would end the log-in that this browser has begun.
            response.delete_cookie(COOKIE, path=_cookie_path(request))
        if token is not None:
            set_cookie(response, request, token)
        return response


def _cookie_path(request: Request) -> str:
    return f"{hub_path(request).rstrip('/')}/api/v1/oidc"


def _log_ins(feature: OpenIdFeature) -> OpenIdLogIns:
    if feature.log_ins is None:
        raise NotFound("this server has no log-in provider")
    return feature.log_ins
