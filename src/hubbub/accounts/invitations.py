"""Invitations: links with which people who are not known yet may make an account, so many times and until a date."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hubbub.accounts.api_keys import digest_of
from hubbub.accounts.audit import audit
from hubbub.errors import Conflict, Forbidden, NotFound
from hubbub.store.base import Transaction
from hubbub.store.statement import Statement
from hubbub.wire.identity import Role

MOST_USES = 10_000
LONGEST = 365 * 24 * 3600
"""Seconds for which an invitation may be valid."""
USUAL = 7 * 24 * 3600
MOST = 100
"""Those that one person may have at a time."""

_Statement = partial(Statement, never_deferred=True)
_COLUMNS = ("id", "made_by", "role", "uses_left", "expires", "created")
_ADD = _Statement(
    """
    INSERT INTO invitations (id, digest, made_by, role, uses_left, expires, created)
    VALUES (:id, :digest, :made_by, :role, :uses, :expires, :created)
    """
)
# Nobody invites by a link to what they may not do themselves any more. A maker without an account has a token.
_VALID = """
    SELECT id, made_by, invitations.role, uses_left, expires, invitations.created
    FROM invitations LEFT JOIN (
        SELECT users.folded, accounts.role, accounts.deactivated
        FROM accounts JOIN users ON users.id = accounts.user_id
    ) AS maker ON maker.folded = lower(made_by)
    WHERE expires > :now AND uses_left > 0 AND maker.deactivated IS NULL
        AND (invitations.role <> 'admin' OR maker.role IS NULL OR maker.role = 'admin')
        AND NOT EXISTS (
            SELECT 1 FROM server_bans WHERE folded = lower(invitations.made_by) AND identity = '' AND until > :now
        )
"""
_ALL = _Statement(f"{_VALID} ORDER BY invitations.created DESC, id LIMIT 1000", columns=_COLUMNS)
_OF_MAKER = _Statement(
    f"{_VALID} AND made_by = :made_by ORDER BY invitations.created DESC, id LIMIT {MOST}", columns=_COLUMNS
)
_OF_DIGEST = _Statement(f"{_VALID} AND digest = :digest", columns=_COLUMNS)
_OF_ID = _Statement(
    "SELECT id, made_by, role, uses_left, expires, created FROM invitations WHERE id = :id",
    columns=_COLUMNS,
)
_USE = _Statement("UPDATE invitations SET uses_left = uses_left - 1 WHERE id = :id")
_REMOVE = _Statement("DELETE FROM invitations WHERE id = :id")
_REMOVE_OLD = _Statement("DELETE FROM invitations WHERE expires <= :now OR uses_left <= 0")


@dataclass(frozen=True, slots=True)
class NewInvitation:
    made_by: str
    """The key of the account that invites."""
    role: Role
    uses: int
    expires: int
    """Milliseconds since 1970."""
    id: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation, without its token."""

    id: str
    made_by: str
    role: Role
    uses_left: int
    expires: int
    created: int


def add_invitation(transaction: Transaction, new: NewInvitation) -> Invitation:
    """Raises `Conflict` if the maker has too many."""
    if len(invitations(transaction, of=new.made_by)) >= MOST:
        raise Conflict(f"you have {MOST} invitations that are still valid: revoke one first")
    created = _now()
    transaction.run(
        _ADD,
        id=new.id,
        digest=digest_of(new.token),
        made_by=new.made_by,
        role=new.role.value,
        uses=new.uses,
        expires=new.expires,
        created=created,
    )
    audit(transaction, new.made_by, "invitation.add", new.id, uses=new.uses, role=new.role.value)
    return Invitation(new.id, new.made_by, new.role, new.uses, new.expires, created)


def invitations(transaction: Transaction, *, of: str | None = None) -> list[Invitation]:
    """Those that are still valid, the newest first; `of` names who has made them."""
    rows = transaction.rows(_ALL, now=_now()) if of is None else transaction.rows(_OF_MAKER, now=_now(), made_by=of)
    return [_invitation(row) for row in rows]


def check_invitation(transaction: Transaction, token: str) -> Invitation:
    """Raises `Forbidden` if it is not valid any more, or never was."""
    rows = transaction.rows(_OF_DIGEST, digest=digest_of(token), now=_now())
    if not rows:
        raise Forbidden("this invitation is not valid any more; ask for a new one")
    return _invitation(rows[0])


def use_invitation(transaction: Transaction, token: str) -> Role:
    """Use an invitation once; the newcomer gets this role. The caller is alone in making accounts. Raises as
    `check_invitation` does."""
    invitation = check_invitation(transaction, token)
    transaction.run(_USE, id=invitation.id)
    return invitation.role


def revoke_invitation(transaction: Transaction, id: str, *, by: str, of_anybody: bool) -> None:
    """Raises `NotFound`, also for one that somebody else has made, unless `of_anybody`."""
    rows = transaction.rows(_OF_ID, id=id)
    if not rows or not (of_anybody or rows[0][1] == by):
        raise NotFound("there is no such invitation")
    transaction.run(_REMOVE, id=id)
    audit(transaction, by, "invitation.revoke", id)


def remove_old_invitations(transaction: Transaction) -> None:
    transaction.run(_REMOVE_OLD, now=_now())


def _invitation(row: Sequence[Any]) -> Invitation:
    id, made_by, role, *rest = row
    return Invitation(id, made_by, Role(role), *rest)


def _now() -> int:
    return time.time_ns() // 1_000_000
