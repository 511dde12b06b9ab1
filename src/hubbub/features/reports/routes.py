"""The REST API of reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel

from hubbub.accounts.policies import Action
from hubbub.accounts.timed_ids import LATEST
from hubbub.errors import NotFound, TooLarge
from hubbub.features.reports.feature import PAGE
from hubbub.features.reports.reports import StoredReport
from hubbub.http.asking import COMMON, body_of, next_of, permitted, read_model, who_asks
from hubbub.http.error_responses import documented
from hubbub.http.mounted import Mounted
from hubbub.http.socket_routes import check_key
from hubbub.wire.base import timestamp_of
from hubbub.wire.keys import Seq
from hubbub.wire.reports import Reason

if TYPE_CHECKING:
    from hubbub.features.reports.feature import ReportsFeature


class NewReport(BaseModel):
    reason: Reason


class Made(BaseModel):
    id: str


class ChangedState(BaseModel):
    state: Literal["open", "closed"]


class ReportInfo(BaseModel):
    id: str
    at: str
    room: str
    seq: int
    author: str
    text: str
    """As it was when it was reported."""
    by: str
    reason: str
    state: Literal["open", "closed"]
    closed_by: str | None = None
    closed_at: str | None = None


class ReportsPage(BaseModel):
    reports: list[ReportInfo]
    next: str | None = None


def add_routes(router: APIRouter, hub: Mounted, feature: ReportsFeature) -> None:
    _add_reporting(router, hub, feature)
    _add_queue(router, hub, feature)


def _add_reporting(router: APIRouter, hub: Mounted, feature: ReportsFeature) -> None:
    @router.post(
        "/api/v1/rooms/{room}/messages/{seq}/reports",
        tags=["rooms"],
        status_code=201,
        responses=documented(*COMMON, NotFound, TooLarge),
        openapi_extra=body_of(NewReport),
    )
    async def report(request: Request, room: str, seq: Seq, account: Any = Depends(hub.authenticate)) -> Made:
        """Tell those who moderate a room of a message: its owner and moderators, and in a public room the
        administrators. The same as the command `report`. Who reports a message again gets the first report's id."""
        hub.node.require_started()
        user = hub.admissions.identify(request, account)
        check_key(request, "room")
        await hub.admissions.take_request(request, user)
        fields = await read_model(hub, request, NewReport)
        admitted = await hub.admissions.admit(request, account, connects=False)
        hub.admissions.withdraw(admitted)
        return Made(id=await feature.report(admitted.user, room, seq, fields.reason, address=admitted.address))


def _add_queue(router: APIRouter, hub: Mounted, feature: ReportsFeature) -> None:
    authenticated = Depends(hub.authenticate)

    @router.get(
        "/api/v1/reports",
        tags=["administration"],
        response_model=ReportsPage,
        response_model_exclude_none=True,
        responses=documented(*COMMON, NotFound),
    )
    async def reports(
        request: Request,
        room: Annotated[str | None, Query(max_length=64)] = None,
        state: Literal["open", "closed"] = "open",
        before: Annotated[str, Query(max_length=64)] = LATEST,
        account: Any = authenticated,
    ) -> ReportsPage:
        """Reported messages, the latest first: with `room`, those of a room that one moderates; without it, for
        administrators, those of all public rooms. For the next page give `next` as `before`."""
        if room is not None:
            who = await who_asks(hub, request, account)
            found = await feature.of_room(who.user, room, state=state, before=before)
            page = found[:PAGE]
        else:
            who = await permitted(hub, request, account, Action.MANAGE_REPORTS)
            found = await feature.of_public_rooms(state=state, before=before)
            page = await feature.those_seen_by(who.user, found[:PAGE])
        infos = [_info(one) for one in page]
        return ReportsPage(reports=infos, next=next_of(found, [one.id for one in found[:PAGE]]))

    @router.patch(
        "/api/v1/reports/{report}",
        tags=["administration"],
        response_model=ReportInfo,
        response_model_exclude_none=True,
        responses=documented(*COMMON, NotFound, TooLarge),
        openapi_extra=body_of(ChangedState),
    )
    async def change_report(request: Request, report: str, account: Any = authenticated) -> ReportInfo:
        """Close a report that you may see, or open it again."""
        who = await who_asks(hub, request, account)
        fields = await read_model(hub, request, ChangedState)
        return _info(await feature.set_state(who.user, report, fields.state))


def _info(report: StoredReport) -> ReportInfo:
    return ReportInfo(
        id=report.id,
        at=timestamp_of(report.at),
        room=report.room,
        seq=report.seq,
        author=report.author,
        text=report.text,
        by=report.by,
        reason=report.reason,
        state=report.state,
        closed_by=report.closed_by,
        closed_at=timestamp_of(report.closed_at) if report.closed_at is not None else None,
    )
