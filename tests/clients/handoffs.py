"""The handoff of a walk: the authorization that it begins with, and what the simulated Collate shows at its end."""

import json
import time
from typing import Any, Final

from local.installation import http_here
from local.processes.patience import Patience

REPORTED: Final = "submitted"
_CLOSED_WITHIN_SECONDS: Final = 30.0


def waiting_authorization(collate_url: str) -> str:
    """Create an authorization that waits for a manual handoff with access, and return its id."""
    with http_here() as http:
        created = http.post(f"{collate_url}/_sim/authorizations", json={"count": 1}).raise_for_status()
    (authorization,) = created.json()["ids"]
    return str(authorization)


def check_at_collate(collate_url: str, authorization: str, output: str) -> None:
    """Compare what a walk printed with Collate's state. Raises AssertionError if the handoff is not closed by it.

    A walk prints one line of JSON: `handoffId`, `grantUrl`, `outcome`, `status` of the close, and `pointer`, the place
    of the error in a wrong report.
    """
    told = json.loads(output.strip().rpartition("\n")[2])
    handoff = _ended_handoff(collate_url, authorization)
    _expect("the handoff's id", told["handoffId"], handoff["id"])
    _expect("the result at Collate", handoff["result"], "completed_reported")
    _expect("the close", (told["status"], told["outcome"]), ("finished", "applied"))
    _expect("the pointer to the error", told["pointer"], "/result/reason")
    _expect("the origin of the grant's URL", told["grantUrl"].startswith(collate_url), True)


def _expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise AssertionError(f"{what} is {found!r}, expected {expected!r}")


def _ended_handoff(collate_url: str, authorization: str) -> dict[str, Any]:
    """Return the only handoff of the authorization. A handoff that is closing has no result yet, so wait for it."""
    patience = Patience(_CLOSED_WITHIN_SECONDS)
    with http_here() as http:
        while True:
            state = http.get(f"{collate_url}/_sim/authorizations/{authorization}").raise_for_status().json()
            (handoff,) = state["handoffs"]
            if handoff["result"] is not None or patience.is_over:
                return dict(handoff)
            time.sleep(patience.pause)
