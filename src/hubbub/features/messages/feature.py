"""What messages add to a hub: the rooms' log, joining with what was missed, and where rooms stand."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from hubbub.dispatch.hooks import Hooks
from hubbub.dispatch.registry import Registration
from hubbub.errors import Unavailable
from hubbub.features.feature import Change, ChannelKind, Feature, Services
from hubbub.features.jobs import Job
from hubbub.features.messages.catching_up import CatchingUp
from hubbub.features.messages.commands import MessageCommands
from hubbub.features.messages.joining import Joining
from hubbub.features.messages.log import RoomLog
from hubbub.features.messages.log_changes import Outcome
from hubbub.features.messages.log_check import check_rooms
from hubbub.features.messages.log_people import claim_keys
from hubbub.features.messages.messages import Messages, Said, author_of
from hubbub.features.people.feature import PeopleFeature
from hubbub.features.rooms.feature import RoomsFeature
from hubbub.features.rooms.rooms import PREFIX, Room
from hubbub.store.base import Transaction
from hubbub.wire.codes import CloseCode
from hubbub.wire.identity import User
from hubbub.wire.keys import KeyPatterns, fold
from hubbub.wire.messages import SendMessage

if TYPE_CHECKING:
    from fastapi import APIRouter

log = logging.getLogger("hubbub")

TICK = 1.0


class MessagesFeature(Feature):
    """`sent` is called for each message that a connection has sent, before it is answered."""

    def __init__(
        self, people: PeopleFeature, rooms: RoomsFeature, hooks: Hooks, *, sent: Callable[[User, Room], None]
    ) -> None:
        self.people = people
        self._rooms = rooms
        self._commands = MessageCommands(self, rooms, hooks, sent=sent)
        self.messages: Messages
        self.catching_up: CatchingUp
        self.joining: Joining
        self._log: RoomLog | None
        self._relay_rooms: KeyPatterns

    def open(self, services: Services) -> None:
        super().open(services)
        rooms, fanout, sequencer = self._rooms.rooms, services.fanout, services.sequencer
        self._relay_rooms = KeyPatterns(services.settings.relay_rooms)
        self._log = None
        if services.database is not None:
            committing = self._committing if services.features.take_part_in_changes else None
            self._log = RoomLog(services.database, committed=self._committed, committing=committing)
        self.messages = Messages(broker=services.broker, policy=services.policy, clock=time.time, log_of=self.log_of)
        self.catching_up = CatchingUp(
            fanout=fanout,
            log_of=self.log_of,
            room_at=rooms.at,
            brought_to=sequencer.brought_to,
            epoch=services.epoch,
        )
        self.joining = Joining(fanout=fanout, rooms=rooms, catching_up=self.catching_up)
        self.people.store_claim = self._store_claim

    def log_of(self, room: str) -> RoomLog | None:
        """The log of a room, None if it stores no messages."""
        if self._log is None or self._relay_rooms.covers(fold(room)):
            return None
        return self._log

    async def post(self, user: User, command: SendMessage) -> Said:
        """Say something without a connection. Raises what the command would be answered with."""
        return await self._commands.post(user, command)

    def commands(self) -> Iterable[Registration]:
        return self._commands.registrations()

    def routes(self, router: APIRouter, hub: Any) -> None:
        from hubbub.features.messages.routes import add_routes

        add_routes(router, hub, self)

    def jobs(self) -> Iterable[Job]:
        if self.services.is_shared:
            yield Job(TICK, self._watch_epoch)

    def channels(self) -> Iterable[ChannelKind]:
        yield ChannelKind(PREFIX, self.catching_up.heads, self.catching_up.fetch, self.joining.recover)

    def check(self, transaction: Transaction) -> list[str]:
        return check_rooms(transaction)

    async def start(self) -> None:
        if self._log is not None:
            self.services.epoch = await self._epoch_of(self._log)

    def key_moved(self) -> None:
        if self._log is not None:
            self._log.users_changed()

    def _store_claim(self, account: User, answered: Callable[[Exception | None], None]) -> None:
        assert self.services.database is not None
        self.services.database.submit(claim_keys, author_of(account), answered)

    def _committed(self, outcome: Outcome) -> None:
        self.messages.publish(outcome)
        if outcome.event is not None and self.services.features.follow_changes:
            self.services.features.committed(Change(outcome.room, outcome.rev, outcome.event))

    def _committing(self, transaction: Transaction, outcomes: Sequence[Outcome | Exception]) -> None:
        changes = [
            Change(outcome.room, outcome.rev, outcome.event)
            for outcome in outcomes
            if not isinstance(outcome, Exception) and outcome.event is not None
        ]
        if changes:
            self.services.features.committing(transaction, changes)

    async def _epoch_of(self, log: RoomLog) -> str:
        return (await log.head(self.services.settings.room_default)).epoch

    async def _watch_epoch(self) -> None:
        """A database that took over may have lost the latest changes. The same numbers will stand for others then,
        which live events cannot say: everybody comes back with the old epoch, and is told to begin anew."""
        if self._log is None:
            return
        services = self.services
        with contextlib.suppress(Unavailable):
            epoch = await self._epoch_of(self._log)
            if epoch == services.epoch:
                return
            services.epoch = epoch
            connections = list(services.fanout.connections.values())
            log.warning("the database has begun a new epoch: %d connections are closed", len(connections))
            for connection in connections:
                connection.close(CloseCode.SERVICE_RESTART, "the database was rewound")
