"""Rooms in the order of their keys' bytes, for lists that nodes read page by page.

SQLite's own index is in this order already. PostgreSQL's is in the order of the database's language.
"""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute('CREATE UNIQUE INDEX rooms_ordered ON rooms (folded COLLATE "C")')
