"""docs/decide.md, made from the decision table and the reasons."""

from collections.abc import Sequence

from consumers.applier.dead_letters import DeadLetterCause
from consumers.applier.decide import CLOSE, REQUEST, WATCH, AlreadyDone, Row, Watch, Write
from consumers.applier.reasons import WAITING, OutcomeReason
from consumers.authorization.wait_reasons import WaitReason

_HEAD = """# What becomes of a command

Made from `consumers/applier/decide.py` and `reasons.py` by `make docs`; change it there.

Each command is decided on a fresh read of the authorization (and of the handoff, where it matters), from the top: the
first row that holds decides. *Waits* look again soon; "for a minute" means that an answer which contradicts what was
seen before is taken for a lagging replica's that long. Before any row: an id that has ended before changes nothing
(another body under it: `command.key_conflict`), a command past its `expiresAt` expires unless something may have been
sent, and a write that may have been applied is resolved first (docs/decisions/0002).
"""


def page() -> str:
    """Return the page."""
    parts = [_HEAD]
    for name, rows in (("handoff.request", REQUEST), ("handoff.close", CLOSE), ("authorization.watch", WATCH)):
        cells = [(str(number), row.when, _then(row)) for number, row in enumerate(rows, 1)]
        parts.append(f"## `{name}`\n\n{_table(('', 'when', 'then'), cells)}")
    reasons = [(f"`{reason.value}`", reason.advice) for reason in OutcomeReason]
    heading = "Reasons of `rejected`, `expired` and `discarded`, and of an `applied` that names no handoff"
    parts.append(f"## {heading}\n\n{_table(('reason', 'advice'), reasons)}")
    causes = [(f"`{cause.value}`", cause.advice) for cause in DeadLetterCause]
    parts.append(f"## Causes of dead letters\n\n{_table(('cause', 'advice'), causes)}")
    waits = [(f"`{wait.value}`", sentence) for wait, sentence in WAITING.items()]
    parts.append(f"## Reasons of `command.waiting`\n\n{_table(('reason', 'sentence'), waits)}")
    return "\n".join(parts)


def _then(row: Row) -> str:
    if isinstance(row.then, WaitReason):
        return f"wait: `{row.then.value}`"
    if isinstance(row.then, OutcomeReason):
        return f"rejected: `{row.then.value}`"
    return {Write: "**write to Collate**", AlreadyDone: "already done", Watch: "applied: it is watched"}[row.then]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *rows))
