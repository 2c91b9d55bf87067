"""Whose record a contact is: told by the next page of PEOPLE that names it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Change the tables."""
    with op.batch_alter_table("people", schema=None) as batch_op:
        batch_op.add_column(sa.Column("source", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("external", sa.Text(), server_default="", nullable=False))
        batch_op.create_index("people_by_record", ["source", "external"], unique=False)
