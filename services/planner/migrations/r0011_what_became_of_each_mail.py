"""What became of each mail: its view reads the whole log once, and the rows to be asked are made from it."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "facts_hits",
        sa.Column("mailing", sa.String(length=24), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("link", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.String(length=8), nullable=False),
        sa.Column("agent", sa.String(length=20), nullable=False),
        sa.Column("network", sa.String(length=48), nullable=False),
        sa.Column("crowd", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("mailing", "n", "idx", "id"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("facts_hits", schema=None) as batch_op:
        batch_op.create_index("facts_hits_by_crowd", ["mailing", "crowd"], unique=False)

    op.create_table(
        "facts_outcomes",
        sa.Column("mailing", sa.String(length=24), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("states", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("mailing", "n"),
    )
    op.create_table(
        "facts_recipients",
        sa.Column("mailing", sa.String(length=24), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("contacts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("mailing", "n"),
    )
    op.create_table(
        "facts_signs",
        sa.Column("mailing", sa.String(length=24), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("mailing", "n", "idx", "kind"),
    )
    op.create_table(
        "facts_touched",
        sa.Column("mailing", sa.String(length=24), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("mailing", "n"),
    )
    with op.batch_alter_table("facts_touched", schema=None) as batch_op:
        batch_op.create_index("facts_touched_by_seq", ["seq"], unique=False)

    op.create_table(
        "results",
        sa.Column("mailing", sa.String(length=24), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("contact", sa.String(length=12), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=True),
        sa.Column("clicked_at", sa.BigInteger(), nullable=True),
        sa.Column("unsubscribed_at", sa.BigInteger(), nullable=True),
        sa.Column("bounced_at", sa.BigInteger(), nullable=True),
        sa.Column("complained_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("mailing", "n", "idx"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("results", schema=None) as batch_op:
        batch_op.create_index(
            "results_bounced_at",
            ["bounced_at", "contact"],
            unique=False,
            sqlite_where=sa.text("bounced_at IS NOT NULL"),
            postgresql_where=sa.text("bounced_at IS NOT NULL"),
        )
        batch_op.create_index(
            "results_clicked_at",
            ["clicked_at", "contact"],
            unique=False,
            sqlite_where=sa.text("clicked_at IS NOT NULL"),
            postgresql_where=sa.text("clicked_at IS NOT NULL"),
        )
        batch_op.create_index(
            "results_complained_at",
            ["complained_at", "contact"],
            unique=False,
            sqlite_where=sa.text("complained_at IS NOT NULL"),
            postgresql_where=sa.text("complained_at IS NOT NULL"),
        )
        batch_op.create_index(
            "results_opened_at",
            ["opened_at", "contact"],
            unique=False,
            sqlite_where=sa.text("opened_at IS NOT NULL"),
            postgresql_where=sa.text("opened_at IS NOT NULL"),
        )
        batch_op.create_index("results_settled_at", ["settled_at", "contact"], unique=False)
        batch_op.create_index(
            "results_unsubscribed_at",
            ["unsubscribed_at", "contact"],
            unique=False,
            sqlite_where=sa.text("unsubscribed_at IS NOT NULL"),
            postgresql_where=sa.text("unsubscribed_at IS NOT NULL"),
        )

    op.create_table(
        "results_fresh",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("one"),
    )
