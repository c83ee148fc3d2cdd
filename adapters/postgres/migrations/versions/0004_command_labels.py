"""The labels by which the work list is filtered, an index of the handoffs at risk, and a larger sample of metadata.

The new column is empty, so nothing is rewritten: the new projector fills it at its start.
"""

from alembic import op

from adapters.postgres.migrations.concurrent_index import ConcurrentIndex, create_concurrently, drop_concurrently

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
oldest_reader = "0001"

_INDEXES = (
    # A short pending list: each search reads all of it.
    ConcurrentIndex(
        "authorizations_labels",
        "authorizations USING gin (command_labels jsonb_path_ops) WITH (gin_pending_list_limit = 512)"
        " WHERE command_labels IS NOT NULL",
    ),
    ConcurrentIndex("handoffs_risk", "handoffs (risk) WHERE risk IS NOT NULL"),
)
# PostgreSQL estimates how many commands have a pair from a sample of this size. With 100, the default, a pair of 4 % of
# the commands is missing by chance: all of its rows are then read and sorted, in a second instead of a millisecond.
_SAMPLE = 1_000


def upgrade() -> None:
    """Add the column without a default, then the indexes and statistics while the projector works."""
    op.execute("ALTER TABLE authorizations ADD COLUMN IF NOT EXISTS command_labels jsonb")
    op.execute(f"ALTER TABLE commands ALTER COLUMN metadata SET STATISTICS {_SAMPLE}")
    create_concurrently(*_INDEXES)
    with op.get_context().autocommit_block():
        op.execute("ANALYZE commands (metadata)")


def downgrade() -> None:
    """Drop them."""
    drop_concurrently(*_INDEXES)
    op.execute("ALTER TABLE commands ALTER COLUMN metadata SET STATISTICS -1")
    op.execute("ALTER TABLE authorizations DROP COLUMN IF EXISTS command_labels")
