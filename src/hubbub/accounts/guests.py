"""Guests: people with a name and no account.

A guest's key is the name as typed, if that is a key and nobody has it; otherwise it is made. A key belongs to the first
identity that does something durable under it. Until then a guest has the key while connected, and for a while after the
connection broke. Each guest gets a `secret`, which proves on a later connection that it is the same identity. It is
signed, so that nothing is stored for guests who say nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from hubbub.accounts.key_owners import KeyOwners
from hubbub.accounts.signing_key import SigningKeys
from hubbub.accounts.users import Person, is_made_of, made_key
from hubbub.errors import Conflict, Invalid, Unauthenticated
from hubbub.presence.base import Names
from hubbub.wire.identity import User
from hubbub.wire.keys import appearance, clean_name, fold, is_key

RESERVED = frozenset({"system", "server", "hubbub", "admin", "everyone", "here", "all"})
MADE_KEYS_BEGIN = "guest"
"""The key under which a policy is asked about HTTP requests of people without an account. No user has it."""


@dataclass(slots=True)
class _Presence:
    user: User
    identity: str
    connections: int
    was_lingering: bool = False
    """Whether the key was kept for a guest whose connection had broken, when the latest connection was admitted."""
    claimed: tuple[str, ...] = ()
    """What is claimed for this guest on all nodes."""


@dataclass(frozen=True, slots=True)
class Admission:
    user: User
    secret: str


@dataclass(slots=True)
class _Asked:
    """What a guest presents on connecting."""

    name: str | None
    shown: str
    """What the name looks like; empty if both key and name will be made."""
    key: str | None
    """The key that the secret proves, or the one that a newcomer wants."""
    identity: str
    is_proven: bool


class Guests:
    """The guests who are here, or whose links broke less than `linger` seconds ago. `admit` counts one connection in,
    `leave` counts it out, or `withdraw` if it did not come to be. Call `tick` about once a second.

    `owners` tells whose a key is; without it, keys belong to those who are here. `is_accounts` tells whether somebody
    with an account is connected under a key. `displaced` is called with a guest whose key is another's: its
    connections must end, and its identity has another key when it comes back. With `names`, a name or key is in use if
    a guest of any node has it.
    """

    def __init__(
        self,
        signing: SigningKeys,
        *,
        clock: Callable[[], float],
        linger: float = 0.0,
        owners: KeyOwners | None = None,
        is_accounts: Callable[[str], bool] = lambda key: False,
        displaced: Callable[[User], None] = lambda user: None,
        names: Names | None = None,
    ) -> None:
        self._signing = signing
        self._clock = clock
        self._linger = linger
        self._owners = owners
        self._is_accounts = is_accounts
        self._displaced = displaced
        self._names_everywhere = names
        self._present: dict[str, _Presence] = {}
        self._names: dict[str, tuple[str, ...]] = {}
        """The folded keys of the guests with this name, by what the name looks like."""
        self._lingering: dict[str, float] = {}
        """Until when a key is kept for a guest whose connection broke. The one that ends first comes first."""

    async def admit(
        self, username: str | None, secret: str | None = None, *, among_accounts: bool = False
    ) -> Admission:
        """Let a guest in. Among accounts a newcomer's key is a made one: a chosen one could be an account's.

        Who proves an identity always gets in, under the key that it has now. Raises `Invalid` for a name that is none,
        `Unauthenticated` for a secret that this server did not give, `Conflict` for a reserved name, or if another
        guest is here under the name or the key, and `Unavailable` if the database does not say in time whose it is.
        """
        asked = self._read(username, secret, among_accounts=among_accounts)
        present = self._present.get(fold(asked.key)) if asked.key is not None else None
        if present is not None and present.identity == asked.identity:
            return self._enter(asked, present.user.key, None)
        if not asked.is_proven:
            self._refuse_if_in_use(asked, asked.key)
        key, row = await self._key_of(asked)
        if self._names_everywhere is None:
            return self._enter(asked, key, row)
        return await self._claim_and_enter(self._names_everywhere, asked, key, row)

    def prove(self, secret: str) -> User:
        """The guest who has this secret, under the key that it had when it was given. Raises `Unauthenticated` for one
        that this server did not give."""
        identity, key = self._verify(secret)
        return User(key, key, guest=True, identity=identity)

    def leave(self, user: User, *, clean: bool = True) -> None:
        """One connection of this guest has ended. After the last one the name is free: at once if it closed `clean`."""
        folded = fold(user.key)
        present = self._present.get(folded)
        if present is None or present.identity != user.identity:
            return
        present.connections -= 1
        if present.connections > 0:
            return
        if clean or not self._linger:
            self._forget(folded)
        else:
            self._lingering[folded] = self._clock() + self._linger

    def withdraw(self, user: User) -> None:
        """This guest was admitted, but did not connect. If the name was kept for them before, it is still kept."""
        present = self._present.get(fold(user.key))
        self.leave(user, clean=present is None or not present.was_lingering)

    def make_way(self, key: str) -> None:
        """This key belongs to an account. A guest who is online under it must reconnect, and gets another key."""
        present = self._present.get(fold(key))
        if present is not None:
            self.has_other_key(present.user)

    def has_other_key(self, guest: User) -> None:
        """The key of this guest belongs to somebody else. The guest must reconnect, and is told its new key then."""
        present = self._present.get(fold(guest.key))
        if present is not None and present.identity == guest.identity:
            self._forget(fold(guest.key))
        if self._owners is not None:
            self._owners.distrust()
        self._displaced(guest)

    def tick(self) -> None:
        """Free the names of guests who did not come back in time."""
        now = self._clock()
        while self._lingering:
            folded, until = next(iter(self._lingering.items()))
            if now < until:
                return
            self._forget(folded)

    def _read(self, username: str | None, secret: str | None, *, among_accounts: bool) -> _Asked:
        name = _clean(username) if username else None
        key: str | None = None
        if secret:
            identity, key = self._verify(secret)
        else:
            identity = secrets.token_urlsafe(9)
            if username and is_key(username) and not among_accounts and fold(username) != MADE_KEYS_BEGIN:
                key = username
        shown = appearance(name or key or "")
        if shown in RESERVED or shown.startswith("dm:"):
            raise Conflict(f"the name {name or key!r} is reserved")
        return _Asked(name, shown, key, identity, is_proven=bool(secret))

    async def _key_of(self, asked: _Asked) -> tuple[str, Person | None]:
        """The key that this identity has, or gets if nobody owns it meanwhile; and its row, if it has one."""
        key = asked.key or self._candidate(MADE_KEYS_BEGIN)
        while True:
            owner = None
            if self._owners is not None:
                owner, row = await self._owners.look_up(fold(key), asked.identity if asked.is_proven else None)
                if row is not None:
                    return row.key, row
            if owner is None and not self._is_accounts(key):
                return key, None
            key = self._candidate(asked.key or MADE_KEYS_BEGIN)

    def _candidate(self, beginning: str) -> str:
        while (key := made_key(beginning)) in self._present:
            pass
        return key

    async def _claim_and_enter(self, names: Names, asked: _Asked, key: str, row: Person | None) -> Admission:
        claims = {
            f"key:{fold(key)}": row is None,
            f"name:{asked.shown or appearance(key)}": bool(asked.shown) and not _is_their_own(asked, key, row),
        }
        needed = [word for word, is_needed in claims.items() if is_needed]
        shared = [word for word, is_needed in claims.items() if not is_needed]
        if not await names.claim(asked.identity, needed, shared):
            raise _in_use(asked.name or key)
        try:
            admission = self._enter(asked, key, row)
        except BaseException:
            names.release(asked.identity, tuple(claims))
            raise
        present = self._present[fold(key)]
        if present.claimed:
            # Two connections of this guest were admitted at the same time.
            names.release(asked.identity, tuple(claims))
        else:
            present.claimed = tuple(claims)
        return admission

    def _enter(self, asked: _Asked, key: str, row: Person | None) -> Admission:
        folded = fold(key)
        present = self._present.get(folded)
        if present is not None and present.identity != asked.identity:
            if row is None:
                raise _in_use(asked.name or key)
            # They were let in before the owner's first message was stored.
            self.make_way(key)
            present = None
        if present is None:
            self._refuse_if_in_use(asked, key, row)
            user = User(key, asked.name or key, guest=True, identity=asked.identity)
            present = self._present[folded] = _Presence(user, asked.identity, 0)
            shown = appearance(user.name)
            self._names[shown] = (*self._names[shown], folded) if shown in self._names else (folded,)
        present.was_lingering = self._lingering.pop(folded, None) is not None
        present.connections += 1
        return Admission(present.user, self._sign(asked.identity, present.user.key))

    def _refuse_if_in_use(self, asked: _Asked, key: str | None, row: Person | None = None) -> None:
        """Raises `Conflict` if others are here under this name or key. Who comes back may always use their own name."""
        if not asked.is_proven and key is not None and fold(key) in self._present:
            raise _in_use(asked.name or key)
        if asked.shown not in self._names:
            return
        name = asked.name or asked.key or asked.shown
        if not _is_their_own(asked, key, row):
            raise _in_use(name)

    def _forget(self, folded: str) -> None:
        present = self._present.pop(folded)
        self._lingering.pop(folded, None)
        if self._names_everywhere is not None and present.claimed:
            self._names_everywhere.release(present.identity, present.claimed)
        shown = appearance(present.user.name)
        others = tuple(other for other in self._names[shown] if other != folded)
        if others:
            self._names[shown] = others
        else:
            del self._names[shown]

    def _sign(self, identity: str, key: str) -> str:
        return f"{identity}.{self._signing.sign(_signed(identity, key))}.{key}"

    def _verify(self, secret: str) -> tuple[str, str]:
        identity, _, rest = secret.partition(".")
        mac, _, key = rest.partition(".")
        if not is_key(key) or not self._signing.have_signed(_signed(identity, key), mac):
            message = "the guest secret is not one of this server's"
            raise Unauthenticated(message, errors=[{"loc": ["secret"], "msg": message, "type": "secret"}])
        return identity, key


def _is_their_own(asked: _Asked, key: str | None, row: Person | None) -> bool:
    """Whether the name belongs to the identity that is proven, whoever else uses it."""
    if not asked.is_proven or key is None:
        return False
    name = asked.name or asked.key or asked.shown
    return (
        appearance(key) == asked.shown
        or is_made_of(key, name)
        or (row is not None and appearance(row.name) == asked.shown)
    )


def _signed(identity: str, key: str) -> str:
    return f"guest:{identity}:{fold(key)}"


def _clean(username: str) -> str:
    try:
        return clean_name(username)
    except ValueError as error:
        raise Invalid(f"username: {error}", errors=[{"loc": ["username"], "msg": str(error), "type": "name"}]) from None


def _in_use(name: str) -> Conflict:
    return Conflict(f"the name {name!r} is in use; choose another, or come back with your secret")
