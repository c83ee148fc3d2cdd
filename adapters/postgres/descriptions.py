"""An entry of a timeline as a sentence for people. Pure; made of public fields alone."""

import re
from collections.abc import Callable, Mapping
from typing import Any

Data = Mapping[str, Any]
MOST = 500


def sentence(kind: str, data: Data) -> str:
    """Say what an entry means; an unknown kind says its name."""
    say = _SENTENCES.get(kind)
    return (kind if say is None else " ".join(say(data).split()))[:MOST]


def _accepted(data: Data) -> str:
    what = _command(data)
    if (result := data.get("result")) is not None:
        told = result.get("reportedOutcome") or result.get("reason")
        what += f" as {result.get('type')}" + (f" ({told})" if told else "")
    return f"{data.get('caller')} asked: {what}{_of_handoff(data)}."


def _redrive(data: Data) -> str:
    return f"{data.get('requestedBy')} asked to try it again (redrive {data.get('redrive')}){_why(data)}."


def _discard(data: Data) -> str:
    return f"{data.get('requestedBy')} gave it up{_why(data)}."


def _why(data: Data) -> str:
    if data.get("reason") is None:
        return f"; why stands in the command's record {data.get('partition')}-{data.get('offset')}"
    return f": {data['reason']}" + (f", see {data['ticket']}" if data.get("ticket") else "")


def _attempt(data: Data) -> str:
    write = f" (write {data['write']})" if data.get("write") else ""
    answer = " ".join(str(data[name]) for name in ("status", "code") if data.get(name) is not None)
    quote = f", Collate's request {data['requestId']}" if data.get("requestId") else ""
    result = _RESULTS.get(str(data.get("result")), str(data.get("result")))
    if write and data.get("result") == "ambiguous":
        result += ", it may have been done"
    said = f"{result} ({answer})" if answer else result
    return f"Called {data.get('operation')}{write}: {said}, {data.get('ms')} ms{quote}."


_RESULTS = {
    "answered": "answered",
    "refused": "refused",
    "ambiguous": "no clear answer",
    "not_sent": "nothing was sent",
}


def _finished(data: Data) -> str:
    effect = {"ours": ", done by us", "inferred": ", as far as a read can tell"}.get(str(data.get("effect")), "")
    reason = f": {data['reason']}. {data.get('advice') or ''}" if data.get("reason") else ""
    redrive = f" (redrive {data['redrive']})" if data.get("redrive") else ""
    return f"{_command(data)}{redrive} ended as {data.get('outcome')}{effect}{_of_handoff(data)}{reason or '.'}"


def _waiting(data: Data) -> str:
    until = f" It is tried again at {_moment(data['until'])}." if data.get("until") else ""
    return f"{_command(data)} waits: {data.get('advice') or data.get('reason')}{until}"


def _dead(data: Data) -> str:
    return f"{_command(data)} could not be finished ({data.get('cause')}). {data.get('advice') or ''}"


def _conflict(data: Data) -> str:
    return f"{data.get('caller')} sent another body under a known key; the first one stands."


def _opened(data: Data) -> str:
    access = "a link can be had" if data.get("accessAvailable") else "no link can be had yet"
    return f"Handoff {data.get('handoffId')} is open: {access}{_version(data)}."


def _closed(data: Data) -> str:
    reported = f"; reported: {data['reported']}" if data.get("reported") else ""
    return (
        f"Handoff {data.get('handoffId')} ended as {data.get('result')}, by {data.get('by')}{reported}{_version(data)}."
    )


def _reconciled(data: Data) -> str:
    return f"Collate has looked: {_payer(data)}. {_agreement(data)}"


def _granted(data: Data) -> str:
    until = _moment(data.get("expiresAt"))
    return f"{data.get('operator')} was given a link into handoff {data.get('handoffId')}, until {until}."


def _at_risk(data: Data) -> str:
    ends = f" It may end at {_moment(data['endsAt'])}." if data.get("endsAt") else ""
    return f"Handoff {data.get('handoffId')} is at risk ({data.get('reason')}). {data.get('advice') or ''}{ends}"


def _changed(data: Data) -> str:
    seen = [word for name, word in (("receiptSeen", "receipt"), ("decisionSeen", "decision")) if data.get(name)]
    outcome = f" ({data['outcome']})" if data.get("outcome") else ""
    went = f"went from {data['from']} to" if data.get("from") else "is"
    return f"The authorization {went} {data.get('to')}{outcome}{_seen(seen)}{_version(data)}."


def _action(data: Data) -> str:
    covers = f"; review snapshot {data['coversReviewSnapshotId']} first" if data.get("coversReviewSnapshotId") else ""
    return f"Collate waits for somebody: {data.get('action')}{covers}{_version(data)}."


def _settled(data: Data) -> str:
    return f"Settled: {_payer(data)}. {_agreement(data)}"


def _watch_ended(data: Data) -> str:
    return f"We stopped following it ({data.get('reason')}); it was {data.get('status')}."


def _moment(time: object) -> str:
    """Return a time without fractions of a second."""
    return _FRACTION.sub("", str(time))


_FRACTION = re.compile(r"\.\d+(?=Z$)")


def _command(data: Data) -> str:
    type_ = str(data.get("command") or data.get("type") or "")
    return type_.removeprefix("collate-gateway.").rpartition(".")[0] or "a command"


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
        "no_report": "There was no report to compare with.",
    }.get(str(data.get("agreement")), f"What that says about the report ({reported or 'none known'}) is undetermined.")


_SENTENCES: Mapping[str, Callable[[Data], str]] = {
    "command.accepted": _accepted,
    "command.redrive_requested": _redrive,
    "command.discard_requested": _discard,
    "attempt": _attempt,
    "command.finished": _finished,
    "command.waiting": _waiting,
    "command.dead_lettered": _dead,
    "command.key_conflict": _conflict,
    "handoff.opened": _opened,
    "handoff.closed": _closed,
    "handoff.reconciled": _reconciled,
    "handoff.access_granted": _granted,
    "handoff.at_risk": _at_risk,
    "authorization.changed": _changed,
    "authorization.action_required": _action,
    "authorization.settled": _settled,
    "authorization.watch_ended": _watch_ended,
}
