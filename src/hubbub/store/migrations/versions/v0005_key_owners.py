"""A user's key belongs to one identity.

Until now a guest who came back without the secret was a second identity under the same key, and pages could not tell
the two apart. If a database holds such pairs, an account keeps its key, otherwise the guest who spoke first; the others
get made keys. Their messages, and those that they reacted to, count as changed: a client that comes back gets them
whole.
"""

import json
import secrets
from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"

USERS = """
CREATE TABLE users_with_unique_keys (
    id INTEGER NOT NULL,
    "key" TEXT NOT NULL,
    folded TEXT NOT NULL,
    identity TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (folded)
)
"""
GUESTS = sa.text("identity <> ''")

# The first row was made when its owner first spoke.
PAIRS = """
    SELECT id, folded, identity FROM users
    WHERE folded IN (SELECT folded FROM users GROUP BY folded HAVING count(*) > 1)
    ORDER BY folded, CASE WHEN identity = '' THEN 0 ELSE 1 END, id
"""
# Only an application that gives several people one identity has such rows.
TELL_APART = """
    UPDATE users SET identity = identity || ':' || folded
    WHERE identity <> '' AND EXISTS (
        SELECT 1 FROM users AS first WHERE first.identity = users.identity AND first.id < users.id
    )
"""
REACTED_TO = """
    SELECT messages.room_id, messages.seq, messages.reactions FROM messages
    WHERE messages.reactions IS NOT NULL AND EXISTS (
        SELECT 1 FROM reactions JOIN moved_users ON moved_users.id = reactions.user_id
        WHERE reactions.room_id = messages.room_id AND reactions.seq = messages.seq
    )
"""
REACTORS = """
    SELECT reactions.emoji, users.id, users.key, moved_users.was, users.folded
    FROM reactions JOIN users ON users.id = reactions.user_id LEFT JOIN moved_users ON moved_users.id = users.id
    WHERE reactions.room_id = :room_id AND reactions.seq = :seq ORDER BY users.id
"""
COUNT_AS_CHANGED = """
    UPDATE messages SET rev = changed.rev
    FROM (
        SELECT messages.room_id, messages.seq,
            rooms.rev + row_number() OVER (PARTITION BY messages.room_id ORDER BY messages.seq) AS rev
        FROM messages JOIN rooms ON rooms.id = messages.room_id
        WHERE messages.user_id IN (SELECT id FROM moved_users) OR EXISTS (
            SELECT 1 FROM reactions JOIN moved_users ON moved_users.id = reactions.user_id
            WHERE reactions.room_id = messages.room_id AND reactions.seq = messages.seq
        )
    ) AS changed
    WHERE messages.room_id = changed.room_id AND messages.seq = changed.seq
"""
# The room's epoch stays: whatever position was good before is good now.
MOVE_HEADS = """
    UPDATE rooms SET rev = latest.rev
    FROM (SELECT room_id, max(rev) AS rev FROM messages GROUP BY room_id) AS latest
    WHERE rooms.id = latest.room_id AND latest.rev > rooms.rev
"""


def upgrade() -> None:
    database = op.get_bind()
    database.execute(sa.text(TELL_APART))
    _tell_pairs_apart(database)
    if database.dialect.name == "sqlite":
        # SQLite cannot drop a constraint.
        op.execute(USERS)
        op.execute('INSERT INTO users_with_unique_keys SELECT id, "key", folded, identity, name FROM users')
        op.drop_table("users")
        op.rename_table("users_with_unique_keys", "users")
    else:
        op.drop_constraint("users_folded_identity_key", "users")
        op.create_unique_constraint("users_folded_key", "users", ["folded"])
    op.create_index("users_identity", "users", ["identity"], unique=True, sqlite_where=GUESTS, postgresql_where=GUESTS)


def _tell_pairs_apart(database: sa.Connection) -> None:
    seen: set[str] = set()
    late = []
    for id, folded, _ in database.execute(sa.text(PAIRS)):
        if folded in seen:
            late.append((id, folded))
        seen.add(folded)
    if not late:
        return
    database.execute(sa.text("CREATE TEMPORARY TABLE moved_users (id BIGINT PRIMARY KEY, was TEXT NOT NULL)"))
    for id, folded in late:
        key = _free_key(database, folded)
        database.execute(sa.text("INSERT INTO moved_users VALUES (:id, :was)"), {"id": id, "was": folded})
        database.execute(sa.text('UPDATE users SET "key" = :key, folded = :key WHERE id = :id'), {"key": key, "id": id})
    for room_id, seq, reactions in database.execute(sa.text(REACTED_TO)).all():
        reactors = database.execute(sa.text(REACTORS), {"room_id": room_id, "seq": seq}).all()
        database.execute(
            sa.text("UPDATE messages SET reactions = :reactions WHERE room_id = :room_id AND seq = :seq"),
            {"room_id": room_id, "seq": seq, "reactions": _shown(json.loads(reactions), reactors)},
        )
    database.execute(sa.text(COUNT_AS_CHANGED))
    database.execute(sa.text(MOVE_HEADS))
    database.execute(sa.text("DROP TABLE moved_users"))


def _free_key(database: sa.Connection, folded: str) -> str:
    while True:
        key = f"{folded[:59]}-{''.join(secrets.choice(ALPHABET) for _ in range(4))}"
        if not database.execute(sa.text("SELECT 1 FROM users WHERE folded = :key"), {"key": key}).first():
            return key


def _shown(reactions: list[dict[str, Any]], reactors: Any) -> str:
    """The reactions as the wire has them: of several who had one key, each by its key of now."""
    keys: dict[tuple[str, str], list[str]] = defaultdict(list)
    for emoji, _, key, was, folded in reactors:
        # Who keeps the key has the lowest id of the two, unless it is an account; the list does not say who was first.
        place = 0 if was is None else len(keys[emoji, was])
        keys[emoji, was or folded].insert(place, key)
    for reaction in reactions:
        users = []
        for user in reaction["users"]:
            now = keys[reaction["emoji"], user.lower()]
            users.append(now.pop(0) if now else user)
        reaction["users"] = users
    return json.dumps(reactions, separators=(",", ":"), ensure_ascii=False)
