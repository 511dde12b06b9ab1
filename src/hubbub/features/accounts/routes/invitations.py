"""Invitations: links with which others may sign up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from hubbub.accounts.invitations import LONGEST, MOST_USES, USUAL, Invitation, NewInvitation
from hubbub.accounts.policies import Action
from hubbub.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge
from hubbub.http.asking import COMMON, body_of, may, page_link, permitted, read_model
from hubbub.http.error_responses import documented
from hubbub.http.mounted import Mounted
from hubbub.wire.base import timestamp_of
from hubbub.wire.identity import Role

if TYPE_CHECKING:
    from hubbub.features.accounts.feature import AccountsFeature


class Invite(BaseModel):
    uses: int = Field(1, ge=1, le=MOST_USES)
    seconds: int = Field(USUAL, ge=60, le=LONGEST)
    """How long it is valid."""
    role: Role = Role.MEMBER


class InvitationInfo(BaseModel):
    id: str
    url: str | None = None
    """Only when it is made: the token is not stored."""
    role: Role
    uses_left: int
    expires: str
    by: str


def add_invitations(router: APIRouter, hub: Mounted, feature: AccountsFeature) -> None:
    authenticated = Depends(hub.authenticate)

    @router.post(
        "/api/v1/invitations",
        tags=["accounts"],
        status_code=201,
        responses=documented(*COMMON, Conflict, TooLarge),
        openapi_extra=body_of(Invite),
    )
    async def invite(request: Request, account: Any = authenticated) -> InvitationInfo:
        """Make a link with which others may sign up, `uses` times, for `seconds`. Only administrators invite
        administrators."""
        who = await permitted(hub, request, account, Action.INVITE_PEOPLE)
        fields = await read_model(hub, request, Invite)
        if hub.node.services.current.now.sign_up == "closed":
            raise Forbidden("nobody can sign up here (the setting `sign_up`), so nobody can be invited")
        if fields.role is Role.GUEST:
            raise Invalid("role: an account is a `member` or an `admin`")
        if fields.role is Role.ADMIN and not may(hub, who.user, Action.MANAGE_INVITATIONS):
            raise Forbidden("only administrators invite administrators")
        expires = int((time.time() + fields.seconds) * 1000)
        new = NewInvitation(who.user.key, fields.role, fields.uses, expires)
        made = await feature.administration.invite(new)
        return _invitation_info(made, page_link(hub, request, "invite", new.token))

    @router.get("/api/v1/invitations", tags=["accounts"], responses=documented(*COMMON))
    async def invitations(request: Request, account: Any = authenticated) -> list[InvitationInfo]:
        """The invitations that you have made and that are still valid; for an administrator, those of all."""
        who = await permitted(hub, request, account, Action.INVITE_PEOPLE)
        of = None if may(hub, who.user, Action.MANAGE_INVITATIONS) else who.user.key
        return [_invitation_info(one) for one in await feature.administration.invitations(of=of)]

    @router.delete(
        "/api/v1/invitations/{id}", tags=["accounts"], status_code=204, responses=documented(*COMMON, NotFound)
    )
    async def revoke_invitation(request: Request, id: str, account: Any = authenticated) -> Response:
        """Revoke an invitation: nobody can sign up with it any more."""
        who = await permitted(hub, request, account, Action.INVITE_PEOPLE)
        await feature.administration.revoke_invitation(
            id, by=who.user.key, of_anybody=may(hub, who.user, Action.MANAGE_INVITATIONS)
        )
        return Response(status_code=204)


def _invitation_info(invitation: Invitation, url: str | None = None) -> InvitationInfo:
    return InvitationInfo(
        id=invitation.id,
        url=url,
        role=invitation.role,
        uses_left=invitation.uses_left,
        expires=timestamp_of(invitation.expires),
        by=invitation.made_by,
    )
