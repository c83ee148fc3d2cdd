"""The row of the dashboard about the work of people: who waits, what is open, how long it takes, how it ends."""

from typing import Final

from docs_build.dashboard.panels import Panel, Row

_WAITS: Final = "an-authorization-waits-too-long-for-a-person"
_CONTRADICTS: Final = "a-report-contradicts-the-payer"


def _stages(share: float, name: str) -> tuple[str, str]:
    buckets = "sum by (stage, le) (rate(`handoff_stage_seconds_bucket`[1d]))"
    return f"histogram_quantile({share}, {buckets})", f"{{{{stage}}}} {name}"


ROW: Final = Row(
    "The work of people",
    (
        Panel(
            "Waiting for a person",
            "Authorizations by how long they have waited for someone to open a handoff.",
            (("max by (age) (`people_waiting`)", "{{age}}"),),
            page=_WAITS,
        ),
        Panel(
            "Longest wait for a person",
            "The line is the alert.",
            (("max(`people_waiting_oldest_seconds`)", "oldest"),),
            "s",
            _WAITS,
            wrong=14_400,
        ),
        Panel(
            "Waiting by payer",
            "Payers of GATEWAY_ADMIN__PAYER_LABELS; the others together.",
            (("max by (payer) (`people_waiting_payers`)", "{{payer}}"),),
            page=_WAITS,
        ),
        Panel(
            "Open handoffs",
            "All, and those at risk by the latest reason.",
            (("max(`handoffs_open`)", "open"), ("max by (risk) (`handoffs_at_risk`) > 0", "{{risk}}")),
            page=_WAITS,
        ),
        Panel(
            "Times of a handoff",
            "Over a day: from the need to the opening, to the close, to the payer's truth.",
            (_stages(0.5, "median"), _stages(0.9, "p90")),
            "s",
            _WAITS,
        ),
        Panel(
            "Reports and the payer's truth",
            "Verdicts after the reconciliation, within a day.",
            (('sum by (agreement) (increase(`handoff_agreements_total|when="reconciled"`[1d]))', "{{agreement}}"),),
            page=_CONTRADICTS,
        ),
    ),
)
