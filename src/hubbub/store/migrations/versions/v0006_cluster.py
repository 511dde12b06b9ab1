"""What the nodes of one cluster share besides messages: the cluster's id, its secret, and who does which job.

`leases` is in PostgreSQL alone: nobody shares a SQLite file.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "cluster",
        sa.Column("one", sa.BigInteger, primary_key=True, autoincrement=False, comment="always 1: there is one row"),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("signing_key", sa.Text, comment="for nodes that are given no secret"),
        sa.Column("secret_fingerprint", sa.Text, comment="of the secret that the nodes are given"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.create_table(
            "leases",
            sa.Column("name", sa.Text, primary_key=True),
            sa.Column("owner", sa.Text, nullable=False, comment="a node"),
            sa.Column("number", sa.BigInteger, nullable=False, comment="counts the owners"),
            sa.Column("until", sa.BigInteger, nullable=False, comment="by this server's clock"),
        )
