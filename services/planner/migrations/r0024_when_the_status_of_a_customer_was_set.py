"""When the status of a customer was set; rules look anew at everybody where there are any."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "statuses_seen",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("one"),
    )
    with op.batch_alter_table("facts_statuses", schema=None) as batch_op:
        batch_op.add_column(sa.Column("seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
        batch_op.create_index("facts_statuses_by_seq", ["seq"], unique=False)
    op.execute(
        "INSERT INTO unread_pages (page, changes) SELECT DISTINCT page, 1 FROM contacts"
        " WHERE page NOT IN (SELECT page FROM unread_pages)"
        " AND (EXISTS (SELECT 1 FROM facts_statuses) OR EXISTS (SELECT 1 FROM source_statuses))"
    )
