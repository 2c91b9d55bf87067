"""Pages of contacts that rules have not seen: all there are."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Change the tables."""
    unread = op.create_table(
        "unread_pages",
        sa.Column("page", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("page"),
    )
    page = sa.column("page", sa.Integer)
    op.execute(
        unread.insert().from_select(
            ["page", "changes"], sa.select(page, sa.literal(1)).select_from(sa.table("contacts", page)).distinct()
        )
    )
