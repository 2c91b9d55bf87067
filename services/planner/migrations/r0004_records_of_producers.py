"""Records of producers, and what was taken in and is not in the log yet."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "intake_notes",
        sa.Column("id", sa.String(length=20), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "source_contacts",
        sa.Column("record", sa.String(length=20), nullable=False),
        sa.Column("contact", sa.String(length=12), nullable=False),
        sa.PrimaryKeyConstraint("record", "contact"),
    )
    with op.batch_alter_table("source_contacts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_source_contacts_contact"), ["contact"], unique=False)

    op.create_table(
        "source_lists",
        sa.Column("record", sa.String(length=20), nullable=False),
        sa.Column("list", sa.String(length=24), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("member", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("record", "list"),
    )
    op.create_table(
        "source_records",
        sa.Column("record", sa.String(length=20), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("external", sa.String(length=100), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("given", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("record"),
    )
