"""Activities that are no mailings and who took part; a note of the intake says its type, so far all of contacts."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "activities",
        sa.Column("activity", sa.String(length=20), nullable=False),
        sa.Column("type", sa.String(length=100), nullable=False),
        sa.Column("campaign", sa.String(length=200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("activity"),
    )
    with op.batch_alter_table("activities", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_activities_type"), ["type"], unique=False)
    op.create_table(
        "activity_participants",
        sa.Column("activity", sa.String(length=20), nullable=False),
        sa.Column("record", sa.String(length=20), nullable=False),
        sa.Column("address_key", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("activity", "record", "address_key"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("intake_notes", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("type", sa.String(length=100), server_default="audience.contacts_synced/1", nullable=False)
        )
