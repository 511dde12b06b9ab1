"""The tables of accounts, and what may be wrong in them. Times are milliseconds since 1970; digests are SHA-256."""

from __future__ import annotations

from hubbub.store.base import Transaction
from hubbub.store.statement import Statement
from hubbub.wire.identity import Role

NAME = "hubbub.accounts"

SCRIPTS = (
    """
    CREATE TABLE accounts (
        user_id BIGINT NOT NULL PRIMARY KEY REFERENCES users (id),
        login TEXT NOT NULL UNIQUE,
        password TEXT NOT NULL,
        role TEXT NOT NULL,
        color TEXT,
        time_zone TEXT,
        email TEXT,
        created BIGINT NOT NULL,
        deactivated BIGINT
    )
    """,
    """
    CREATE TABLE sessions (
        id TEXT NOT NULL PRIMARY KEY,
        digest TEXT NOT NULL UNIQUE,
        user_id BIGINT NOT NULL REFERENCES accounts (user_id),
        created BIGINT NOT NULL,
        seen BIGINT NOT NULL,
        expires BIGINT NOT NULL,
        agent TEXT NOT NULL
    )
    """,
    "CREATE INDEX sessions_user ON sessions (user_id)",
    """
    CREATE TABLE invitations (
        id TEXT NOT NULL PRIMARY KEY,
        digest TEXT NOT NULL UNIQUE,
        made_by TEXT NOT NULL,
        role TEXT NOT NULL,
        uses_left BIGINT NOT NULL,
        expires BIGINT NOT NULL,
        created BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE resets (
        digest TEXT NOT NULL PRIMARY KEY,
        user_id BIGINT NOT NULL REFERENCES accounts (user_id),
        expires BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS audit (
        id TEXT NOT NULL PRIMARY KEY,
        at BIGINT NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        target TEXT NOT NULL,
        detail TEXT NOT NULL
    )
    """,
    "ALTER TABLE accounts ADD COLUMN confirmed_email TEXT",
    # A page of messages reads the colour with its author's name.
    """
    UPDATE users SET color = (SELECT accounts.color FROM accounts WHERE accounts.user_id = users.id)
    WHERE id IN (SELECT user_id FROM accounts WHERE color IS NOT NULL)
    """,
    "ALTER TABLE accounts DROP COLUMN color",
)

_EXISTS_IN_SQLITE = Statement(
    "SELECT count(*) AS number FROM sqlite_master WHERE type = 'table' AND name = 'accounts'", columns=("number",)
)
_EXISTS_IN_POSTGRES = Statement(
    "SELECT count(*) AS number FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'accounts'",
    columns=("number",),
)
_FAULTS = {
    "the account {} belongs to no user": Statement(
        "SELECT login FROM accounts WHERE user_id NOT IN (SELECT id FROM users) ORDER BY login LIMIT 20",
        columns=("login",),
    ),
    "the account {} has the key of a guest": Statement(
        """
        SELECT accounts.login FROM accounts JOIN users ON users.id = accounts.user_id
        WHERE users.identity <> '' ORDER BY accounts.login LIMIT 20
        """,
        columns=("login",),
    ),
    "the account {} has a role that does not exist": Statement(
        f"""
        SELECT login FROM accounts WHERE role NOT IN ({", ".join(f"'{role}'" for role in Role)})
        ORDER BY login LIMIT 20
        """,  # noqa: S608 - words of this program
        columns=("login",),
    ),
    "the session {} belongs to no account": Statement(
        "SELECT id FROM sessions WHERE user_id NOT IN (SELECT user_id FROM accounts) ORDER BY id LIMIT 20",
        columns=("id",),
    ),
    "the account {} is deactivated and has sessions": Statement(
        """
        SELECT login FROM accounts
        WHERE deactivated IS NOT NULL AND user_id IN (SELECT user_id FROM sessions) ORDER BY login LIMIT 20
        """,
        columns=("login",),
    ),
}


def faults(transaction: Transaction) -> list[str]:
    """A sentence for each thing that is wrong."""
    exists = _EXISTS_IN_SQLITE if transaction.is_alone else _EXISTS_IN_POSTGRES
    if not transaction.rows(exists)[0][0]:
        return []
    return [sentence.format(row[0]) for sentence, statement in _FAULTS.items() for row in transaction.rows(statement)]
