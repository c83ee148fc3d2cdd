"""The section of the operations guide for a finding: anchors of docs/operations.md. Pure."""

from collections.abc import Mapping
from typing import Final

from schemas.enums import PartFault
from schemas.events.wait_reasons import WaitReason

DEAD_LETTERS: Final = "dead-letters"
CONTRADICTED: Final = "a-report-contradicts-the-payer"
PERSON_WAITS: Final = "an-authorization-waits-too-long-for-a-person"
CALLER_FULL: Final = "a-caller-sends-too-many-commands"
ONE_STUCK: Final = "one-authorization-is-stuck"
SEVERAL_LATE: Final = "lag-grows"
PROCESS_GONE: Final = "a-process-is-gone"
_OF_FAULTS: Final[Mapping[str, str]] = {PartFault.KAFKA: "kafka-is-away", PartFault.COLLATE: "collate-is-down"}


def anchor_of_fault(fault: str) -> str:
    """Return the anchor for a part that does not work."""
    return _OF_FAULTS.get(fault, PROCESS_GONE)


def anchor_of(reason: str | None) -> str:
    """Return the anchor for a reason to wait; a reason of a newer worker leads to the general section."""
    return WaitReason(reason).section if reason in set(WaitReason) else ONE_STUCK
