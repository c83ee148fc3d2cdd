"""What the worker derives from the reasons of `schemas/events/reasons.py`, and the advice of a command that waits."""

from types import MappingProxyType
from typing import Final

from consumers.authorization.wait_reasons import OFFERED_SECONDS, WaitReason
from schemas.events.reasons import OutcomeReason

# Of a record that is rejected before its first step: they end nothing of the command itself.
REFUSALS: Final = frozenset({OutcomeReason.NOT_DEAD_LETTERED, OutcomeReason.TOO_MANY_COMMANDS})

WAITING: Final = MappingProxyType(
    {
        WaitReason.RETRY_AFTER: "Collate asked us to wait before the next attempt.",
        WaitReason.RATE_LIMITED: "The rate limit of Collate is reached; the next attempt waits for a free slot.",
        WaitReason.BREAKER: "Collate fails on all calls; the next attempt follows when Collate responds again.",
        WaitReason.BUDGET: "Other calls to Collate have priority; the next attempt waits for a free slot.",
        WaitReason.CREDENTIALS: "Collate rejects our API key; work resumes when the key is valid.",
        WaitReason.FORBIDDEN: "Collate denies access to several authorizations; work resumes when access is restored.",
        WaitReason.STALE_READ: "Collate returned an older state than before; the gateway reads again.",
        WaitReason.CLOSING: "Collate is closing the handoff; the command continues when it is closed.",
        WaitReason.OFFERED: "Collate is preparing the handoff; the close follows when it is active, or in "
        f"{OFFERED_SECONDS / 60:.0f} minutes.",
        WaitReason.UNREADABLE_ANSWER: "A field of Collate's answer cannot be read; operators must check the contract.",
        WaitReason.BACKOFF: "The last call had no definite response; the gateway sends the same request again.",
        WaitReason.HANDLER_FAILED: "The gateway failed on the command more than once; it retries and alerts operators.",
    }
)
"""The advice of `command.waiting` for each reason.

After any kind of handler failure (`handler_hung`, `too_large`) the next invocation reports `handler_failed`. With an
unreadable state (`memory_unreadable`) nothing can be published, because the state numbers the events.
"""


# From the reasons of the error router (adapters/collate/errors.py) for a final refusal.
_REJECTIONS: Final = {
    "forbidden": OutcomeReason.FORBIDDEN,
    "review_stale": OutcomeReason.REVIEW_SNAPSHOT_STALE,
    "requirements_not_satisfied": OutcomeReason.REQUIREMENTS_OPEN,
}


def rejection(reason: str) -> OutcomeReason:
    """Return our reason for a final refusal of Collate."""
    return _REJECTIONS.get(reason, OutcomeReason.NOT_ALLOWED)
