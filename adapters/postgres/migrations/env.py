"""Alembic's environment: runs the migrations on the connection from `adapters.postgres.migrate`, or prints them.

Each migration has its own transaction, so that one that creates an index concurrently can end the one before.
"""

from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext


def _on_version_apply(ctx: MigrationContext, step: Any, heads: object, run_args: object) -> None:
    del heads, run_args
    # In the transaction of the revision: no process sees the new revision without its oldest reader.
    oldest_reader = step.up_revision.module.oldest_reader
    for statement in (
        "CREATE TABLE IF NOT EXISTS schema_reader (revision text NOT NULL)",
        "DELETE FROM schema_reader",
        f"INSERT INTO schema_reader VALUES ('{oldest_reader}')",  # noqa: S608 - a constant of a migration
    ):
        ctx.execute(statement)


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    dialect_name=None if connection else "postgresql",
    literal_binds=connection is None,
    version_table="schema_version",
    transaction_per_migration=True,
    on_version_apply=_on_version_apply,
)
with context.begin_transaction():
    context.run_migrations()
