"""Chunks that need no more copies."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "copied_chunks",
        sa.Column("mailing", sa.String(length=24), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("mailing", "n"),
        sqlite_with_rowid=False,
    )
    copied = sa.column("copied", sa.Boolean).is_(True)
    op.create_index(
        "facts_chunks_copied", "facts_chunks", ["planned_seq"], sqlite_where=copied, postgresql_where=copied
    )
