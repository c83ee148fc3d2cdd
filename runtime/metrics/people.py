"""Metrics of the work of people, and the closed sets of their labels."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from runtime.metrics.group import WORK_SECONDS, MetricGroup, counter, gauge, histogram


class HandoffStage(StrEnum):
    """The stages of a handoff whose time is measured."""

    NEED_TO_OPEN = "need_to_open"
    OPEN_TO_CLOSE = "open_to_close"
    CLOSE_TO_TRUTH = "close_to_truth"


class VerdictWhen(StrEnum):
    """When a report was compared with the payer's truth."""

    RECONCILED = "reconciled"
    SETTLED = "settled"


class PayerLabels:
    """The closed set of payers in labels: those of the settings, `other`, and `unknown` if Collate shows none."""

    OTHER: Final = "other"
    UNKNOWN: Final = "unknown"

    def __init__(self, payers: Sequence[str]) -> None:
        self._named = frozenset(payers)
        self.every = (*dict.fromkeys(payers), self.OTHER, self.UNKNOWN)

    def of(self, payer: str | None) -> str:
        """Return the label of a payer."""
        if payer is None:
            return self.UNKNOWN
        return payer if payer in self._named else self.OTHER


class PeopleMetrics(MetricGroup):
    """Metrics of the work of people: the gauges are the projector's, the others the worker's."""

    waiting = gauge(
        "people_waiting",
        "Authorizations that wait for a person to open a handoff, by how long (15m: less than 15 minutes, 1h, 4h, "
        "1d, longer).",
        ("age",),
    )
    waiting_payers = gauge(
        "people_waiting_payers", "The same authorizations, by payer (as set, other, unknown).", ("payer",)
    )
    waiting_oldest_seconds = gauge(
        "people_waiting_oldest_seconds", "How long the first of them has waited; 0 if none waits."
    )
    handoffs_open = gauge("handoffs_open", "Open handoffs.")
    handoffs_at_risk = gauge("handoffs_at_risk", "Open handoffs at risk, by the latest reason.", ("risk",))
    turned_away = gauge(
        "people_turned_away",
        "Handoffs in a row that people ended for a reason that the next person meets too, by payer (as set, other); 0 "
        "without.",
        ("payer",),
    )
    stage_seconds = histogram(
        "handoff_stage_seconds",
        "Times of handoffs, by stage (need_to_open, open_to_close, close_to_truth) and payer. The truth is there "
        "when Collate has reconciled the handoff.",
        ("stage", "payer"),
        WORK_SECONDS,
    )
    agreements = counter(
        "handoff_agreements",
        "Reports compared with the payer's truth, by verdict (agrees, contradicts, undetermined, no_report), when "
        "(reconciled, settled) and payer.",
        ("agreement", "when", "payer"),
    )
    overdue = counter("authorizations_overdue", "Authorizations whose due date passed before they settled.", ("payer",))
    settled_due = counter(
        "authorizations_settled_due",
        "Settled authorizations with a due date, by whether a read showed the end in time (yes, no) and payer.",
        ("in_time", "payer"),
    )
