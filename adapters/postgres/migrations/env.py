"""Alembic's environment: runs the migrations on the connection from `adapters.postgres.migrate`, or prints them."""

from alembic import context

connection = context.config.attributes["connection"]
if connection is None:
    context.configure(dialect_name="postgresql", literal_binds=True, version_table="schema_version")
else:
    context.configure(connection=connection, version_table="schema_version", transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
