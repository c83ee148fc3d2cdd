"""The payer, since when an action is required, and when Collate closed a handoff."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
oldest_reader = "0001"


def upgrade() -> None:
    """Add columns without a default: no row is rewritten, and the older version may leave them out."""
    op.execute("ALTER TABLE authorizations ADD COLUMN payer_id text, ADD COLUMN action_required_at timestamptz")
    op.execute("ALTER TABLE handoffs ADD COLUMN collate_closed_at timestamptz")


def downgrade() -> None:
    """Drop the columns."""
    op.execute("ALTER TABLE authorizations DROP COLUMN payer_id, DROP COLUMN action_required_at")
    op.execute("ALTER TABLE handoffs DROP COLUMN collate_closed_at")
