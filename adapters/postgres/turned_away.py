"""The payers that turn people away, by what people reported at the close of their handoffs (decision 0029)."""

from typing import Final

from schemas.api.reads import LEAST_TURNED_AWAY, MOST_TURNED_AWAY
from schemas.commands import TURNING_AWAY

_REASONS: Final = ", ".join(f"'{reason}'" for reason in TURNING_AWAY)
_PERSON: Final = """(
    SELECT max(coalesce(t.data->>'reportedBy', t.data->>'caller')) FROM timeline t
    WHERE t.authorization_id = e.authorization_id AND t.at = e.closed_at AND t.kind = 'handoff.closed'
        AND t.data->>'handoffId' = e.handoff_id
)"""
TURNED_AWAY: Final = f"""
WITH ended AS (
    SELECT payer_id, authorization_id, handoff_id, closed_at, reason,
        first_value(reason) OVER newest AS newest_reason, row_number() OVER newest AS place
    FROM handoffs
    WHERE closed_at > now() - interval '2 hours' AND closed_by = 'us' AND reported IS NOT NULL AND payer_id IS NOT NULL
    WINDOW newest AS (PARTITION BY payer_id ORDER BY closed_at DESC, authorization_id, handoff_id)
), compared AS (
    SELECT *, bool_and(reason IS NOT DISTINCT FROM newest_reason) OVER (PARTITION BY payer_id ORDER BY place) AS is_same
    FROM ended WHERE newest_reason IN ({_REASONS})
)
SELECT payer_id, newest_reason AS reason, count(*) AS handoffs, min(closed_at) AS since,
    (SELECT max(closed_at) FROM handoffs s
        WHERE s.payer_id = e.payer_id AND s.reported = 'submitted') AS last_submitted_at
FROM compared e WHERE is_same
GROUP BY payer_id, newest_reason
HAVING count(*) >= {LEAST_TURNED_AWAY}
    AND count(DISTINCT CASE WHEN place <= {LEAST_TURNED_AWAY} THEN {_PERSON} END) > 1
ORDER BY handoffs DESC, payer_id LIMIT {MOST_TURNED_AWAY}
"""  # noqa: S608 - all parts are constants
"""A row for each such payer. The timeline names the people, so the table of handoffs needs no column for them."""
