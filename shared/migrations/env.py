"""What Alembic runs: the revisions on the connection that `shared.migrations` gives, in the transaction it is in."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes.get("metadata"),
    render_as_batch=True,  # SQLite changes a table by making it anew
    transactional_ddl=False,  # the transaction is the caller's, and the only one
)
context.run_migrations()
