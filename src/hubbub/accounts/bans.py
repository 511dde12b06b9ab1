"""Bans from the server: who may not come in, and until when. A ban ends by itself.

Every node has all bans in memory, so asking costs one look-up. An account, and whoever another issuer's token names, is
banned by the key, which never changes. A guest is banned by identity, so the account that later gets the guest's key is
not. A guest who comes without the secret is somebody else: only `guests` keeps guests out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hubbub.accounts.access_changes import AccessChange, AccessKind, changed
from hubbub.accounts.audit import audit
from hubbub.errors import Forbidden, NotFound
from hubbub.store.base import Transaction
from hubbub.store.statement import Statement
from hubbub.wire.base import timestamp_of
from hubbub.wire.identity import User
from hubbub.wire.keys import fold
from hubbub.wire.members import FOR_EVER

TABLES = (
    """
    CREATE TABLE server_bans (
        folded TEXT NOT NULL,
        identity TEXT NOT NULL,
        user_key TEXT NOT NULL,
        name TEXT NOT NULL,
        until BIGINT NOT NULL,
        at BIGINT NOT NULL,
        made_by TEXT NOT NULL,
        reason TEXT,
        PRIMARY KEY (folded, identity)
    )
    """,
)
_COLUMNS = ("user_key", "identity", "name", "until", "at", "made_by", "reason")
_NOW = Statement(
    f"SELECT {', '.join(_COLUMNS)} FROM server_bans WHERE until > :now ORDER BY at DESC, folded",  # noqa: S608 - words of this module
    columns=_COLUMNS,
    never_deferred=True,
)
_PUT = Statement(
    """
    INSERT INTO server_bans (folded, identity, user_key, name, until, at, made_by, reason)
    VALUES (:folded, :identity, :key, :name, :until, :at, :made_by, :reason)
    ON CONFLICT (folded, identity) DO UPDATE SET name = excluded.name, until = excluded.until, at = excluded.at,
        made_by = excluded.made_by, reason = excluded.reason
    """,
    never_deferred=True,
)
_LIFT = Statement("DELETE FROM server_bans WHERE folded = :folded", never_deferred=True)
_FORGET = Statement("DELETE FROM server_bans WHERE until <= :now", never_deferred=True)


@dataclass(frozen=True, slots=True)
class Ban:
    """Times are in milliseconds since 1970."""

    key: str
    identity: str
    """A guest's; empty for anybody else."""
    name: str
    until: int
    at: int
    by: str
    reason: str | None = None

    @property
    def sentence(self) -> str:
        """What the banned person is told."""
        end = "" if self.until == FOR_EVER else f" until {timestamp_of(self.until)}"
        return f"you are banned from this server{end}"


class Bans:
    """Those that hold now, as this node knows them."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._of_keys: dict[str, Ban] = {}
        self._of_guests: dict[str, Ban] = {}

    def take(self, bans: Iterable[Ban]) -> None:
        """These are all."""
        bans = list(bans)
        self._of_keys = {fold(ban.key): ban for ban in bans if not ban.identity}
        self._of_guests = {ban.identity: ban for ban in bans if ban.identity}

    def of(self, user: User) -> Ban | None:
        """The ban that keeps this user out now."""
        if user.identity:
            ban = self._of_guests.get(user.identity)
        else:
            # Nobody knows which guest it is who shows no secret.
            ban = self._of_keys.get(fold(user.key)) if self._of_keys and not user.guest else None
        return ban if ban is not None and ban.until > self._clock() * 1000 else None

    def check(self, user: User) -> None:
        """Raises `Forbidden`, which says until when."""
        ban = self.of(user)
        if ban is not None:
            raise Forbidden(ban.sentence)


def bans_now(transaction: Transaction) -> list[Ban]:
    """Those that have not ended, the newest first."""
    return [Ban(*row) for row in transaction.rows(_NOW, now=_now())]


def put_ban(transaction: Transaction, ban: Ban) -> AccessChange:
    """Give the result to `AccessChanges.tell` when this is committed."""
    transaction.run(
        _PUT,
        folded=fold(ban.key),
        identity=ban.identity,
        key=ban.key,
        name=ban.name,
        until=ban.until,
        at=ban.at,
        made_by=ban.by,
        reason=ban.reason,
    )
    until = "for_ever" if ban.until == FOR_EVER else timestamp_of(ban.until)
    audit(transaction, ban.by, "ban.set", ban.key, until=until, reason=ban.reason)
    return changed(transaction, AccessKind.BAN, fold(ban.key))


def lift_ban(transaction: Transaction, key: str, *, by: str) -> AccessChange:
    """The same. Raises `NotFound`."""
    if not is_banned(transaction, key):
        raise NotFound(f"{key[:64]!r} is not banned")
    transaction.run(_LIFT, folded=fold(key))
    audit(transaction, by, "ban.lift", key)
    return changed(transaction, AccessKind.BAN, fold(key))


def is_banned(transaction: Transaction, key: str) -> bool:
    return any(fold(ban.key) == fold(key) for ban in bans_now(transaction))


def forget_old_bans(transaction: Transaction) -> None:
    transaction.run(_FORGET, now=_now())


def _now() -> int:
    return time.time_ns() // 1_000_000
