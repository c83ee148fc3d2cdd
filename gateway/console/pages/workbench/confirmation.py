"""The confirmation of an accepted command: a cookie that the 303 sets. The next page shows it, whatever it can read.

The cookie is of one workbench, lasts minutes and has no text of the person. A link cannot set it, so a person who opens
a stranger's link reads no confirmation.
"""

import base64
import binascii
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.console.page import console_of
from gateway.console.views.workbench.bench import CommandResult, command_result
from schemas.enums import Outcome
from schemas.times import format_time, parse_time

PATH: Final = "/authorizations/{authorization_id}/work"
RELEASE: Final = "release"
OVER: Final = frozenset({"finished", "dead_lettered"})
COOKIE: Final = "accepted"
SECONDS: Final = 300
"""A command that the read model does not know counts as unfinished for so long."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """An accepted command, or an accepted release (`kind` is `release`, `id` is the handoff's).

    `at` is when the gateway accepted it, and `seen_at` is when the console read so.
    """

    id: str
    kind: str
    at: str
    seen_at: str
    status: str = "accepted"
    outcome: str | None = None
    reason: str | None = None
    handoff_id: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether the command had ended when it was confirmed."""
        return self.status in OVER

    @property
    def is_release(self) -> bool:
        """Whether the person gave a handoff back."""
        return self.kind == RELEASE

    @property
    def result(self) -> CommandResult | None:
        """The result, if the command had ended when it was confirmed."""
        if not self.is_over or self.is_release:
            return None
        about = {"commandId": self.id, "type": self.kind, "status": self.status}
        return command_result(self.id, about | {"outcome": self.outcome, "reason": self.reason})

    def as_unfinished(self, shown_as_of: str, now: datetime) -> dict[str, Any] | None:
        """Return the command as the API lists an unfinished one, if the shown state may be older than its effect."""
        if (now - parse_time(self.at)).total_seconds() > SECONDS or (
            self.is_over and (self.outcome != Outcome.APPLIED or parse_time(shown_as_of) >= parse_time(self.seen_at))
        ):
            return None
        command = {"commandId": self.id, "type": self.kind, "status": "accepted", "acceptedAt": self.at}
        return command | ({"handoffId": self.handoff_id} if self.handoff_id else {})


def confirmed(request: Request, authorization_id: str, body: dict[str, Any], handoff_id: str | None = None) -> Response:
    """Return the 303 that confirms a command. `body` is the API's answer to it; a release has no command id."""
    now = format_time(console_of(request).now())
    confirmation = Confirmation(
        id=body.get("commandId") or body["handoffId"],
        kind=body.get("type", RELEASE),
        at=body.get("acceptedAt", now),
        seen_at=now,
        status=body.get("status", "finished"),
        outcome=body.get("outcome"),
        reason=body.get("reason"),
        handoff_id=handoff_id,
    )
    path = PATH.format(authorization_id=authorization_id)
    response = RedirectResponse(f"{path}?{'command' if 'commandId' in body else RELEASE}={confirmation.id}", 303)
    value = base64.urlsafe_b64encode(json.dumps(asdict(confirmation)).encode()).decode()
    is_encrypted = (console_of(request).settings.public_url or "").startswith("https://")
    response.set_cookie(COOKIE, value, SECONDS, path=path, secure=is_encrypted, httponly=True, samesite="lax")
    return response


def confirmation_of(request: Request) -> Confirmation | None:
    """Return the confirmation of the command that the page's address names."""
    named = request.query_params.get("command") or request.query_params.get(RELEASE)
    try:
        content = json.loads(base64.urlsafe_b64decode(request.cookies.get(COOKIE, "")))
        found = Confirmation(**content)
        is_valid = all(isinstance(value, str | None) for value in content.values()) and bool(
            parse_time(found.at).tzinfo and parse_time(found.seen_at).tzinfo
        )
    except (ValueError, TypeError, AttributeError, binascii.Error, RecursionError):
        return None
    return found if named is not None and found.id == named and is_valid else None
