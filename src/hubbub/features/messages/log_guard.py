"""Who may change a room with settings, checked in the transaction that writes.

What a node remembers of a room may be older than the database: somebody may have been removed on another node a moment
ago. So a batch asks once more, with one statement for all its rooms with settings, after it has locked them. A batch
about rooms without settings asks nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hubbub.accounts.access_changes import AccessKind
from hubbub.accounts.access_changes import changed as access_changed
from hubbub.accounts.policies import Action, may_in_room, refusal
from hubbub.accounts.roles import RoomKind, RoomRole, Standing, role_in_public
from hubbub.accounts.users import Person, owners_of_keys
from hubbub.errors import RateLimited
from hubbub.features.messages.log_changes import ChangeRequest, RoomChange
from hubbub.features.messages.log_people import people_of
from hubbub.features.messages.log_touched import Asked, Head, Touched
from hubbub.features.rooms.access_rows import RESTRICTED, SETTINGS
from hubbub.store.statement import Statement
from hubbub.wire.identity import SYSTEM, User
from hubbub.wire.keys import fold
from hubbub.wire.messages import Delete, Edit, Pin, React, SendMessage

# These tables have no deferrable statement, and the one of `rooms` does not touch `guarded`.
_Statement = partial(Statement, never_deferred=True)
_FIND = _Statement(
    """
    SELECT wanted.room_id, wanted.user_id, settings.kind, settings.title, settings.description, settings.archived,
        settings.slow, people.role, people.muted, people.banned, people.spoke
    FROM {wanted} AS wanted JOIN room_settings AS settings ON settings.room_id = wanted.room_id
    LEFT JOIN room_people AS people ON people.room_id = wanted.room_id AND people.user_id = wanted.user_id
    """,
    columns=(
        "room_id",
        "user_id",
        "kind",
        "title",
        "description",
        "archived",
        "slow",
        "role",
        "muted",
        "banned",
        "spoke",
    ),
    tables={"wanted": {"room_id": int, "user_id": int}},
)
_SETTINGS = {
    "room_id": int,
    "kind": str,
    "title": str,
    "description": str,
    "archived": int,
    "slow": int,
    "changed": int,
}
_PUT_SETTINGS = _Statement(
    """
    INSERT INTO room_settings (room_id, kind, title, description, archived, slow, changed)
    SELECT room_id, kind, title, description, archived, slow, changed FROM {changed} AS changed WHERE true
    ON CONFLICT (room_id) DO UPDATE SET title = excluded.title, description = excluded.description,
        archived = excluded.archived, slow = excluded.slow, changed = excluded.changed
    """,
    tables={"changed": _SETTINGS},
)
_GUARD_ROOMS = _Statement(
    """
    UPDATE rooms SET guarded = changed.guarded FROM {changed} AS changed
    WHERE rooms.id = changed.room_id AND rooms.guarded <> changed.guarded
    """,
    tables={"changed": {"room_id": int, "guarded": int}},
)
_PUT_PEOPLE = _Statement(
    """
    INSERT INTO room_people (room_id, user_id, role, muted, banned, spoke)
    SELECT room_id, user_id, role, muted, banned, spoke FROM {changed} AS changed WHERE true
    ON CONFLICT (room_id, user_id) DO UPDATE SET role = excluded.role, muted = excluded.muted,
        banned = excluded.banned, spoke = excluded.spoke
    """,
    tables={"changed": {"room_id": int, "user_id": int, "role": str, "muted": int, "banned": int, "spoke": int}},
)

_ACTIONS: dict[type, Action] = {
    SendMessage: Action.SEND,
    Edit: Action.EDIT,
    Delete: Action.DELETE,
    React: Action.REACT,
    Pin: Action.PIN,
}


@dataclass(slots=True)
class Place(Standing):
    """What somebody is in a room, as its row says."""

    spoke: int = 0
    is_changed: bool = False


@dataclass(slots=True)
class Guard:
    """A locked room with settings, and those of its people whom the batch is about, by their ids."""

    kind: RoomKind = RoomKind.PUBLIC
    title: str | None = None
    description: str | None = None
    archived: bool = False
    slow: int = 0
    changed: int = 0
    """The rev at which this batch has changed it, 0 if it has not."""
    places: dict[int, Place] = field(default_factory=dict)

    def place(self, person: Person) -> Place:
        return self.places.setdefault(person.id, Place())

    def role_of(self, user: User, person: Person) -> RoomRole:
        given = self.place(person).role
        return role_in_public(user, given) if self.kind is RoomKind.PUBLIC else given

    def take_turn(self, request: ChangeRequest[Any], person: Person, now: int) -> None:
        """Somebody sends a message. Raises `RateLimited` if that is too soon after the last one, in slow mode."""
        if not self.slow or request.user is SYSTEM:
            return
        if (request.given or self.role_of(request.user, person)) in {RoomRole.OWNER, RoomRole.MODERATOR}:
            return
        place = self.place(person)
        wait = place.spoke + self.slow * 1000 - now
        if 0 < wait <= self.slow * 1000:
            raise RateLimited(f"slow mode: one message in {self.slow} seconds", retry_after=wait)
        place.spoke = now
        place.is_changed = True


class Guards:
    """The rooms with settings of a batch, and those that get some now. Call it after the rooms were locked."""

    def __init__(self, touched: Touched, asked: Asked[Any]) -> None:
        self._touched = touched
        self._heads: dict[int, Head] = {}
        self._targets: dict[User | str, Person] = {}
        changes = [request for request, _ in asked if type(request.command) is RoomChange]
        if changes:
            self._find_targets([request.command for request in changes])
        for request in changes:
            if (head := touched.heads.get(request.room)) is not None:
                self._heads[head.id] = head
                head.guard = Guard()
        wanted = set()
        for request, person in asked:
            head = touched.heads.get(request.room)
            if head is not None and head.guarded:
                if head.id not in self._heads:
                    self._heads[head.id] = head
                    head.guard = Guard()
                wanted.add((head.id, person.id))
                if type(request.command) is RoomChange:
                    wanted |= {
                        (head.id, target.id) for target in self.targets_of(request.command) if target is not None
                    }
        for room_id, user_id, kind, title, description, archived, slow, *place in (
            touched.transaction.rows(_FIND, wanted=sorted(wanted)) if wanted else ()
        ):
            guard = self._heads[room_id].guard
            assert guard is not None
            guard.kind, guard.title, guard.description = RoomKind(kind), title, description
            guard.archived, guard.slow = bool(archived), slow
            if place[0] is not None:
                guard.places[user_id] = Place(RoomRole(place[0]), *place[1:])

    def targets_of(self, change: RoomChange) -> list[Person | None]:
        """The rows of the users whom a change is about; None for those who have none."""
        return [self._targets.get(user) for user in change.users]

    def _find_targets(self, changes: Sequence[RoomChange]) -> None:
        transaction = self._touched.transaction
        known = {user for change in changes for user in change.users if isinstance(user, User)}
        keys = {user: change.claims for change in changes for user in change.users if isinstance(user, str)}
        owners = owners_of_keys(transaction, sorted({fold(key) for key in keys}))
        known |= {User(key, key) for key, claims in keys.items() if claims and fold(key) not in owners}
        asked = sorted(known, key=lambda user: user.key)
        people = people_of(transaction, asked) if asked else []
        for user, person in zip(asked, people, strict=True):
            self._targets[user] = self._targets[user.key] = person
        self._targets |= {key: owners[fold(key)] for key in keys if fold(key) in owners}

    def check(self, head: Head, person: Person, request: ChangeRequest[Any]) -> None:
        """Raises `Forbidden` if this user may not do this in the room, as the database knows it now."""
        guard, command = head.guard, request.command
        if guard is None or request.user is SYSTEM:
            return
        action = command.action if type(command) is RoomChange else _ACTIONS.get(type(command))
        if action is None or action in {Action.CREATE, Action.DIRECT}:
            return
        may = partial(
            may_in_room,
            guard.kind,
            request.user,
            guard.places.get(person.id),
            archived=guard.archived,
            now=self._touched.now,
            given=request.given,
        )
        if not may(action):
            raise refusal(action, head.key)
        if request.of_anybody and guard.kind is not RoomKind.PUBLIC:
            request.of_anybody = may(Action.MODERATE)

    def write(self) -> None:
        run = self._touched.transaction.run
        changed = [
            (head, guard) for head in self._heads.values() if (guard := head.guard) is not None and guard.changed
        ]
        if changed:
            run(
                _PUT_SETTINGS,
                changed=[
                    (
                        head.id,
                        guard.kind.value,
                        guard.title,
                        guard.description,
                        int(guard.archived),
                        guard.slow,
                        guard.changed,
                    )
                    for head, guard in changed
                ],
            )
            for head, guard in changed:
                head.guarded = SETTINGS if guard.kind is RoomKind.PUBLIC else RESTRICTED
            run(_GUARD_ROOMS, changed=[(head.id, head.guarded) for head, _ in changed])
            for head, _ in changed:
                # Everybody hears of it by the room's log. This is for nodes to which the log does not come now.
                access_changed(self._touched.transaction, AccessKind.ROOM, fold(head.key))
        places = [
            (head.id, user_id, place.role.value, place.muted, place.banned, place.spoke)
            for head in self._heads.values()
            if head.guard is not None
            for user_id, place in head.guard.places.items()
            if place.is_changed
        ]
        if places:
            run(_PUT_PEOPLE, changed=sorted(places))

    def close(self) -> None:
        """The batch is done. Heads are remembered longer than this."""
        for head in self._heads.values():
            head.guard = None
