"""Who shares a customer: the directory is read anew, as a newer planner may have said so to an older program."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Change the tables."""
    with op.batch_alter_table("people", schema=None) as batch_op:
        batch_op.add_column(sa.Column("customer", sa.Text(), server_default="", nullable=False))
    op.execute("DELETE FROM directory_position")
