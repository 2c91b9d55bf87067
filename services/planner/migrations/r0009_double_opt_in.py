"""Lists that demand a confirmation, and when somebody was asked for one."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "list_confirmations",
        sa.Column("list", sa.String(length=24), nullable=False),
        sa.Column("account", sa.String(length=24), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("list"),
    )
    op.create_table(
        "opt_in_mails",
        sa.Column("address_key", sa.String(length=16), nullable=False),
        sa.Column("list", sa.String(length=24), nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("address_key", "list", "at"),
    )
