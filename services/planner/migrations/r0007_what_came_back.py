"""What came back, and why an address is suppressed: "" for what was recorded before, which no complaint caused."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "facts_returns",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.String(length=12), nullable=False),
        sa.Column("mailing", sa.String(length=24), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("address_key", sa.String(length=16), nullable=False),
        sa.Column("alone", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("source", sa.String(length=60), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("facts_returns", schema=None) as batch_op:
        batch_op.create_index("facts_returns_by_mailing", ["mailing", "n", "idx"], unique=False)
        batch_op.create_index("facts_returns_by_seq", ["seq"], unique=False)

    op.create_table(
        "soft_bounces",
        sa.Column("address_key", sa.String(length=16), nullable=False),
        sa.Column("mailing", sa.String(length=24), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("address_key", "mailing"),
    )
    with op.batch_alter_table("facts_suppression", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reason", sa.String(length=40), server_default="", nullable=False))
