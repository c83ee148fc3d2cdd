"""An authenticated public call: its body, its idempotency scope and its time."""

import json
from dataclasses import dataclass
from typing import Any

from local.collate.calls.keys import Scope, fingerprint
from local.collate.ledger import Call
from local.collate.model.effect import Cause
from local.collate.profile import Profile
from local.collate.web.message import Reply, Request, json_reply
from local.collate.web.refusal import Refusal, bad_request

# The fields of a body that the ledger may show: ids and enum values, no free text and no reference number.
_RECORDED = ("acceptedReviewSnapshotId", "reportedOutcome")


@dataclass(frozen=True, slots=True)
class PublicCall:
    """An authenticated call. `entry` is its row in the ledger, `now` the simulated time."""

    entry: Call
    organization: str
    body: dict[str, Any]
    fingerprint: str
    now: float

    @property
    def cause(self) -> Cause:
        """The cause of this call's effects."""
        return Cause("client", self.entry.key, self.entry.number)

    @property
    def scope(self) -> Scope:
        """The scope in which its idempotency key is unique."""
        return (self.organization, self.entry.path, self.entry.key or "")

    @property
    def canonical(self) -> str:
        """The canonical JSON of the body."""
        return json.dumps(self.body, sort_keys=True, separators=(",", ":"))


def read_call(request: Request, call: Call, organization: str, now: float, profile: Profile) -> PublicCall | Refusal:
    """Parse a request's body and record its harmless fields in the ledger."""
    body: Any = {}
    if request.method == "POST" and request.body:
        try:
            body = json.loads(request.body)
        except ValueError:
            return bad_request("The body is not JSON.")
        if not isinstance(body, dict):
            return bad_request("The body is not a JSON object.")
        call.fields = {name: body[name] for name in _RECORDED if isinstance(body.get(name), str)}
    own = "" if call.key is None else fingerprint(body, call.if_match, profile)
    return PublicCall(call, organization, body, own, now)


def error_reply(call: Call, refusal: Refusal) -> Reply:
    """Return the error envelope of a refusal, and record its code."""
    call.code = refusal.code
    return json_reply(refusal.status, refusal.envelope(f"req_{call.number:08x}"))
