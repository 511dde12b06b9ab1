"""Bringing a connection up to date: when it joins a room, and after it was congested.

The connection is held meanwhile (`delivery/hold.py`), so an older row never overwrites a newer one, and no change is
lost between the page and the live events. If the store no longer has everything that the client missed, the client is
told to start over. It is never told that it has everything when it has not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hubbub.accounts.policies import Action, refusal
from hubbub.accounts.roles import RoomKind
from hubbub.delivery.connection import Connection
from hubbub.delivery.hold import Hold
from hubbub.features.feature import Services
from hubbub.features.messages.log import LATEST, Recovery, RoomLogs
from hubbub.features.rooms.rooms import Room, Rooms, channel_of
from hubbub.limits import work_of_page
from hubbub.wire.identity import User
from hubbub.wire.messages import History, HistoryPage, MessageEvent, Sync
from hubbub.wire.publication import Publication
from hubbub.wire.rooms import Joined, RoomPosition

FRAME_BYTES = 256 * 1024
"""The rows of one frame, estimated. Clients refuse frames over 1 MiB, and the JSON may be twice as long as the
estimate."""


class CatchingUp:
    """`rooms` are the rooms that users of this node are in."""

    def __init__(self, services: Services, logs: RoomLogs, rooms: Rooms) -> None:
        self._fanout = services.fanout
        self._sequencer = services.sequencer
        self._logs = logs
        self._rooms = rooms
        self._access = rooms.access
        self._epoch = services.epoch
        """The epoch of rooms that store nothing. It is the node's own."""

    async def join(
        self,
        connection: Connection,
        room: Room,
        position: RoomPosition,
        *,
        hold: Hold,
        limit: int | None,
        id: str | None,
    ) -> None:
        """Answer `join` for a connection that is held in the room, with the room as it is now and what the client
        missed.

        Raises `Unavailable` if the store can't be read.
        """
        if not self._logs.stores(room.key):
            await self._take_turn(connection, 0)
            self._require_joined(connection, room)
            connection.reply(self._joined(room, id=id, user=connection.user))
            return
        latest = LATEST if limit is None else limit
        if position.rev is not None and position.epoch is not None:
            recovery = await self._logs.recover(room.key, position.rev, position.epoch, latest=latest)
        else:
            page = await self._logs.latest(room.key, latest)
            recovery = Recovery(False, page.head, 0, page.messages, page.users, page.size)
        await self._take_turn(connection, recovery.size)
        await self._access.confirm(connection.user, room.key)
        self._require_joined(connection, room)
        for event in self._events(room, recovery, id=id, user=connection.user):
            connection.reply(event)
        self._sequencer.was_told_up_to(room.channel, recovery.head.rev)
        hold.read_up_to(recovery.head.rev)

    async def recover(self, connection: Connection, room: Room, rev: int | None, *, hold: Hold) -> None:
        """Send a held connection what it missed after `rev`. Raises `Unavailable`."""
        if rev is None or not self._logs.stores(room.key):
            connection.reply(self._joined(room, id=None, user=connection.user))
            return
        size, head, events = await self._missed(room, rev)
        await self._take_turn(connection, size)
        await self._access.confirm(connection.user, room.key)
        if not self._rooms.has_joined(connection, room.key):
            return
        for event in events:
            connection.reply(event)
        hold.read_up_to(head)

    async def heads(self, channels: Sequence[str]) -> list[Publication]:
        """The heads of those of these rooms that are stored and have somebody in them. Raises `Unavailable`."""
        rooms = [room.key for channel in channels if (room := self._rooms.at(channel)) is not None]
        stored = [room for room in rooms if self._logs.stores(room)]
        heads = await self._logs.heads(stored) if stored else []
        return [Publication.head(channel_of(head.room), head.rev) for head in heads]

    async def fetch(self, channel: str, position: int) -> list[Publication]:
        """What all subscribers of a room have missed after `position`.

        Raises `Unavailable`.
        """
        room = self._rooms.at(channel)
        if room is None or not self._logs.stores(room.key):
            return []
        size, _, events = await self._missed(room, position)
        await self._fanout.turns.wait(size)
        # A lost `room` event is not among the rows. Who was removed must be out before the rows are delivered.
        await self._access.read(room.key)
        publications = []
        for event in events:
            publications.append(Publication(channel, event, position=event.rev, since=position))
            position = event.rev or position
        return publications

    async def _missed(self, room: Room, rev: int) -> tuple[int, int, list[Joined | Sync]]:
        """The bytes that were read, the room's rev, and the events that bring a client from `rev` to it."""
        epoch = (await self._logs.head(room.key)).epoch
        recovery = await self._logs.recover(room.key, rev, epoch)
        if recovery.recovered:
            frames = list(_frames(_by_rev(recovery.messages))) or [[]]
            syncs = _syncs(recovery, rev, frames, self._settings(room))
            return recovery.size, recovery.head.rev, list(syncs)
        return recovery.size, recovery.head.rev, self._events(room, recovery, id=None, user=None)

    def _require_joined(self, connection: Connection, room: Room) -> None:
        """Raises `Forbidden` if the connection was taken out of the room in the meantime."""
        if connection.is_open and not self._rooms.has_joined(connection, room.key):
            raise refusal(Action.JOIN, room.key)

    async def _take_turn(self, connection: Connection, size: int) -> None:
        connection.charge(work_of_page(size))
        await self._fanout.turns.wait(size)

    async def history(self, command: History, *, charge: Callable[[float], None] | None = None) -> HistoryPage:
        """A page of a room's messages; an empty one if the room stores nothing. `charge` is called with the work that
        it made.

        Hold a connection that has joined the room, from before this call until the page is sent. Otherwise the older
        page would overwrite changes that are published meanwhile. Raises `Unavailable`.
        """
        if not self._logs.stores(command.room):
            return HistoryPage(room=command.room, rev=0, users=[], messages=[], more=False)
        if command.pinned:
            page = await self._logs.pinned(command.room, command.limit)
        else:
            page = await self._logs.history(
                command.room, before=command.before, after=command.after, around=command.around, limit=command.limit
            )
        if charge is not None:
            charge(work_of_page(page.size))
        await self._fanout.turns.wait(page.size)
        messages = newest(page.messages) if command.after is None else oldest(page.messages)
        more = page.more or len(messages) < len(page.messages)
        return HistoryPage(room=page.head.room, rev=page.head.rev, users=page.users, messages=messages, more=more)

    def _events(self, room: Room, recovery: Recovery, *, id: str | None, user: User | None) -> list[Joined | Sync]:
        """The answer to `join`: one event, and more of them for the rows that do not fit into it. `user` is None if
        it is for several."""
        head = recovery.head
        joined = self._joined(room, id=id, user=user)
        joined.epoch = head.epoch
        joined.seq, joined.floor = head.seq, head.floor
        joined.colors = {user.user: user.color for user in recovery.users if user.color is not None} or None
        if not recovery.recovered:
            joined.rev = head.rev
            joined.messages = newest(recovery.messages)
            return [joined]
        first, *rest = list(_frames(_by_rev(recovery.messages))) or [[]]
        joined.recovered = True
        joined.since = recovery.since
        joined.rev = head.rev if not rest else first[-1].rev
        joined.messages = first
        return [joined, *_syncs(recovery, joined.rev or 0, rest, self._settings(room))]

    def _settings(self, room: Room) -> dict[str, Any]:
        access = self._access.at(room.key)
        return access.fields() if access is not None else {}

    def _joined(self, room: Room, *, id: str | None, user: User | None) -> Joined:
        """The answer to `join` for a room that stores nothing: what the client missed is gone."""
        access = self._access.at(room.key)
        more: dict[str, Any] = self._settings(room)
        if access is not None and access.kind is RoomKind.DIRECT:
            more["members"] = access.members()
        return Joined(
            role=self._access.role_of(user, room.key).value if user is not None else None,
            **more,
            id=id,
            room=room.key,
            name=(access.title if access is not None else None) or room.name,
            online=room.online,
            users=room.users(),
            epoch=self._epoch,
            recovered=False,
        )


def _syncs(
    recovery: Recovery, since: int, frames: Sequence[list[MessageEvent]], settings: dict[str, Any]
) -> Iterator[Sync]:
    """The rows of a recovery, by rev. Each event continues where the one before it ends. `settings` are what is said
    about the room: without them an event would say that it is public and has none."""
    head = recovery.head
    for index, messages in enumerate(frames):
        rev = head.rev if index == len(frames) - 1 else messages[-1].rev or head.rev
        yield Sync(
            room=head.room,
            since=since,
            rev=rev,
            floor=head.floor,
            users=recovery.users,
            messages=messages,
            **settings,
        )
        since = rev


def _by_rev(messages: list[MessageEvent]) -> list[MessageEvent]:
    return sorted(messages, key=lambda message: message.rev or 0)


def _frames(messages: Sequence[MessageEvent]) -> Iterator[list[MessageEvent]]:
    frame: list[MessageEvent] = []
    size = 0
    for message in messages:
        if frame and size + _size(message) > FRAME_BYTES:
            yield frame
            frame, size = [], 0
        frame.append(message)
        size += _size(message)
    if frame:
        yield frame


def newest(messages: list[MessageEvent]) -> list[MessageEvent]:
    """As many of the last messages as fit into one frame."""
    return oldest(messages[::-1])[::-1]


def oldest(messages: list[MessageEvent]) -> list[MessageEvent]:
    """As many of the first messages as fit into one frame."""
    return next(_frames(messages), [])


def _size(message: MessageEvent) -> int:
    reactions = sum(40 + 66 * len(reaction.users) for reaction in message.reactions or ())
    return 400 + 3 * len(message.text) + len(str(message.data or "")) + reactions
