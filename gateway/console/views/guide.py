"""The section of the operations guide for a finding: anchors of docs/operations.md. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

DEAD_LETTERS: Final = "dead-letters"
CONTRADICTED: Final = "a-report-contradicts-the-payer"
PERSON_WAITS: Final = "an-authorization-waits-too-long-for-a-person"
CALLER_FULL: Final = "a-caller-sends-too-many-commands"
ONE_STUCK: Final = "one-authorization-is-stuck"

BY_REASON: Final[Mapping[str, str]] = MappingProxyType(
    {
        "breaker": "collate-is-down",
        "credentials": "collate-refuses-our-key",
        "forbidden": "collate-refuses-our-key",
        "rate_limited": "lag-grows",
        "budget": "lag-grows",
        "retry_after": "lag-grows",
        "closing": ONE_STUCK,
        "offered": ONE_STUCK,
        "stale_read": ONE_STUCK,
        "backoff": "collate-answers-ambiguously",
        "unreadable_answer": ONE_STUCK,
        "handler_failed": "invocations-that-fail",
        "handler_hung": "invocations-that-fail",
        "too_large": "invocations-that-fail",
        "memory_unreadable": "a-state-record-cannot-be-read",
    }
)


def anchor_of(reason: str | None) -> str:
    """Return the anchor for a reason to wait; a reason of a newer worker leads to the general section."""
    return BY_REASON.get(reason or "", ONE_STUCK)
