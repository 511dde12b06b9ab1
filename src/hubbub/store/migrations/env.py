"""Alembic runs this file; `hubbub.store.migrate` gives it the connection, inside a transaction that it ends itself."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
