"""Which version of an A/B test the recipients of a chunk get; none was before."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Change the tables."""
    with op.batch_alter_table("audience_pieces", schema=None) as batch_op:
        batch_op.add_column(sa.Column("version", sa.String(length=1), server_default="", nullable=False))
