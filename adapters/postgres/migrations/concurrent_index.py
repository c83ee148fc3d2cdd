"""Creates an index while the projector and the readers work."""

from typing import NamedTuple

from alembic import op
from sqlalchemy import text

_IS_VALID = """
SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relname = :name AND c.relnamespace = current_schema()::regnamespace
"""


class ConcurrentIndex(NamedTuple):
    """An index by name; `on` is the rest of its statement, from the table on."""

    name: str
    on: str


def create_concurrently(*indexes: ConcurrentIndex) -> None:
    """Create the indexes that are missing, outside a transaction, without a lock that stops writers.

    Safe to repeat: an interrupted CREATE INDEX CONCURRENTLY leaves an invalid index, which is dropped first. The
    statements before this call are committed, so they must be safe to repeat too.
    """
    context = op.get_context()
    with context.autocommit_block():
        for index in indexes:
            if not context.as_sql:
                is_valid = op.get_bind().execute(text(_IS_VALID), {"name": index.name}).scalar()
                if is_valid:
                    continue
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {index.name} ON {index.on}")


def drop_concurrently(*indexes: ConcurrentIndex) -> None:
    """Drop the indexes outside a transaction."""
    with op.get_context().autocommit_block():
        for index in indexes:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}")
