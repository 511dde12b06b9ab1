"""The feature of reports: a command, a queue by REST, and an event for those who may see the report. Who may report and
who sees it is the table of roles'."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from hubbub.accounts.access_changes import AccessChanges, AccessKind
from hubbub.accounts.policies import Action
from hubbub.accounts.roles import is_restricted
from hubbub.delivery.connection import Connection
from hubbub.dispatch.link import run
from hubbub.dispatch.registry import Registration
from hubbub.errors import Forbidden, NotFound, RateLimited, Unavailable
from hubbub.features.access.feature import AccessFeature
from hubbub.features.feature import Feature, Services
from hubbub.features.jobs import LeasedJob
from hubbub.features.messages.feature import MessagesFeature
from hubbub.features.reports.reports import (
    TABLES,
    State,
    StoredReport,
    add_report,
    forget_old_reports,
    report_of_id,
    reports_of,
    set_state,
)
from hubbub.features.rooms.feature import RoomsFeature
from hubbub.features.rooms.rooms import Room, channel_of
from hubbub.limits import network_of
from hubbub.shared_limits.hourly import Hourly
from hubbub.store.database import Database
from hubbub.store.leases import Lease
from hubbub.wire.answers import Ack
from hubbub.wire.identity import Role, User
from hubbub.wire.keys import fold
from hubbub.wire.reports import Report, ReportEvent

if TYPE_CHECKING:
    from fastapi import APIRouter

FROM_ADDRESS = 10
"""How many times as many reports may come from one network address as from one user."""
TOO_MANY = "too many reports; try again later"
TIDY = 3600.0
PAGE = 50
"""Reports in one answer, at most."""


class ReportsFeature(Feature):
    name = "hubbub.reports"
    scripts = TABLES

    def __init__(self, rooms: RoomsFeature, messages: MessagesFeature) -> None:
        self._rooms = rooms
        self._messages = messages
        self._changes: AccessChanges

    def open(self, services: Services) -> None:
        super().open(services)
        self._changes = services.feature(AccessFeature).changes
        self._changes.listen(AccessKind.REPORT, lambda change: run(self._tell(change.subject)))

    def commands(self) -> Iterable[Registration]:
        yield Registration(Report, self._report, asks=Action.REPORT, place=self._rooms.room_of)

    def routes(self, router: APIRouter, hub: Any) -> None:
        from hubbub.features.reports.routes import add_routes

        add_routes(router, hub, self)

    def jobs(self) -> Iterable[LeasedJob]:
        if self.services.database is not None:
            yield LeasedJob("hubbub.reports: forget old ones", TIDY, self._forget_old)

    async def _forget_old(self, lease: Lease) -> None:
        await lease.transact(self._database, partial(forget_old_reports, days=self.services.settings.report_days))

    async def _report(self, connection: Connection, command: Report, room: Room) -> Ack:
        await self.report(connection.user, room.key, command.seq, command.reason, address=connection.address)
        return Ack(room=room.key)

    async def report(self, user: User, room: str, seq: int, reason: str, *, address: str) -> str:
        """Returns the report's id when it is durable; the first one's, if this user has reported the message before.
        `address` is the network address from which the user reports.

        Raises `Forbidden` if the user may not read the room, or if nobody moderates it; `NotFound` if there is no such
        message, `RateLimited`, `Unavailable`.
        """
        access = self._rooms.rooms.access
        await access.require(user, Action.REPORT, room)
        await self._take(user, address, room)
        if not self._messages.logs.stores(room):
            raise NotFound(f"room {room!r} stores no messages", room=room)
        decided = access.application is not None and access.application.decides(fold(room))
        is_public = not decided and not is_restricted(fold(room))
        add = partial(add_report, user=user, room=room, seq=seq, reason=reason, is_public=is_public)
        id, change = await self._database.transact(add)
        if change is not None:
            self._changes.tell(change)
        return id

    async def _take(self, user: User, address: str, room: str) -> None:
        """Guests are as many people as they like, so an address is limited too. Raises `RateLimited`."""
        limits, number = self.services.limits, self.services.current.now.reports
        from_address = Hourly(f"reports from {network_of(address)}", number * FROM_ADDRESS)
        await from_address.take(limits, TOO_MANY, room=room)
        try:
            await Hourly(f"reports of {fold(user.key)}", number).take(limits, TOO_MANY, room=room)
        except RateLimited:
            # Otherwise one user could use up what the others at this address have.
            from_address.give_back(limits)
            raise

    async def of_room(self, user: User, room: str, *, state: State, before: str) -> list[StoredReport]:
        """The latest `PAGE` and one more. Raises `Forbidden` if this user does not moderate the room, `Unavailable`."""
        await self._rooms.rooms.access.require(user, Action.SEE_REPORTS, room)
        read = partial(reports_of, room=room, state=state, before=before, number=PAGE + 1)
        return await self._database.read(read, never_deferred=True)

    async def of_public_rooms(self, *, state: State, before: str) -> list[StoredReport]:
        """The same, of all public rooms. The caller has asked the policy about `MANAGE_REPORTS`."""
        read = partial(reports_of, room=None, state=state, before=before, number=PAGE + 1)
        return await self._database.read(read, never_deferred=True)

    async def those_seen_by(self, user: User, reports: Iterable[StoredReport]) -> list[StoredReport]:
        """Without those of rooms whose reports this user may not see: a room may have another kind than its key
        says. Raises `Unavailable`."""
        sees: dict[str, bool] = {}
        for report in reports:
            if report.room not in sees:
                sees[report.room] = await self._sees(user, report.room)
        return [report for report in reports if sees[report.room]]

    async def set_state(self, user: User, id: str, state: State) -> StoredReport:
        """Close a report, or open it again. Raises `NotFound`, also if this user may not see it, `Unavailable`."""
        report = await self._database.read(lambda transaction: report_of_id(transaction, id), never_deferred=True)
        if not await self._sees(user, report.room):
            raise NotFound("there is no such report")
        report, change = await self._database.transact(partial(set_state, id=id, state=state, by=user.key))
        if change is not None:
            self._changes.tell(change)
        return report

    async def _tell(self, id: str) -> None:
        """Tell those who are connected to this node and may see the report, in its state of now."""
        with contextlib.suppress(NotFound, Unavailable):
            report = await self._database.read(partial(report_of_id, id=id), never_deferred=True)
            await self._rooms.rooms.access.read(report.room)
            event = ReportEvent(id=id, room=report.room, seq=report.seq, state=report.state)
            for connection in self._concerned(report):
                if await self._sees(connection.user, report.room):
                    connection.send(event)

    def _concerned(self, report: StoredReport) -> Iterable[Connection]:
        """The connections among which all are that may be told: the policy is not asked about everybody's."""
        rooms, fanout, folded = self._rooms.rooms, self.services.fanout, fold(report.room)
        found = [one for one in fanout.connections.values() if one.user.role is Role.ADMIN] if report.is_public else []
        for key in rooms.access.moderators_of(folded):
            found += fanout.connections.of_user(key)
        if rooms.access.application is not None and rooms.access.application.decides(folded):
            found += [one for one in fanout.subscribers(channel_of(folded)) if self._may_see(one.user, folded)]
        return dict.fromkeys(found)

    def _may_see(self, user: User, room: str) -> bool:
        return self._rooms.rooms.access.permits(user, Action.SEE_REPORTS, room)

    async def _sees(self, user: User, room: str) -> bool:
        try:
            await self._rooms.rooms.access.require(user, Action.SEE_REPORTS, room)
        except Forbidden:
            return False
        return True

    @property
    def _database(self) -> Database:
        if self.services.database is None:
            raise NotFound("this server stores nothing, so there are no reports")
        return self.services.database
