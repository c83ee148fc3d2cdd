"""The bound of a command's due date.

A date in the past is accepted: the case is overdue already. The bound moves with the time, so it never rejects a retry
of an accepted command.
"""

from datetime import datetime, timedelta
from typing import Final

from gateway.ingress.http.problems import InvalidCommand
from runtime.http.problem import Fault
from schemas.commands import AuthorizationWatch, Command, HandoffRequest

_MOST_AHEAD: Final = timedelta(days=366)


def require_due_date(command: Command, now: datetime, under: str = "") -> None:
    """Raise InvalidCommand if a due date is too far ahead. `under` is the JSON pointer of the command's data."""
    due_at = command.due_at if isinstance(command, HandoffRequest | AuthorizationWatch) else None
    if due_at is not None and due_at - now > _MOST_AHEAD:
        raise InvalidCommand(
            "Correct the fields named in `errors`. The command was not accepted.",
            faults=(Fault(f"expected a time at most {_MOST_AHEAD.days} days ahead", pointer=f"{under}/dueAt"),),
        )
