"""One decision about all dead letters that match filters, in requests of up to 20.

Each request has the count and the digest of the dead letters that the operator saw. If the set has changed (409), it is
read again: the run continues if the operator saw each one that is left, and ends otherwise.
"""

import time
from collections.abc import Callable
from typing import Any

from gateway.cli.api_client import ApiClient, GatewayUnavailable, RequestRejected
from gateway.cli.dead_letters.decisions import ATTEMPTS, PAUSE_SECONDS, Decision
from gateway.cli.dead_letters.selection import Seen, read_matching
from gateway.cli.formatting import progress_bar

Json = dict[str, Any]
_CHANGED = "dead-letters-changed"
_MOST_CHANGES = 20
_PROBLEMS = {
    "no_authorization": "its record names no authorization; decide about it by its id",
    "not_redrivable": "its record cannot be parsed; only a discard is possible",
    "expired": "its record has passed the retention of the topic",
}


def decide_matching(gateway: ApiClient, seen: Seen, decision: Decision, report: Callable[[Json], None]) -> int:
    """Send the decision for all dead letters that the operator saw, report each, and return how many were rejected.

    Raises GatewayUnavailable if the gateway stays unavailable, RequestRejected if others match now.
    """
    run = _Run(gateway, seen, decision, report)
    with progress_bar(decision.verb, len(seen.dead_letters)) as advance:
        while run.is_unfinished:
            began = time.monotonic()
            decided = run.step()
            advance(run.done)
            if run.is_unfinished:
                time.sleep(max(0.0, began + decided / decision.per_second - time.monotonic()))
    return run.rejected


class _Run:
    """The state of one run: which part of the set is left, and what was reported."""

    def __init__(self, gateway: ApiClient, seen: Seen, decision: Decision, report: Callable[[Json], None]) -> None:
        self._gateway = gateway
        self._decision = decision
        self._report = report
        self._chosen_by = {name: value for name, value in (seen.chosen_by or {}).items() if value is not None}
        self._redrives = {one["commandId"]: one["redrive"] for one in seen.dead_letters}
        self._unreported = {one["commandId"]: one.get("authorizationId") for one in seen.dead_letters}
        self._remaining: Json = {"count": len(seen.dead_letters), "digest": seen.digest}
        self._changes = 0
        self.rejected = 0

    @property
    def is_unfinished(self) -> bool:
        """Whether dead letters are left to decide."""
        return bool(self._remaining["count"])

    @property
    def done(self) -> int:
        """The number of reported dead letters."""
        return len(self._redrives) - len(self._unreported)

    def step(self) -> int:
        """Send one request; return how many dead letters it decided."""
        try:
            response = self._send()
        except GatewayUnavailable as error:
            raise GatewayUnavailable(
                f"{error}. {self.done} of {len(self._redrives)} were sent; it is safe to run the same command again"
            ) from error
        except RequestRejected as rejection:
            if rejection.slug != _CHANGED:
                raise
            self._read_again()
            return 0
        for command_id in response["decided"]:
            self._report_once(command_id, {"result": "accepted"})
        for one in response["notDecided"]:
            problem = one["problem"]
            says = _PROBLEMS.get(problem, problem)
            self.rejected += self._report_once(one["commandId"], {"result": "refused", "reason": problem, "says": says})
        self._remaining = {"count": response["remaining"], "digest": response["digest"]}
        if "next" in response:
            self._remaining["after"] = response["next"]
        return len(response["decided"])

    def _send(self) -> Json:
        decision = self._decision
        optional = {"ticket": decision.ticket, "why": decision.why}
        body = {
            "decision": decision.verb,
            "operator": decision.operator,
            "reason": decision.reason,
            "selection": self._chosen_by,
            **self._remaining,
            **{name: value for name, value in optional.items() if value is not None},
        }
        for _ in range(ATTEMPTS - 1):
            try:
                response: Json = self._gateway.post("dead-letters", "decisions", body=body)
            except GatewayUnavailable as error:
                time.sleep(error.retry_after or PAUSE_SECONDS)
            else:
                return response
        last: Json = self._gateway.post("dead-letters", "decisions", body=body)
        return last

    def _read_again(self) -> None:
        """Continue with what is left, also with decided ones that have not ended: a repeat is the same decision."""
        self._changes += 1
        now = read_matching(self._gateway, self._chosen_by)
        is_known = all(self._redrives.get(one["commandId"]) == one["redrive"] for one in now.dead_letters)
        if not is_known or self._changes > _MOST_CHANGES:
            sent = f"{self.done} of {len(self._redrives)} decisions were sent, no other"
            raise RequestRejected(
                409, _CHANGED, f"dead letters match now that were not listed. {sent}. List them again, then decide"
            )
        left = {one["commandId"] for one in now.dead_letters}
        for command_id in [one for one in self._unreported if one not in left]:
            self._report_once(command_id, {"result": "ended", "says": "it is no dead letter any more"})
        self._remaining = {"count": len(now.dead_letters), "digest": now.digest}

    def _report_once(self, command_id: str, result: Json) -> bool:
        """Report a result once; return whether this is the first time."""
        if command_id not in self._unreported:
            return False
        authorization = self._unreported.pop(command_id)
        asked = {"commandId": command_id, "authorizationId": authorization, "asked": self._decision.verb}
        self._report(asked | result)
        return True
