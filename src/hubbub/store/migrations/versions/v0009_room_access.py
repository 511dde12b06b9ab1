"""Who may be in a room, and as what.

Rooms without settings have no rows here, so nothing is read for their messages.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("rooms", sa.Column("guarded", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "room_settings",
        sa.Column("room_id", sa.BigInteger, sa.ForeignKey("rooms.id"), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False, comment="public, private or direct"),
        sa.Column("title", sa.Text),
        sa.Column("description", sa.Text),
        sa.Column("archived", sa.BigInteger, nullable=False, comment="0 or 1"),
        sa.Column("slow", sa.BigInteger, nullable=False, comment="seconds between two messages of one user"),
        sa.Column("changed", sa.BigInteger, nullable=False, comment="the rev of the latest change of all this"),
    )
    op.create_table(
        "room_people",
        sa.Column("room_id", sa.BigInteger, sa.ForeignKey("rooms.id"), primary_key=True),
        sa.Column("user_id", sa.BigInteger, sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("role", sa.Text, nullable=False, comment="nobody: only muted or banned"),
        sa.Column("muted", sa.BigInteger, nullable=False, comment="until when, in milliseconds since 1970"),
        sa.Column("banned", sa.BigInteger, nullable=False, comment="until when"),
        sa.Column("spoke", sa.BigInteger, nullable=False, comment="when they last sent something, in slow mode"),
        sqlite_with_rowid=False,
    )
    op.create_index("room_people_of_user", "room_people", ["user_id", "room_id"])
