"""A valid command of a caller, with one time: its record, its receipt and the bound of its due date have the same.

A due date in the past is accepted: the case is overdue already. The bound moves with the time, so it never rejects a
retry of an accepted command.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.ingress.api_http.request import invalid_command
from gateway.ingress.auth.callers import Caller
from gateway.ingress.auth.names import with_names
from gateway.ingress.commands.command_log import acceptance_time
from runtime.http_server.problem import Fault
from schemas.commands import AuthorizationWatch, Command, HandoffClose, HandoffRequest

ONLY_PEOPLE_CLAIM: Final = "expected no such field from a service: only people claim handoffs"
_MOST_AHEAD: Final = timedelta(days=366)


@dataclass(slots=True)
class AcceptedCommand:
    """A valid command. Its id derives from the caller, the authorization and the idempotency key."""

    command_id: str
    caller: str
    authorization_id: str
    data: Command
    accepted_at: datetime
    own_handoffs: bool = False

    @classmethod
    def of(
        cls, caller: Caller, command_id: str, authorization_id: str, data: Command, under: str = ""
    ) -> "AcceptedCommand":
        """Return the command of a caller. `under` is the JSON pointer of its data.

        Raises NamesAnotherPerson, NotPermitted, and InvalidCommand, also for a due date too far ahead and for a
        service's take-over.
        """
        now = acceptance_time()
        named = with_names(caller, data, under)
        if caller.person is None and isinstance(named, HandoffClose) and named.take_over is not None:
            raise invalid_command(Fault(ONLY_PEOPLE_CLAIM, f"{under}/takeOver"))
        due_at = named.due_at if isinstance(named, HandoffRequest | AuthorizationWatch) else None
        if due_at is not None and due_at - now > _MOST_AHEAD:
            raise invalid_command(Fault(f"expected a time at most {_MOST_AHEAD.days} days ahead", f"{under}/dueAt"))
        return cls(command_id, caller.name, authorization_id, named, now, caller.own_handoffs)
