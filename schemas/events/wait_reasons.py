"""Why a command or an observation is retried later: a stable slug for metrics and events, and its sentences.

Slugs are published: an existing slug keeps its meaning.
"""

from enum import StrEnum
from typing import Final, Self

# How long a read that contradicts the state counts as the read of a lagging replica. Later it counts as the truth.
STALE_READ_SECONDS: Final = 60.0
# How long a close waits for Collate to activate a handoff. Then the close is sent: a handoff may stay offered until a
# person accepts it, and a key waits for no person.
OFFERED_SECONDS: Final = 600.0


class WaitReason(StrEnum):
    """A reason to wait.

    `words` are for people, after "waits:". `section` is that of docs/operations.md. `advice` is that of
    `command.waiting`; None if no such event has the reason. After any failure of the handler the next invocation
    reports HANDLER_FAILED; with an unreadable state nothing can be published, because the state numbers the events.
    """

    words: str
    section: str
    advice: str | None

    def __new__(cls, slug: str, words: str = "", section: str = "", advice: str | None = None) -> Self:
        """Return a member whose value is the slug."""
        member = str.__new__(cls, slug)
        member._value_ = slug
        member.words, member.section, member.advice = words, section, advice
        return member

    RETRY_AFTER = (
        "retry_after",
        "Collate asked the gateway to wait",
        "lag-grows",
        "Collate asked us to wait before the next attempt.",
    )
    RATE_LIMITED = (
        "rate_limited",
        "Collate's rate limit is reached",
        "lag-grows",
        "The rate limit of Collate is reached; the next attempt waits for a free slot.",
    )
    BREAKER = (
        "breaker",
        "Collate does not answer",
        "collate-is-down",
        "Collate fails on all calls; the next attempt follows when Collate responds again.",
    )
    BUDGET = (
        "budget",
        "other calls to Collate come first",
        "lag-grows",
        "Other calls to Collate have priority; the next attempt waits for a free slot.",
    )
    CREDENTIALS = (
        "credentials",
        "Collate rejects the gateway's API key",
        "collate-refuses-our-key",
        "Collate rejects our API key; work resumes when the key is valid.",
    )
    FORBIDDEN = (
        "forbidden",
        "Collate denies the gateway access",
        "collate-refuses-our-key",
        "Collate denies access to several authorizations; work resumes when access is restored.",
    )
    STALE_READ = (
        "stale_read",
        "Collate shows an older version than before",
        "one-authorization-is-stuck",
        "Collate returned an older state than before; the gateway reads again.",
    )
    CLOSING = (
        "closing",
        "Collate is closing the handoff",
        "one-authorization-is-stuck",
        "Collate is closing the handoff; the command continues when it is closed.",
    )
    OFFERED = (
        "offered",
        "Collate has not activated the handoff yet",
        "one-authorization-is-stuck",
        (
            "Collate is preparing the handoff; the close follows when it is active, or in "
            f"{OFFERED_SECONDS / 60:.0f} minutes."
        ),
    )
    UNREADABLE_ANSWER = (
        "unreadable_answer",
        "Collate's answer cannot be read",
        "one-authorization-is-stuck",
        "A field of Collate's answer cannot be read; operators must check the contract.",
    )
    BACKOFF = (
        "backoff",
        "the last call had no clear response",
        "collate-answers-ambiguously",
        "The last call had no definite response; the gateway sends the same request again.",
    )
    HANDLER_FAILED = (
        "handler_failed",
        "the gateway itself fails",
        "invocations-that-fail",
        "The gateway failed on the command more than once; it retries and alerts operators.",
    )
    HANDLER_HUNG = ("handler_hung", "the gateway itself hangs", "invocations-that-fail")
    RESULT_TOO_LARGE = ("too_large", "a result is too large", "invocations-that-fail")
    STATE_UNREADABLE = ("state_unreadable", "the stored state cannot be read", "a-state-record-cannot-be-read")


class HoldReason(StrEnum):
    """Why the budget defers a call to Collate: those reasons to wait that all authorizations share."""

    CREDENTIALS = WaitReason.CREDENTIALS.value
    FORBIDDEN = WaitReason.FORBIDDEN.value
    BREAKER = WaitReason.BREAKER.value
    RATE_LIMITED = WaitReason.RATE_LIMITED.value
    BUDGET = WaitReason.BUDGET.value
