"""The feature of reports: a command, and a queue by REST. Who may report and who sees it is the table of roles'.

Nobody is told live: a page that shows the queue asks for it again and again.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from hubbub.accounts.policies import Action
from hubbub.accounts.roles import is_restricted
from hubbub.delivery.connection import Connection
from hubbub.dispatch.registry import Registration
from hubbub.errors import Forbidden, NotFound
from hubbub.features.feature import Feature
from hubbub.features.messages.feature import MessagesFeature
from hubbub.features.reports.reports import TABLES, State, StoredReport, add_report, report_of_id, reports_of, set_state
from hubbub.features.rooms.feature import RoomsFeature
from hubbub.features.rooms.rooms import Room
from hubbub.shared_limits.hourly import Hourly
from hubbub.store.database import Database
from hubbub.wire.answers import Ack
from hubbub.wire.identity import User
from hubbub.wire.keys import fold
from hubbub.wire.reports import Report

if TYPE_CHECKING:
    from fastapi import APIRouter

PAGE = 50
"""Reports in one answer, at most."""


class ReportsFeature(Feature):
    name = "hubbub.reports"
    scripts = TABLES

    def __init__(self, rooms: RoomsFeature, messages: MessagesFeature) -> None:
        self._rooms = rooms
        self._messages = messages

    def commands(self) -> Iterable[Registration]:
        yield Registration(Report, self._report, asks=Action.REPORT, place=self._rooms.room_of)

    def routes(self, router: APIRouter, hub: Any) -> None:
        from hubbub.features.reports.routes import add_routes

        add_routes(router, hub, self)

    async def _report(self, connection: Connection, command: Report, room: Room) -> Ack:
        await self.report(connection.user, room.key, command.seq, command.reason)
        return Ack(room=room.key)

    async def report(self, user: User, room: str, seq: int, reason: str) -> str:
        """Returns the report's id when it is durable; the first one's, if this user has reported the message before.

        Raises `Forbidden` if the user may not read the room, or if nobody moderates it; `NotFound` if there is no such
        message, `RateLimited`, `Unavailable`.
        """
        access = self._rooms.rooms.access
        await access.require(user, Action.REPORT, room)
        limit = Hourly(f"reports of {fold(user.key)}", self.services.current.now.reports)
        await limit.take(self.services.limits, "too many reports; try again later", room=room)
        if not self._messages.logs.stores(room):
            raise NotFound(f"room {room!r} stores no messages", room=room)
        decided = access.application is not None and access.application.decides(fold(room))
        is_public = not decided and not is_restricted(fold(room))
        add = partial(add_report, user=user, room=room, seq=seq, reason=reason, is_public=is_public)
        return await self._database.transact(add)

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
        return await self._database.transact(lambda transaction: set_state(transaction, id, state, by=user.key))

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
