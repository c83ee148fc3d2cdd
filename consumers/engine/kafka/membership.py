"""Whether this process is still a member of the generation in which it was assigned its partitions.

Owns one pair (generation, member id), captured in the assignment callback, and sends heartbeats for exactly that pair.
It writes nothing and does not change aiokafka's own membership. A commit would prove nothing: aiokafka would retry it
under a *newer* generation, where it could overwrite a successor's progress.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from aiokafka.errors import IllegalGenerationError, KafkaError, RebalanceInProgressError, UnknownMemberIdError
from aiokafka.protocol.group import HeartbeatRequest

from adapters.kafka.aiokafka_internals import group_membership, send_to_coordinator

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

_FENCED_INSTANCE_ID = 82  # aiokafka has no class for this error
# Any other error concerns the coordinator itself (it loads, it moves), not the membership.
_DENIALS = frozenset(
    {UnknownMemberIdError.errno, IllegalGenerationError.errno, RebalanceInProgressError.errno, _FENCED_INSTANCE_ID}
)


class Generation(NamedTuple):
    """The generation of the group and the member id under which the coordinator assigned partitions."""

    number: int
    member_id: str


class GroupMembership:
    """The generation of the current assignment, and when the coordinator last confirmed it."""

    def __init__(self, consumer: AIOKafkaConsumer, group: str, *, session_seconds: float) -> None:
        self._consumer = consumer
        self._group = group
        # A margin: this process stops starting calls before the coordinator can reassign its partitions.
        self._trusted_seconds = session_seconds * 0.8
        self._confirmed_at = self._denied_at = float("-inf")
        self.generation: Generation | None = None
        self._ending: Generation | None = None  # the coordinator has reported a rebalance for it

    def assigned(self) -> Generation:
        """Note the generation of an assignment. Call it synchronously in the assignment callback."""
        self.generation = Generation(*group_membership(self._consumer))
        # The assignment confirms nothing: the process may have been frozen between the response and the callback.
        self._confirmed_at = float("-inf")
        return self.generation

    def revoked(self) -> None:
        """Note that a rebalance has begun."""
        self.generation = None

    @property
    def is_rebalancing(self) -> bool:
        """Whether a rebalance is known to have begun: another assignment will follow."""
        return self.generation is None or self.generation is self._ending

    @property
    def is_trusted(self) -> bool:
        """Whether the last confirmation is so recent that no other process can own the partitions yet."""
        return self.generation is not None and time.monotonic() - self._confirmed_at < self._trusted_seconds

    async def confirm(self) -> bool:
        """Send one heartbeat. False: not a member of the generation, or no clear response."""
        generation = self.generation
        if generation is None or generation.number < 0:
            return False
        sent_at = time.monotonic()
        request = HeartbeatRequest(self._group, generation.number, generation.member_id)
        try:
            response = await send_to_coordinator(self._consumer, request)
        except (KafkaError, OSError, RuntimeError):
            # uvloop raises RuntimeError for a connection that was just closed under aiokafka.
            return False
        if self.generation is not generation:
            return False
        if response.error_code in _DENIALS:
            self._denied_at = time.monotonic()
            self._confirmed_at = float("-inf")
        if response.error_code == RebalanceInProgressError.errno:
            self._ending = generation
        if response.error_code != 0 or sent_at < self._denied_at:
            return False  # a heartbeat sent before another one was denied proves nothing
        self._confirmed_at = sent_at
        return True
