"""When consent was given or refused; what stands there already is undone by whatever comes."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Change the tables."""
    with op.batch_alter_table("facts_suppression") as batch_op:
        batch_op.add_column(sa.Column("at", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
