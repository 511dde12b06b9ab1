"""Which account a person of another provider has here: by issuer and subject, and by nothing that they can choose."""

from __future__ import annotations

from functools import partial

from hubbub.accounts.accounts import Account, account_of_key
from hubbub.accounts.audit import audit
from hubbub.store.base import Transaction
from hubbub.store.statement import Statement

SCRIPTS = (
    """
    CREATE TABLE identities (
        issuer TEXT NOT NULL,
        subject TEXT NOT NULL,
        user_id BIGINT NOT NULL REFERENCES accounts (user_id),
        PRIMARY KEY (issuer, subject)
    )
    """,
)

_Statement = partial(Statement, never_deferred=True)
_FIND = _Statement(
    """
    SELECT users.key FROM identities JOIN users ON users.id = identities.user_id
    WHERE identities.issuer = :issuer AND identities.subject = :subject
    """,
    columns=("key",),
)
_ADD = _Statement("INSERT INTO identities (issuer, subject, user_id) VALUES (:issuer, :subject, :user_id)")


def account_of_identity(transaction: Transaction, issuer: str, subject: str) -> Account | None:
    rows = transaction.rows(_FIND, issuer=issuer, subject=subject)
    return account_of_key(transaction, rows[0][0]) if rows else None


def add_identity(transaction: Transaction, issuer: str, subject: str, account: Account) -> None:
    transaction.run(_ADD, issuer=issuer, subject=subject, user_id=account.id)
    audit(transaction, account.key, "account.identity", account.key, issuer=issuer)
