"""The next step of a manual handoff, from the gateway's record of the authorization or a live read. Pure.

watch ── the gateway does not know the authorization yet
unnamed ── a handoff is open at Collate, and its id cannot be read
other_action ── Collate waits for something that is not a handoff
review ─▶ open ─▶ opening ─▶ session ─▶ closing ─▶ truth ─▶ settled
(no snapshot to review)       (report)    │
wait ◀── Collate or the payer works ◀───────────────┘
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from console.api import models
from console.views.workbench.sources import Chosen, ShownAuthorization
from schemas.collate.authorization import Status, requires_handoff
from schemas.collate.handoff import HandoffState
from schemas.enums import CommandType

_UNFINISHED: Final = frozenset({"accepted", "waiting"})


class WorkStep(StrEnum):
    """What the workbench shows."""

    WATCH = "watch"
    UNNAMED = "unnamed"
    OTHER_ACTION = "other_action"
    REVIEW = "review"
    OPEN = "open"
    OPENING = "opening"
    SESSION = "session"
    CLOSING = "closing"
    TRUTH = "truth"
    WAIT = "wait"
    SETTLED = "settled"


TYPED: Final = frozenset({WorkStep.REVIEW, WorkStep.OPEN, WorkStep.SESSION})
"""The steps whose page has a form: it is never replaced while a person types."""

OFFERS: Final = frozenset({WorkStep.REVIEW, WorkStep.OPEN})
"""The steps whose page offers to open a handoff."""

PLACE: Final = {
    WorkStep.REVIEW: 1,
    WorkStep.OPEN: 2,
    WorkStep.OPENING: 2,
    WorkStep.SESSION: 3,
    WorkStep.CLOSING: 5,
    WorkStep.TRUTH: 5,
}
"""The number of the step in the row of steps, from 1; of no step before and after a handoff."""


def step_of(found: Chosen, commands: Sequence[models.CommandStatus]) -> WorkStep:
    """Return the step. `commands` are the authorization's, as `GET /v1/commands` lists them."""
    authorization = found.authorization
    if found.is_unnamed:
        return WorkStep.UNNAMED
    active = authorization.get("activeHandoff")
    if active is not None:
        is_closing = active["state"] == HandoffState.CLOSING or any(
            is_unfinished(command, CommandType.HANDOFF_CLOSE) and command.get("handoffId") in {None, active["id"]}
            for command in commands
        )
        return WorkStep.CLOSING if is_closing else WorkStep.SESSION
    if authorization.get("settledAt") is not None or authorization["status"] in {Status.COMPLETED, Status.CANCELED}:
        return WorkStep.SETTLED
    if any(is_unfinished(command, CommandType.HANDOFF_REQUEST) for command in commands):
        return WorkStep.OPENING
    if authorization["status"] == Status.REQUIRES_ACTION:
        return _step_of_action(authorization)
    last = authorization.get("lastHandoff")
    if last is not None and last.get("agreement") is None:
        return WorkStep.TRUTH
    return WorkStep.WAIT


def is_unfinished(command: models.CommandStatus, command_type: CommandType) -> bool:
    """Whether a command of this type has not ended. A dead letter waits for an operator, not for the worker."""
    return command.get("type") == command_type and command["status"] in _UNFINISHED


def _step_of_action(authorization: ShownAuthorization) -> WorkStep:
    if not requires_handoff(authorization.get("nextAction"), authorization.get("resolution")):
        return WorkStep.OTHER_ACTION
    return WorkStep.OPEN if authorization.get("coversReviewSnapshotId") is None else WorkStep.REVIEW
