"""What a redrive would do now: the worker's own table, asked about what Collate shows. Pure; nothing is sent.

The worker also knows what it remembers of the authorization, and Collate may move before it looks: this is a forecast.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError

from adapters.collate.operations import Operation
from consumers.applier.decide import AlreadyDone, Reject, RereadLater, Watch, Write, deciding_row, decision_of
from consumers.applier.decision_input import decision_input
from consumers.applier.reasons import WAITING, Reason
from consumers.applier.task import Asking
from consumers.authorization.facts import Observed
from consumers.authorization.observation import NotThere
from consumers.authorization.state import AuthorizationState
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import ManualHandoff
from schemas.commands import AuthorizationWatch, HandoffClose, HandoffRequest
from schemas.identity import canonical_json
from schemas.times import parse_time

Json = dict[str, Any]

# The worker's defaults; its own settings may say otherwise.
REQUEST_EXPIRY: Final = timedelta(hours=1)
KEY_RETENTION: Final = timedelta(hours=24)
_ASKING: Final[dict[str, type[Asking]]] = {
    model.TYPE.value: model for model in (HandoffRequest, HandoffClose, AuthorizationWatch)
}


@dataclass(frozen=True, slots=True)
class Prospect:
    """A verdict for programs (`write`, `already_done`, `rejected:reason`, …) and the same for a person."""

    verdict: str
    says: str


def prospect(letter: Json, now_at_collate: Json | None, now: datetime) -> Prospect:
    """Say what a redrive would do.

    Args:
        letter: a dead letter as the gateway shows it.
        now_at_collate: its situation; None if Collate knows no such authorization.
        now: the time.
    """
    asking = _asking(letter)
    if asking is None:
        return Prospect("not_redrivable", "The command can't be read: it can only be discarded.")
    if (expired := _expired(letter, asking, now)) is not None:
        return expired
    seen: Observed | NotThere = NotThere() if now_at_collate is None else _looked(now_at_collate)
    looked = decision_input(asking, seen, AuthorizationState(), doubt=False)
    row = deciding_row(looked)
    decided = _decided(decision_of(row, looked), row.when)
    return _after_what_was_sent(letter, decided, now)


def _decided(decision: Write | AlreadyDone | Watch | Reject | RereadLater, when: str) -> Prospect:
    match decision:
        case Write():
            return Prospect("write", "It would be sent to Collate: nothing there stands against it.")
        case AlreadyDone(handoff_id):
            at = f" ({handoff_id})" if handoff_id else ""
            return Prospect("already_done", f"Nothing would be sent, it is so already{at}: {when}.")
        case Watch():
            return Prospect("write", "The authorization would be followed; nothing is sent to Collate.")
        case Reject(reason):
            return Prospect(f"rejected:{reason.value}", f"It would be rejected: {when}. {reason.advice}")
        case RereadLater(wait):
            return Prospect(f"waiting:{wait.value}", f"It would wait: {when}. {WAITING[wait]}")


def _after_what_was_sent(letter: Json, decided: Prospect, now: datetime) -> Prospect:
    """What may have arrived is looked into before anything new is sent."""
    last: Json | None = letter["sent"][-1] if letter["sent"] else None
    if last is None or not last["mayHaveArrived"]:
        return decided
    which = f"Write {last['n']} ({last['operation']}) may have arrived"
    sent_at = last.get("firstSentAt")
    if "ended" not in last and sent_at is not None and now - parse_time(sent_at) < KEY_RETENTION:
        first = f"{which}: first that very request is sent again, which Collate answers as it did then. "
        return Prospect(f"resend,{decided.verdict}", f"{first}If it had no effect: {decided.says}")
    is_opening = last["operation"] == Operation.CREATE_HANDOFF and decided.verdict == "already_done"
    named = " The outcome may name no handoff: others may have changed the authorization as well." * is_opening
    again = " This sends it once more, although the first may have had an effect." * (decided.verdict == "write")
    return Prospect(decided.verdict, f"{which}; Collate shows what became of it. {decided.says}{named}{again}")


def _expired(letter: Json, asking: Asking, now: datetime) -> Prospect | None:
    if letter["sent"] or isinstance(asking, AuthorizationWatch):
        return None
    expires_at = asking.expires_at
    accepted = letter.get("acceptedAt")
    if expires_at is None and isinstance(asking, HandoffRequest) and accepted is not None:
        expires_at = parse_time(accepted) + REQUEST_EXPIRY
    if expires_at is None or now < expires_at:
        return None
    told = f"It would expire at once: nothing was sent by {expires_at:%Y-%m-%d %H:%M} UTC. {Reason.EXPIRED.advice}"
    return Prospect("expired", told)


def _asking(letter: Json) -> Asking | None:
    """Return the command without what people wrote: no decision depends on that."""
    asks, model = letter.get("asks"), _ASKING.get(letter.get("command") or "")
    if asks is None or model is None:
        return None
    result = asks.get("result")
    if isinstance(result, dict) and result.get("type") == "revoked":
        asks = asks | {"result": result | {"reason": "-"}}
    try:
        return model.from_record(canonical_json(asks))
    except ValidationError:
        return None


def _looked(now: Json) -> Observed:
    """Return the situation as if Collate itself had been asked."""
    action: Json | None = None
    if now.get("nextAction") is not None:
        action = {
            "type": now["nextAction"],
            "resolution": {"kind": now["resolution"]} if now.get("resolution") else None,
            "covers": {"reviewSnapshotId": now["coversReviewSnapshotId"]} if "coversReviewSnapshotId" in now else None,
        }
    snapshot = now.get("reviewSnapshotId")
    authorization: Json = {
        "id": now["authorizationId"],
        "version": now["version"],
        "status": now["status"],
        "outcome": now.get("outcome"),
        "nextAction": action,
        "submission": {"reviewSnapshot": {"id": snapshot, "status": now.get("reviewSnapshotStatus")}}
        if snapshot
        else None,
        "activeManualHandoff": {"id": now["activeHandoffId"]} if "activeHandoffId" in now else None,
    }
    handoff: Json = now.get("handoff") or {}
    is_read = "state" in handoff
    return Observed(
        PriorAuthorization.from_wire(canonical_json(authorization)),
        (ManualHandoff.from_wire(canonical_json({"version": 0} | handoff)),) if is_read else (),
        (handoff["id"],) if handoff and not is_read else (),
    )
