"""A/B tests of mailings, the version of each chunk, parameters of links of campaigns; none was before."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Change the tables."""
    with op.batch_alter_table("chunks", schema=None) as batch_op:
        batch_op.add_column(sa.Column("version", sa.Text(), server_default="", nullable=False))

    with op.batch_alter_table("mailings", schema=None) as batch_op:
        batch_op.add_column(sa.Column("ab_test", sa.Text(), server_default="", nullable=False))

    with op.batch_alter_table("campaigns", schema=None) as batch_op:
        batch_op.add_column(sa.Column("utm", sa.Text(), server_default="", nullable=False))
