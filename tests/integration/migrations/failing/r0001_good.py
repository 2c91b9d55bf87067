"""Good."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make a table."""
    op.create_table("good", sa.Column("id", sa.Integer(), primary_key=True))
