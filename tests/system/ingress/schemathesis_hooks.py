"""What schemathesis can't know: which ids there are, that a key is fresh for every command, and what a cursor is."""

import json
import os
import uuid

import schemathesis
from schemathesis.generation.modes import GenerationMode

KEY = "Idempotency-Key"
KNOWN = json.loads(os.environ["SCHEMATHESIS_KNOWN"])


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is not None and case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    if case.headers is not None and KEY in case.headers:
        case.headers[KEY] = str(uuid.uuid4())
    if isinstance(case.body, dict) and "specversion" in case.body:
        case.body["id"] = str(uuid.uuid4())
    # Only an answer can give one; another is refused, and its pattern can't say so.
    for container, name in ((case.query, "cursor"), (case.headers, "Last-Event-ID")):
        if container is not None:
            container.pop(name, None)
    # Half of the requests ask for what there is, the other half for what there is not.
    if uuid.uuid4().int % 2:
        for name in (case.path_parameters or {}).keys() & KNOWN.keys():
            case.path_parameters[name] = KNOWN[name]
