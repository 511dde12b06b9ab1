"""The routes with which administrators ban people from the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, StringConstraints
from starlette.responses import Response

from hubbub.accounts.bans import Ban
from hubbub.accounts.policies import Action
from hubbub.errors import Conflict, NotFound, TooLarge
from hubbub.http.asking import COMMON, body_of, end_of, permitted, read_model
from hubbub.http.error_responses import documented
from hubbub.http.mounted import Mounted
from hubbub.wire.base import timestamp_of
from hubbub.wire.keys import Text
from hubbub.wire.members import FOR_EVER, Time

if TYPE_CHECKING:
    from hubbub.features.bans.feature import BansFeature

Reason = Annotated[Text, StringConstraints(max_length=500)]


class NewBan(BaseModel):
    until: Time | None = None
    """Without it, the ban does not end."""
    reason: Reason | None = None
    """For administrators and the audit log. The banned person does not see it."""


class BanInfo(BaseModel):
    user: str
    name: str
    guest: bool | None = None
    until: str | None = None
    """Absent if it does not end."""
    by: str
    at: str
    reason: str | None = None


class AllBans(BaseModel):
    bans: list[BanInfo]


def add_routes(router: APIRouter, hub: Mounted, feature: BansFeature) -> None:
    authenticated = Depends(hub.authenticate)

    @router.get(
        "/api/v1/bans",
        tags=["administration"],
        response_model=AllBans,
        response_model_exclude_none=True,
        responses=documented(*COMMON, NotFound),
    )
    async def bans(request: Request, account: Any = authenticated) -> AllBans:
        """Who is banned from this server now, the latest first."""
        await permitted(hub, request, account, Action.MANAGE_BANS)
        return AllBans(bans=[_info(ban) for ban in await feature.all()])

    @router.put(
        "/api/v1/bans/{banned}",
        tags=["administration"],
        status_code=204,
        responses=documented(*COMMON, NotFound, Conflict, TooLarge),
        openapi_extra=body_of(NewBan),
    )
    async def ban(request: Request, banned: str, account: Any = authenticated) -> Response:
        """Ban somebody from this server, or change the ban. Connections end within a second on every node (4403), and
        who comes again is refused with 403, which says until when. A guest is banned as long as the guest shows the
        same secret. Administrators cannot be banned (409)."""
        who = await permitted(hub, request, account, Action.MANAGE_BANS)
        fields = await read_model(hub, request, NewBan)
        until = FOR_EVER if fields.until is None else end_of("until", fields.until)
        await feature.ban(banned, by=who.user, until=until, reason=fields.reason or None)
        return Response(status_code=204)

    @router.delete(
        "/api/v1/bans/{banned}",
        tags=["administration"],
        status_code=204,
        responses=documented(*COMMON, NotFound),
    )
    async def lift_ban(request: Request, banned: str, account: Any = authenticated) -> Response:
        """Let somebody in again."""
        who = await permitted(hub, request, account, Action.MANAGE_BANS)
        await feature.lift(banned, by=who.user)
        return Response(status_code=204)


def _info(ban: Ban) -> BanInfo:
    return BanInfo(
        user=ban.key,
        name=ban.name,
        guest=True if ban.identity else None,
        until=None if ban.until == FOR_EVER else timestamp_of(ban.until),
        by=ban.by,
        at=timestamp_of(ban.at),
        reason=ban.reason,
    )
