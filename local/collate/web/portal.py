"""The payer session behind a grant's link: a page for the human (docs/collate-contract.md §6).

The human's action becomes the payer's truth. It does not close the handoff; the operator's report does.
"""

import json
from html import escape
from urllib.parse import parse_qs

from local.collate.clock import rfc3339
from local.collate.model.authorization import Truth
from local.collate.model.state import CollateState, Grant
from local.collate.web.message import Reply, Request, json_reply
from local.collate.web.refusal import ROUTE_NOT_FOUND, Refusal, bad_request

WORK = {
    "submitted": (Truth.RECEIVED, "Submit to the payer"),
    "approved": (Truth.APPROVED, "It is already approved"),
    "denied": (Truth.DENIED, "It is already denied"),
    "not_required": (Truth.NOT_REQUIRED, "No authorization is required"),
    "follow_up": (Truth.FOLLOW_UP, "The payer wants more information"),
    "could_not": (Truth.NOTHING, "I could not submit it"),
}
_SECRET_PAGE = (
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"),
)
_STYLE = """body{font:16px/1.5 system-ui,sans-serif;background:#eef2f5;color:#1d2b36;margin:0}
main{max-width:34rem;margin:8vh auto;background:#fff;padding:2rem 2.5rem;border-radius:12px;box-shadow:0 2px 14px #0001}
h1{font-size:1.3rem;margin:0 0 .3rem}p{margin:.4rem 0 1.2rem}small{color:#62727f}dl{display:grid;
grid-template-columns:9rem 1fr;gap:.2rem 1rem}dt{color:#62727f}dd{margin:0}button{display:block;width:100%;
margin:.5rem 0;padding:.7rem 1rem;font:inherit;text-align:left;border:1px solid #c7d2da;border-radius:8px;
background:#f8fafb;cursor:pointer}button:first-child{background:#0b6e63;border-color:#0b6e63;color:#fff}
.done{background:#e5f5ec;border-radius:8px;padding:.7rem 1rem}"""


def answer(state: CollateState, request: Request, grant_id: str, rest: list[str], now: float) -> Reply | Refusal:
    """Open a grant's link (GET), or act in the session (POST `did`)."""
    wants_json = "application/json" in request.headers.get("accept", "")
    outcome: Grant | Refusal
    did: str | None = None
    if rest or request.method not in ("GET", "POST"):
        return ROUTE_NOT_FOUND
    if request.method == "GET":
        outcome = state.open_grant(grant_id, now)
    else:
        outcome = state.valid_grant(grant_id, now)
        did = _did(request)
        if did not in WORK:
            return bad_request(f"did is one of {', '.join(WORK)}.", "did")
        if not isinstance(outcome, Refusal):
            state.work(outcome, WORK[did][0], now)
    if isinstance(outcome, Refusal):
        return outcome if wants_json else _page(outcome.status, "This link is not valid", f"<p>{outcome.message}</p>")
    return _json(outcome, did) if wants_json else _session(state, outcome, did)


def _did(request: Request) -> str | None:
    if "json" in request.headers.get("content-type", ""):
        try:
            value = json.loads(request.body)
        except ValueError:
            return None
        return str(value.get("did")) if isinstance(value, dict) else None
    return parse_qs(request.body.decode("utf-8", "replace")).get("did", [None])[-1]


def _json(grant: Grant, did: str | None) -> Reply:
    reply = json_reply(
        200,
        {
            "authorizationId": grant.authorization_id,
            "handoffId": grant.handoff_id,
            "expiresAt": rfc3339(grant.expires_at),
            "did": did,
            "canDo": list(WORK),
        },
    )
    return Reply(reply.status, reply.body, headers=_SECRET_PAGE)


def _session(state: CollateState, grant: Grant, did: str | None) -> Reply:
    authorization = state.authorizations[grant.authorization_id]
    facts = {
        "Authorization": authorization.id,
        "Payer": "Example Health",
        "Service": "CPT 70551, MRI brain",
        "Handoff": grant.handoff_id,
        "Link valid until": rfc3339(grant.expires_at),
    }
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    done = "" if did is None else f'<p class="done">Done: {escape(WORK[did][1])}. Now report it: close the handoff.</p>'
    buttons = "".join(
        f'<button name="did" value="{name}">{escape(label)}</button>' for name, (_, label) in WORK.items()
    )
    body = (
        f"<p><small>A simulated payer session. Collate will find your action here as the payer's truth.</small></p>"
        f'<dl>{rows}</dl>{done}<form method="post">{buttons}</form>'
    )
    return _page(200, "Payer portal", body)


def _page(status: int, title: str, body: str) -> Reply:
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<main><h1>{title}</h1>{body}</main></html>"
    )
    return Reply(status, page.encode(), "text/html; charset=utf-8", _SECRET_PAGE)
