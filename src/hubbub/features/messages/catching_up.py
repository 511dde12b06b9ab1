"""Bringing a connection up to date: with a room as it joins, or with what it missed while it was congested.

All of it is done under a hold (`delivery/hold.py`), so an older row never overwrites a newer one, and nothing falls
between the two. Where all that was missed can't be had, the client is told to begin anew; it is never told that it has
everything when it has not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from hubbub.delivery.connection import Connection
from hubbub.delivery.hold import Hold
from hubbub.features.feature import Services
from hubbub.features.messages.log import LATEST, Recovery, RoomLogs
from hubbub.features.rooms.rooms import Room, Rooms, channel_of
from hubbub.limits import work_of_page
from hubbub.wire.messages import History, HistoryPage, MessageEvent, Sync
from hubbub.wire.publication import Publication
from hubbub.wire.rooms import Joined, RoomPosition

FRAME_BYTES = 256 * 1024
"""Rows in one frame, roughly. Clients refuse frames over 1 MiB; the estimate may be half of what JSON takes."""


class CatchingUp:
    """`rooms` are those that somebody here is in."""

    def __init__(self, services: Services, logs: RoomLogs, rooms: Rooms) -> None:
        self._fanout = services.fanout
        self._sequencer = services.sequencer
        self._logs = logs
        self._rooms = rooms
        self._epoch = services.epoch
        """Of the rooms that store nothing: the node's own."""

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
        """Answer `join` for a connection that is held in the room: the room as it is, and what was missed.

        Raises `Unavailable` if the store can't be read.
        """
        if not self._logs.stores(room.key):
            await self._take_turn(connection, 0)
            connection.reply(self._joined(room, id=id))
            return
        latest = LATEST if limit is None else limit
        if position.rev is not None and position.epoch is not None:
            recovery = await self._logs.recover(room.key, position.rev, position.epoch, latest=latest)
        else:
            page = await self._logs.latest(room.key, latest)
            recovery = Recovery(False, page.head, 0, page.messages, page.users, page.size)
        await self._take_turn(connection, recovery.size)
        for event in self._events(room, recovery, id=id):
            connection.reply(event)
        self._sequencer.brought_to(room.channel, recovery.head.rev)
        hold.read_up_to(recovery.head.rev)

    async def recover(self, connection: Connection, room: Room, rev: int | None, *, hold: Hold) -> None:
        """Send a held connection what it missed after `rev`. Raises `Unavailable`."""
        if rev is None or not self._logs.stores(room.key):
            connection.reply(self._joined(room, id=None))
            return
        size, head, events = await self._missed(room, rev)
        await self._take_turn(connection, size)
        for event in events:
            connection.reply(event)
        hold.read_up_to(head)

    async def heads(self, channels: Sequence[str]) -> list[Publication]:
        """Where these rooms stand, of those that are stored and somebody is in. Raises `Unavailable`."""
        rooms = [room.key for channel in channels if (room := self._rooms.at(channel)) is not None]
        stored = [room for room in rooms if self._logs.stores(room)]
        heads = await self._logs.heads(stored) if stored else []
        return [Publication.head(channel_of(head.room), head.rev) for head in heads]

    async def fetch(self, channel: str, position: int) -> list[Publication]:
        """What everybody in a room has missed after a position that the broker brought them to, for all of them.

        Raises `Unavailable`.
        """
        room = self._rooms.at(channel)
        if room is None or not self._logs.stores(room.key):
            return []
        size, _, events = await self._missed(room, position)
        await self._fanout.turns.come(size)
        publications = []
        for event in events:
            publications.append(Publication(channel, event, position=event.rev, since=position))
            position = event.rev or position
        return publications

    async def _missed(self, room: Room, rev: int) -> tuple[int, int, list[Joined | Sync]]:
        """The bytes that were read, the room's head, and what brings somebody there who stands at `rev`."""
        epoch = (await self._logs.head(room.key)).epoch
        recovery = await self._logs.recover(room.key, rev, epoch)
        if recovery.recovered:
            syncs = _syncs(recovery, rev, list(_frames(_by_rev(recovery.messages))) or [[]])
            return recovery.size, recovery.head.rev, list(syncs)
        return recovery.size, recovery.head.rev, self._events(room, recovery, id=None)

    async def _take_turn(self, connection: Connection, size: int) -> None:
        connection.charge(work_of_page(size))
        await self._fanout.turns.come(size)

    async def history(self, command: History, *, charge: Callable[[float], None] | None = None) -> HistoryPage:
        """A page of a room's messages; an empty one where nothing is stored. `charge` is told how much work it was.

        A connection that has joined the room must be held from before this until the page is sent, else what changes
        meanwhile would be overwritten by the older page. Raises `Unavailable`.
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
        await self._fanout.turns.come(page.size)
        messages = newest(page.messages) if command.after is None else oldest(page.messages)
        more = page.more or len(messages) < len(page.messages)
        return HistoryPage(room=page.head.room, rev=page.head.rev, users=page.users, messages=messages, more=more)

    def _events(self, room: Room, recovery: Recovery, *, id: str | None) -> list[Joined | Sync]:
        """The answer to `join`: one event, and the rows that do not fit into it."""
        head = recovery.head
        joined = self._joined(room, id=id)
        joined.epoch = head.epoch
        joined.seq, joined.floor = head.seq, head.floor
        if not recovery.recovered:
            joined.rev = head.rev
            joined.messages = newest(recovery.messages)
            return [joined]
        first, *rest = list(_frames(_by_rev(recovery.messages))) or [[]]
        joined.recovered = True
        joined.since = recovery.since
        joined.rev = head.rev if not rest else first[-1].rev
        joined.messages = first
        return [joined, *_syncs(recovery, joined.rev or 0, rest)]

    def _joined(self, room: Room, *, id: str | None) -> Joined:
        """A room as far as nothing of it is stored: whatever was missed is gone."""
        return Joined(
            id=id,
            room=room.key,
            name=room.name,
            online=room.online,
            users=room.users(),
            epoch=self._epoch,
            recovered=False,
        )


def _syncs(recovery: Recovery, since: int, frames: Sequence[list[MessageEvent]]) -> Iterator[Sync]:
    """The rows of a recovery, by rev, in events that each begin where the last one ended."""
    head = recovery.head
    for index, messages in enumerate(frames):
        rev = head.rev if index == len(frames) - 1 else messages[-1].rev or head.rev
        yield Sync(room=head.room, since=since, rev=rev, floor=head.floor, users=recovery.users, messages=messages)
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
