"""What waits for people now: authorizations, open handoffs, those at risk; and the payers that turn people away.

Each statement reads an index, so its cost grows with what is open or ended lately, not with the read model.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from psycopg import AsyncConnection

from adapters.postgres.queries import fetch_all, fetch_one
from adapters.postgres.turned_away import TURNED_AWAY

AGES: Final = {"15m": "15 minutes", "1h": "1 hour", "4h": "4 hours", "1d": "1 day"}
LONGER: Final = "longer"

_CASES: Final = " ".join(f"WHEN waits < interval '{interval}' THEN '{age}'" for age, interval in AGES.items())
_WAITING: Final = f"""
SELECT payer_id AS payer, CASE {_CASES} ELSE '{LONGER}' END AS age, count(*) AS n,
    extract(epoch FROM max(waits))::float8 AS oldest
FROM (
    SELECT payer_id, now() - handoff_required_at AS waits FROM authorizations
    WHERE handoff_required_at IS NOT NULL
) w GROUP BY 1, 2
"""  # noqa: S608 - all parts are constants
_OPEN: Final = "SELECT count(*) AS n FROM authorizations WHERE active_handoff_id IS NOT NULL"
# The end of a handoff removes its risk.
AT_RISK: Final = """
handoffs h JOIN authorizations a ON a.authorization_id = h.authorization_id AND a.active_handoff_id = h.handoff_id
WHERE h.risk IS NOT NULL
"""
"""The open handoffs at risk, as the rest of a SELECT after its FROM; `AND` may follow."""
_AT_RISK: Final = f"SELECT h.risk AS risk, count(*) AS n FROM {AT_RISK} GROUP BY 1"  # noqa: S608 - constants
STATEMENTS: Final = (_WAITING, _OPEN, _AT_RISK, TURNED_AWAY)


@dataclass(slots=True)
class PeopleNumbers:
    """Authorizations that wait for a person, by age and by payer (None: unknown); open handoffs, by risk.

    `turned_away`: the handoffs in a row that ended for a reason that the next person meets too, by payer.
    """

    waiting: dict[str, int] = field(default_factory=dict)
    waiting_payers: dict[str | None, int] = field(default_factory=dict)
    oldest_seconds: float = 0.0
    handoffs_open: int = 0
    handoffs_at_risk: dict[str, int] = field(default_factory=dict)
    turned_away: dict[str, int] = field(default_factory=dict)


async def people_numbers(connection: AsyncConnection[Any]) -> PeopleNumbers:
    """Read the numbers."""
    found = PeopleNumbers()
    for row in await fetch_all(connection, _WAITING):
        found.waiting[row["age"]] = found.waiting.get(row["age"], 0) + row["n"]
        found.waiting_payers[row["payer"]] = found.waiting_payers.get(row["payer"], 0) + row["n"]
        found.oldest_seconds = max(found.oldest_seconds, row["oldest"])
    found.handoffs_open = (await fetch_one(connection, _OPEN))["n"]
    found.handoffs_at_risk = {row["risk"]: row["n"] for row in await fetch_all(connection, _AT_RISK)}
    found.turned_away = {row["payer_id"]: row["handoffs"] for row in await fetch_all(connection, TURNED_AWAY)}
    return found
