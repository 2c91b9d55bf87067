"""Who it was that opened and clicked.

The view of links becomes the view of engagement, a view of its own: it is made from the beginning of the log while the
others go on, so all that was ever counted is judged as well.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "deliveries",
        sa.Column("mailing", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("mailing", "n"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "judged_by",
        sa.Column("mailing", sa.Text(), nullable=False),
        sa.Column("rules", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("mailing"),
    )
    op.create_table(
        "judged_hits",
        sa.Column("mailing", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("idx", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("link", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("method", sa.Text(), server_default="", nullable=False),
        sa.Column("agent", sa.Text(), server_default="", nullable=False),
        sa.Column("network", sa.Text(), server_default="", nullable=False),
        sa.Column("crowd", sa.Text(), nullable=True),
        sa.Column("verdict", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("mailing", "n", "idx", "id"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("judged_hits", schema=None) as batch_op:
        batch_op.create_index(
            "judged_hits_by_crowd",
            ["mailing", "crowd"],
            unique=False,
            sqlite_where=sa.text("crowd is not null"),
            postgresql_where=sa.text("crowd is not null"),
        )

    op.create_table(
        "judged_links",
        sa.Column("mailing", sa.Text(), nullable=False),
        sa.Column("link", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("human", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("proxy", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("apple", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("machine", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("unknown", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("people", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("others", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("mailing", "link"),
    )
    op.create_table(
        "judged_seconds",
        sa.Column("mailing", sa.Text(), nullable=False),
        sa.Column("second", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("opens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("clicks", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("others", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("mailing", "second"),
    )
    op.drop_table("hits")
    op.drop_table("readers")
    op.drop_table("hit_points")
    op.drop_table("link_counts")
    if sa.inspect(op.get_bind()).has_table("checkpoints"):
        op.execute("DELETE FROM checkpoints WHERE name = 'links'")
