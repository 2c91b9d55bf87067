"""Bad."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make a table, then fail."""
    op.create_table("bad", sa.Column("id", sa.Integer(), primary_key=True))
    raise ZeroDivisionError("half-way")
