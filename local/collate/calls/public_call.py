"""One authenticated public call: what it asks, what it counts as under its idempotency key, and when it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.collate.calls.keys import Scope, fingerprint
from local.collate.http.message import Reply, Request, json_reply
from local.collate.http.refusal import Refusal, bad_request
from local.collate.model.effect import Cause

if TYPE_CHECKING:
    from local.collate.ledger import Call
    from local.collate.profile import Profile

# What the ledger may show of a body: ids and enum values, no free text and no reference number.
_NOTED = ("acceptedReviewSnapshotId", "reportedOutcome")


@dataclass(frozen=True, slots=True)
class Asked:
    """A call on its way through the checks."""

    call: Call
    organization: str
    body: dict[str, Any]
    print_: str
    now: float

    @property
    def cause(self) -> Cause:
        """Whose doing an effect of this call is."""
        return Cause("client", self.call.key, self.call.number)

    @property
    def scope(self) -> Scope:
        """Within what its idempotency key is unique."""
        return (self.organization, self.call.path, self.call.key or "")

    @property
    def canonical(self) -> str:
        """The body, so that JSON-equal bodies are equal."""
        return json.dumps(self.body, sort_keys=True, separators=(",", ":"))


def read(request: Request, call: Call, organization: str, now: float, profile: Profile) -> Asked | Refusal:
    """Read a request's body and note its harmless fields in the ledger."""
    body: Any = {}
    if request.method == "POST" and request.body:
        try:
            body = json.loads(request.body)
        except ValueError:
            return bad_request("The body is not JSON.")
        if not isinstance(body, dict):
            return bad_request("The body is not a JSON object.")
        call.fields = {name: body[name] for name in _NOTED if isinstance(body.get(name), str)}
    print_ = "" if call.key is None else fingerprint(body, call.if_match, profile)
    return Asked(call, organization, body, print_, now)


def refused(call: Call, refusal: Refusal) -> Reply:
    """Turn a refusal into its error envelope, and note its code."""
    call.code = refusal.code
    return json_reply(refusal.status, refusal.envelope(f"req_{call.number:08x}"))
