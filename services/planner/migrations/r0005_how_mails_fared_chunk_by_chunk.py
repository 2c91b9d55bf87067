"""How mails fared, chunk by chunk. What was answered before stays 0 and is never judged: its plan has no sequence."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Change the tables."""
    with op.batch_alter_table("facts_chunks", schema=None) as batch_op:
        batch_op.add_column(sa.Column("planned_seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
        batch_op.add_column(sa.Column("accepted", sa.Integer(), server_default=sa.text("0"), nullable=False))
        batch_op.add_column(sa.Column("bounced", sa.Integer(), server_default=sa.text("0"), nullable=False))
        batch_op.add_column(sa.Column("refused", sa.Integer(), server_default=sa.text("0"), nullable=False))
