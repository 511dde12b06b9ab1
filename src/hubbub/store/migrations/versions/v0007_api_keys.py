"""The keys of programs, in PostgreSQL alone: on SQLite they are files, since another process may not write to the
database while the server runs."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.create_table(
            "api_keys",
            sa.Column("name", sa.Text, primary_key=True),
            sa.Column("digest", sa.Text, nullable=False, comment="SHA-256 of the key"),
            sa.Column("scopes", sa.Text, nullable=False, comment="with blanks between them"),
            sa.Column("created", sa.BigInteger, nullable=False, comment="milliseconds since 1970"),
        )
