"""The audit log: who did what to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel

from hubbub.accounts.audit import AuditLine
from hubbub.accounts.policies import Action
from hubbub.accounts.timed_ids import LATEST
from hubbub.http.asking import COMMON, PAGE, next_of, permitted
from hubbub.http.error_responses import documented
from hubbub.http.mounted import Mounted

if TYPE_CHECKING:
    from hubbub.features.accounts.feature import AccountsFeature


class AuditPage(BaseModel):
    lines: list[AuditLine]
    next: str | None = None


def add_audit(router: APIRouter, hub: Mounted, feature: AccountsFeature) -> None:
    authenticated = Depends(hub.authenticate)

    @router.get(
        "/api/v1/audit",
        tags=["administration"],
        response_model=AuditPage,
        response_model_exclude_none=True,
        responses=documented(*COMMON),
    )
    async def audit(
        request: Request,
        before: Annotated[str, Query(max_length=64)] = LATEST,
        actor: Annotated[str, Query(max_length=64)] = "",
        action: Annotated[str, Query(max_length=64)] = "",
        account: Any = authenticated,
    ) -> AuditPage:
        """Who did what to whom, the latest first; with `actor` and `action` only what one did, or only what was done,
        such as `ban.set`, or `ban.` for all about bans. For the next page give `next` as `before`."""
        await permitted(hub, request, account, Action.READ_AUDIT)
        found = await feature.administration.audit(before=before, actor=actor, action=action, number=PAGE + 1)
        page = found[:PAGE]
        return AuditPage(lines=page, next=next_of(found, [line.id for line in page]))
