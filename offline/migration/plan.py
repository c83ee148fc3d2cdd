"""What a migration moves. The plan is the first record of the new `state` topic until the migration is complete.

Pure. A run that finds another plan than its own stops: the order of the records follows from the plan, and an
interrupted run continues by counting them.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from adapters.kafka.topic_copy import Extent

# Looks like an authorization's key to a worker. No worker starts before the migration removes it.
PLAN_KEY: Final = b"\x00migration"
PLAN_PARTITION: Final = 0
_VERSION: Final = 1


class PlanUnreadable(ValueError):
    """The record is no plan of this version."""


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """The source topics by role, with the extent of each partition, and the number of new partitions."""

    source: str  # the prefix
    partitions: int
    extents: Mapping[str, tuple[Extent, ...]]

    def encode(self) -> bytes:
        """Return the record's value."""
        extents = {role: [list(one) for one in of_role] for role, of_role in self.extents.items()}
        value = {"v": _VERSION, "source": self.source, "partitions": self.partitions, "extents": extents}
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, value: bytes) -> "MigrationPlan":
        """Read a record's value. Raises PlanUnreadable."""
        try:
            match json.loads(value):
                case {"v": 1, "source": str(source), "partitions": int(partitions), "extents": dict(extents)}:
                    found = {str(role): tuple(Extent(*one) for one in of_role) for role, of_role in extents.items()}
                    return cls(source, partitions, found)
        except (ValueError, TypeError) as error:
            raise PlanUnreadable("the migration's plan is unreadable") from error
        raise PlanUnreadable("another release wrote the migration's plan")

    def differences(self, now: "MigrationPlan") -> Iterator[str]:
        """Say in what the sources, looked at again, differ from this plan."""
        if (self.source, self.partitions) != (now.source, now.partitions):
            yield f"it moves {self.source}* to {self.partitions} partitions"
            return
        for role, extents in self.extents.items():
            for number, (planned, found) in enumerate(zip(extents, now.extents[role], strict=False)):
                place = f"{self.source}{role} {number}"
                if planned.end != found.end:
                    yield f"{place} ended at {planned.end}, now at {found.end}: a process still runs"
                elif planned.begin != found.begin:
                    yield f"{place} began at {planned.begin}, now at {found.begin}: retention"
            if len(extents) != len(now.extents[role]):
                yield f"{self.source}{role} had {len(extents)} partitions, now {len(now.extents[role])}"
