"""The control API under `/_sim/`: ledger, faults, scenarios, actors.

All responses are JSON. An invalid request gets 400 with a `problem`. README.md has the table of calls.
"""

import json
from typing import Any

from local.collate.ledger import effect_json
from local.collate.model import actors
from local.collate.model.creation import AuthorizationSpec
from local.collate.simulation import DEFAULT_ORGANIZATION, Simulation
from local.collate.web import wire
from local.collate.web.message import Reply, Request, json_reply


def answer(simulation: Simulation, request: Request) -> Reply:
    """Return the response to a control request."""
    try:
        body = json.loads(request.body) if request.body else {}
        if not isinstance(body, dict):
            raise ValueError("the body must be a JSON object")  # noqa: TRY004, TRY301 - each invalid request is a 400
        return _route(simulation, request, body)
    except (ValueError, TypeError, KeyError) as error:
        return json_reply(400, {"problem": str(error)})


def _route(simulation: Simulation, request: Request, body: dict[str, Any]) -> Reply:
    match request.method, request.path.strip("/").split("/")[1:]:
        case _, ["ledger", *rest]:
            return _ledger(simulation, request.method, rest)
        case _, ["faults", *rest]:
            return _faults(simulation, request.method, rest, body)
        case _, ["authorizations", *rest]:
            return _authorizations(simulation, request.method, rest, body)
    return json_reply(404, {"problem": "unknown control call; see local/collate/README.md"})


def _ledger(simulation: Simulation, method: str, rest: list[str]) -> Reply:
    simulation.now()
    ledger = simulation.ledger
    match method, rest:
        case "GET", ["calls"]:
            return json_reply(200, {"calls": [call.as_json() for call in ledger.calls]})
        case "GET", ["effects"]:
            return json_reply(200, {"effects": [effect_json(number, effect) for number, effect in ledger.effects]})
        case "GET", ["summary"]:
            return json_reply(200, ledger.summary())
    return json_reply(404, {"problem": "ledger/calls, ledger/effects or ledger/summary"})


def _faults(simulation: Simulation, method: str, rest: list[str], body: dict[str, Any]) -> Reply:
    match method, rest:
        case "GET", []:
            return json_reply(200, {"faults": [rule.as_json() for rule in simulation.faults]})
        case "POST", []:
            return json_reply(201, simulation.faults.add(body, simulation.clock.now()).as_json())
        case "DELETE", []:
            simulation.faults.clear()
            return json_reply(200, {"faults": []})
        case "DELETE", [rule_id]:
            removed = simulation.faults.remove(rule_id)
            return json_reply(200 if removed else 404, {"removed": removed})
    return json_reply(404, {"problem": "GET, POST or DELETE faults, DELETE faults/{id}"})


def _authorizations(simulation: Simulation, method: str, rest: list[str], body: dict[str, Any]) -> Reply:
    now = simulation.now()
    match method, rest:
        case "POST", []:
            organization = next(iter(simulation.api.organizations.values()), DEFAULT_ORGANIZATION)
            return json_reply(201, {"ids": simulation.create_from(AuthorizationSpec.from_json(body, organization))})
        case "GET", [authorization_id]:
            return _state(simulation, authorization_id)
        case "POST", [authorization_id, "act"]:
            refusal = actors.act(simulation.state, authorization_id, actors.validated(body), now)
            if refusal is not None:
                return json_reply(refusal.status, {"problem": f"{refusal.code}: {refusal.message}"})
            return _state(simulation, authorization_id)
    return json_reply(404, {"problem": "authorizations, authorizations/{id} or authorizations/{id}/act"})


def _state(simulation: Simulation, authorization_id: str) -> Reply:
    """Return the current state, also if clients read from stale replicas."""
    authorization, profile = simulation.state.authorizations.get(authorization_id), simulation.state.profile
    if authorization is None:
        return json_reply(404, {"problem": f"unknown authorization {authorization_id}"})
    return json_reply(
        200,
        {
            "authorization": wire.authorization_json(authorization, profile),
            "handoffs": [wire.handoff_json(authorization, handoff, profile) for handoff in authorization.handoffs],
            "truth": authorization.truth,
            "dueAt": wire.time_json(authorization.due_at),
        },
    )
