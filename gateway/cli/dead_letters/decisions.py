"""One decision about dead letters that the operator named: a request each, idempotent, at a limited rate."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from gateway.cli.api_client import ApiClient, GatewayUnavailable, RequestRejected
from gateway.cli.formatting import progress_bar

Json = dict[str, Any]
Verb = Literal["redrive", "discard"]
ATTEMPTS = 3
PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision, its operator and its reason. `wait_seconds` applies to a single dead letter."""

    verb: Verb
    operator: str
    reason: str
    ticket: str | None
    why: str | None
    per_second: float
    wait_seconds: int


def decide_each(
    gateway: ApiClient, dead_letters: list[Json], decision: Decision, report: Callable[[Json], None]
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


def _decide(gateway: ApiClient, dead_letter: Json, decision: Decision, wait_seconds: int) -> Json:
    command_id = dead_letter["commandId"]
    optional = {"ticket": decision.ticket, "why": decision.why}
    body = {"operator": decision.operator, "reason": decision.reason, "redrive": dead_letter["redrive"]} | {
        name: value for name, value in optional.items() if value is not None
    }
    result = {"commandId": command_id, "authorizationId": dead_letter.get("authorizationId"), "asked": decision.verb}
    for attempt in range(ATTEMPTS):
        try:
            response = gateway.post("dead-letters", command_id, decision.verb, body=body, wait_seconds=wait_seconds)
            break
        except RequestRejected as rejection:
            return result | {"result": "refused", "reason": rejection.slug, "says": str(rejection)}
        except GatewayUnavailable:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(PAUSE_SECONDS)
    if response["status"] == "finished":
        shown = ("outcome", "effect", "reason", "advice", "handoffId")
        return result | {"result": "finished"} | {name: response[name] for name in shown if name in response}
    if response["status"] == "dead_lettered":
        return result | {"result": "dead_lettered", "reason": response["cause"]}
    return result | {"result": "accepted"}
