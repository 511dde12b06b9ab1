"""What messages add to a hub: the rooms' logs, and joining a room with what the client missed."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from hubbub.dispatch.hooks import Hooks
from hubbub.dispatch.registry import Registration
from hubbub.errors import Unavailable
from hubbub.features.feature import Change, ChannelKind, Feature, Services
from hubbub.features.jobs import Job, LeasedJob
from hubbub.features.messages.catching_up import CatchingUp
from hubbub.features.messages.commands import MessageCommands
from hubbub.features.messages.joining import Joining
from hubbub.features.messages.log import RoomLogs
from hubbub.features.messages.log_changes import Changed
from hubbub.features.messages.log_check import check_rooms
from hubbub.features.messages.log_people import claim_keys
from hubbub.features.messages.messages import Messages
from hubbub.features.people.feature import PeopleFeature
from hubbub.features.rooms.feature import RoomsFeature
from hubbub.features.rooms.rooms import PREFIX, Rooms, channel_of
from hubbub.store.base import Transaction
from hubbub.store.leases import Lease
from hubbub.wire.codes import CloseCode
from hubbub.wire.identity import User

if TYPE_CHECKING:
    from fastapi import APIRouter

log = logging.getLogger("hubbub")

TICK = 1.0
EPOCH_SETTLED_EVERY = 2.0


class MessagesFeature(Feature):
    """`sent` is called with each user's message, and its room's key, when it is durable."""

    def __init__(
        self, people: PeopleFeature, rooms: RoomsFeature, hooks: Hooks, *, sent: Callable[[User, str], None]
    ) -> None:
        self.people = people
        self._rooms = rooms
        self._hooks = hooks
        self._sent = sent
        self._commands = MessageCommands(self, rooms, hooks)
        self.rooms: Rooms
        self.logs: RoomLogs
        self.messages: Messages
        self.catching_up: CatchingUp
        self.joining: Joining

    def open(self, services: Services) -> None:
        super().open(services)
        self.rooms = rooms = self._rooms.rooms
        self.logs = RoomLogs(
            services.database,
            relay_rooms=services.settings.relay_rooms,
            committing=self._committing if services.features.take_part_in_changes else None,
            heard_of=lambda room: services.sequencer.heard_of(channel_of(room)),
        )
        self.messages = Messages(services, self.logs, self.people, rooms.access, self._hooks, sent=self._sent)
        self.catching_up = CatchingUp(services, self.logs, rooms)
        self.joining = Joining(rooms, self.catching_up)
        self.people.store_claim = self._store_claim

    def commands(self) -> Iterable[Registration]:
        return self._commands.registrations()

    def routes(self, router: APIRouter, hub: Any) -> None:
        from hubbub.features.messages.routes import add_routes

        add_routes(router, hub, self)

    def jobs(self) -> Iterable[Job | LeasedJob]:
        if self.services.is_shared:
            yield Job(TICK, self._watch_epoch)
            yield LeasedJob("epoch", EPOCH_SETTLED_EVERY, self._settle_epoch)

    def channels(self) -> Iterable[ChannelKind]:
        yield ChannelKind(PREFIX, self.catching_up.heads, self.catching_up.fetch, self.joining.recover)

    def check(self, transaction: Transaction) -> list[str]:
        return check_rooms(transaction)

    async def start(self) -> None:
        if self.services.database is not None:
            self.services.epoch = await self._stored_epoch()

    def key_moved(self) -> None:
        self.logs.users_changed()

    def _store_claim(self, account: User, answered: Callable[[Exception | None], None]) -> None:
        assert self.services.database is not None
        self.services.database.submit(claim_keys, account, answered)

    def _committing(self, transaction: Transaction, outcomes: Sequence[Changed[Any] | Exception]) -> None:
        changes = [
            Change(outcome.room, outcome.rev, outcome.event)
            for outcome in outcomes
            if not isinstance(outcome, Exception) and outcome.event is not None
        ]
        if changes:
            self.services.features.committing(transaction, changes)

    async def _stored_epoch(self) -> str:
        return (await self.logs.head(self.services.settings.room_default)).epoch

    async def _settle_epoch(self, lease: Lease) -> None:
        """Write nothing, so that a database which took over begins its epoch also where nobody says anything."""
        assert self.services.database is not None
        with contextlib.suppress(Unavailable):
            await self.services.database.write(lease.guard(_do_nothing), None)

    async def _watch_epoch(self) -> None:
        """A database that took over may have lost the latest changes, and then gives the same numbers to other changes.
        Live events cannot say so. Therefore all connections are closed: clients come back with the old epoch, and are
        told to start over."""
        services = self.services
        with contextlib.suppress(Unavailable):
            epoch = await self._stored_epoch()
            if epoch == services.epoch:
                return
            services.epoch = epoch
            connections = list(services.fanout.connections.values())
            log.warning("the database has begun a new epoch: %d connections are closed", len(connections))
            for connection in connections:
                connection.close(CloseCode.SERVICE_RESTART, "the database was rewound")
            services.sequencer.start_over()


def _do_nothing(transaction: Transaction, requests: Sequence[None]) -> Sequence[None]:
    return requests
