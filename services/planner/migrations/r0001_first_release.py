"""The tables of the first release, of which a database from before there were revisions has some or all."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make those that are missing."""
    op.create_table(
        "audience_pieces",
        sa.Column("audience", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("lane", sa.String(length=24), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("audience", "n"),
        if_not_exists=True,
    )
    op.create_table(
        "audience_rows",
        sa.Column("audience", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("contact", sa.String(length=12), nullable=False),
        sa.Column("lists", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("audience", "n", "idx"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "audience_skipped",
        sa.Column("audience", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("contact", sa.String(length=12), nullable=False),
        sa.Column("lists", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("audience", "line"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "audiences",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mailing", sa.String(length=24), nullable=False),
        sa.Column("object", sa.String(length=64), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        if_not_exists=True,
    )
    op.create_index("ix_audiences_mailing", "audiences", ["mailing"], if_not_exists=True)

    op.create_table(
        "contact_ordinals",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("one"),
        if_not_exists=True,
    )
    op.create_table(
        "contacts",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("address_key", sa.String(length=16), nullable=True),
        sa.Column("provider", sa.String(length=16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        if_not_exists=True,
    )
    op.create_index("ix_contacts_address_key", "contacts", ["address_key"], if_not_exists=True)
    op.create_index("ix_contacts_page", "contacts", ["page"], if_not_exists=True)

    op.create_table(
        "dirty_pages",
        sa.Column("page", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("page"),
        if_not_exists=True,
    )
    op.create_table(
        "facts_accounts",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("paused", sa.Text(), nullable=False),
        sa.Column("retry", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        if_not_exists=True,
    )
    op.create_table(
        "facts_chunks",
        sa.Column("mailing", sa.String(length=24), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=24), nullable=False),
        sa.Column("lane", sa.String(length=24), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("started", sa.Boolean(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("finished", sa.Boolean(), nullable=False),
        sa.Column("totals", sa.Text(), nullable=False),
        sa.Column("parked", sa.Text(), nullable=False),
        sa.Column("parked_seq", sa.BigInteger(), nullable=False),
        sa.Column("planned_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("mailing", "n"),
        if_not_exists=True,
    )
    op.create_index("facts_chunks_open", "facts_chunks", ["mailing", "finished", "passed"], if_not_exists=True)
    op.create_index("facts_chunks_quiet", "facts_chunks", ["finished", "last_at"], if_not_exists=True)

    op.create_table(
        "facts_doubts",
        sa.Column("mailing", sa.String(length=24), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("mailing", "seq", "n"),
        if_not_exists=True,
    )
    op.create_table(
        "facts_mailings",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("resumed", sa.BigInteger(), nullable=False),
        sa.Column("retry", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        if_not_exists=True,
    )
    op.create_index("ix_facts_mailings_status", "facts_mailings", ["status"], if_not_exists=True)

    op.create_table(
        "facts_suppression",
        sa.Column("address_key", sa.String(length=16), nullable=False),
        sa.Column("scope", sa.String(length=24), nullable=False),
        sa.Column("blocked", sa.String(length=12), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("address_key", "scope"),
        if_not_exists=True,
    )
    op.create_table(
        "import_rejected",
        sa.Column("upload", sa.String(length=24), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("column", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("upload", "line"),
        if_not_exists=True,
    )
    op.create_table(
        "imports",
        sa.Column("upload", sa.String(length=24), nullable=False),
        sa.Column("list", sa.String(length=24), nullable=False),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("updated", sa.Integer(), nullable=False),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("upload"),
        if_not_exists=True,
    )
    op.create_index("ix_imports_state", "imports", ["state"], if_not_exists=True)

    op.create_table(
        "lists",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        if_not_exists=True,
    )
    op.create_table(
        "process_marks",
        sa.Column("of", sa.String(length=32), nullable=False),
        sa.Column("retried", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("of"),
        if_not_exists=True,
    )
    op.create_table(
        "requests",
        sa.Column("principal", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("principal", "key"),
        if_not_exists=True,
    )
    op.create_table(
        "list_fields",
        sa.Column("list", sa.String(length=24), nullable=False),
        sa.Column("field", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["list"], ["lists.id"]),
        sa.PrimaryKeyConstraint("list", "field"),
        if_not_exists=True,
    )
    op.create_table(
        "members",
        sa.Column("list", sa.String(length=24), nullable=False),
        sa.Column("contact", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["list"], ["lists.id"]),
        sa.PrimaryKeyConstraint("list", "contact"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "checkpoints",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("failed_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        if_not_exists=True,
    )
