"""The rev that each room had at the end of an epoch, so that positions of that epoch stay valid after a later epoch has
changed the room.

It stays empty in PostgreSQL: several nodes write there, and an epoch begins only where changes may have been lost.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "room_ends",
        sa.Column("room_id", sa.BigInteger, sa.ForeignKey("rooms.id"), primary_key=True),
        sa.Column("epoch", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("rev", sa.BigInteger, nullable=False, comment="the room's rev when a later epoch changed it first"),
        sqlite_with_rowid=False,
    )
