"""Users may have a colour."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("users", sa.Column("color", sa.Text, comment="of the avatar, as #rrggbb; only accounts choose one"))
