"""Members are not held against lists row by row, which took a third of writing them; no list is ever removed."""

from alembic import op

revision = "0006"
down_revision = "0005"

_NAMES = {"fk": "%(table_name)s_%(column_0_name)s_fkey"}  # as PostgreSQL called it; SQLite did not name it


def upgrade() -> None:
    """Change the tables."""
    table_as_it_is = {"sqlite_with_rowid": False}
    with op.batch_alter_table("members", naming_convention=_NAMES, table_kwargs=table_as_it_is) as batch_op:
        batch_op.drop_constraint("members_list_fkey", type_="foreignkey")
