"""Whether this process is still a member of the generation in which it was given its partitions.

Owns one pair (generation, member id), captured in the assignment callback, and asks the coordinator about exactly that
pair with a heartbeat of its own. Writes nothing, and leaves aiokafka's own membership alone whatever the answer: a
commit as proof would be retried by aiokafka under a *newer* generation, and could overwrite a successor's progress.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiokafka.errors import IllegalGenerationError, KafkaError, RebalanceInProgressError, UnknownMemberIdError
from aiokafka.protocol.group import HeartbeatRequest

from adapters.kafka.aiokafka_internals import group_membership, send_to_coordinator

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

# What the coordinator says of us; any other error is its own trouble (it loads, it moves) and tells nothing.
_FENCED_INSTANCE_ID = 82  # aiokafka has no name for it
_DENIALS = frozenset(
    {UnknownMemberIdError.errno, IllegalGenerationError.errno, RebalanceInProgressError.errno, _FENCED_INSTANCE_ID}
)


@dataclass(frozen=True, slots=True)
class Membership:
    """What the coordinator called us when it gave us our partitions."""

    generation: int
    member_id: str


class GroupMembership:
    """The membership of the current assignment, and when it was last confirmed."""

    def __init__(self, consumer: AIOKafkaConsumer, group: str, *, session_seconds: float) -> None:
        self._consumer = consumer
        self._group = group
        # A margin, so that we stop beginning effects before the coordinator gives our partitions away.
        self._trusted_seconds = session_seconds * 0.8
        self._confirmed_at = self._denied_at = float("-inf")
        self.membership: Membership | None = None
        self._ends: Membership | None = None  # the one whose generation is known to end: a rebalance has begun

    def joined(self) -> Membership:
        """Note the membership of an assignment; call it in the assignment callback, synchronously."""
        self.membership = Membership(*group_membership(self._consumer))
        # Nobody knows how long ago the group said so: a process may be stopped between its answer and the callback.
        self._confirmed_at = float("-inf")
        return self.membership

    def left(self) -> None:
        """Note that a rebalance has begun."""
        self.membership = None

    @property
    def is_rebalancing(self) -> bool:
        """A rebalance has begun, as far as we have heard: another assignment will follow."""
        return self.membership is None or self.membership is self._ends

    @property
    def is_trusted(self) -> bool:
        """The membership stands, and was confirmed recently enough that nobody else can own our partitions yet."""
        return self.membership is not None and time.monotonic() - self._confirmed_at < self._trusted_seconds

    async def confirm(self) -> bool:
        """Ask the coordinator once. False: not a member of that generation, or it did not say so."""
        asked = self.membership
        if asked is None or asked.generation < 0:
            return False
        started = time.monotonic()
        try:
            answer = await send_to_coordinator(
                self._consumer, HeartbeatRequest(self._group, asked.generation, asked.member_id)
            )
        except (KafkaError, OSError, RuntimeError):
            # RuntimeError is uvloop's word where the connection has just been closed under aiokafka.
            return False
        if self.membership is not asked:
            return False
        if answer.error_code in _DENIALS:
            self._denied_at = time.monotonic()
            self._confirmed_at = float("-inf")
        if answer.error_code == RebalanceInProgressError.errno:
            self._ends = asked
        if answer.error_code != 0 or started < self._denied_at:
            return False  # an answer to an earlier question than the one that was denied is an old one
        self._confirmed_at = started
        return True
