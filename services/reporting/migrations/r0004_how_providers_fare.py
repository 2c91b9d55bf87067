"""How providers fare."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "chunk_places",
        sa.Column("mailing", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account", sa.Text(), server_default="", nullable=False),
        sa.Column("lane", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("mailing", "n"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "provider_hours",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("accepted", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("deferred", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("rejected", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("slowed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("suspended", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("account", "provider", "hour"),
    )
    with op.batch_alter_table("provider_hours", schema=None) as batch_op:
        batch_op.create_index("provider_hours_by_hour", ["hour"], unique=False)
