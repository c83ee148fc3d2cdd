"""Descriptions of timeline entries in plain words, made from public fields only. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from schemas.callers import asserted_by
from schemas.enums import AssertedBy

Data = Mapping[str, Any]
_MAX_LENGTH = 500


def describe(kind: str, data: Data) -> str:
    """Describe an entry; the description of an unknown kind is its name."""
    description = _DESCRIPTIONS.get(kind)
    return (kind if description is None else " ".join(description(data).split()))[:_MAX_LENGTH]


def _accepted(data: Data) -> str:
    result = ""
    if (close := data.get("result")) is not None:
        detail = close.get("reportedOutcome") or close.get("reason")
        result = f": {close.get('type')}" + (f" ({detail})" if detail else "")
    handoff = f" for handoff {data['handoffId']}" if data.get("handoffId") else ""
    due = f", due at {_moment(data['dueAt'])}" if data.get("dueAt") else ""
    people = "" if asserted_by(str(data.get("caller"))) is AssertedBy.PERSON else _people(data)
    return f"{data.get('caller')} sent {_command(data)}{handoff}{result}{due}{people}."


def _redrive(data: Data) -> str:
    asked = f"{data.get('requestedBy')} requested redrive {data.get('redrive')}"
    return f"{asked}{_through(data)}{_reason(data)}.{_overtaken(data)}"


def _discard(data: Data) -> str:
    number = f" of number {data['redrive']}" if "redrive" in data else ""
    return f"{data.get('requestedBy')} requested a discard{number}{_through(data)}{_reason(data)}.{_overtaken(data)}"


def _overtaken(data: Data) -> str:
    by = data.get("overtakenBy")
    return f" Redrive {by} was requested before, so this decision ends nothing: number {by} counts." if by else ""


def _people(data: Data) -> str:
    """Name the members of staff, once if they are the same."""
    verbs: dict[str, list[str]] = {}
    for field, verb in (("requestedBy", "requested"), ("acceptedBy", "accepted"), ("reportedBy", "reported")):
        if data.get(field):
            verbs.setdefault(data[field], []).append(verb)
    return "".join(f", {' and '.join(did)} by {name}" for name, did in verbs.items())


def _through(data: Data) -> str:
    """Name the authenticated caller, if there is one: a service, or the person."""
    if not (caller := data.get("caller")):
        return ""
    return f" (signed in as {caller})" if asserted_by(caller) is AssertedBy.PERSON else f" through {caller}"


def _reason(data: Data) -> str:
    return f": {data.get('reason')}" + (f", ticket {data['ticket']}" if data.get("ticket") else "")


def _attempt(data: Data) -> str:
    write = f" (write {data['write']})" if data.get("write") else ""
    response = " ".join(str(data[name]) for name in ("status", "code") if data.get(name) is not None)
    request = f", request id {data['requestId']}" if data.get("requestId") else ""
    result = _RESULTS.get(str(data.get("result")), str(data.get("result")))
    if write and data.get("result") == "ambiguous":
        result += ", the write may have happened"
    outcome = f"{result} ({response})" if response else result
    return f"Called {data.get('operation')}{write}: {outcome}, {data.get('ms')} ms{request}."


_RESULTS = {
    "answered": "succeeded",
    "refused": "rejected",
    "ambiguous": "no definite response",
    "not_sent": "not sent",
}


def _finished(data: Data) -> str:
    effect = _EFFECTS.get(str(data.get("effect")), "")
    reason = f": {data['reason']}. {data.get('advice') or ''}" if data.get("reason") else ""
    return f"{_run(data)} ended as {data.get('outcome')}{effect}{_of_handoff(data)}{reason or '.'}"


_EFFECTS = {
    "ours": ", written by the gateway",
    "inferred": ", inferred from a read",
    "unknown": "; a write may have changed Collate",
}


def _waiting(data: Data) -> str:
    until = f" Next try at {_moment(data['until'])}." if data.get("until") else ""
    return f"{_command(data)} waits: {data.get('advice') or data.get('reason')}{until}"


def _dead_lettered(data: Data) -> str:
    return f"{_run(data)} became a dead letter ({data.get('cause')}). {data.get('advice') or ''}"


def _key_conflict(data: Data) -> str:
    return f"{data.get('caller')} sent a different body with a used idempotency key. The first body counts."


def _opened(data: Data) -> str:
    access = "access is available" if data.get("accessAvailable") else "access is not available yet"
    return f"Handoff {data.get('handoffId')} is open: {access}{_people(data)}{_version(data)}."


def _closed(data: Data) -> str:
    by = {"us": "the gateway", "other": "another actor", "loss": "loss of the session"}.get(
        str(data.get("by")), data.get("by")
    )
    person = f" by {data['reportedBy']}" if data.get("reportedBy") else ""
    reported = f"; reported: {data['reported']}{person}" if data.get("reported") else ""
    closed = f" at {_moment(data['closedAt'])}" if data.get("closedAt") else ""
    how = f"{data.get('result')}, by {by}{reported}"
    return f"Handoff {data.get('handoffId')} is closed{closed}: {how}{_version(data)}."


def _reconciled(data: Data) -> str:
    return f"Reconciled: {_payer(data)}. {_agreement(data)}"


def _access_granted(data: Data) -> str:
    until = _moment(data.get("expiresAt"))
    handoff = data.get("handoffId")
    unchecked = " Whether another person had it in hand was not known." if data.get("claimCheck") == "skipped" else ""
    return f"{data.get('operator')} received access to handoff {handoff}{_through(data)} until {until}.{unchecked}"


def _access_changed(data: Data) -> str:
    access = "access is available" if data.get("accessAvailable") else "access is not available"
    state = "is closing: " if data.get("state") == "closing" else "has changed: "
    submit = "" if data.get("finalSubmitCapable") else ", without the final submission"
    return f"Handoff {data.get('handoffId')} {state}{access}{submit}{_version(data)}."


def _claimed(data: Data) -> str:
    before = f", taken over from {data['takenOverFrom']}" if data.get("takenOverFrom") else ""
    return f"{data.get('by')} has handoff {data.get('handoffId')} in hand{before}{_through(data)}."


def _released(data: Data) -> str:
    return f"{data.get('by')} gave handoff {data.get('handoffId')} back{_through(data)}."


def _at_risk(data: Data) -> str:
    ends = f" The handoff may end at {_moment(data['endsAt'])}." if data.get("endsAt") else ""
    return f"Handoff {data.get('handoffId')} is at risk ({data.get('reason')}). {data.get('advice') or ''}{ends}"


def _changed(data: Data) -> str:
    seen = [word for name, word in (("receiptSeen", "receipt"), ("decisionSeen", "decision")) if data.get(name)]
    outcome = f" ({data['outcome']})" if data.get("outcome") else ""
    if data.get("from") == data.get("to"):
        change = "has changed and is still"
    else:
        change = f"changed from {data['from']} to" if data.get("from") else "is"
    return f"The authorization {change} {data.get('to')}{outcome}{_seen(seen)}{_version(data)}."


def _action_required(data: Data) -> str:
    covers = f"; review snapshot {data['coversReviewSnapshotId']} first" if data.get("coversReviewSnapshotId") else ""
    payer = f"; payer {data['payerId']}" if data.get("payerId") else ""
    return f"Collate waits for a person: {data.get('action')}{covers}{payer}{_version(data)}."


def _overdue(data: Data) -> str:
    return f"Overdue: due at {_moment(data.get('dueAt'))}, and still {data.get('status')}{_version(data)}."


def _settled(data: Data) -> str:
    in_time = ""
    if "inTime" in data:
        in_time = " In time." if data["inTime"] else f" After the due date {_moment(data.get('dueAt'))}."
    return f"Settled: {_payer(data)}. {_agreement(data)}{in_time}"


def _watch_ended(data: Data) -> str:
    return f"The watch ended ({data.get('reason')}). The last known status is {data.get('status')}."


def _recent_commands_emptied(data: Data) -> str:
    decision = data.get("decision") or {}
    whose = data.get("ofCaller") or "all callers"
    asked = f"{decision.get('requestedBy')}{_through(data)}: {decision.get('reason')}"
    return f"The gateway forgot {data.get('emptied')} recent commands of {whose}, at the request of {asked}."


def _version_floor_lowered(data: Data) -> str:
    decision = data.get("decision") or {}
    asked = f"{decision.get('requestedBy')}{_through(data)}: {decision.get('reason')}"
    lowered = f"from {data.get('fromVersion')} to {data.get('toVersion')}"
    return f"The gateway accepts lower versions, {lowered}, at the request of {asked}."


def _content_read(data: Data) -> str:
    content = str(data.get("content")).replace("_", " ")
    named = next((f" {data[name]}" for name in ("reviewSnapshotId", "ofCommand") if data.get(name)), "")
    if (operator := data.get("operator")) is None:
        return f"{data.get('caller')} read the {content}{named}."
    return f"{operator} read the {content}{named}{_through(data)}."


def _moment(time: object) -> str:
    """Return a time without fractions of a second."""
    return _FRACTION.sub("", str(time))


_FRACTION = re.compile(r"\.\d+(?=Z$)")


def _command(data: Data) -> str:
    type_ = str(data.get("command") or data.get("type") or "")
    return type_.removeprefix("collate-gateway.").rpartition(".")[0] or "a command"


def _run(data: Data) -> str:
    return _command(data) + (f" (redrive {data['redrive']})" if data.get("redrive") else "")


def _of_handoff(data: Data) -> str:
    return f", handoff {data['handoffId']}" if data.get("handoffId") else ""


def _version(data: Data) -> str:
    return f", version {data['version']}" if data.get("version") is not None else ""


def _seen(words: list[str]) -> str:
    return f", {' and '.join(words)} seen" if words else ""


def _payer(data: Data) -> str:
    payer: Mapping[str, Any] = data.get("payer") or {}
    seen = [word for name, word in (("receiptSeen", "receipt"), ("decisionSeen", "decision")) if payer.get(name)]
    outcome = f" ({payer['outcome']})" if payer.get("outcome") else ""
    return f"the authorization is {payer.get('status')}{outcome}{_seen(seen)}"


def _agreement(data: Data) -> str:
    reported = data.get("reported")
    return {
        "agrees": f"The report ({reported}) agrees with the payer's truth.",
        "contradicts": f"The report ({reported}) contradicts the payer's truth.",
        "no_report": "There is no report to compare.",
    }.get(str(data.get("agreement")), f"Whether the report ({reported or 'unknown'}) agrees is undetermined.")


_DESCRIPTIONS: Mapping[str, Callable[[Data], str]] = {
    "command.accepted": _accepted,
    "command.redrive_requested": _redrive,
    "command.discard_requested": _discard,
    "attempt": _attempt,
    "command.finished": _finished,
    "command.waiting": _waiting,
    "command.dead_lettered": _dead_lettered,
    "command.key_conflict": _key_conflict,
    "handoff.opened": _opened,
    "handoff.closed": _closed,
    "handoff.reconciled": _reconciled,
    "handoff.access_granted": _access_granted,
    "handoff.access_changed": _access_changed,
    "handoff.claimed": _claimed,
    "handoff.released": _released,
    "handoff.at_risk": _at_risk,
    "authorization.changed": _changed,
    "authorization.action_required": _action_required,
    "authorization.overdue": _overdue,
    "authorization.settled": _settled,
    "authorization.watch_ended": _watch_ended,
    "authorization.recent_commands_emptied": _recent_commands_emptied,
    "authorization.content_read": _content_read,
    "authorization.version_floor_lowered": _version_floor_lowered,
}
