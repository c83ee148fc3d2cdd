"""A call to Collate, as the policy sees it: its priority, why it waits, and what its end shows."""

from dataclasses import dataclass
from enum import Enum, IntEnum

from schemas.events.wait_reasons import HoldReason


class Priority(IntEnum):
    """The kinds of calls, the most urgent first."""

    LIVE = 0
    URGENT = 1  # commands about handoffs, and commands of people
    COMMAND = 2
    OBSERVATION = 3  # of an authorization with an open handoff, or whose handoff is reconciled
    IDLE = 4  # of another authorization


class CallSignal(Enum):
    """What the end of a call shows about Collate."""

    ANSWERED = "answered"
    KEY_REFUSED = "key_refused"
    FORBIDDEN = "forbidden"
    LIMITED = "limited"
    FAILED = "failed"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Call:
    """A call that needs budget; `subject` is its authorization; an observation has no `caller`."""

    priority: Priority
    writes: bool
    subject: str
    caller: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """No permission before `until` (monotonic seconds). `for_slot`: earlier if another call ends earlier."""

    until: float
    reason: HoldReason
    for_slot: bool = False
