"""A/B tests of mailings, and the version of each chunk; none was before."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Change the tables."""
    with op.batch_alter_table("chunks", schema=None) as batch_op:
        batch_op.add_column(sa.Column("version", sa.Text(), server_default="", nullable=False))

    with op.batch_alter_table("mailings", schema=None) as batch_op:
        batch_op.add_column(sa.Column("ab_test", sa.Text(), server_default="", nullable=False))
