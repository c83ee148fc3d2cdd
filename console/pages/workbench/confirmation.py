"""The confirmation of an accepted command: a cookie that the 303 sets. The next page shows it, whatever it can read.

The cookie is of one workbench, lasts minutes and has no text of the person. A link cannot set it, so a person who opens
a stranger's link reads no confirmation.
"""

import base64
import binascii
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.api import models
from console.page import console_of
from schemas.enums import Outcome
from schemas.times import format_time, parse_time

Sent = models.CommandAccepted | models.CommandOutcome
"""The API's answer to a command."""

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
    def result(self) -> models.CommandStatus | None:
        """The command, if it had ended when it was confirmed."""
        if not self.is_over or self.is_release:
            return None
        command: models.CommandStatus = {"commandId": self.id, "type": self.kind, "status": self.status}
        if self.outcome is not None:
            command["outcome"] = self.outcome
        if self.reason is not None:
            command["reason"] = self.reason
        return command

    def as_unfinished(self, shown_as_of: str, now: datetime) -> models.CommandStatus | None:
        """Return the command as the API lists an unfinished one, if the shown state may be older than its effect."""
        if (now - parse_time(self.at)).total_seconds() > SECONDS or (
            self.is_over and (self.outcome != Outcome.APPLIED or parse_time(shown_as_of) >= parse_time(self.seen_at))
        ):
            return None
        command: models.CommandStatus = {
            "commandId": self.id,
            "type": self.kind,
            "status": "accepted",
            "acceptedAt": self.at,
        }
        if self.handoff_id:
            command["handoffId"] = self.handoff_id
        return command


def confirmation_of_command(sent: Sent, now: datetime, handoff_id: str | None = None) -> Confirmation:
    """Return the confirmation of a command; `sent` is the API's answer to it."""
    seen_at = format_time(now)
    return Confirmation(
        id=sent["commandId"],
        kind=sent["type"],
        at=sent["acceptedAt"],
        seen_at=seen_at,
        status=sent["status"],
        outcome=sent["outcome"] if sent["status"] == "finished" else None,
        reason=sent.get("reason") if sent["status"] == "finished" else None,
        handoff_id=handoff_id,
    )


def confirmation_of_release(handoff_id: str, now: datetime) -> Confirmation:
    """Return the confirmation of a handoff that was given back."""
    seen_at = format_time(now)
    return Confirmation(handoff_id, RELEASE, seen_at, seen_at, status="finished")


def confirmed(request: Request, authorization_id: str, confirmation: Confirmation) -> Response:
    """Return the 303 that confirms a command or a release."""
    path = PATH.format(authorization_id=authorization_id)
    kind = RELEASE if confirmation.is_release else "command"
    response = RedirectResponse(f"{path}?{kind}={confirmation.id}", 303)
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
