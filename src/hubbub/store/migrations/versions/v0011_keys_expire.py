"""API keys may expire."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    # On SQLite the keys are files.
    if op.get_bind().dialect.name == "postgresql":
        op.add_column("api_keys", sa.Column("expires", sa.BigInteger, comment="milliseconds since 1970"))
