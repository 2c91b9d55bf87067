"""Pages of whom shares a customer are published again: the directory says from now on who does."""

from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Mark them."""
    op.execute(
        "INSERT INTO dirty_pages (page, changes) SELECT DISTINCT page, 1 FROM contacts WHERE id IN"
        " (SELECT contact FROM source_contacts WHERE record IN"
        " (SELECT record FROM source_contacts GROUP BY record HAVING count(*) > 1))"
        " AND page NOT IN (SELECT page FROM dirty_pages)"
    )
