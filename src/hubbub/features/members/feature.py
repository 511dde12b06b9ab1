"""The feature of members: who may be in which room. What a room's people may do is in `accounts/policies.py`; its log
takes the changes (`features/messages/log_access.py`)."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hubbub.accounts.access_changes import BEHIND, POLL, AccessChange, AccessKind, record
from hubbub.dispatch.link import run
from hubbub.dispatch.registry import Registration
from hubbub.errors import Unavailable
from hubbub.features.access.feature import AccessFeature
from hubbub.features.feature import Feature, Services
from hubbub.features.jobs import Job
from hubbub.features.members.commands import MemberCommands
from hubbub.features.members.rooms_of_people import REMOVED, STORE, RoomsOfPeople
from hubbub.features.messages.feature import MessagesFeature
from hubbub.features.messages.joining import Joining
from hubbub.features.people.feature import PeopleFeature
from hubbub.features.rooms.access import Accesses
from hubbub.features.rooms.feature import RoomsFeature
from hubbub.features.rooms.rooms import PREFIX
from hubbub.wire.keys import fold

if TYPE_CHECKING:
    from fastapi import APIRouter

log = logging.getLogger("hubbub")


class MembersFeature(Feature):
    def __init__(
        self, people: PeopleFeature, rooms: RoomsFeature, messages: MessagesFeature, changes: AccessFeature
    ) -> None:
        self._people = people
        self._rooms = rooms
        self._messages = messages
        self._changes = changes
        self._commands = MemberCommands(self, rooms)
        self.rooms_of_people: RoomsOfPeople
        self.joining: Joining
        self.access: Accesses

    def open(self, services: Services) -> None:
        super().open(services)
        self.access = self._rooms.rooms.access
        self.joining = self._messages.joining
        self.rooms_of_people = RoomsOfPeople(services, self._messages.messages, self._people.user_channels, self.access)

        self._people.user_channels.add_order(STORE, self.rooms_of_people.store)
        self._people.user_channels.add_order(REMOVED, self._removed)

        # The `room` event of a change may be lost with the broker. The row is not.
        self._changes.changes.listen(AccessKind.ROOM, self._changed_elsewhere)
        self._changes.changes.listen(AccessKind.ROLE, self._application_changed)
        self._changes.changes.listen(AccessKind.USER, self._user_revoked)
        self._changes.changes.on_missed(self._read_all)

    def _changed_elsewhere(self, change: AccessChange) -> None:
        room = self._rooms.rooms.at(PREFIX + change.subject)
        if room is not None:
            run(self._read(room.key))

    def _removed(self, key: str, said: Mapping[str, Any]) -> None:
        self._rooms.rooms.tell_removed(key, said["identity"], said["room"], said["reason"], said["rev"])

    def _application_changed(self, change: AccessChange) -> None:
        room, _, user = change.subject.partition(" ")
        self._rooms.rooms.ask_application(room, user or None)

    def _user_revoked(self, change: AccessChange) -> None:
        self._rooms.rooms.ask_application(user=change.subject)

    async def refresh_access(self, room: str, user: str | None) -> None:
        """Ask the application again, on all nodes, who is what in a room: about one user, or all. Returns when that is
        durable. Raises `Unavailable`."""
        subject = fold(room) if user is None else f"{fold(room)} {fold(user)}"
        database = self.services.database
        if database is None:
            self._changes.changes.tell_of(AccessKind.ROLE, subject)
        else:
            self._changes.changes.tell(await database.write(record, (AccessKind.ROLE, subject)))

    def _read_all(self) -> None:
        self._rooms.rooms.ask_application()
        for room in self._rooms.rooms:
            run(self._read(room.key))

    async def _read(self, room: str) -> None:
        with contextlib.suppress(Unavailable):
            await self.access.read(room)

    def jobs(self) -> Iterable[Job]:
        if self.services.is_shared:
            yield Job(POLL, self._watch)

    async def _watch(self) -> None:
        """A node that could not hear who was removed holds back the rooms that only some people may know of."""
        rooms, is_behind = self._rooms.rooms, self._changes.changes.is_behind
        if is_behind and not self.access.is_behind:
            log.warning("private rooms are held back: the database has not told for %g s who may be in them", BEHIND)
            rooms.hold_back()
        elif self.access.is_behind and not is_behind:
            with contextlib.suppress(Unavailable):
                await rooms.go_on()
                log.warning("private rooms go on")

    def commands(self) -> Iterable[Registration]:
        return self._commands.registrations()

    def routes(self, router: APIRouter, hub: Any) -> None:
        from hubbub.features.members.routes import add_routes

        add_routes(router, hub, self)
