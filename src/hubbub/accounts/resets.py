"""Links with which somebody who has forgotten the password sets another one: once, within a day."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from functools import partial

from hubbub.accounts.accounts import Account, AccountChange, account_of_key, change_account, lock_accounts
from hubbub.accounts.api_keys import digest_of
from hubbub.accounts.audit import audit
from hubbub.errors import Forbidden
from hubbub.store.base import Transaction
from hubbub.store.statement import Statement

LIFETIME = 24 * 3600
"""Seconds for which such a link is valid."""

_Statement = partial(Statement, never_deferred=True)
_FORGET = _Statement("DELETE FROM resets WHERE user_id = :user_id")
_ADD = _Statement("INSERT INTO resets (digest, user_id, expires) VALUES (:digest, :user_id, :expires)")
_FIND = _Statement(
    """
    SELECT users.key FROM resets JOIN users ON users.id = resets.user_id
    WHERE resets.digest = :digest AND resets.expires > :now
    """,
    columns=("key",),
)
_REMOVE_OLD = _Statement("DELETE FROM resets WHERE expires <= :now")


@dataclass(frozen=True, slots=True)
class NewReset:
    key: str
    """Whose password it is."""
    by: str
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


def add_reset(transaction: Transaction, new: NewReset) -> Account:
    """An earlier link of the same account is not valid any more. Raises `NotFound`."""
    account = account_of_key(transaction, new.key)
    transaction.run(_FORGET, user_id=account.id)
    expires = _now() + LIFETIME * 1000
    transaction.run(_ADD, digest=digest_of(new.token), user_id=account.id, expires=expires)
    audit(transaction, new.by, "account.reset_link", account.key)
    return account


def account_to_reset(transaction: Transaction, token: str) -> Account:
    """Whose password a link may set. Raises `Forbidden` if it is not valid any more, or never was."""
    rows = transaction.rows(_FIND, digest=digest_of(token), now=_now())
    if not rows:
        raise Forbidden("this link is not valid any more; ask for a new one")
    return account_of_key(transaction, rows[0][0])


def reset_password(transaction: Transaction, token: str, password: str) -> Account:
    """Set a password by its hash. Raises `Forbidden` as `account_to_reset` does."""
    lock_accounts(transaction)
    account = account_to_reset(transaction, token)
    return change_account(transaction, AccountChange(account.key, by=account.key, password=password))


def remove_old_resets(transaction: Transaction) -> None:
    transaction.run(_REMOVE_OLD, now=_now())


def _now() -> int:
    return time.time_ns() // 1_000_000
