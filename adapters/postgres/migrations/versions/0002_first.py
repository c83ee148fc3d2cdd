"""The first schema: progress, commands, handoffs, authorizations, timeline, and counts by minute.

Revision 0001 is of builds before the first release: `adapters.postgres.migrate` refuses it.
"""

from alembic import op

revision = "0002"
down_revision = None
branch_labels = None
depends_on = None
oldest_reader = "0002"

# Ids compare by their bytes, so their primary keys find the beginning of an id too.
_UP = """
CREATE TABLE progress (
    topic text NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL,
    topic_id text NOT NULL,
    PRIMARY KEY (topic, partition)
);
CREATE TABLE heartbeat (
    id int PRIMARY KEY CHECK (id = 1),
    at timestamptz NOT NULL,
    behind bigint NOT NULL
);
CREATE TABLE commands (
    command_id text COLLATE "C" PRIMARY KEY,
    authorization_id text COLLATE "C" NOT NULL,
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
    changed_at timestamptz,
    -- The status that a reader sees: a dead letter with a pending redrive is accepted again.
    shown_status text NOT NULL GENERATED ALWAYS AS
        (CASE WHEN status = 'dead_lettered' AND asked_redrive > redrive THEN 'accepted' ELSE status END) STORED
);
CREATE INDEX commands_unfinished ON commands (accepted_at) WHERE status <> 'finished';
CREATE INDEX commands_accepted ON commands (accepted_at);
CREATE INDEX commands_changed ON commands (changed_at);
CREATE INDEX commands_authorization ON commands (authorization_id, accepted_at, command_id);
CREATE INDEX commands_type ON commands (type, accepted_at, command_id);
CREATE INDEX commands_caller ON commands (caller, accepted_at, command_id);
CREATE INDEX commands_reason ON commands (reason, accepted_at, command_id) WHERE reason IS NOT NULL;
-- A short pending list, here and below: each search reads all of it.
CREATE INDEX commands_metadata ON commands USING gin (metadata jsonb_path_ops)
    WITH (gin_pending_list_limit = 512) WHERE metadata IS NOT NULL;
-- PostgreSQL estimates how many commands have a pair from a sample of this size. With 100, the default, a pair of 4 %
-- of the commands is missing by chance: all of its rows are then read and sorted, in a second instead of a millisecond.
ALTER TABLE commands ALTER COLUMN metadata SET STATISTICS 1000;
CREATE TABLE handoffs (
    authorization_id text COLLATE "C" NOT NULL,
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
    collate_closed_at timestamptz,
    payer_id text,
    PRIMARY KEY (authorization_id, handoff_id)
);
-- With the agreement, the numbers of today need no row of the table.
CREATE INDEX handoffs_closed ON handoffs (closed_at, authorization_id, handoff_id) INCLUDE (agreement)
    WHERE closed_at IS NOT NULL;
CREATE INDEX handoffs_ended ON handoffs (operator, closed_at) WHERE closed_by <> 'us';
CREATE INDEX handoffs_submitted ON handoffs (payer_id, closed_at) WHERE reported = 'submitted';
CREATE INDEX handoffs_risk ON handoffs (risk) WHERE risk IS NOT NULL;
CREATE TABLE authorizations (
    authorization_id text COLLATE "C" PRIMARY KEY,
    sequence bigint NOT NULL,
    status text NOT NULL,
    settled boolean NOT NULL,
    active_handoff_id text,
    active_since timestamptz,
    updated_at timestamptz NOT NULL,
    record jsonb NOT NULL,
    payer_id text,
    action_required_at timestamptz,
    handoff_required_at timestamptz,
    contradicted_at timestamptz,
    claimed_by text,
    due_at timestamptz NOT NULL,
    command_labels jsonb
);
CREATE INDEX authorizations_active ON authorizations (active_since, authorization_id)
    WHERE active_handoff_id IS NOT NULL;
CREATE INDEX authorizations_updated ON authorizations (updated_at);
CREATE INDEX authorizations_person
    ON authorizations (due_at, (coalesce(action_required_at, active_since)), authorization_id)
    WHERE coalesce(action_required_at, active_since) IS NOT NULL;
CREATE INDEX authorizations_waiting ON authorizations ((coalesce(action_required_at, active_since)))
    WHERE coalesce(action_required_at, active_since) IS NOT NULL;
CREATE INDEX authorizations_payer
    ON authorizations ((coalesce(payer_id, '')), due_at, (coalesce(action_required_at, active_since)), authorization_id)
    WHERE coalesce(action_required_at, active_since) IS NOT NULL;
CREATE INDEX authorizations_claimed
    ON authorizations (claimed_by, due_at, (coalesce(action_required_at, active_since)), authorization_id)
    WHERE claimed_by IS NOT NULL;
CREATE INDEX authorizations_handoff ON authorizations (due_at, handoff_required_at, authorization_id)
    WHERE handoff_required_at IS NOT NULL;
CREATE INDEX authorizations_contradicted ON authorizations (due_at, contradicted_at, authorization_id)
    WHERE contradicted_at IS NOT NULL;
CREATE INDEX authorizations_contradicted_person
    ON authorizations ((record->'lastHandoff'->>'reportedBy'), contradicted_at)
    WHERE contradicted_at IS NOT NULL;
CREATE INDEX authorizations_labels ON authorizations USING gin (command_labels jsonb_path_ops)
    WITH (gin_pending_list_limit = 512) WHERE command_labels IS NOT NULL;
CREATE TABLE timeline (
    authorization_id text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL,
    rank smallint NOT NULL,
    ordinal bigint NOT NULL,
    kind text NOT NULL,
    command_id text COLLATE "C",
    data jsonb NOT NULL,
    PRIMARY KEY (authorization_id, at, rank, ordinal)
);
CREATE INDEX timeline_at ON timeline (at);
CREATE TABLE minutes (
    minute timestamptz PRIMARY KEY,
    accepted bigint NOT NULL,
    finished bigint NOT NULL
);
"""


def upgrade() -> None:
    """Create the tables."""
    for statement in _UP.split(";\n"):
        if statement.strip():
            op.execute(statement)
