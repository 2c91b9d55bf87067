"""What rules look at, made of every contact there is, the rules of lists, and domains that are not mailed."""

import orjson
import sqlalchemy as sa
from alembic import op

from services.planner.contacts.address_kinds import flags
from services.planner.contacts.search_text import search_text

revision = "0012"
down_revision = "0011"

_AT_ONCE = 2_000


def upgrade() -> None:
    """Change the tables."""
    search = op.create_table(
        "contact_search",
        sa.Column("contact", sa.String(length=12), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("contact"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "list_rules",
        sa.Column("list", sa.String(length=24), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("list"),
    )
    op.create_table(
        "blocked_domains",
        sa.Column("domain", sa.String(length=253), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("domain"),
    )
    conn = op.get_bind()
    contacts = sa.table("contacts", *(sa.column(name) for name in ("id", "address", "name", "fields")))
    some = sa.select(contacts).order_by(contacts.c.id).limit(_AT_ONCE)
    last = ""
    while rows := conn.execute(some.where(contacts.c.id > last)).all():
        last = rows[-1].id
        made = [(row.id, search_text(row.address, row.name, _fields(row.fields), flags(row.address))) for row in rows]
        conn.execute(search.insert(), [{"contact": contact, "text": text} for contact, text in made])


def _fields(packed: str) -> dict[str, str]:
    try:
        fields = orjson.loads(packed)
    except orjson.JSONDecodeError:  # no rule finds anything in it; the contact stays as it is
        return {}
    return fields if isinstance(fields, dict) else {}
