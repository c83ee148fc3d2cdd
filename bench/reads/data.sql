-- The rows of `bench.reads`. `:authorizations` and `:every` are numbers that the bench puts in; data.py says what they mean.

-- A number that jumps, so that neighbours in time are not neighbours in the index.
CREATE FUNCTION pg_temp.chance(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE
    RETURN hashint8(n) & 1048575;

-- The time of the n-th of many rows: the density grows towards now.
CREATE FUNCTION pg_temp.at(n bigint, many bigint) RETURNS timestamptz LANGUAGE sql STABLE
    RETURN now() - interval '30 days' * power(1 - n::float8 / many, 2);

CREATE FUNCTION pg_temp.iso(at timestamptz) RETURNS text LANGUAGE sql STABLE
    RETURN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"');

CREATE FUNCTION pg_temp.authorization(n bigint) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN 'auth_' || n * 7919 % :authorizations;

CREATE FUNCTION pg_temp.teams() RETURNS bigint LANGUAGE sql IMMUTABLE
    RETURN 2 * :every / 5;

-- Someone of all people, for grants and reports.
CREATE FUNCTION pg_temp.person(n bigint) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN 'person-' || pg_temp.chance(n + 7000000000) % pg_temp.teams();

-- Every fifth open handoff is in hand, so each person has five.
CREATE FUNCTION pg_temp.holder(n bigint) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN n % (20 * :every) = 4 * :every THEN 'person-' || n / (20 * :every) % pg_temp.teams() END;

INSERT INTO authorizations (authorization_id, sequence, status, settled, active_handoff_id, active_since, updated_at,
    record, payer_id, action_required_at, handoff_required_at, due_at, claimed_by)
SELECT pg_temp.authorization(n), 9, status, status = 'completed',
    CASE WHEN n % (4 * :every) = 0 THEN 'mhand_' || n END, CASE WHEN n % (4 * :every) = 0 THEN at END, at,
    jsonb_strip_nulls(jsonb_build_object(
        'sequence', 9, 'version', 27, 'status', status, 'receiptSeen', true, 'decisionSeen', false,
        'payerId', 'payer_' || pg_temp.chance(n) % :every,
        'nextAction', CASE WHEN n % :every = 0 THEN 'complete_payer_interaction' END,
        'resolution', CASE WHEN n % :every = 0 THEN 'manual_handoff' END,
        'coversReviewSnapshotId', CASE WHEN n % (2 * :every) = 0 THEN 'rev_' || n END,
        'actionRequiredAt', CASE WHEN n % :every = 0 THEN pg_temp.iso(at) END,
        'activeHandoff', CASE WHEN n % (4 * :every) = 0 THEN jsonb_build_object(
            'id', 'mhand_' || n, 'state', 'active', 'accessAvailable', true, 'finalSubmitCapable', true,
            'openedAt', pg_temp.iso(at), 'requestedBy', 'jo.miller', 'claim', CASE WHEN pg_temp.holder(n) IS NOT NULL THEN
                jsonb_build_object('by', pg_temp.holder(n), 'caller', 'people:' || pg_temp.holder(n), 'since', pg_temp.iso(at))
            END) END,
        'lastHandoff', CASE WHEN n % (2 * :every) = 1 THEN jsonb_build_object(
            'id', 'mhand_' || n, 'result', 'completed_reported', 'by', 'us', 'reported', 'submitted',
            'reportedBy', pg_temp.person(n), 'closedAt', pg_temp.iso(at), 'agreement', 'contradicts') END,
        'watchedSince', pg_temp.iso(at), 'updatedAt', pg_temp.iso(at))),
    'payer_' || pg_temp.chance(n) % :every, CASE WHEN n % :every = 0 THEN at END,
    CASE WHEN n % :every = 0 AND n % (4 * :every) <> 0 THEN at END,
    CASE WHEN n % 3 = 0 AND status <> 'completed' THEN at + interval '10 days' ELSE '9999-01-01T00:00:00+00:00' END,
    'people:' || pg_temp.holder(n)
FROM (SELECT n, pg_temp.at(n, :authorizations) AS at,
    CASE WHEN n % :every = 0 THEN 'requires_action' WHEN n % 3 = 0 THEN 'waiting_on_payer'
        ELSE 'completed' END AS status
    FROM generate_series(1, :authorizations) n) one;

INSERT INTO commands (command_id, authorization_id, type, caller, accepted_at, partition, position, expires_at,
    metadata, asked_redrive, sequence, status, redrive, outcome, effect, reason, advice, handoff_id, version, until,
    changed_at)
SELECT gen_random_uuid()::text, pg_temp.authorization(n),
    'collate-gateway.' || CASE WHEN n % 10000 = 5 THEN 'authorization.watch.v1' ELSE 'handoff.request.v1' END,
    CASE WHEN n % (:authorizations / 10) = 7 THEN 'rare'
        ELSE ('{scheduling,intake,portal,desk,reporting,people:jo.miller}'::text[])[1 + pg_temp.chance(n) % 6] END,
    at, n % 12, n, at + interval '1 hour',
    jsonb_build_object('case', 'case-' || (n::bigint * 7919 % :authorizations),
        'team', CASE WHEN n % 50 BETWEEN 10 AND 19 THEN 'archive' ELSE 'team-' || pg_temp.chance(n + 7000000000) % pg_temp.teams() END),
    0, 3, status, 0, CASE WHEN status = 'finished' THEN CASE WHEN n % 20 = 0 THEN 'rejected' ELSE 'applied' END END,
    'ours', CASE WHEN status <> 'finished' THEN 'reason_' || pg_temp.chance(n + 7000000000) / 32 % 10
        WHEN n % 20 = 0 THEN 'reason_' || pg_temp.chance(n + 7000000000) / 32 % (:every / 5) END,
    CASE WHEN n % 20 = 0 THEN 'Read the authorization, then decide whether to send the command again.' END,
    'mhand_' || n, 27, NULL, at + interval '1 second'
FROM (SELECT n, pg_temp.at(n, 3 * :authorizations) AS at, CASE WHEN n % (20 * :every) = 1 THEN 'waiting'
    WHEN n % (40 * :every) = 2 THEN 'dead_lettered'
    WHEN n % (40 * :every) = 3 THEN 'accepted' ELSE 'finished' END AS status
    FROM generate_series(1, :authorizations * 3) n) one;

INSERT INTO handoffs (authorization_id, handoff_id, sequence, state, opened_at, access_available, final_submit_capable,
    grants, operator, grant_expires_at, risk, closed_at, result, closed_by, reported, agreement, metadata)
SELECT pg_temp.authorization(n), 'mhand_' || n, 8, CASE WHEN n % (4 * :every) = 0 THEN 'active' ELSE 'reconciled' END,
    at - interval '20 minutes', true, true, 1, pg_temp.person(n), at,
    CASE WHEN n % (20 * :every) = 4 * :every THEN 'open_too_long' END,
    CASE WHEN n % (4 * :every) <> 0 THEN at END,
    CASE WHEN n % (4 * :every) <> 0 THEN 'completed_reported' END,
    CASE WHEN n % 20 = 7 THEN 'loss' ELSE 'us' END, 'submitted', 'agrees',
    jsonb_build_object('case', 'case-' || (n::bigint * 7919 % :authorizations))
FROM (SELECT n, pg_temp.at(n, :authorizations) AS at FROM generate_series(1, :authorizations) n) one;

INSERT INTO timeline (authorization_id, at, rank, ordinal, kind, command_id, data)
SELECT pg_temp.authorization(n), at, 2, step,
    ('{command.finished,handoff.opened,handoff.access_granted,handoff.closed}'::text[])[step], NULL,
    jsonb_build_object('handoffId', 'mhand_' || n, 'caller', 'people:jo.miller', 'requestedBy', 'jo.miller',
        'outcome', 'applied', 'expiresAt', pg_temp.iso(at), 'accessAvailable', true)
FROM (SELECT n, step, pg_temp.at(n, :authorizations) + step * interval '1 second' AS at
    FROM generate_series(1, :authorizations) n, generate_series(1, 4) step) one;

VACUUM ANALYZE;

-- What the migration cannot know, and the projector writes from then on.
UPDATE authorizations SET contradicted_at = updated_at WHERE record->'lastHandoff'->>'agreement' = 'contradicts';

INSERT INTO minutes SELECT date_trunc('minute', accepted_at), count(*), count(*) FROM commands GROUP BY 1;
