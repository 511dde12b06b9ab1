"""A client's session: one identity, its rooms and its commands, over as many connections as it takes.

The session knows events, commands and the time. It knows no sockets and no event loop. Its owner opens a connection
when the state says so, passes events on to the session, and takes from it what is to be sent, handed out and answered.
"""

from __future__ import annotations

import itertools
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from hubbub.client.backoff import Backoff
from hubbub.client.outbox import Outbox, Pace
from hubbub.client.view import KEPT, RoomView, Verdict
from hubbub.errors import Forbidden, HubbubError, Internal, RequestError
from hubbub.wire.answers import Ack, ErrorEvent
from hubbub.wire.base import Command, Event, Reply
from hubbub.wire.codes import CLOSE_MEANINGS, CloseCode, may_retry
from hubbub.wire.connection import Draining, Welcome
from hubbub.wire.keys import fold
from hubbub.wire.members import LeaveRoom, Removed
from hubbub.wire.messages import ChangedEvent, HistoryPage, MessageEvent, Sync
from hubbub.wire.rooms import (
    ROOMS_PER_JOIN,
    Join,
    Joined,
    JoinEvent,
    Leave,
    LeaveEvent,
    Online,
    RoomEvent,
    RoomPosition,
)

OPENING_DEADLINE = 10.0
"""Seconds from the first packet to `welcome`."""
SETTLED = 5.0
"""Seconds. A connection that lives shorter does not count as a success, so that clients do not hammer a server that
crashes again and again."""
GHOST = 60.0
"""If a connection broke before its `welcome`, the server may for so many seconds believe that it still exists, and that
somebody else uses our name."""
SILENT_BEATS = 2
LONGER_BY = 5.0
TIMES_LONGER = 10
"""After a connection that was closed because it sent too fast: wait at least so many seconds, and then so many times
the usual wait."""

ERRORS: dict[str, type[RequestError]] = {error.code: error for error in RequestError.__subclasses__()}


class State(Enum):
    IDLE = "idle"
    CONNECTING = "connecting"
    LIVE = "live"
    WAITING = "waiting"
    """Until the time of the next attempt."""
    REFUSED = "refused"
    """For good: another attempt would get the same answer."""
    CLOSED = "closed"


class Happening(Enum):
    OPEN = "open"
    WELCOME = "welcome"
    LOST = "lost"
    REFUSE = "refuse"
    DUE = "due"
    CLOSE = "close"


TRANSITIONS: dict[State, dict[Happening, State]] = {
    State.IDLE: {Happening.OPEN: State.CONNECTING, Happening.CLOSE: State.CLOSED},
    State.CONNECTING: {
        Happening.WELCOME: State.LIVE,
        Happening.LOST: State.WAITING,
        Happening.REFUSE: State.REFUSED,
        Happening.CLOSE: State.CLOSED,
    },
    State.LIVE: {
        Happening.LOST: State.WAITING,
        Happening.REFUSE: State.REFUSED,
        Happening.CLOSE: State.CLOSED,
    },
    State.WAITING: {
        Happening.DUE: State.CONNECTING,
        Happening.REFUSE: State.REFUSED,
        Happening.CLOSE: State.CLOSED,
    },
    State.REFUSED: {Happening.CLOSE: State.CLOSED},
    State.CLOSED: {Happening.CLOSE: State.CLOSED},
}
"""If something happens that a state does not list, that is a bug, and raises KeyError."""


class Ended(HubbubError):
    """The server has closed the connection, and would close another one in the same way. `code` is the close code."""

    def __init__(self, code: int, reason: str) -> None:
        meaning = CLOSE_MEANINGS[CloseCode(code)].meaning
        super().__init__(f"{meaning} ({code}{f': {reason}' if reason else ''})")
        self.code = code
        self.reason = reason


class Undelivered(HubbubError):
    """No answer will come. It is not known whether the server has done the command."""


class Standing(Enum):
    """The state of a room on this connection."""

    AWAY = "away"
    ASKED = "asked"
    HERE = "here"
    ASKED_AGAIN = "asked again"
    """Joined, and asked for what was missing."""


HERE = frozenset({Standing.HERE, Standing.ASKED_AGAIN})
ASKED = frozenset({Standing.ASKED, Standing.ASKED_AGAIN})


@dataclass(slots=True)
class _Place:
    view: RoomView
    limit: int | None
    backoff: Backoff
    standing: Standing = Standing.AWAY
    has_gap: bool = False
    not_before: float = 0.0

    @property
    def must_ask(self) -> bool:
        return self.standing is Standing.AWAY or (self.standing is Standing.HERE and self.has_gap)


@dataclass(slots=True)
class _Output:
    """The session's output, which its owner takes."""

    events: deque[Event] = field(default_factory=deque)
    answers: deque[tuple[str, Reply | Exception]] = field(default_factory=deque)
    """Answers by the command's id. The answer to a `join` has the folded key of its room instead."""


class Session:
    """`clock` gives seconds and only ever rises; `random` gives a number in [0, 1)."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random.random,
        first_wait: float = 0.5,
        longest_wait: float = 30.0,
    ) -> None:
        self._clock = clock
        self._waits = first_wait, longest_wait, random
        self._backoff = self._make_backoff()
        self._places: dict[str, _Place] = {}
        self._outbox = Outbox(self._make_backoff)
        self._pace = Pace()
        self._urgent: deque[Command] = deque()
        self._fleeting: deque[Command] = deque()
        """Commands that are sent now, or not at all."""
        self._joins: dict[str, set[str]] = {}
        """For each `join` of this connection, the rooms that it still waits for."""
        self._ids = itertools.count(1)
        self._live_since: float | None = None
        self._has_been_live = False
        self._last_frame = 0.0
        self._return_at: float | None = None
        self._ghost_until = 0.0
        self._checked_at = 0.0
        """When the owner last asked for something to send."""
        self.state = State.IDLE
        self.due = 0.0
        """While waiting: when to open the next connection."""
        self.me: Welcome | None = None
        """The latest welcome."""
        self.failure: Exception | None = None
        """Why the state is refused."""
        self.output = _Output()

    def _make_backoff(self) -> Backoff:
        return Backoff(*self._waits)

    # The connection.

    def open(self) -> None:
        """A connection is being opened: the first one, or the next one because the wait is over."""
        self._step(Happening.OPEN if self.state is State.IDLE else Happening.DUE)
        self._last_frame = self._clock()

    def lost(self, code: int | None = None, reason: str = "") -> None:
        """The connection could not be opened, or is gone; with the close code, if one came."""
        meaning = CLOSE_MEANINGS[CloseCode(code)] if code in CLOSE_MEANINGS else None
        if code is not None and meaning is not None and not meaning.reconnect:
            self._refuse(Ended(code, reason))
        elif meaning is not None and meaning.after_a_while:
            self._wait(at_least=LONGER_BY, times=TIMES_LONGER)
        else:
            self._wait()

    def rejected(self, error: RequestError, *, may_pass: bool, is_strange: bool = False) -> None:
        """The handshake was answered with a refusal. `may_pass` says that a later one may be accepted.

        A strange answer is one that neither our server nor its application gives. A proxy may give it while the server
        is away, so it counts only if this session has never been let in.
        """
        now = self._clock()
        is_ghost = error.code == "conflict" and now < self._ghost_until
        if may_pass or is_ghost or (is_strange and self._has_been_live):
            self._wait(at_least=(error.retry_after or 0) / 1000)
        else:
            self._refuse(error)

    def fail(self, failure: Exception) -> None:
        """What the server says makes no sense, or we cannot go on for another reason."""
        self._refuse(failure)

    def close(self) -> None:
        """The owner ends the session. Commands without an answer get none."""
        self._step(Happening.CLOSE)
        self._disconnected()
        self._abandon(Undelivered("the client was closed before the server answered"))

    @property
    def silence_deadline(self) -> float:
        """If no frame has come until then, the server is taken for dead."""
        if self.state is State.LIVE and self.me is not None:
            return self._last_frame + SILENT_BEATS * self.me.heartbeat / 1000
        return self._last_frame + OPENING_DEADLINE

    def _step(self, happening: Happening) -> None:
        self.state = TRANSITIONS[self.state][happening]

    def _wait(self, at_least: float = 0.0, times: int = 1) -> None:
        now = self._clock()
        if self.state is State.CONNECTING:
            self._ghost_until = now + GHOST
        # A connection that was closed because it sent too fast is no success, however long it lived.
        if self._live_since is not None and now - self._live_since >= SETTLED and times == 1:
            self._backoff.reset()
        self._step(Happening.LOST)
        self._disconnected()
        if self._return_at is not None:
            self.due = max(now, self._return_at)
        else:
            self.due = now + at_least + times * self._backoff.next()
        self._return_at = None

    def _refuse(self, failure: Exception) -> None:
        self._step(Happening.REFUSE)
        self.failure = failure
        self._disconnected()
        self._abandon(failure)

    def _disconnected(self) -> None:
        self._live_since = None
        self._urgent.clear()
        self._fleeting.clear()
        self._joins.clear()
        self._outbox.disconnected()
        for place in self._places.values():
            place.standing = Standing.AWAY

    def _abandon(self, failure: Exception) -> None:
        for folded, place in self._places.items():
            if place.view.epoch is None:
                self._answer(folded, failure)
        for id in self._outbox.ids():
            self._answer(id, failure)

    # What the owner asks for.

    def view(self, room: str) -> RoomView | None:
        place = self._places.get(fold(room))
        return place.view if place is not None else None

    def join(self, room: str, *, limit: int | None = None, kept: int = KEPT) -> str:
        """Follow a room from now on, on this connection and the next ones. The answer comes under the id returned."""
        folded = fold(room)
        if folded not in self._places:
            self._places[folded] = _Place(RoomView(room, kept=kept, me=lambda: self.me), limit, self._make_backoff())
            self._answer_at_once(folded)
        return folded

    def leave(self, room: str) -> None:
        """Stop following a room. Commands in it that have no answer get none."""
        if self._forget(fold(room), Undelivered(f"room {room!r} was left before the server answered")) in HERE | ASKED:
            self._urgent.append(Leave(room=room))

    def ask(self, command: Command) -> str:
        """Have a command done, however many connections it takes. The answer comes under the id returned."""
        # No room has such a key.
        id = f"#{next(self._ids)}"
        self._outbox.add(id, command)
        self._answer_at_once(id)
        return id

    def _answer_at_once(self, id: str) -> None:
        """The answer of a session that has ended: no server will answer."""
        if self.failure is not None or self.state is State.CLOSED:
            self._answer(id, self.failure or Undelivered("the client is closed"))

    def withdraw(self, id: str) -> None:
        """Nobody waits for the answer any more. The command is not sent, or not again."""
        self._outbox.remove(id)

    def tell(self, command: Command) -> None:
        """Send a command that needs no answer. It is dropped without a connection, and beyond the server's limits."""
        if self.state is State.LIVE:
            self._fleeting.append(command)

    def next_command(self) -> Command | None:
        """The next command to send; None if there is none, or if it is too early. The caller must send what it
        takes."""
        now = self._checked_at = self._clock()
        if self.state is not State.LIVE or self.me is None:
            return None
        if now < self._pace.due():
            self._fleeting.clear()
            return None
        command = next(self._waiting_commands(now, self.me.limits.unanswered), None)
        if command is not None:
            self._pace.sent(now)
        return command

    def next_send(self) -> float | None:
        """When to call `next_command` again after it gave None, even if nothing happens meanwhile; None for never."""
        if self.state is not State.LIVE:
            return None
        # A command that became due after that call has not been checked. Its time may be in the past.
        now = self._checked_at
        times = [place.not_before for place in self._places.values() if place.must_ask and place.not_before > now]
        postponed = self._outbox.next_due(now)
        if postponed is not None:
            times.append(postponed)
        if self._pace.due() > now:
            times.append(self._pace.due())
        return min(times, default=None)

    def _waiting_commands(self, now: float, most: int) -> Iterator[Command]:
        while self._urgent:
            yield self._urgent.popleft()
        while self._fleeting:
            yield self._fleeting.popleft()
        yield from self._due_joins(now)
        here = (folded for folded, place in self._places.items() if place.standing in HERE)
        yield from self._outbox.due(now, here, most=most)

    def _due_joins(self, now: float) -> Iterator[Join]:
        due = [(folded, place) for folded, place in self._places.items() if place.must_ask and place.not_before <= now]
        # One command has one `limit`, so rooms with another one go into another command.
        due.sort(key=lambda pair: -1 if pair[1].limit is None else pair[1].limit)
        for limit, group in itertools.groupby(due, key=lambda pair: pair[1].limit):
            alike = list(group)
            for start in range(0, len(alike), ROOMS_PER_JOIN):
                asked = alike[start : start + ROOMS_PER_JOIN]
                id = f"#{next(self._ids)}"
                self._joins = {id: rooms for id, rooms in self._joins.items() if rooms} | {
                    id: {key for key, _ in asked}
                }
                for _, place in asked:
                    place.standing = Standing.ASKED if place.standing is Standing.AWAY else Standing.ASKED_AGAIN
                    place.has_gap = False
                yield Join(id=id, rooms=[_position(place.view) for _, place in asked], limit=limit)

    # What the server says.

    def receive(self, event: Event) -> None:
        """The next event of the connection."""
        self._last_frame = self._clock()
        match event:
            case Welcome():
                self._welcome(event)
            case Draining():
                self._return_at = self._last_frame + event.reconnect_in / 1000
                self._hand_out(event)
            case Joined():
                self._joined(event)
            case Sync():
                self._take_in(event.room, event, lambda view: view.sync(event), event.messages)
            case MessageEvent() | ChangedEvent() | RoomEvent():
                self._take_in(event.room, event, lambda view: view.changed(event))
            case Removed():
                self._removed(event)
            case JoinEvent() | LeaveEvent() | Online():
                view = self.view(event.room)
                if view is not None:
                    view.people_changed(event)
                    self._hand_out(event)
            case ErrorEvent():
                self._error(event)
            case Reply():
                self._reply(event)
            case _:
                self._hand_out(event)

    def heard(self) -> None:
        """A frame came that this session does not use. It proves that the server lives."""
        self._last_frame = self._clock()

    def _welcome(self, event: Welcome) -> None:
        self._step(Happening.WELCOME)
        self.me = event
        self._live_since = self._last_frame
        self._has_been_live = True
        self._pace.begin(event.limits, self._last_frame)
        self._hand_out(event)

    def _joined(self, event: Joined) -> None:
        folded = fold(event.room)
        # A `joined` without an id is sent by the server unasked. One that nobody waits for is of a room that was left
        # meanwhile.
        is_expected = event.id is None or self._joins_answered(event.id, folded)
        if event.id is not None and event.id in self._outbox:
            # The answer to `create` or `direct`: the room is followed from now on.
            is_expected = True
            self.join(event.room)
            self._answer(event.id, event)
        place = self._places.get(folded)
        if place is None or not is_expected:
            return
        place.standing = Standing.HERE
        place.backoff.reset()
        self._take_in(event.room, event, lambda view: view.joined(event), event.messages if event.recovered else [])
        self._answer(folded, event)

    def _removed(self, event: Removed) -> None:
        view = self.view(event.room)
        if view is not None:
            view.removed = event.reason
        for id in self._outbox.of_room(fold(event.room)) if event.reason == "left" else ():
            # Its `ack` may come later, or never if the connection is lost.
            if isinstance(self._outbox.command(id), LeaveRoom):
                self._answer(id, Ack(room=event.room))
        self._forget(fold(event.room), Forbidden(f"{event.reason} from room {event.room!r}", room=event.room))
        self._hand_out(event)

    def _take_in(
        self, room: str, event: Event, apply: Callable[[RoomView], Verdict], rows: list[MessageEvent] | None = None
    ) -> None:
        place = self._places.get(fold(room))
        if place is None:
            return
        new = sorted((row for row in rows or [] if place.view.is_new(row)), key=lambda row: row.seq or 0)
        verdict = apply(place.view)
        if verdict is Verdict.GAP:
            # If the room has been asked for already, events that come before the answer are part of the answer.
            place.has_gap = place.standing not in ASKED
        elif verdict is Verdict.APPLIED:
            self._hand_out(event)
            for row in new:
                self._hand_out(row)

    def _reply(self, event: Reply) -> None:
        if isinstance(event, HistoryPage):
            view = self.view(event.room)
            if view is not None:
                view.page(event)
        if event.id is not None and event.id in self._outbox:
            self._answer(event.id, event)

    def _error(self, event: ErrorEvent) -> None:
        error = error_of(event)
        retry_after = event.retry_after / 1000 if event.retry_after is not None else None
        again = may_retry(event.code)
        if event.code == "rate_limited":
            self._pace.too_fast(self._clock(), retry_after)
        if event.id is not None and event.id in self._joins:
            for folded in [fold(event.room)] if event.room is not None else list(self._joins[event.id]):
                self._join_failed(event, folded, error, retry_after, may_retry=again)
        elif event.id is not None and event.id in self._outbox:
            if again:
                self._outbox.postpone(event.id, self._clock(), retry_after)
            else:
                self._answer(event.id, error)
        else:
            self._hand_out(event)

    def _join_failed(
        self, event: ErrorEvent, folded: str, error: RequestError, retry_after: float | None, *, may_retry: bool
    ) -> None:
        place = self._places.get(folded)
        if not self._joins_answered(event.id, folded) or place is None:
            return
        if may_retry:
            place.has_gap = place.standing is Standing.ASKED_AGAIN
            place.standing = Standing.HERE if place.has_gap else Standing.AWAY
            place.not_before = self._clock() + (retry_after if retry_after is not None else place.backoff.next())
            return
        self._forget(folded, error)
        self._answer(folded, error)
        # For a room that was joined on an earlier connection, nobody waits for an answer.
        self._hand_out(event)

    def _joins_answered(self, id: str | None, folded: str) -> bool:
        """Note that a join does not wait for a room any more. False if it did not wait for it."""
        waiting = self._joins.get(id or "", set())
        if folded not in waiting:
            return False
        waiting.discard(folded)
        return True

    def _forget(self, folded: str, failure: HubbubError) -> Standing | None:
        """Returns the room's state until now."""
        place = self._places.pop(folded, None)
        for waiting in self._joins.values():
            waiting.discard(folded)
        for id in self._outbox.of_room(folded):
            self._answer(id, failure)
        return place.standing if place is not None else None

    def _hand_out(self, event: Event) -> None:
        self.output.events.append(event)

    def _answer(self, id: str, answer: Reply | Exception) -> None:
        self._outbox.remove(id)
        self.output.answers.append((id, answer))


def _position(view: RoomView) -> RoomPosition:
    return RoomPosition(room=view.key, rev=view.rev, epoch=view.epoch if view.rev is not None else None)


def error_of(event: ErrorEvent) -> RequestError:
    """An `error` event as the exception that the server's side raised."""
    kind = ERRORS.get(event.code, Internal)
    return kind(event.message, retry_after=event.retry_after, room=event.room, errors=event.errors)
