"""What a page said when somebody chose on it: a key of the notes; for acts before, nobody knows."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Change the tables."""
    with op.batch_alter_table("consent_acts") as batch_op:
        batch_op.add_column(sa.Column("words", sa.Text(), server_default="", nullable=False))
