"""One decision about all dead letters that match filters, in requests of up to 20.

Each request has the count and the digest of the dead letters that the operator saw. If the set has changed (409), it is
read again: the run continues if the operator saw each one that is left, and ends otherwise.
"""

import time
from collections.abc import Callable
from typing import Final, cast

from cli.api_client import ApiClient, GatewayUnavailable, RequestRejected, models, operations
from cli.dead_letters.decisions import Decision, DecisionResult, ResultKind, new_result
from cli.dead_letters.selection import Matching, read_matching
from cli.formatting import progress_bar

_CHANGED: Final = "dead-letters-changed"
_MOST_CHANGES: Final = 20
_PROBLEMS: Final = {
    "no_authorization": "its record names no authorization; decide about it by its id",
    "not_redrivable": "its record cannot be parsed; only a discard is possible",
    "expired": "its record has passed the retention of the topic",
}


def decide_matching(
    gateway: ApiClient, seen: Matching, decision: Decision, report: Callable[[DecisionResult], None]
) -> int:
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
    """The state of one run: the next request, which has what is left of the set, and what was reported."""

    def __init__(
        self, gateway: ApiClient, seen: Matching, decision: Decision, report: Callable[[DecisionResult], None]
    ) -> None:
        self._gateway = gateway
        self._filters = seen.filters
        self._report = report
        self._redrives = {letter["commandId"]: letter["redrive"] for letter in seen.dead_letters}
        self._unreported = {letter["commandId"]: letter for letter in seen.dead_letters}
        self._changes = 0
        self.rejected = 0
        self._next: models.DeadLetterDecisions = {
            "decision": decision.verb,
            "operator": decision.operator,
            "reason": decision.reason,
            "ticket": decision.ticket,
            "why": decision.why,
            "selection": cast("models.DeadLetterSelection", seen.filters),
            "count": len(seen.dead_letters),
            "digest": seen.digest,
        }

    @property
    def is_unfinished(self) -> bool:
        """Whether dead letters are left to decide."""
        return bool(self._next["count"])

    @property
    def done(self) -> int:
        """The number of reported dead letters."""
        return len(self._redrives) - len(self._unreported)

    def step(self) -> int:
        """Send one request; return how many dead letters it decided."""
        try:
            answer = self._gateway.send(operations.decide_dead_letters(self._next))
        except GatewayUnavailable as error:
            raise GatewayUnavailable(
                f"{error}. {self.done} of {len(self._redrives)} were sent; it is safe to run the same command again"
            ) from error
        except RequestRejected as rejection:
            if rejection.slug != _CHANGED:
                raise
            self._read_again()
            return 0
        for command_id in answer["decided"]:
            self._report_once(command_id, "accepted")
        for kept in answer["notDecided"]:
            problem = kept["problem"]
            self.rejected += self._report_once(kept["commandId"], "refused", _PROBLEMS.get(problem, problem), problem)
        self._continue(answer["remaining"], answer["digest"], answer.get("next"))
        return len(answer["decided"])

    def _continue(self, count: int, digest: str, after: str | None = None) -> None:
        self._next |= {"count": count, "digest": digest, "after": after}

    def _read_again(self) -> None:
        """Continue with what is left, also with decided ones that have not ended: a repeat is the same decision."""
        self._changes += 1
        now = read_matching(self._gateway, self._filters)
        is_known = all(self._redrives.get(letter["commandId"]) == letter["redrive"] for letter in now.dead_letters)
        if not is_known or self._changes > _MOST_CHANGES:
            sent = f"{self.done} of {len(self._redrives)} decisions were sent, no other"
            raise RequestRejected(
                _CHANGED, f"409: dead letters match now that were not listed. {sent}. List them again, then decide"
            )
        left = {letter["commandId"] for letter in now.dead_letters}
        for command_id in [listed for listed in self._unreported if listed not in left]:
            self._report_once(command_id, "ended", "it is no dead letter any more")
        self._continue(len(now.dead_letters), now.digest)

    def _report_once(
        self, command_id: str, result: ResultKind, says: str | None = None, reason: str | None = None
    ) -> bool:
        """Report a result once; return whether this is the first time."""
        dead_letter = self._unreported.pop(command_id, None)
        if dead_letter is not None:
            self._report(new_result(dead_letter, self._next["decision"], result, says=says, reason=reason))
        return dead_letter is not None
