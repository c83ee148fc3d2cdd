"""The first schema: progress, commands, handoffs, authorizations, timeline."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None
oldest_reader = "0001"

_UP = """
CREATE TABLE progress (
    topic text NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);
CREATE TABLE pulse (
    id int PRIMARY KEY CHECK (id = 1),
    at timestamptz NOT NULL,
    behind bigint NOT NULL
);
CREATE TABLE commands (
    command_id text PRIMARY KEY,
    authorization_id text NOT NULL,
    type text NOT NULL,
    caller text NOT NULL,
    accepted_at timestamptz,
    partition int,
    position bigint,
    expires_at timestamptz,
    metadata jsonb,
    asked_redrive int NOT NULL,
    sequence bigint NOT NULL,
    status text NOT NULL,
    redrive int NOT NULL,
    outcome text,
    effect text,
    reason text,
    advice text,
    handoff_id text,
    version bigint,
    until timestamptz,
    changed_at timestamptz
);
CREATE INDEX commands_unfinished ON commands (accepted_at) WHERE status <> 'finished';
CREATE INDEX commands_accepted ON commands (accepted_at);
CREATE INDEX commands_changed ON commands (changed_at);
CREATE TABLE handoffs (
    authorization_id text NOT NULL,
    handoff_id text NOT NULL,
    sequence bigint NOT NULL,
    state text NOT NULL,
    opened_at timestamptz,
    access_available boolean,
    final_submit_capable boolean,
    grants int NOT NULL,
    operator text,
    grant_expires_at timestamptz,
    risk text,
    risk_ends_at timestamptz,
    closed_at timestamptz,
    result text,
    closed_by text,
    reported text,
    reason text,
    agreement text,
    metadata jsonb,
    PRIMARY KEY (authorization_id, handoff_id)
);
CREATE INDEX handoffs_closed ON handoffs (closed_at, authorization_id, handoff_id) WHERE closed_at IS NOT NULL;
CREATE TABLE authorizations (
    authorization_id text PRIMARY KEY,
    sequence bigint NOT NULL,
    status text NOT NULL,
    settled boolean NOT NULL,
    active_handoff_id text,
    active_since timestamptz,
    updated_at timestamptz NOT NULL,
    record jsonb NOT NULL
);
CREATE INDEX authorizations_active ON authorizations (active_since, authorization_id)
    WHERE active_handoff_id IS NOT NULL;
CREATE INDEX authorizations_updated ON authorizations (updated_at);
CREATE TABLE timeline (
    authorization_id text NOT NULL,
    at timestamptz NOT NULL,
    rank smallint NOT NULL,
    ordinal bigint NOT NULL,
    kind text NOT NULL,
    command_id text,
    data jsonb NOT NULL,
    PRIMARY KEY (authorization_id, at, rank, ordinal)
);
CREATE INDEX timeline_at ON timeline USING brin (at);
"""
_DOWN = "DROP TABLE timeline, authorizations, handoffs, commands, pulse, progress;"


def upgrade() -> None:
    """Create the tables."""
    for statement in _UP.split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    """Drop the tables: the topics hold everything in them."""
    op.execute(_DOWN)
