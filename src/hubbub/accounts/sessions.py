"""Sessions: log-ins. A browser keeps a session's token in a cookie; the database keeps the token's SHA-256.

A token is 256 random bits, so a slow hash would add nothing (see `api_keys.py`). A session ends when somebody ends it,
or `LIFETIME` after its last use. The use is noted once an hour at most.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from hubbub.accounts.access_changes import AccessChange, AccessKind, changed
from hubbub.accounts.api_keys import digest_of
from hubbub.store.base import Transaction
from hubbub.store.statement import Statement
from hubbub.wire.identity import Role, User
from hubbub.wire.keys import fold

LIFETIME = 30 * 24 * 3600
"""Seconds after its last use when a session ends."""
NOTED_EVERY = 3600
"""Seconds between two notes of a session's use."""
MOST = 50
"""Sessions of one account. With one more, the one that was used least recently ends."""
AGENT_LENGTH = 200

_Statement = partial(Statement, never_deferred=True)
_COLUMNS = ("id", "user_id", "created", "seen", "expires", "agent")
_OF_DIGESTS = _Statement(
    """
    SELECT sessions.digest, sessions.id, sessions.seen, users.key, users.name, accounts.role,
        users.color
    FROM {wanted} AS wanted JOIN sessions ON sessions.digest = wanted.digest
        JOIN accounts ON accounts.user_id = sessions.user_id JOIN users ON users.id = sessions.user_id
    WHERE sessions.expires > :now AND accounts.deactivated IS NULL
    """,
    columns=("digest", "id", "seen", "key", "name", "role", "color"),
    tables={"wanted": {"digest": str}},
)
_OF_USER = _Statement(
    """
    SELECT sessions.id, sessions.user_id, sessions.created, sessions.seen, sessions.expires, sessions.agent
    FROM sessions JOIN users ON users.id = sessions.user_id
    WHERE users.folded = :folded AND sessions.expires > :now ORDER BY sessions.seen DESC, sessions.id
    """,
    columns=_COLUMNS,
)
_ADD = _Statement(
    """
    INSERT INTO sessions (id, digest, user_id, created, seen, expires, agent)
    VALUES (:id, :digest, :user_id, :now, :now, :expires, :agent)
    """
)
_NOTE = _Statement(
    """
    UPDATE sessions SET seen = :now, expires = :expires
    WHERE id IN (SELECT id FROM {used} AS used) AND expires > :now
    """,
    tables={"used": {"id": str}},
)
_REMOVE = _Statement(
    "DELETE FROM sessions WHERE id IN (SELECT id FROM {ended} AS ended)", tables={"ended": {"id": str}}
)
_REMOVE_ALL = _Statement("DELETE FROM sessions WHERE user_id IN (SELECT id FROM users WHERE folded = :folded)")
_REMOVE_OLD = _Statement("DELETE FROM sessions WHERE expires <= :now")


@dataclass(frozen=True, slots=True)
class NewSession:
    user_id: int
    agent: str
    id: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """A log-in of somebody, without its token. Times are milliseconds since 1970."""

    id: str
    user_id: int
    created: int
    seen: int
    expires: int
    agent: str


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """Who shows a session's token."""

    session: str
    user: User
    seen: int


def find_sessions(transaction: Transaction, digests: Iterable[str]) -> dict[str, LoggedIn]:
    """Those that have not ended, by the digests of their tokens."""
    wanted = [(digest,) for digest in digests]
    return {
        digest: LoggedIn(id, User(key, name, role=Role(role), color=color), seen)
        for digest, id, seen, key, name, role, color in transaction.rows(_OF_DIGESTS, wanted=wanted, now=_now())
    }


def sessions_of(transaction: Transaction, key: str) -> list[Session]:
    """A user's sessions, the one that was used last first."""
    return [Session(*row) for row in transaction.rows(_OF_USER, folded=fold(key), now=_now())]


def begin_session(transaction: Transaction, new: NewSession, *, key: str) -> list[AccessChange]:
    """Store a session of the user with this key. Returns the ends of those that end for it: tell of them after the
    commit."""
    now = _now()
    ended = [session.id for session in sessions_of(transaction, key)[MOST - 1 :]]
    end_sessions(transaction, ended)
    transaction.run(
        _ADD,
        id=new.id,
        digest=digest_of(new.token),
        user_id=new.user_id,
        now=now,
        expires=now + LIFETIME * 1000,
        agent=new.agent[:AGENT_LENGTH],
    )
    return [changed(transaction, AccessKind.SESSION, id) for id in ended]


def end_sessions(transaction: Transaction, ids: Sequence[str]) -> None:
    if ids:
        transaction.run(_REMOVE, ended=[(id,) for id in ids])


def end_all_sessions(transaction: Transaction, key: str) -> None:
    """Those of one user."""
    transaction.run(_REMOVE_ALL, folded=fold(key))


def note_use(transaction: Transaction, ids: Iterable[str]) -> None:
    """These sessions are used now, so they last longer."""
    used = sorted({(id,) for id in ids})
    if used:
        now = _now()
        transaction.run(_NOTE, used=used, now=now, expires=now + LIFETIME * 1000)


def remove_old_sessions(transaction: Transaction) -> None:
    transaction.run(_REMOVE_OLD, now=_now())


def _now() -> int:
    return time.time_ns() // 1_000_000
