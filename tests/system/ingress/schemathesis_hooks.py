"""Facts that schemathesis can't derive: existing ids, a new key for every command, and valid cursors."""

import json
import os
import re
import uuid
from collections.abc import Mapping

import schemathesis
from schemathesis.generation.modes import GenerationMode

KEY = "Idempotency-Key"
NAMES_AN_OPERATOR = ("/access-grants", "/redrive", "/discard", "/empty", "/lower", "/decisions")
KNOWN = json.loads(os.environ["SCHEMATHESIS_KNOWN"])


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is not None and case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    if case.headers is not None and KEY in case.headers:
        case.headers[KEY] = str(uuid.uuid4())
    if isinstance(case.body, dict) and "specversion" in case.body:
        case.body["id"] = str(uuid.uuid4())
    for event in case.body if isinstance(case.body, list) else [case.body]:
        _keep_scalar_extensions(event)
    _complete_for_a_service(case)
    # Only a response can provide one. The gateway rejects others, and the schema can't express that.
    given = ((case.query, "cursor"), (case.headers, "Last-Event-ID"), (case.body, "after"))
    for container, name in given:
        if isinstance(container, Mapping):
            container.pop(name, None)
    # Half of the requests name existing resources.
    if uuid.uuid4().int % 2:
        for name in (case.path_parameters or {}).keys() & KNOWN.keys():
            case.path_parameters[name] = KNOWN[name]


def _keep_scalar_extensions(event):
    """Remove extensions of types that CloudEvents lacks: schemathesis does not generate by `unevaluatedProperties`."""
    if isinstance(event, dict) and "specversion" in event:
        for name in [name for name, value in event.items() if name != "data" and not _is_attribute(value)]:
            del event[name]


def _is_attribute(value):
    if isinstance(value, str):
        return re.fullmatch("[^\\x00-\\x1f\\x7f-\\x9f\\ufdd0-\\ufdef\\ufffe\\uffff]*", value) is not None
    return value is None or isinstance(value, bool) or (isinstance(value, int) and -(2**31) <= value < 2**31)


def _complete_for_a_service(case):
    """A service names the operator and who accepted a snapshot, and claims no handoff; no schema says so."""
    data = case.body.get("data") if isinstance(case.body, dict) and "specversion" in case.body else case.body
    if isinstance(data, dict):
        data.pop("takeOver", None)
        if case.operation.path.endswith(NAMES_AN_OPERATOR):
            data["operator"] = data.get("operator") or "op-7"
            data.pop("claimCheck", None)
        if data.get("acceptedReviewSnapshotId") is None:
            data.pop("acceptedBy", None)
        else:
            data["acceptedBy"] = data.get("acceptedBy") or "op-7"
    if case.operation.path.endswith(("/original", "/troubles")) and case.query is not None:
        case.query.setdefault("operator", "op-7")
