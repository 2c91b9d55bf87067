"""By which rules hits are judged: unknown so far, so all are judged anew the first time somebody asks."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Change the tables."""
    with op.batch_alter_table("results_fresh", schema=None) as batch_op:
        batch_op.add_column(sa.Column("rules", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("mailing", sa.String(length=24), nullable=True))
        batch_op.add_column(sa.Column("n", sa.Integer(), nullable=True))
