"""One look at Collate: the authorization first, then only the handoffs without which it can't be understood.

The order matters: what a handoff says is never older than the authorization beside it. At most three calls.
"""

from dataclasses import dataclass
from typing import Protocol

from adapters.collate.answers import Answered, Refused, Result, Unanswered
from adapters.collate.errors import Disposition, route
from adapters.collate.operations import Operation
from consumers.authorization.facts import Observed
from consumers.authorization.state import AuthorizationState
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import HandoffState, ManualHandoff


class Reads(Protocol):
    """What a look needs of the Collate client."""

    async def get_authorization(self, authorization_id: str) -> Result[PriorAuthorization]:
        """Read an authorization."""
        ...

    async def get_handoff(self, authorization_id: str, handoff_id: str) -> Result[ManualHandoff]:
        """Read a handoff."""
        ...


@dataclass(frozen=True, slots=True)
class NotThere:
    """Collate knows no such authorization, or hides it from us."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A call had no usable answer."""

    operation: Operation
    result: Unanswered


async def observe(
    reads: Reads,
    authorization_id: str,
    memory: AuthorizationState,
    *,
    also: str | None = None,
    thorough: bool = False,
    observing: bool = False,
) -> Observed | NotThere | Unread:
    """Read what is needed.

    Args:
        reads: the client.
        authorization_id: whom to look at.
        memory: what is known; it says which handoffs must be read.
        also: a handoff that the caller asks about.
        thorough: read the open handoff in any case.
        observing: read the open handoff also when the version moved, or while there is no access to it.
    """
    result = await reads.get_authorization(authorization_id)
    if not isinstance(result, Answered):
        if _is_absent(Operation.GET_AUTHORIZATION, result):
            return NotThere()
        return Unread(Operation.GET_AUTHORIZATION, result)
    authorization = result.model
    if authorization.version < memory.floor:
        return Observed(authorization)
    handoffs: list[ManualHandoff] = []
    missing: list[str] = []
    if observing and (active := memory.active) is not None:
        known_version = memory.known.version if memory.known else 0
        thorough = authorization.version != known_version or not active.access_available
    for handoff_id in _wanted(authorization, memory, also, thorough=thorough):
        answer = await reads.get_handoff(authorization_id, handoff_id)
        if isinstance(answer, Answered):
            handoffs.append(answer.model)
        elif _is_absent(Operation.GET_HANDOFF, answer):
            missing.append(handoff_id)
        else:
            return Unread(Operation.GET_HANDOFF, answer)
    return Observed(authorization, tuple(handoffs), tuple(missing))


def _is_absent(operation: Operation, result: Unanswered) -> bool:
    return (
        isinstance(result, Refused)
        and result.status == 404
        and route(operation, result).disposition is Disposition.REJECT
    )


def _wanted(
    authorization: PriorAuthorization, memory: AuthorizationState, also: str | None, *, thorough: bool
) -> list[str]:
    pointer, active = authorization.active_handoff_id, memory.active
    wanted: list[str] = []
    if active is not None and (thorough or pointer != active.id or active.state != HandoffState.ACTIVE):
        wanted.append(active.id)
    if pointer is not None and (active is None or pointer != active.id) and pointer not in memory.ended:
        wanted.append(pointer)
    known_open = active is not None and also == active.id == pointer and active.state == HandoffState.ACTIVE
    if also is not None and also not in wanted and (thorough or not known_open):
        wanted.append(also)
    return wanted
