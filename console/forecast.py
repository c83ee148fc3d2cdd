"""The forecast of a redrive: the worker's own table, applied to what Collate shows now. Pure; nothing is sent.

It is a forecast: the worker also has its stored state, and Collate may change before the worker reads.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import ValidationError

from adapters.collate.operations import Operation
from collate_gateway_client import models
from consumers.applier.dead_letters import UNRESOLVED
from consumers.applier.decision.decide import AlreadyDone, Reject, RereadLater, Watch, Write, deciding_row, decision_of
from consumers.applier.decision.decision_input import DecisionInput
from consumers.applier.task import REQUEST_EXPIRY
from consumers.authorization.facts import Observed
from consumers.authorization.observation import MissingAuthorization
from consumers.authorization.state import AuthorizationState
from runtime.settings import CollateSettings
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import ManualHandoff
from schemas.commands import CALLER_COMMANDS, AuthorizationWatch, CallerCommand, HandoffRequest
from schemas.events.reasons import OutcomeReason
from schemas.events.wait_reasons import STALE_READ_SECONDS
from schemas.identity import canonical_json
from schemas.sentences import in_words
from schemas.times import parse_time

# The default: no answer of the API tells the worker's setting.
_KEY_RETENTION: Final[timedelta] = CollateSettings.model_fields["key_retention"].default


@dataclass(frozen=True, slots=True)
class Forecast:
    """The expected result: a verdict for programs, such as `rejected:reason`, and a sentence for people."""

    verdict: str
    sentence: str


def forecast_without_situation(dead_letter: models.DeadLetterDetail, now: datetime) -> Forecast | None:
    """Return the expected result of a redrive; None if it depends on the state at Collate."""
    payload = _payload(dead_letter)
    return _not_redrivable(dead_letter) if payload is None else _expired(dead_letter, payload, now)


def forecast(
    dead_letter: models.DeadLetterDetail, situation: models.DeadLetterSituation | None, now: datetime
) -> Forecast:
    """Return the expected result of a redrive. `situation` is None if Collate does not find the authorization."""
    payload = _payload(dead_letter)
    if payload is None:
        return _not_redrivable(dead_letter)
    if (expired := _expired(dead_letter, payload, now)) is not None:
        return expired
    observation: Observed | MissingAuthorization = (
        MissingAuthorization() if situation is None else _observation(situation)
    )
    decision_input = DecisionInput.of(payload, observation, AuthorizationState(), waited_seconds=STALE_READ_SECONDS)
    row = deciding_row(decision_input)
    decided = _decided(decision_of(row, decision_input), in_words(row.when))
    return _after_writes(dead_letter, decided, now)


def forecast_of_discard(dead_letter: models.DeadLetterDetail) -> Forecast:
    """Return the expected result of a discard."""
    if dead_letter["cause"] in UNRESOLVED or any(write["mayHaveArrived"] for write in dead_letter["sent"]):
        return Forecast(
            "discarded",
            "The command would end as discarded, effect unknown: a write may have changed Collate; check Collate "
            "first.",
        )
    return Forecast("discarded", "The command would end as discarded; it changed nothing at Collate.")


def _not_redrivable(dead_letter: models.DeadLetterDetail) -> Forecast:
    if "authorizationId" not in dead_letter:
        return Forecast("not_redrivable", "The record names no authorization: nothing can be decided.")
    return Forecast("not_redrivable", "The command is unreadable: it can only be discarded.")


def _decided(decision: Write | AlreadyDone | Watch | Reject | RereadLater, when: str) -> Forecast:
    match decision:
        case Write():
            return Forecast("write", "The command would be sent to Collate: its current state allows it.")
        case AlreadyDone(handoff_id):
            at = f" ({handoff_id})" if handoff_id else ""
            return Forecast(
                "already_done", f"Nothing would be sent, the authorization is already in this state{at}: {when}."
            )
        case Watch():
            return Forecast("write", "The authorization would be watched; nothing would be sent to Collate.")
        case Reject(reason):
            return Forecast(f"rejected:{reason.value}", f"The command would be rejected: {when}. {reason.for_people}")
        case RereadLater(reason):
            return Forecast(f"waiting:{reason.value}", f"The command would wait: {when}. {reason.advice}")


def _after_writes(dead_letter: models.DeadLetterDetail, decided: Forecast, now: datetime) -> Forecast:
    """Return the result after the earlier writes: a write that may have arrived is resolved before a new write."""
    last = dead_letter["sent"][-1] if dead_letter["sent"] else None
    if last is None or not last["mayHaveArrived"]:
        return decided
    write = f"Write {last['n']} ({last['operation']}) may have arrived"
    sent_at = last.get("firstSentAt")
    if "ended" not in last and sent_at is not None and now - parse_time(sent_at) < _KEY_RETENTION:
        resend = f"{write}: the same request is sent again first, and Collate repeats its response. "
        return Forecast(f"resend,{decided.verdict}", f"{resend}If it had no effect: {decided.sentence}")
    is_opening = last["operation"] == Operation.CREATE_HANDOFF and decided.verdict == "already_done"
    unnamed = " The outcome may name no handoff: another actor may have changed the authorization too." * is_opening
    is_write = decided.verdict == "write"
    again = " The redrive sends the write once more, although the first may have had an effect." * is_write
    return Forecast(
        decided.verdict, f"{write}; a read shows whether it had an effect. {decided.sentence}{unnamed}{again}"
    )


def _expired(dead_letter: models.DeadLetterDetail, payload: CallerCommand, now: datetime) -> Forecast | None:
    if dead_letter["sent"] or isinstance(payload, AuthorizationWatch):
        return None
    expires_at = payload.expires_at
    accepted = dead_letter.get("acceptedAt")
    if expires_at is None and isinstance(payload, HandoffRequest) and accepted is not None:
        expires_at = parse_time(accepted) + REQUEST_EXPIRY
    if expires_at is None or now < expires_at:
        return None
    sentence = (
        f"The command would expire: its deadline was {expires_at:%Y-%m-%d %H:%M} UTC. {OutcomeReason.EXPIRED.advice}"
    )
    return Forecast("expired", sentence)


def _payload(dead_letter: models.DeadLetterDetail) -> CallerCommand | None:
    """Return the payload without free text, which no decision reads; None if the API refuses a redrive."""
    if not dead_letter["canRedrive"]:
        return None
    body, model = dead_letter.get("asks"), CALLER_COMMANDS.get(dead_letter.get("command") or "")
    if body is None or model is None:
        return None
    result = body.get("result")
    if isinstance(result, dict) and result.get("type") == "revoked":
        body = body | {"result": result | {"reason": "-"}}
    try:
        return model.from_record(canonical_json(body))
    except ValidationError:
        return None


def _observation(situation: models.DeadLetterSituation) -> Observed:
    """Return the observation that a read of Collate would give."""
    action: dict[str, object] | None = None
    if situation.get("nextAction") is not None:
        action = {
            "type": situation["nextAction"],
            "resolution": {"kind": situation["resolution"]} if situation.get("resolution") else None,
            "covers": {"reviewSnapshotId": situation["coversReviewSnapshotId"]}
            if "coversReviewSnapshotId" in situation
            else None,
        }
    snapshot = situation.get("reviewSnapshotId")
    authorization = {
        "id": situation["authorizationId"],
        "version": situation["version"],
        "status": situation["status"],
        "outcome": situation.get("outcome"),
        "nextAction": action,
        "submission": {"reviewSnapshot": {"id": snapshot, "status": situation.get("reviewSnapshotStatus")}}
        if snapshot
        else None,
        "activeManualHandoff": {"id": situation["activeHandoffId"]} if "activeHandoffId" in situation else None,
    }
    observed = PriorAuthorization.from_wire(canonical_json(authorization))
    handoff = situation.get("handoff")
    if handoff is None:
        return Observed(observed)
    if "state" not in handoff:
        return Observed(observed, missing=(handoff["id"],))
    return Observed(observed, (ManualHandoff.from_wire(canonical_json({"version": 0, **handoff})),))
