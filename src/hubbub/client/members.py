"""What one room says of itself, and who is what in it, as a client sees it.

It knows events and pages. It knows no messages and no other rooms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hubbub.wire.connection import Welcome
from hubbub.wire.identity import Role
from hubbub.wire.keys import fold
from hubbub.wire.members import Kind, MemberChange, MembersPage, RoomFields, RoomMember, RoomRole
from hubbub.wire.messages import Sync
from hubbub.wire.rooms import Joined, RoomEvent


class RoomMembers:
    """`me` gives the latest welcome: who this client's user is."""

    def __init__(self, me: Callable[[], Welcome | None] = lambda: None) -> None:
        self.kind: Kind = "public"
        self.title: str | None = None
        self.description: str | None = None
        self.archived = False
        self.slow = 0
        """Seconds between two messages of one user; 0 without slow mode."""
        self.role: RoomRole | None = None
        """What this client's user is here. None before the room is joined."""
        self._me = me
        self._known: dict[str, tuple[RoomMember, int]] = {}
        """By folded key, with the rev since which it is so; those who are nobody too."""
        self._has_begun = False
        self.next: str | None = None
        """Where the page begins that continues `list`. None if the list is whole, or not known."""

    @property
    def list(self) -> list[RoomMember] | None:
        """Those who have a role, or are muted or banned, as far as `learn` has told. None while it is not known:
        `await room.members()` asks for all. The server says by itself who is in a direct room."""
        if not self._has_begun:
            return None
        return [member for member, _ in self._known.values() if _is_something(member)]

    def of(self, user: str) -> RoomMember | None:
        """What is known of somebody."""
        member, _ = self._known.get(fold(user), (None, 0))
        return member if member is not None and _is_something(member) else None

    def joined(self, event: Joined) -> None:
        self._says(event)
        self.role = event.role
        if event.members is not None:
            self._known.clear()
            self._put(event.members, event.rev or 0)
            self._has_begun, self.next = True, None
        elif not event.recovered or event.since != event.rev:
            # Members may have changed meanwhile, and no event will say so.
            self._has_begun, self.next = False, None

    def caught_up(self, event: Sync) -> None:
        self._says(event)
        self._has_begun, self.next = False, None

    def changed(self, event: RoomEvent) -> None:
        for name, value in event.model_dump(include=set(RoomFields.model_fields), exclude_none=True).items():
            setattr(self, name, value)
        self._put(event.members or [], event.rev)

    def learn(self, page: MembersPage, *, q: str = "", after: str | None = None) -> None:
        """`q` and `after` are those with which the page was asked for. The first page begins the list, the one that is
        `next` continues it, and others tell of people only. Events that are newer than the page stay."""
        rev = page.rev or 0
        if not q and not after:
            self._known = {folded: known for folded, known in self._known.items() if known[1] > rev}
            self._has_begun, self.next = True, page.next
        elif not q and after == self.next:
            self.next = page.next
        self._put(page.members, rev)

    def _says(self, said: Joined | Sync) -> None:
        self.kind = said.kind or "public"
        self.title, self.description = said.title, said.description
        self.archived, self.slow = bool(said.archived), said.slow or 0

    def _put(self, members: Iterable[RoomMember | MemberChange], rev: int) -> None:
        me = self._me()
        for given in members:
            folded = fold(given.user)
            if self._known.get(folded, (None, 0))[1] > rev:
                continue
            fields: dict[str, Any] = given.model_dump(exclude={"out"} if isinstance(given, MemberChange) else None)
            known = self._known.get(folded)
            if isinstance(given, MemberChange) and known is not None:
                fields["color"] = known[0].color
            self._known[folded] = RoomMember(**fields), rev
            if me is not None and fold(me.user) == folded:
                self.role = self._role_of(me, given.role or "nobody")

    def _role_of(self, me: Welcome, given: RoomRole) -> RoomRole:
        """In a public room, administrators are owners, and those without a role are members or guests."""
        if self.kind != "public":
            return given
        if me.role is Role.ADMIN:
            return "owner"
        if given != "nobody":
            return given
        return "guest" if me.guest else "member"


def _is_something(member: RoomMember) -> bool:
    return (member.role or "nobody") != "nobody" or member.muted is not None or member.banned is not None
