"""A table for rows that SQLite's writer moves into their own tables later.

It is a migration, so that an older version, which would not look there, refuses to open the file.
"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("CREATE TABLE deferred (id INTEGER PRIMARY KEY, statement TEXT NOT NULL, rows TEXT NOT NULL)")
