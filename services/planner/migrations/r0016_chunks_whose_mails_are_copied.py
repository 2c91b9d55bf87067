"""Chunks whose mails are copied."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Change the tables."""
    with op.batch_alter_table("facts_chunks", schema=None) as batch_op:
        batch_op.add_column(sa.Column("copied", sa.Boolean(), server_default=sa.false(), nullable=False))
