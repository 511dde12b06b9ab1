"""Making rooms and changing who is in them, for commands, requests and the application alike.

The caller has asked the policy. The transaction that writes asks again (`features/messages/log_guard.py`).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from hubbub.accounts.policies import Action
from hubbub.accounts.roles import DIRECT, PRIVATE, RoomRole, is_restricted
from hubbub.accounts.users import owners_of_keys
from hubbub.delivery.connections import Connections
from hubbub.dispatch.link import run
from hubbub.errors import Invalid, NotFound, RequestError, TooLarge, Unavailable
from hubbub.features.feature import Services
from hubbub.features.messages.log_changes import Changed, ChangeRequest, RoomChange
from hubbub.features.messages.log_people import claim_keys
from hubbub.features.messages.messages import Messages
from hubbub.features.people.user_channels import UserChannels
from hubbub.features.rooms.access import Accesses
from hubbub.shared_limits.hourly import Hourly
from hubbub.store.base import Transaction
from hubbub.store.database import Database
from hubbub.store.statement import Statement
from hubbub.wire.identity import SYSTEM, User
from hubbub.wire.keys import fold
from hubbub.wire.members import Create, Invited, MemberChange, RoomFields

REMOVED, STORE = "@removed", "@store"
"""What nodes say to each other in users' channels: a user is no member any more; store the user's row."""
STORED_WITHIN = 2.0
TO_ONE, TO_ALL = 20, 3000
"""How often somebody may invite, remove or kick one person, and people in all, in an hour. Each time that person's
devices are told. A ban always may be made: it keeps an attacker out, and to come back needs an invitation or the
attacker's own will."""
_ANNOYING = frozenset({Action.INVITE, Action.REMOVE, Action.KICK})

_OWNED = Statement(
    """
    SELECT count(*) AS number FROM users JOIN room_people ON room_people.user_id = users.id
    JOIN room_settings ON room_settings.room_id = room_people.room_id
    WHERE users.folded = :folded AND users.identity = :identity AND role = 'owner' AND archived = 0
    """,
    columns=("number",),
    never_deferred=True,
)


class RoomsOfPeople:
    """Each change is one of the room's log. `change` says what it raises."""

    def __init__(self, services: Services, messages: Messages, channels: UserChannels, access: Accesses) -> None:
        self._services = services
        self._messages = messages
        self._channels = channels
        self._access = access
        self._connections: Connections = services.fanout.connections

    async def create(self, user: User, command: Create, *, claims: bool = False) -> str:
        """Make a room that this user owns. Returns its key. Raises `Invalid` for a key that a public room cannot have,
        `Conflict` if there is a room with that key, `NotFound` if there is no such user."""
        fields = RoomFields(kind=command.kind, title=command.title)
        if command.kind == "private":
            room = PRIVATE + _in_a_key(self._private_digest(user, command.key)[:10])
        elif command.room is None or ":" in command.room:
            raise Invalid("room: a public room needs a key without a colon")
        else:
            room = command.room
            if user is not SYSTEM and self._access.application is not None:
                await self._access.require(user, Action.JOIN, room)
        await self._check_limits(user, room, command.users, owns=True)
        finds = command.key is not None
        change = RoomChange(Action.CREATE, users=command.users, fields=fields, claims=claims, finds=finds)
        return (await self.change(user, room, change)).room

    async def direct(self, user: User, keys: Sequence[str]) -> str:
        """Find or make the direct room of this user and others. Returns its key. Raises `NotFound` if there is no such
        user, `Invalid` if there is no other one."""
        others = list({fold(key): key for key in keys if fold(key) != fold(user.key)}.values())
        if not others:
            raise Invalid("users: name somebody else")
        database = self._services.database
        if database is None:
            raise Unavailable("this server stores no rooms")
        for key in others:
            await self._have_stored(key)
        ids = await database.read(partial(_ids_of, keys=[user.key, *others]), never_deferred=True)
        # The same people find the same room, also if two of them make it at once.
        room = DIRECT + _in_a_key(self._digest(",".join(map(str, sorted(ids))))[:20])
        await self._check_limits(user, room, others, owns=False)
        change = RoomChange(Action.DIRECT, users=others, fields=RoomFields(kind="direct"))
        return (await self.change(user, room, change)).room

    def _private_digest(self, user: User, key: str | None) -> bytes:
        """The same for a user who says the same key again."""
        if key is None:
            return secrets.token_bytes(10)
        return self._digest(f"{fold(user.key)}\n{user.identity}\n{key}")

    def _digest(self, text: str) -> bytes:
        cluster = self._services.cluster_id
        if cluster is None:
            raise Unavailable("this server stores no rooms")
        return hmac.digest(cluster.encode(), text.encode(), hashlib.sha256)

    async def _check_limits(self, user: User, room: str, invited: Sequence[str], *, owns: bool) -> None:
        """Before a user makes a room. One that is there already is found, or is a conflict.

        Raises `RateLimited`, and `TooLarge` if the user would own too many. Those who make several rooms at the same
        moment may have some more.
        """
        database, now = self._services.database, self._services.current.now
        if user is SYSTEM or database is None or await self._access.read(room) is not None:
            return
        limit = Hourly(f"rooms of {fold(user.key)}", now.rooms_made)
        await limit.take(self._services.limits, "too many new rooms; try again later")
        if owns and await database.read(partial(_owned_by, user=user), never_deferred=True) >= now.rooms_per_user:
            raise TooLarge(f"a user owns at most {now.rooms_per_user} rooms: archive one, or make another its owner")
        for key in invited:
            await self._count_annoyance(user, key)

    async def _count_annoyance(self, user: User, key: str) -> None:
        """Raises `RateLimited`. The limit for all comes first: then nobody makes the server remember more names."""
        by = f"done by {fold(user.key)}"
        for limit in (Hourly(f"{by} to people", TO_ALL), Hourly(f"{by} to {fold(key)}", TO_ONE)):
            await limit.take(self._services.limits, "too often; try again later")

    async def change(self, user: User, room: str, change: RoomChange) -> Changed[Any]:
        """Change a room. Returns when that is durable, and everybody was told.

        Raises `Forbidden` if the user may not do this, `NotFound` if there is no such user or room, `Conflict` if the
        room does not allow it now, `RateLimited` if the user does this too often to the same person, `Unavailable`.
        """
        if change.action in _ANNOYING and user is not SYSTEM:
            for one in change.users:
                await self._count_annoyance(user, one if isinstance(one, str) else one.key)
        if not change.claims:
            change.users = [await self._present(one) for one in change.users]
            change.given = await self._given(room, change.users)
        changed: Changed[Any] = await self._messages.change(ChangeRequest(user, room, change))  # type: ignore[assignment]
        event = changed.event
        if change.action in {Action.CREATE, Action.DIRECT, Action.INVITE} and event is not None and event.members:
            await self._tell_invited(user, changed.room, change.identities)
        if event is not None and is_restricted(fold(changed.room)):
            for member in event.members or ():
                if member.out is not None:
                    run(self._tell_removed(member, change.identities[member.user], changed.room, changed.rev))
        return changed

    async def _tell_removed(self, member: MemberChange, identity: str, room: str, rev: int) -> None:
        """Connections that have not joined the room hear of it too: it is gone from their lists."""
        said = {"room": room, "reason": member.out, "rev": rev, "identity": identity}
        await self._channels.order(member.user, REMOVED, **said)

    async def _given(self, room: str, users: Sequence[User | str]) -> dict[str, RoomRole]:
        """What the application makes of these users, if it says who is in the room. Raises `Unavailable`."""
        application, folded = self._access.application, fold(room)
        if application is None or not application.decides(folded):
            return {}
        people = [one if isinstance(one, User) else User(one, one) for one in users]
        return {fold(one.key): await application.know(one, folded) for one in people}

    async def _present(self, user: User | str) -> User | str:
        """A user who is connected, who need not have said anything; the key of anybody else."""
        if isinstance(user, User):
            return user
        connections = self._connections.of_user(user)
        if connections:
            return connections[0].user
        if self._services.broker.reaches_others:
            await self._have_stored(user)
        return user

    async def _have_stored(self, key: str) -> None:
        """A guest who has said nothing has no row, and is known only where the guest is connected: have it stored
        there."""
        database = self._services.database
        is_stored = partial(_is_stored, folded=fold(key))
        if database is None or await database.read(is_stored, never_deferred=True):
            return
        if here := self._connections.of_user(key):
            await database.write(claim_keys, here[0].user)
        elif self._services.broker.reaches_others and await self._channels.order(key, STORE):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STORED_WITHIN):
                    while not await database.read(is_stored, never_deferred=True):  # noqa: ASYNC110 - a row raises no event
                        await asyncio.sleep(0.02)

    def store(self, key: str, _: Mapping[str, Any]) -> None:
        """Another node asks: store the users who are connected here under this key."""
        database = self._services.database
        for user in {one.user for one in self._connections.of_user(key)} if database is not None else ():
            run(_store(database, user))

    async def _tell_invited(self, user: User, room: str, identities: Mapping[str, str]) -> None:
        access = await self._access.read(room) if is_restricted(fold(room)) else None
        if access is None:
            return
        invited = Invited(room=access.key, kind=access.kind.value, title=access.title, by=user.key)
        for key, identity in identities.items():
            if key != user.key:
                run(self._channels.tell(key, identity, invited))


def _in_a_key(digest: bytes) -> str:
    return base64.b32encode(digest).decode().lower()


def _owned_by(transaction: Transaction, user: User) -> int:
    ((number,),) = transaction.rows(_OWNED, folded=fold(user.key), identity=user.identity)
    return int(number)


def _is_stored(transaction: Transaction, folded: str) -> bool:
    return folded in owners_of_keys(transaction, [folded])


async def _store(database: Database | None, user: User) -> None:
    assert database is not None
    with contextlib.suppress(RequestError):
        await database.write(claim_keys, user)


def _ids_of(transaction: Transaction, keys: Sequence[str]) -> list[int]:
    found = owners_of_keys(transaction, sorted({fold(key) for key in keys}))
    for key in keys:
        if fold(key) not in found:
            raise NotFound(f"there is no user {key!r}, or they have not said anything yet")
    return [person.id for person in found.values()]


def change_of(command: Any) -> RoomChange:
    """The change that a command asks for. Raises KeyError for a command that changes no room."""
    made = RoomChange(_ACTIONS[command.type])
    made.users = (command.user,) if hasattr(command, "user") else ()
    if command.type == "change_room":
        made.fields = RoomFields(
            title=command.title, description=command.description, archived=command.archived, slow=command.slow
        )
        if command.archived is not None:
            made.action = Action.ARCHIVE
    elif command.type == "set_role":
        made.role = RoomRole(command.role)
    elif command.type in {"mute", "ban"}:
        made.until = command.end
    return made


_ACTIONS = {
    "change_room": Action.CHANGE_ROOM,
    "invite": Action.INVITE,
    "remove": Action.REMOVE,
    "leave_room": Action.LEAVE_ROOM,
    "set_role": Action.SET_ROLE,
    "kick": Action.KICK,
    "mute": Action.MUTE,
    "ban": Action.BAN,
}
