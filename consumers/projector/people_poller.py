"""Shows what waits for people now, from the read model, as metrics of the projector.

Each projector shows the same numbers, so a rule takes their maximum. While the database is away the last numbers stay.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from prometheus_client import Gauge

from adapters.postgres.database import DatabaseAway, NotMigrated, connected
from adapters.postgres.people_numbers import AGES, LONGER, PeopleNumbers, people_numbers
from runtime.logs import get_log
from runtime.metrics import PayerLabels, PeopleMetrics
from runtime.settings import ReadModelSettings
from schemas.enums import RiskReason

POLL_SECONDS: Final = 30.0
_STATEMENT_SECONDS: Final = 10.0
_OTHER_RISK: Final = "other"


class PeoplePoller:
    """Reads the numbers every POLL_SECONDS."""

    def __init__(self, settings: ReadModelSettings, metrics: PeopleMetrics, payers: PayerLabels) -> None:
        """Create every series with zero."""
        self._settings = settings
        self._metrics = metrics
        self._payers = payers
        self.show(PeopleNumbers())

    async def run(self) -> None:
        """Read until cancelled. A failure is logged, and the next read follows in time."""
        while True:
            try:
                async with connected(
                    self._settings, self._settings.schema_name, "projector people", statement_seconds=_STATEMENT_SECONDS
                ) as connection:
                    self.show(await people_numbers(connection))
            except (DatabaseAway, NotMigrated) as failure:
                get_log().warning("projector.people_unread", reason=str(failure), retry_seconds=POLL_SECONDS)
            await asyncio.sleep(POLL_SECONDS)

    def show(self, numbers: PeopleNumbers) -> None:
        """Set every series; what the numbers do not have is zero."""
        metrics = self._metrics
        for age in (*AGES, LONGER):
            metrics.waiting.labels(age).set(numbers.waiting.get(age, 0))
        self._show_by_payer(metrics.waiting_payers, numbers.waiting_payers)
        self._show_by_payer(metrics.turned_away, numbers.turned_away)
        metrics.waiting_oldest_seconds.set(numbers.oldest_seconds)
        metrics.handoffs_open.set(numbers.handoffs_open)
        risks = dict.fromkeys((*(risk.value for risk in RiskReason), _OTHER_RISK), 0)
        for risk, count in numbers.handoffs_at_risk.items():
            risks[risk if risk in risks else _OTHER_RISK] += count
        for risk, count in risks.items():
            metrics.handoffs_at_risk.labels(risk).set(count)

    def _show_by_payer(self, gauge: Gauge, counts: Mapping[Any, int]) -> None:
        by_payer = Counter[str]()
        for payer, count in counts.items():
            by_payer[self._payers.of(payer)] += count
        for label in self._payers.every:
            gauge.labels(label).set(by_payer[label])
