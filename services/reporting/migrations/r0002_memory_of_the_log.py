"""Which log the views are made from."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "log_memory",
        sa.Column("incarnation", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("incarnation"),
    )
