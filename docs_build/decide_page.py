"""docs/decide.md, made from the decision table and the reasons."""

from consumers.applier.decision.decide import CLOSE, REQUEST, WATCH, AlreadyDone, Row, Watch, Write
from docs_build.markdown import table
from schemas.events.reasons import OutcomeReason
from schemas.events.wait_reasons import WaitReason

_HEAD = """# How a command is decided

Made from `consumers/applier/decision/decide.py`, `consumers/applier/reasons.py` and `schemas/events/reasons.py` by
`make docs`; change it there.

Each decision follows a new read of the authorization, and of the handoff if needed. The first row whose condition
holds decides. *Wait* means: read again soon. "For a minute" means: a read that contradicts an earlier read counts as
stale, as from a lagging replica, during that minute.

Three rules come before the table. A duplicate of an ended command changes nothing; with another body it causes
`command.key_conflict`. A command past its `expiresAt` expires, unless a write may have been sent. A write that may have
been applied is resolved first (docs/decisions/0002). Each outcome says its `reason` and `advice`: what to do.

The operations guide has the [causes of dead letters](operations.md#dead-letters) and the
[reasons to wait](operations.md#one-authorization-is-stuck).
"""


def page() -> str:
    """Return the page."""
    parts = [_HEAD]
    for name, rows in (("handoff.request", REQUEST), ("handoff.close", CLOSE), ("authorization.watch", WATCH)):
        cells = [(str(number), row.when, _then(row)) for number, row in enumerate(rows, 1)]
        parts.append(f"## `{name}`\n\n{table(('', 'when', 'then'), cells)}")
    told = {row.then for rows in (REQUEST, CLOSE, WATCH) for row in rows}
    reasons = [(f"`{reason.value}`", reason.advice) for reason in OutcomeReason if reason not in told]
    heading = "Other reasons of an outcome"
    parts.append(f"## {heading}\n\n{table(('reason', 'advice'), reasons)}")
    return "\n".join(parts)


def _then(row: Row) -> str:
    if isinstance(row.then, WaitReason):
        return f"wait: `{row.then.value}`"
    if isinstance(row.then, OutcomeReason):
        return f"rejected: `{row.then.value}`"
    return {Write: "**write to Collate**", AlreadyDone: "already done", Watch: "applied: the authorization is watched"}[
        row.then
    ]
