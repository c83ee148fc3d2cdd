"""Collate's message on the workbench: a whole page shows it, the part that updates only says that there is one.

The message is PHI and each read of it is on record, so it needs the person's own click. Whether there is one is asked
without it, once for each state of the handoff: the ETag of the part has the state that the browser was told about.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from console.api import Answer, Failure, models, operations
from console.page import console_of, person_of
from console.sign_in.step_up import sign_in_address
from console.views.workbench.bench import HandoffInHand, Workbench

_SEPARATOR: Final = "~"
_UNREAD: Final = "unread"


@dataclass(frozen=True, slots=True)
class CollateMessage:
    """What the page says about the message. `is_unread`: there is one, and the page does not show it.

    `known` is the state of the handoff that this is about; empty if the next update must ask. `sign_in` leads to the
    sign-in that the message needs.
    """

    text: str | None = None
    failure: Failure | None = None
    sign_in: str | None = None
    known: str = ""
    is_unread: bool = False

    def marked(self, etag: str) -> str:
        """Return the ETag of the part, with what the browser then knows."""
        return f'{etag[:-1]}{_SEPARATOR}{self.known}{_SEPARATOR}{_UNREAD if self.is_unread else ""}"'


async def read_message(
    request: Request, bench: Workbench, handoff: HandoffInHand, since: operations.ReadHandoffQuery
) -> CollateMessage:
    """Read the message; `since` bounds the age of the read."""
    authorization_id, person = bench.authorization["authorizationId"], person_of(request)
    query: operations.ReadHandoffQuery = {"operator": person.name_for_api, **since}
    call = operations.read_handoff(authorization_id, handoff.active["id"], query)
    told = await console_of(request).api.send(person, call)
    if isinstance(told, Answer):
        return CollateMessage(told.body.get("handoff", {}).get("message"), known=_state_of(bench, handoff))
    # No redirect: the page may show a report that was not accepted, and a person without the factor may report.
    return CollateMessage(
        failure=told, sign_in=sign_in_address(request, told, f"/authorizations/{authorization_id}/work")
    )


async def find_message(
    request: Request,
    bench: Workbench,
    handoff: HandoffInHand,
    since: operations.ReadHandoffQuery,
    live: models.LiveHandoff | None,
) -> CollateMessage:
    """Return whether there is a message that the browser's page lacks. `live` is a live read, if there was one."""
    state = _state_of(bench, handoff)
    _, *told = request.headers.get("if-none-match", "").strip('"').split(_SEPARATOR)
    if told[:1] == [state]:
        return CollateMessage(known=state, is_unread=told[1:] == [_UNREAD])
    if live is None:
        person = person_of(request)
        query: operations.ReadHandoffQuery = {"message": "omit", "operator": person.name_for_api, **since}
        call = operations.read_handoff(bench.authorization["authorizationId"], handoff.active["id"], query)
        answer = await console_of(request).api.send(person, call)
        if not isinstance(answer, Answer):
            return CollateMessage(failure=answer)
        live = answer.body
    return CollateMessage(known=state, is_unread=live.get("handoff", {}).get("messageAvailable", False))


def _state_of(bench: Workbench, handoff: HandoffInHand) -> str:
    """Return what a new or another message changes: the handoff, its access, and Collate's version."""
    active = handoff.active
    state = f"{active['id']} {active['accessAvailable']} {bench.authorization['version']}"
    return hashlib.sha256(state.encode()).hexdigest()[:12]
