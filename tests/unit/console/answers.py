"""Answers of the API for the pages: an installation in trouble, one at rest, and one that does not answer.

All times count back from NOW of `app.py`.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import httpx

from schemas.published import read
from schemas.times import format_time
from tests.unit.console.app import NOW, STAFF, me

Json = dict[str, Any]
LONG_ID = "auth_" + "01J9ZQ7M3V8W5K2T4R6Y0N1B3C5D7F9H" * 3
COMMAND = "0a5d6a3c-6a9e-5b0d-8a6e-2f6a4f0f9d11"
LIMITS = {"requestsPerSecond": 50.0, "burst": 100, "streams": 4, "waitingRequests": 16, "unfinishedCommands": 32}


def ago(**units: float) -> str:
    """Return a time before NOW, as the API writes it."""
    return format_time(NOW - timedelta(**units))


def command(number: int, **fields: Any) -> Json:
    return {
        "commandId": f"{number:08x}-6a9e-5b0d-8a6e-2f6a4f0f9d11",
        "authorizationId": f"auth_7Q2M{number:03d}",
        "type": "collate-gateway.handoff.close.v1",
        "caller": "intake",
        "status": "waiting",
        "acceptedAt": ago(minutes=6, seconds=number),
    } | fields


BREAKER = {
    "reason": "breaker",
    "advice": "Collate fails on all calls; the next attempt follows when Collate responds again.",
    "until": ago(seconds=-65),
}
CLOSING = {"reason": "closing", "advice": "Collate is closing the handoff.", "until": ago(seconds=-9)}


def history() -> list[Json]:
    counts = [(3 + (n * 7) % 11, 2 + (n * 5) % 9 if n < 52 else 1) for n in range(60)]
    return [
        {"at": ago(minutes=59 - n), "accepted": accepted, "finished": finished}
        for n, (accepted, finished) in enumerate(counts)
    ]


def overview(**fields: Any) -> Json:
    return {
        "at": ago(),
        "unfinished": {"accepted": 2},
        "waiting": {},
        "oldest": [],
        "deadLetters": [],
        "lastMinute": {"accepted": 12, "finished": 11, "events": 40, "attempts": 31},
        "activeHandoffs": 7,
        "work": {
            "person": 12,
            "contradicted": 1,
            "waitingSince": ago(minutes=31),
            "atRisk": 0,
            "overdue": 3,
            "closedToday": 9,
            "agreedToday": 5,
            "claims": [
                {"caller": "people:jo.miller", "by": "jo.miller", "handoffs": 2},
                {"caller": "people:sam.ng", "by": "sam.ng", "handoffs": 1},
            ],
        },
        "history": history(),
        "projector": {"at": ago(seconds=1), "behind": 0},
    } | fields


TURNED_AWAY = {
    "payerId": "payer_example",
    "reason": "credential_or_mfa_issue",
    "handoffs": 4,
    "since": ago(minutes=50),
    "lastSubmittedAt": ago(hours=3),
}


def overview_in_trouble() -> Json:
    return overview(
        unfinished={"accepted": 2, "waiting": 41, "dead_lettered": 2},
        waiting={"closing": 3, "breaker": 38},
        work=overview()["work"] | {"waitingSince": ago(hours=5), "atRisk": 1},
        oldest=[
            command(1, authorizationId=LONG_ID, waiting=BREAKER),
            command(2, waiting=BREAKER),
            command(
                3, waiting=CLOSING, type="collate-gateway.handoff.request.v1", acceptedAt=ago(minutes=2, seconds=5)
            ),
            command(4, status="accepted", acceptedAt=ago(seconds=3)),
        ],
        deadLetters=[
            command(
                9,
                status="dead_lettered",
                acceptedAt=ago(hours=5),
                waiting={"reason": "outcome_unknown", "advice": "Check at Collate whether a handoff was opened."},
            )
        ],
        fullCallers=[
            {"authorizationId": "auth_busy", "caller": "scheduling", "rejected": 31, "lastAt": ago(seconds=4)}
        ],
        webhooks={
            "subscriptions": [
                webhook("billing", state="down", oldestSeconds=312.0, undelivered=17),
                webhook("reporting", lastAnswer=None),
            ],
            "unreachable": 1,
        },
    )


def webhook(name: str, **fields: Any) -> Json:
    return {
        "name": name,
        "url": f"https://hooks.{name}.example",
        "state": "delivering",
        "oldestSeconds": 0.0,
        "undelivered": 0,
        "lastAnswer": {"result": "status_5xx", "status": 503, "agoSeconds": 12.3},
        "delivered": 4021,
        "deadLetters": 0,
    } | fields


def handoff(authorization_id: str, **fields: Any) -> Json:
    return {
        "authorizationId": authorization_id,
        "handoffId": f"mhand_{authorization_id[5:13]}",
        "state": "active",
        "openedAt": ago(minutes=11),
        "accessAvailable": True,
        "finalSubmitCapable": True,
        "grants": 1,
    } | fields


def claim(name: str, **since: float) -> Json:
    return {"by": name, "caller": f"people:{name}", "since": ago(**since)}


def item(authorization_id: str, **fields: Any) -> Json:
    return {
        "authorizationId": authorization_id,
        "sequence": 4,
        "version": 3,
        "status": "requires_action",
        "nextAction": "complete_payer_interaction",
        "resolution": "manual_handoff",
        "payerId": "payer_example",
        "receiptSeen": False,
        "decisionSeen": False,
        "watchedSince": ago(hours=3),
        "updatedAt": ago(minutes=2),
        "waitingSince": ago(minutes=31),
        "actionRequiredAt": ago(minutes=31),
    } | fields


def open_item(authorization_id: str, **of_handoff: Any) -> Json:
    handoff_ = handoff(authorization_id, **of_handoff)
    return item(authorization_id, waitingSince=ago(minutes=11), handoff=handoff_) | {"actionRequiredAt": None}


def work() -> Json:
    return {
        "authorizations": [
            item(LONG_ID, coversReviewSnapshotId="rev_90", waitingSince=ago(hours=5)),
            open_item(
                "auth_7Q2M0001",
                claim=claim("jo.miller", minutes=10),
                lastGrant={"operator": "jo.miller", "caller": "people:jo.miller", "expiresAt": ago(seconds=-56)},
            ),
            item("auth_7Q2M0002", coversReviewSnapshotId="rev_91"),
            open_item(
                "auth_7Q2M0003",
                claim=claim("sam.okafor-lindqvist", minutes=25),
                lastGrant={"operator": "sam.okafor-lindqvist", "expiresAt": ago(minutes=4)},
                risk={"reason": "not_entered", "endsAt": ago(minutes=-3)},
            ),
            item("auth_7Q2M0004", payerId=None, waitingSince=ago(seconds=40)),
            open_item("auth_7Q2M0005", request={"caller": "intake", "requestedBy": "kim"}, grants=0),
        ],
        "next": None,
    }


def closed() -> Json:
    return {
        "handoffs": [
            handoff(
                "auth_7Q2M0011",
                state="reconciled",
                closedAt=ago(minutes=3),
                result="completed_reported",
                closedBy="us",
                reported="submitted",
                report={"caller": "people:jo.miller", "reportedBy": "jo.miller"},
                agreement="agrees",
            ),
            handoff(
                "auth_7Q2M0012",
                state="reconciled",
                closedAt=ago(minutes=50),
                result="completed_reported",
                closedBy="us",
                reported="submitted",
                agreement="contradicts",
            ),
            handoff("auth_7Q2M0013", state="closed", closedAt=ago(hours=2), result="expired", closedBy="expiry"),
        ]
    }


def record(**fields: Any) -> Json:
    found = item("auth_7Q2M", coversReviewSnapshotId="rev_90") | fields
    found.pop("waitingSince")
    return {name: value for name, value in found.items() if value is not None}


def record_in_hand() -> Json:
    active = {
        "id": "mhand_55",
        "state": "active",
        "accessAvailable": True,
        "finalSubmitCapable": False,
        "openedAt": ago(minutes=11),
        "requestedBy": "jo.miller",
        "claim": claim("jo.miller", minutes=10),
    }
    return record(actionRequiredAt=None, activeHandoff=active)


def entry(sequence: int | None, kind: str, says: str, command_id: str | None = None, **data: Any) -> Json:
    found: Json = {"kind": kind, "says": says, "data": data}
    if sequence is not None:
        found["sequence"] = sequence
    if command_id:
        found["commandId"] = command_id
    return found


def timeline() -> Json:
    """Return the end of the story of `make demo`, newest first."""
    close, request = COMMAND, COMMAND.replace("0a5d6a3c", "2d822592")
    entries = [
        entry(17, "authorization.settled", "Settled: completed (approved).", agreement="contradicts"),
        entry(13, "command.finished", "The handoff close ended as applied.", close, outcome="applied"),
        entry(None, "attempt", "Called complete (write 1): succeeded (200), 40 ms.", close, result="answered"),
        entry(None, "attempt", "Called complete (write 1): no definite response.", close, result="ambiguous"),
        entry(None, "command.accepted", "people:jo.miller sent the handoff close for handoff mhand_55.", close),
        entry(10, "handoff.access_granted", f"jo.miller received access until {ago(minutes=-5)}."),
        entry(8, "handoff.at_risk", f"Handoff mhand_55 is at risk (not entered). It may end at {ago(minutes=-3)}."),
        entry(7, "command.finished", "The handoff request ended as applied.", request, outcome="applied"),
        entry(None, "attempt", "Called create (write 1): succeeded (200), 2 ms.", request, result="answered"),
        entry(2, "authorization.action_required", "Collate waits for a person: complete payer interaction."),
        entry(None, "attempt", "Called get-authorization: succeeded (200), 91 ms.", "lost", result="answered"),
    ]
    minutes = [2, 3, 3, 4, 5, 9, 11, 14, 14, 31, 300]
    for one, age in zip(entries, minutes, strict=True):
        one["at"] = ago(minutes=age)
    return {"authorizationId": "auth_7Q2M", "entries": entries, "next": "older"}


def problem(status: int, slug: str, title: str, detail: str, **members: Any) -> httpx.Response:
    body = {
        "type": f"urn:collate-gateway:problem:{slug}",
        "title": title,
        "status": status,
        "detail": detail,
        "requestId": "req_0a5d6a3c",
    } | members
    return httpx.Response(status, json=body, headers={"content-type": "application/problem+json"})


def away(_: httpx.Request) -> httpx.Response:
    """Answer nothing but who the person is."""
    if _.url.path == "/v1/me":
        return who(_)
    raise httpx.ConnectError("connection refused")


def unavailable(request: httpx.Request) -> httpx.Response:
    """Answer as the API does while the database is away."""
    if request.url.path == "/v1/me":
        return who(request)
    return problem(
        503,
        "read-model-unavailable",
        "The read model is not available",
        "The read model is not available now. Commands do not need it. Please try again in a few seconds.",
    )


def who(
    request: httpx.Request, permissions: Iterable[str] = (*STAFF, "authorization:watch", "operate")
) -> httpx.Response:
    answer = me(request, permissions)
    return httpx.Response(200, json=answer.json() | {"limits": LIMITS})


def scripted(
    answers: dict[str, Json | Callable[[httpx.Request], httpx.Response]],
    permissions: Iterable[str] = (*STAFF, "authorization:watch", "operate"),
) -> Callable[[httpx.Request], httpx.Response]:
    """Return an API that knows these paths; any other is not found.

    Unless they are named, `/v1/overview` is at rest, and `/v1/troubles` is empty.
    """
    known = {"/v1/overview": overview(), "/v1/troubles": {"troubles": []}} | answers

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/v1/me":
            return who(request, permissions)
        if path in {"/openapi.json", "/asyncapi.json"}:
            return httpx.Response(200, content=read(path[1:]), headers={"content-type": "application/json"})
        found = known.get(path)
        if found is None:
            return problem(
                404, "not-found", "Not found", "The authorization is not watched. Send a watch command first."
            )
        return found(request) if callable(found) else httpx.Response(200, json=found)

    return answer
