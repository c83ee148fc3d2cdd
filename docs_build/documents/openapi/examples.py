"""The examples of the OpenAPI document. A test validates each of them with the schema at its place."""

from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]

_AUTHORIZATION: Final = "auth_7Q2M"
_HANDOFF: Final = "mhand_55"
_COMMAND: Final = "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10"
_ACCEPTED: Final[Json] = {
    "commandId": _COMMAND,
    "type": "collate-gateway.handoff.request.v1",
    "authorizationId": _AUTHORIZATION,
    "status": "accepted",
    "acceptedAt": "2026-06-02T14:06:00.120000Z",
}
_OUTCOME: Final[Json] = {
    "finishedAt": "2026-06-02T14:06:01Z",
    "outcome": "applied",
    "effect": "ours",
    "handoffId": _HANDOFF,
    "version": 24,
}
_PROBLEM: Final[Json] = {
    "type": "urn:collate-gateway:problem:invalid-command",
    "title": "The command does not fit its schema",
    "status": 422,
    "detail": "Correct the fields named in `errors`; nothing was stored.",
    "requestId": "8deacda0e5f320c0",
    "errors": [{"pointer": "/result/reason", "detail": "expected a value: the field is required"}],
}
_STATUS: Final[Json] = {
    "authorizationId": _AUTHORIZATION,
    "sequence": 9,
    "version": 27,
    "status": "waiting_on_payer",
    "payerId": "payer_example",
    "receiptSeen": True,
    "decisionSeen": False,
    "watchedSince": "2026-06-02T14:00:00Z",
    "updatedAt": "2026-06-02T14:40:00Z",
}
_OPEN_HANDOFF: Final[Json] = {
    "authorizationId": _AUTHORIZATION,
    "handoffId": _HANDOFF,
    "state": "active",
    "openedAt": "2026-06-02T14:06:01Z",
    "accessAvailable": True,
    "finalSubmitCapable": True,
    "grants": 1,
    "metadata": {"case": "case-0042"},
}
_DEAD_LETTER: Final[Json] = {
    "commandId": _COMMAND,
    "command": "collate-gateway.handoff.request.v1",
    "caller": "intake",
    "authorizationId": _AUTHORIZATION,
    "acceptedAt": "2026-06-02T14:06:00Z",
    "deadAt": "2026-06-02T14:07:00Z",
    "cause": "outcome_unknown",
    "advice": "Check at Collate whether the handoff exists before you decide.",
    "redrive": 0,
    "writes": 1,
    "canRedrive": True,
}
_DECISION: Final[Json] = {"operator": "op-7", "reason": "checked_by_hand", "ticket": "OPS-1204"}
_DIGEST: Final = "5b2d7f0c9a41e6380f1d2c3b4a596877"
_RECORDED: Final[Json] = {
    "recordId": _COMMAND,
    "authorizationId": _AUTHORIZATION,
    "acceptedAt": "2026-06-02T14:06:00Z",
}

EXAMPLES: Final[Mapping[str, Json]] = {
    "AccessGrantBody": {"operator": "op-7"},
    "AccessGranted": {
        "handoffId": _HANDOFF,
        "id": "rag_EXAMPLE",
        "url": "https://collate.example/runtime/access/rag_EXAMPLE",
        "expiresAt": "2026-06-02T14:15:00Z",
    },
    "AuthorizationList": {
        "authorizations": [
            _STATUS | {"status": "requires_action", "waitingSince": "2026-06-02T14:06:01Z", "handoff": _OPEN_HANDOFF}
        ]
    },
    "AuthorizationStatus": _STATUS,
    "BatchedCommands": {
        "results": [
            {"index": 0, "status": 202, "command": _ACCEPTED},
            {"index": 1, "status": 422, "problem": _PROBLEM},
        ],
        "unfinished": 412,
        "endedPerSecond": 9.8,
    },
    "CommandAccepted": _ACCEPTED,
    "CommandList": {"commands": [_ACCEPTED | {"caller": "intake", "status": "waiting"}]},
    "CommandOutcome": _ACCEPTED | {"status": "finished"} | _OUTCOME,
    "CommandStatus": _ACCEPTED | {"caller": "intake", "status": "finished"} | _OUTCOME,
    "DeadLetterDecision": _DECISION | {"redrive": 0},
    "DeadLetterDecisions": _DECISION
    | {
        "decision": "redrive",
        "selection": {"cause": "outcome_unknown", "before": "2026-06-02T15:00:00Z"},
        "count": 1,
        "digest": _DIGEST,
    },
    "DeadLetterDetail": _DEAD_LETTER
    | {"asks": {}, "sent": [{"n": 0, "operation": "create", "mayHaveArrived": True}], "partition": 3, "offset": 1042},
    "DeadLetterList": {"deadLetters": [_DEAD_LETTER], "matching": 1, "leftOut": 0},
    "DeadLetterOriginal": {"commandId": _COMMAND, "data": {}, "value": "e30="},
    "DeadLetterSituation": {
        "commandId": _COMMAND,
        "at": "2026-06-02T15:00:00Z",
        "authorizationId": _AUTHORIZATION,
        "version": 23,
        "status": "requires_action",
        "nextAction": "complete_payer_interaction",
        "receiptSeen": False,
        "decisionSeen": False,
    },
    "DeadLettersDecided": {"decided": [_COMMAND], "notDecided": [], "remaining": 0, "digest": _DIGEST},
    "HandoffCloseBody": {
        "result": {"type": "completed", "reportedOutcome": "submitted", "observedReferenceNumber": "REF-0042"},
        "metadata": {"case": "case-0042"},
    },
    "HandoffList": {"handoffs": [_OPEN_HANDOFF]},
    "LiveHandoff": {
        "at": "2026-06-02T14:06:10Z",
        "authorizationId": _AUTHORIZATION,
        "version": 24,
        "status": "requires_action",
        "nextAction": "complete_payer_interaction",
        "resolution": "manual_handoff",
        "receiptSeen": False,
        "decisionSeen": False,
        "isHandoffOpen": True,
        "activeHandoffId": _HANDOFF,
        "handoff": {
            "id": _HANDOFF,
            "state": "active",
            "version": 2,
            "accessAvailable": True,
            "finalSubmitCapable": True,
        },
    },
    "Me": {
        "caller": "people:jo.miller",
        "kind": "person",
        "person": "jo.miller",
        "permissions": ["authorization:read", "handoff:grant"],
        "limits": {
            "requestsPerSecond": 200.0,
            "burst": 400,
            "streams": 20,
            "waitingRequests": 100,
            "unfinishedCommands": 100,
        },
    },
    "TroubleList": {
        "troubles": [
            {
                "kind": "at_risk",
                "authorizationId": _AUTHORIZATION,
                "handoffId": _HANDOFF,
                "reason": "not_entered",
                "at": "2026-06-02T14:36:01Z",
            }
        ]
    },
    "IdsFound": {"authorizations": [_AUTHORIZATION], "commands": []},
    "Overview": {
        "at": "2026-06-02T15:00:00Z",
        "unfinished": {"waiting": 1},
        "waiting": {"budget": 1},
        "oldest": [],
        "deadLetters": [],
        "fullCallers": [],
        "lastMinute": {"accepted": 12, "finished": 12, "events": 30, "attempts": 25},
        "activeHandoffs": 3,
        "work": {
            "person": 12,
            "contradicted": 1,
            "waitingSince": "2026-06-02T14:06:01Z",
            "atRisk": 1,
            "claims": [{"caller": "people:jo.miller", "by": "jo.miller", "handoffs": 2}],
        },
        "projector": {"at": "2026-06-02T14:59:58Z", "behind": 0},
    },
    "PayerEvidence": {
        "authorizationId": _AUTHORIZATION,
        "version": 27,
        "status": "waiting_on_payer",
        "payerReceipt": {"receivedAt": "2026-06-02T14:30:00Z"},
    },
    "ProblemDetails": _PROBLEM,
    "RecentCommandsAccepted": _RECORDED,
    "RecentCommandsDecision": _DECISION | {"ofCaller": "intake"},
    "ReleaseAccepted": {"authorizationId": _AUTHORIZATION, "handoffId": _HANDOFF},
    "Review": {
        "authorizationId": _AUTHORIZATION,
        "version": 23,
        "coversReviewSnapshotId": "rev_90",
        "reviewSnapshot": {"id": "rev_90", "status": "current", "summary": {}},
    },
    "Timeline": {
        "authorizationId": _AUTHORIZATION,
        "entries": [
            {
                "at": "2026-06-02T14:06:01Z",
                "kind": "collate-gateway.handoff.opened.v1",
                "says": "The handoff mhand_55 opened.",
                "sequence": 4,
                "data": {"handoffId": _HANDOFF},
            }
        ],
    },
    "VersionFloorAccepted": _RECORDED,
    "VersionFloorDecision": _DECISION | {"toVersion": 20},
}
"""The example of each body, by the name of its component. Messages have an example of their own."""

_WATCH: Final[Json] = {
    "specversion": "1.0",
    "id": "7d1f0c9a",
    "source": "/scheduling",
    "type": "collate-gateway.authorization.watch.v1",
    "subject": _AUTHORIZATION,
    "data": {},
}
_CLOSE: Final[Json] = _WATCH | {
    "id": "7d1f0c9b",
    "type": "collate-gateway.handoff.close.v1",
    "data": {"handoffId": _HANDOFF, "result": {"type": "completed", "reportedOutcome": "submitted"}},
}
EVENT_EXAMPLES: Final[Json] = {
    "watch": {"summary": "Watch an authorization.", "value": _WATCH},
    "close": {"summary": "Close a handoff.", "value": _CLOSE},
}
BATCH_EXAMPLES: Final[Json] = {"two": {"summary": "Two commands.", "value": [_WATCH, _CLOSE]}}
RESULT_EXAMPLES: Final[Json] = {
    "mixed": {"summary": "One event was accepted, one was not.", "value": EXAMPLES["BatchedCommands"]}
}


def _problem(slug: str, title: str, status: int, detail: str, **more: Any) -> Json:
    problem = {
        "type": f"urn:collate-gateway:problem:{slug}",
        "title": title,
        "status": status,
        "detail": detail,
        "requestId": "8deacda0e5f320c0",
    }
    return problem | more


SIGNED_PROBLEMS: Final[Mapping[int, Json]] = {
    400: {
        "attribute": {
            "summary": "Binary mode: an attribute is missing.",
            "value": _problem(
                "invalid-header",
                "A header is missing, repeated or malformed",
                400,
                "Correct the event's headers named in `errors`. The command was not accepted.",
                errors=[{"header": "ce-source", "detail": "expected a text"}],
            ),
        },
        "signedId": {
            "summary": "Signed: `webhook-id` is not the event's `id`.",
            "value": _problem(
                "invalid-header",
                "A header is missing, repeated or malformed",
                400,
                "Send the event's `id` as webhook-id, and sign it. The command was not accepted.",
                errors=[{"header": "webhook-id", "detail": "the event's `id`"}],
            ),
        },
    },
    401: {
        "signature": {
            "summary": "Signed: unknown signer, wrong secret, or a time more than 5 minutes away.",
            "value": _problem(
                "unauthenticated",
                "The caller is not authenticated",
                401,
                "Sign the whole body by Standard Webhooks with the secret that was issued to your service. Send "
                "webhook-id, webhook-timestamp (the time now), webhook-signature, and `?caller=` with your service's "
                "name.",
            ),
        },
        "notStructured": {
            "summary": "Signed: the event is not in structured mode.",
            "value": _problem(
                "signature-not-accepted",
                "A signature is not accepted here",
                401,
                "A signature covers the body only. Send the CloudEvent in structured mode "
                "(application/cloudevents+json), where the body has the command's type and authorization, or send an "
                "API key or a token.",
            ),
        },
    },
}
"""The problems of a CloudEvent, in binary mode or signed, by their status."""
