"""Whether this process is still a member of the generation in which it was assigned its partitions.

Owns one pair (generation, member id), captured in the assignment callback, and sends heartbeats for exactly that pair.
It writes nothing and does not change aiokafka's own membership. A commit would prove nothing: aiokafka would retry it
under a *newer* generation, where it could overwrite a successor's progress.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from aiokafka.errors import IllegalGenerationError, KafkaError, RebalanceInProgressError, UnknownMemberIdError
from aiokafka.protocol.group import HeartbeatRequest

from adapters.kafka.aiokafka_internals import forget_coordinator, group_membership, send_to_coordinator
from runtime.clocks import steady

if TYPE_CHECKING:
    from collections.abc import Callable

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


def trusted_seconds(session_seconds: float) -> float:
    """Return how long after a confirmed heartbeat this process may start calls: its partitions cannot have moved."""
    return session_seconds * 0.8


class GroupMembership:
    """The generation of the current assignment, and when the coordinator last confirmed it."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        group: str,
        *,
        session_seconds: float,
        on_answer: Callable[[float], None] = lambda _at: None,
    ) -> None:
        """`on_answer` receives the steady time of each heartbeat that the coordinator answered, also with a denial."""
        self._consumer = consumer
        self._group = group
        self._on_answer = on_answer
        # The steady clock also counts the time in which the machine is suspended: the coordinator counts it too.
        # A margin: this process stops starting calls before the coordinator can reassign its partitions.
        self._trusted_seconds = trusted_seconds(session_seconds)
        # A coordinator that is cut off from its peers cannot finish a commit of offsets. Each later request of the
        # connection waits behind that commit, also a heartbeat.
        self._answer_seconds = session_seconds / 4
        self._confirmed_at = self._denied_at = float("-inf")
        self.generation: Generation | None = None
        self._ending: Generation | None = None  # the coordinator has reported a rebalance for it
        self._unanswered = 0

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
        return self.generation is not None and steady() - self._confirmed_at < self._trusted_seconds

    @property
    def is_confirming(self) -> bool:
        """Whether a heartbeat waits for its response."""
        return self._unanswered > 0

    async def confirm(self) -> bool:
        """Send one heartbeat. False: not a member of the generation, or no clear response in time."""
        generation = self.generation
        if generation is None or generation.number < 0:
            return False
        sent_at = steady()
        request = HeartbeatRequest(self._group, generation.number, generation.member_id)
        self._unanswered += 1
        try:
            async with asyncio.timeout(self._answer_seconds):
                response = await send_to_coordinator(self._consumer, request)
        except TimeoutError:
            forget_coordinator(self._consumer)  # aiokafka itself waits for the timeout of the request
            return False
        except (KafkaError, OSError, RuntimeError):
            # uvloop raises RuntimeError for a connection that was just closed under aiokafka.
            return False
        finally:
            self._unanswered -= 1
        if response.error_code == 0 or response.error_code in _DENIALS:
            self._on_answer(sent_at)
        if self.generation is not generation:
            return False
        if response.error_code in _DENIALS:
            self._denied_at = steady()
            self._confirmed_at = float("-inf")
        if response.error_code == RebalanceInProgressError.errno:
            self._ending = generation
        if response.error_code != 0 or sent_at < self._denied_at:
            return False  # a heartbeat sent before another one was denied proves nothing
        self._confirmed_at = sent_at
        return True
