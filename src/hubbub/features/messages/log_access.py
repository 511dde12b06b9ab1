"""Changing a room itself: its settings, who is in it, and who is what there. Each is one change of the room's log, so
everybody hears of it in order with the messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hubbub.accounts.audit import audit
from hubbub.accounts.policies import Action
from hubbub.accounts.roles import RoomKind, RoomRole
from hubbub.accounts.users import Person
from hubbub.errors import Conflict, Forbidden, NotFound
from hubbub.features.messages.log_changes import Changed, ChangeRequest, RoomChange
from hubbub.features.messages.log_guard import Guard, Guards, Place
from hubbub.features.messages.log_touched import Asked, Head, Touched
from hubbub.features.rooms.access import end_of
from hubbub.store.statement import Statement
from hubbub.wire.identity import SYSTEM
from hubbub.wire.keys import fold
from hubbub.wire.members import MemberChange, OutBecause
from hubbub.wire.rooms import RoomEvent

_RANKS = {RoomRole.OWNER: 3, RoomRole.MODERATOR: 2, RoomRole.MEMBER: 1, RoomRole.GUEST: 1, RoomRole.NOBODY: 0}
_OTHERS = Statement(
    "SELECT count(*) AS number FROM room_people WHERE room_id = :room_id AND user_id <> :user_id AND role <> 'nobody'",
    columns=("number",),
    never_deferred=True,
)

_AUDITED = {
    Action.CHANGE_ROOM,
    Action.ARCHIVE,
    Action.SET_ROLE,
    Action.KICK,
    Action.MUTE,
    Action.BAN,
}
"""What is told in the audit log, if the room is public. Administrators read that log, and must not learn of private
rooms."""

Asks = ChangeRequest[RoomChange]


class AccessChanges:
    """The changes of rooms themselves in a batch. `Guards` writes them."""

    def __init__(self, touched: Touched, asked: Asked[RoomChange], guards: Guards) -> None:
        self._touched = touched
        self._guards = guards
        self._acts: list[tuple[Head, Person, list[MemberChange], RoomChange]] = []
        """What is told in the audit log."""
        self._identities: dict[str, str] = {}
        self._rules: dict[Action, Callable[[Head, Guard, Person, Asks], list[MemberChange] | None]] = {
            Action.CREATE: self._create,
            Action.DIRECT: self._find_or_make,
            Action.CHANGE_ROOM: self._describe,
            Action.ARCHIVE: self._describe,
            Action.INVITE: self._invite,
            Action.REMOVE: self._remove,
            Action.LEAVE_ROOM: self._leave,
            Action.SET_ROLE: self._set_role,
            Action.KICK: self._kick,
            Action.MUTE: self._mute,
            Action.BAN: self._ban,
        }
        """Each returns those who are something else from now on, and None if nothing changed."""

    def decide(self, head: Head, person: Person, request: Asks) -> Changed[RoomEvent]:
        guard, change = head.guard, request.command
        assert guard is not None
        members = self._rules[change.action](head, guard, person, request)
        if members is None:
            return Changed(request, head.key, head.seq, head.rev, self._touched.ts, None)
        guard.changed = rev = head.next_rev()
        change.identities = {member.user: self._identities[member.user] for member in members}
        if change.action in _AUDITED and guard.kind is RoomKind.PUBLIC:
            self._acts.append((head, person, members, change))
        event = RoomEvent(room=head.key, rev=rev, by=person.key, members=members or None)
        if change.fields is not None:
            for name, value in change.fields.model_dump(exclude_none=True).items():
                setattr(event, name, value)
        return Changed(request, head.key, head.seq, rev, self._touched.ts, event)

    def write(self) -> None:
        """The lines of the audit log. `Guards.write` writes the rows of rooms with settings."""
        for head, person, members, change in self._acts:
            action, transaction = f"room.{change.action.value}", self._touched.transaction
            if change.fields is not None:
                audit(transaction, person.key, action, head.key, **change.fields.model_dump(exclude_none=True))
            for target in members:
                audit(transaction, person.key, action, target.user, room=head.key, **_said_of(target, change))

    def _create(self, head: Head, guard: Guard, person: Person, request: Asks) -> list[MemberChange] | None:
        if head.rev or head.guarded or guard.changed:
            if request.command.finds and guard.place(person).role is RoomRole.OWNER:
                return None
            raise Conflict(f"there is a room {head.key!r} already", room=head.key)
        fields = request.command.fields
        assert fields is not None
        assert fields.kind is not None
        guard.kind, guard.title, guard.description = RoomKind(fields.kind), fields.title, fields.description
        owner = guard.kind is not RoomKind.DIRECT and request.user is not SYSTEM
        people = {person.id: person} if request.user is not SYSTEM else {}
        people |= {target.id: target for target in self._targets(request)}
        changes = []
        for one in people.values():
            is_owner = owner and one.id == person.id
            changes.append(self._put(guard, one, RoomRole.OWNER if is_owner else RoomRole.MEMBER))
        return changes

    def _find_or_make(self, head: Head, guard: Guard, person: Person, request: Asks) -> list[MemberChange] | None:
        if head.guarded or guard.changed:
            return None
        return self._create(head, guard, person, request)

    def _describe(self, head: Head, guard: Guard, person: Person, request: Asks) -> list[MemberChange] | None:
        assert request.command.fields is not None
        before = (guard.title, guard.description, guard.archived, guard.slow)
        for name, value in request.command.fields.model_dump(exclude_none=True).items():
            setattr(guard, name, value)
        return [] if (guard.title, guard.description, guard.archived, guard.slow) != before else None

    def _invite(self, head: Head, guard: Guard, person: Person, request: Asks) -> list[MemberChange] | None:
        changes = []
        for target in self._targets(request):
            place = guard.place(target)
            if place.banned > self._touched.now:
                raise Conflict(f"{target.key!r} is banned from the room", room=head.key)
            if place.role is RoomRole.NOBODY:
                changes.append(self._put(guard, target, RoomRole.MEMBER))
        return changes or None

    def _remove(self, head: Head, guard: Guard, person: Person, request: Asks) -> list[MemberChange] | None:
        target = self._below(head, guard, person, request)
        if guard.place(target).role is RoomRole.NOBODY:
            return None
        return [self._put(guard, target, RoomRole.NOBODY, out="removed")]

    def _leave(self, head: Head, guard: Guard, person: Person, request: Asks) -> list[MemberChange] | None:
        role = guard.place(person).role
        if role is RoomRole.NOBODY:
            return None
        if role is RoomRole.OWNER:
            ((others,),) = self._touched.transaction.rows(_OTHERS, room_id=head.id, user_id=person.id)
            if others:
                raise Conflict("make somebody else the owner first", room=head.key)
        return [self._put(guard, person, RoomRole.NOBODY, out="left")]

    def _set_role(self, head: Head, guard: Guard, person: Person, request: Asks) -> list[MemberChange] | None:
        (target,) = self._targets(request)
        place, role = guard.place(target), request.command.role
        assert role is not None
        if place.role is RoomRole.NOBODY and guard.kind is not RoomKind.PUBLIC:
            raise NotFound(f"{target.key!r} is no member of the room", room=head.key)
        if place.role is role:
            return None
        is_app = request.user is SYSTEM
        if target.id == person.id and not is_app:
            raise Conflict("make somebody else the owner first", room=head.key)
        changes = [self._put(guard, target, role)]
        if role is RoomRole.OWNER and not is_app and guard.place(person).role is RoomRole.OWNER:
            changes.append(self._put(guard, person, RoomRole.MODERATOR))
        return changes

    def _kick(self, head: Head, guard: Guard, person: Person, request: Asks) -> list[MemberChange] | None:
        target = self._below(head, guard, person, request)
        if not _may_be_in(guard, target):
            return None
        return [self._put(guard, target, guard.place(target).role, out="kicked")]

    def _mute(self, head: Head, guard: Guard, person: Person, request: Asks) -> list[MemberChange] | None:
        target = self._below(head, guard, person, request)
        place = guard.place(target)
        if place.muted == request.command.until:
            return None
        place.muted = request.command.until
        return [self._put(guard, target, place.role)]

    def _ban(self, head: Head, guard: Guard, person: Person, request: Asks) -> list[MemberChange] | None:
        target = self._below(head, guard, person, request)
        place, end = guard.place(target), request.command.until
        if place.banned == end:
            return None
        place.banned = end
        if end > self._touched.now:
            out: OutBecause | None = "banned" if _may_be_in(guard, target) else None
            return [self._put(guard, target, RoomRole.NOBODY, out=out)]
        return [self._put(guard, target, place.role)]

    def _targets(self, request: Asks) -> list[Person]:
        """Raises `NotFound`."""
        found = []
        for user, target in zip(request.command.users, self._guards.targets_of(request.command), strict=True):
            if target is None:
                raise NotFound(f"there is no user {user!r}, or they have not said anything yet", room=request.room)
            found.append(target)
        return found

    def _below(self, head: Head, guard: Guard, person: Person, request: Asks) -> Person:
        """The user whom a request is about. Raises `Forbidden` if their role is not below that of who asks."""
        (target,) = self._targets(request)
        if request.user is not SYSTEM:
            rank = _RANKS[request.given or guard.role_of(request.user, person)]
            theirs = request.command.given.get(fold(target.key), guard.place(target).role)
            if target.id == person.id or _RANKS[theirs] >= rank:
                raise Forbidden(f"you may not do this to {target.key!r}", room=head.key)
        return target

    def _put(self, guard: Guard, target: Person, role: RoomRole, *, out: OutBecause | None = None) -> MemberChange:
        place: Place = guard.place(target)
        place.role, place.is_changed = role, True
        self._identities[target.key] = target.identity
        now = self._touched.now
        return MemberChange(
            user=target.key,
            name=target.name,
            guest=True if target.identity else None,
            role=role.value,
            muted=end_of(place.muted) if place.muted > now else None,
            banned=end_of(place.banned) if place.banned > now else None,
            out=out,
        )


def _may_be_in(guard: Guard, target: Person) -> bool:
    """Whether connections of this person may have joined the room. Those of nobody else are told that they are out."""
    return guard.kind is RoomKind.PUBLIC or guard.place(target).role is not RoomRole.NOBODY


def _said_of(target: MemberChange, change: RoomChange) -> dict[str, Any]:
    """What the audit log tells of somebody, beside the action and the room."""
    if change.action is Action.SET_ROLE:
        return {"role": target.role}
    if change.action in {Action.MUTE, Action.BAN}:
        return {"until": (target.muted if change.action is Action.MUTE else target.banned) or "now"}
    return {}
