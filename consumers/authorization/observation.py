"""One observation of Collate: reads the authorization first, then only the handoffs that its interpretation needs.

This order ensures that a handoff is never older than the authorization beside it. At most three calls.
"""

from dataclasses import dataclass
from typing import Protocol

from adapters.collate.answers import Answered, CallFailure, Refused, Result
from adapters.collate.errors import Disposition, route
from adapters.collate.operations import Operation
from consumers.authorization.facts import Observed
from consumers.authorization.state import AuthorizationState
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import HandoffState, ManualHandoff


class AuthorizationReads(Protocol):
    """The reads of an observation."""

    async def get_authorization(self, authorization_id: str) -> Result[PriorAuthorization]:
        """Read an authorization."""
        ...

    async def get_handoff(self, authorization_id: str, handoff_id: str) -> Result[ManualHandoff]:
        """Read a handoff."""
        ...


@dataclass(frozen=True, slots=True)
class MissingAuthorization:
    """An authorization that Collate does not find, or hides from us."""


@dataclass(frozen=True, slots=True)
class ReadFailed:
    """A read without a usable response."""

    operation: Operation
    result: CallFailure


async def observe(
    reads: AuthorizationReads,
    authorization_id: str,
    state: AuthorizationState,
    *,
    also: str | None = None,
    thorough: bool = False,
) -> Observed | MissingAuthorization | ReadFailed:
    """Read an authorization and the handoffs that are needed.

    Args:
        reads: the client.
        authorization_id: the authorization.
        state: the stored state; it decides which handoffs must be read.
        also: a handoff that the command names.
        thorough: read the open handoff in any case: its access may change without a new version.
    """
    result = await reads.get_authorization(authorization_id)
    if not isinstance(result, Answered):
        if _is_absent(Operation.GET_AUTHORIZATION, result):
            return MissingAuthorization()
        return ReadFailed(Operation.GET_AUTHORIZATION, result)
    authorization = result.model
    if authorization.version < state.floor:
        return Observed(authorization)
    handoffs: list[ManualHandoff] = []
    missing: list[str] = []
    for handoff_id in _needed(authorization, state, also, thorough=thorough):
        answer = await reads.get_handoff(authorization_id, handoff_id)
        if isinstance(answer, Answered):
            handoffs.append(answer.model)
        elif _is_absent(Operation.GET_HANDOFF, answer):
            missing.append(handoff_id)
        else:
            return ReadFailed(Operation.GET_HANDOFF, answer)
    return Observed(authorization, tuple(handoffs), tuple(missing))


def _is_absent(operation: Operation, result: CallFailure) -> bool:
    return (
        isinstance(result, Refused)
        and result.status == 404
        and route(operation, result).disposition is Disposition.REJECT
    )


def _needed(
    authorization: PriorAuthorization, state: AuthorizationState, also: str | None, *, thorough: bool
) -> list[str]:
    pointer, active = authorization.active_handoff_id, state.active
    needed: list[str] = []
    if active is not None and (thorough or pointer != active.id or active.state != HandoffState.ACTIVE):
        needed.append(active.id)
    if pointer is not None and (active is None or pointer != active.id) and pointer not in state.ended:
        needed.append(pointer)
    known_open = active is not None and also == active.id == pointer and active.state == HandoffState.ACTIVE
    if also is not None and also not in needed and (thorough or not known_open):
        needed.append(also)
    return needed
