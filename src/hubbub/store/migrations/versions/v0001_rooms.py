"""Rooms, their messages, and who wrote them."""

import secrets
import time

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""SQLite numbers rows by itself only in a column whose type is exactly INTEGER."""


def upgrade() -> None:
    epochs = op.create_table(
        "epochs",
        sa.Column("number", NUMBER, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("origin", sa.Text, nullable=False, comment="new, restore or failover"),
        sa.Column("began", sa.BigInteger, nullable=False, comment="milliseconds since 1970, like all times here"),
        sa.Column("timeline", sa.Text, comment="which life of a PostgreSQL cluster wrote under it"),
    )
    op.bulk_insert(
        epochs, [{"number": 1, "name": secrets.token_hex(6), "origin": "new", "began": time.time_ns() // 1_000_000}]
    )
    op.create_table(
        "users",
        sa.Column("id", NUMBER, primary_key=True),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("folded", sa.Text, nullable=False),
        sa.Column("identity", sa.Text, nullable=False, comment="tells guests of the same key apart; empty for others"),
        sa.Column("name", sa.Text, nullable=False),
        sa.UniqueConstraint("folded", "identity"),
    )
    op.create_table(
        "rooms",
        sa.Column("id", NUMBER, primary_key=True),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("folded", sa.Text, nullable=False, unique=True),
        sa.Column("seq", sa.BigInteger, nullable=False, comment="the number of the latest message"),
        sa.Column("rev", sa.BigInteger, nullable=False, comment="the number of the latest change"),
        sa.Column("floor", sa.BigInteger, nullable=False, comment="messages up to this seq are gone"),
        sa.Column("floor_rev", sa.BigInteger, nullable=False, comment="what is gone was last changed up to this rev"),
        sa.Column("epoch", sa.BigInteger, nullable=False, comment="the epoch of the latest change"),
    )
    op.create_table(
        "messages",
        sa.Column("room_id", sa.BigInteger, sa.ForeignKey("rooms.id"), primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("rev", sa.BigInteger, nullable=False, comment="the room's rev at this row's latest change"),
        sa.Column("first_rev", sa.BigInteger, nullable=False, comment="the room's rev when it was sent"),
        sa.Column("user_id", sa.BigInteger, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("ts", sa.BigInteger, nullable=False),
        sa.Column("key", sa.Text, comment="the sender's idempotency key"),
        sa.Column("digest", sa.BigInteger, comment="of what was sent under the key; none once it is deleted"),
        sa.Column("reply_to", sa.BigInteger),
        sa.Column("data", sa.Text),
        sa.Column("edited", sa.BigInteger),
        sa.Column("deleted", sa.BigInteger),
        sa.Column("pinned", sa.BigInteger),
        sa.Column("reactions", sa.Text, comment="as the wire has them; the table of that name says who exactly"),
        sa.UniqueConstraint("room_id", "rev"),
        # A room's messages stand together, whenever they were sent: a page of them is a few pages of the file.
        sqlite_with_rowid=False,
    )
    keyed, pinned = sa.text("key IS NOT NULL"), sa.text("pinned IS NOT NULL")
    op.create_index(
        "messages_key",
        "messages",
        # The key first: where clients make keys that begin with the time, new entries stand together at the end.
        ["key", "user_id", "room_id"],
        unique=True,
        sqlite_where=keyed,
        postgresql_where=keyed,
    )
    op.create_index("messages_pinned", "messages", ["room_id", "seq"], sqlite_where=pinned, postgresql_where=pinned)
    op.create_table(
        "edits",
        sa.Column("room_id", sa.BigInteger, sa.ForeignKey("rooms.id"), primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True),
        sa.Column("rev", sa.BigInteger, primary_key=True, comment="the change that replaced this text"),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_table(
        "reactions",
        sa.Column("room_id", sa.BigInteger, sa.ForeignKey("rooms.id"), primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True),
        sa.Column("emoji", sa.Text, primary_key=True),
        sa.Column("user_id", sa.BigInteger, sa.ForeignKey("users.id"), primary_key=True),
    )
