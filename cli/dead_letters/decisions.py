"""One decision about dead letters that the operator named: a request each, idempotent, at a limited rate."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, Literal, NotRequired, TypedDict, cast

from cli.api_client import (
    SECONDS,
    ApiClient,
    GatewayUnavailable,
    RequestRejected,
    RetryPolicy,
    models,
    operations,
)
from cli.formatting import progress_bar

Verb = Literal["redrive", "discard"]
ResultKind = Literal["finished", "accepted", "dead_lettered", "refused", "ended"]
DeadLetter = models.DeadLetterSummary | models.DeadLetterDetail
_OF_AN_OUTCOME: Final = frozenset({"outcome", "effect", "reason", "advice", "handoffId"})
# A decision is safe to repeat. Two tries that hang, or more that fail at once.
RETRIES: Final = RetryPolicy(deadline_seconds=2 * SECONDS, attempt_seconds=SECONDS, first_pause_seconds=2.0)


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision, its operator and its reason.

    `wait_seconds` and `number` apply to a single dead letter; without a number the decision is about the one just read.
    """

    verb: Verb
    operator: str
    reason: models.DecisionReason
    ticket: str | None
    why: str | None
    per_second: float
    wait_seconds: int
    number: int | None = None


class DecisionResult(TypedDict):
    """What became of a decision about one dead letter, as --json prints it."""

    commandId: str
    authorizationId: str | None
    asked: Verb
    result: ResultKind
    says: NotRequired[str]
    outcome: NotRequired[models.Outcome]
    effect: NotRequired[models.Effect]
    reason: NotRequired[str]
    advice: NotRequired[str]
    handoffId: NotRequired[str]


class AtCollate(TypedDict):
    """What a forecast shows of the authorization."""

    version: int
    status: str
    nextAction: NotRequired[str]
    handoff: NotRequired[models.HandoffNow]


class DryRunResult(TypedDict):
    """The forecast for one dead letter, as --json prints it. `atCollate` is null if Collate does not find it."""

    commandId: str
    authorizationId: str | None
    cause: str
    verdict: str
    says: str
    atCollate: NotRequired[AtCollate | None]


def decide_each(
    gateway: ApiClient,
    dead_letters: Collection[DeadLetter],
    decision: Decision,
    report: Callable[[DecisionResult], None],
) -> int:
    """Send the decision for each dead letter, report each result, and return how many were rejected.

    Raises GatewayUnavailable if the gateway stays unavailable.
    """
    rejected = done = 0
    started = time.monotonic()
    wait_seconds = decision.wait_seconds if len(dead_letters) == 1 else 0
    with progress_bar(decision.verb, len(dead_letters)) as advance:
        for number, dead_letter in enumerate(dead_letters):
            time.sleep(max(0.0, started + number / decision.per_second - time.monotonic()))
            try:
                result = _decide(gateway, dead_letter, decision, wait_seconds)
            except GatewayUnavailable as error:
                raise GatewayUnavailable(
                    f"{error}. {done} of {len(dead_letters)} were sent; it is safe to run the same command again"
                ) from error
            rejected += result["result"] == "refused"
            done += 1
            report(result)
            advance(done)
    return rejected


def new_result(
    dead_letter: DeadLetter, verb: Verb, kind: ResultKind, *, says: str | None = None, reason: str | None = None
) -> DecisionResult:
    """Return the result of a decision about a dead letter."""
    result: DecisionResult = {
        "commandId": dead_letter["commandId"],
        "authorizationId": dead_letter.get("authorizationId"),
        "asked": verb,
        "result": kind,
    }
    if reason is not None:
        result["reason"] = reason
    if says is not None:
        result["says"] = says
    return result


def _decide(gateway: ApiClient, dead_letter: DeadLetter, decision: Decision, wait_seconds: int) -> DecisionResult:
    body: models.DeadLetterDecision = {
        "operator": decision.operator,
        "reason": decision.reason,
        "ticket": decision.ticket,
        "why": decision.why,
        "redrive": dead_letter["redrive"] if decision.number is None else decision.number,
    }
    call = operations.redrive_dead_letter if decision.verb == "redrive" else operations.discard_dead_letter
    try:
        answer = gateway.send(call(dead_letter["commandId"], body), wait_seconds)
    except RequestRejected as rejection:
        return new_result(dead_letter, decision.verb, "refused", says=str(rejection), reason=rejection.slug)
    result = new_result(dead_letter, decision.verb, answer["status"])
    if answer["status"] == "finished":
        shown = {name: value for name, value in answer.items() if name in _OF_AN_OUTCOME}
        return cast("DecisionResult", {**result, **shown})
    if "cause" in answer:
        result["reason"] = answer["cause"]
    return result
