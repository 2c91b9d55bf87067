"""Who shares a customer: told by the next page of PEOPLE that names it; the planner publishes all of those anew."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Change the tables."""
    with op.batch_alter_table("people", schema=None) as batch_op:
        batch_op.add_column(sa.Column("customer", sa.Text(), server_default="", nullable=False))
