"""Counts by minute, who has claimed a handoff, since when a report contradicts the payer, and indexes of the lists.

The indexes are created while the projector works.
"""

from alembic import op

from adapters.postgres.migrations.concurrent_index import ConcurrentIndex, create_concurrently, drop_concurrently

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
oldest_reader = "0001"

_WAITING_SINCE = "coalesce(action_required_at, active_since)"
_INDEXES = (
    ConcurrentIndex(
        "authorizations_person",
        f"authorizations (({_WAITING_SINCE}), authorization_id) WHERE {_WAITING_SINCE} IS NOT NULL",
    ),
    ConcurrentIndex(
        "authorizations_payer",
        f"authorizations (payer_id, ({_WAITING_SINCE}), authorization_id) WHERE {_WAITING_SINCE} IS NOT NULL",
    ),
    ConcurrentIndex(
        "authorizations_claimed",
        f"authorizations (claimed_by, ({_WAITING_SINCE}), authorization_id) WHERE claimed_by IS NOT NULL",
    ),
    ConcurrentIndex(
        "authorizations_handoff",
        "authorizations (action_required_at, authorization_id) WHERE action_required_at IS NOT NULL"
        " AND active_handoff_id IS NULL AND record->>'nextAction' = 'complete_payer_interaction'",
    ),
    ConcurrentIndex(
        "authorizations_contradicted",
        "authorizations (contradicted_at, authorization_id) WHERE contradicted_at IS NOT NULL",
    ),
    ConcurrentIndex("commands_authorization", "commands (authorization_id, accepted_at, command_id)"),
    ConcurrentIndex("commands_caller", "commands (caller, accepted_at, command_id)"),
    ConcurrentIndex("commands_reason", "commands (reason, accepted_at, command_id) WHERE reason IS NOT NULL"),
    # A short pending list: each search reads all of it.
    ConcurrentIndex(
        "commands_metadata",
        "commands USING gin (metadata jsonb_path_ops) WITH (gin_pending_list_limit = 512) WHERE metadata IS NOT NULL",
    ),
)


def upgrade() -> None:
    """Add the table, and the columns without a default, then the indexes."""
    op.execute(
        "CREATE TABLE IF NOT EXISTS minutes"
        " (minute timestamptz PRIMARY KEY, accepted bigint NOT NULL, finished bigint NOT NULL)"
    )
    op.execute(
        "ALTER TABLE authorizations ADD COLUMN IF NOT EXISTS contradicted_at timestamptz,"
        " ADD COLUMN IF NOT EXISTS claimed_by text"
    )
    create_concurrently(*_INDEXES)


def downgrade() -> None:
    """Drop them."""
    drop_concurrently(*_INDEXES)
    op.execute("ALTER TABLE authorizations DROP COLUMN IF EXISTS contradicted_at, DROP COLUMN IF EXISTS claimed_by")
    op.execute("DROP TABLE IF EXISTS minutes")
