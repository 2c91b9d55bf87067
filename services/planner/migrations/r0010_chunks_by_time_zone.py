"""Chunks by time zone."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Change the tables."""
    with op.batch_alter_table("audience_pieces", schema=None) as batch_op:
        batch_op.add_column(sa.Column("zone", sa.String(length=40), server_default="", nullable=False))
