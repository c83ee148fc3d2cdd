"""Facts that schemathesis can't derive: existing ids, a new key for every command, and valid cursors."""

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
    # Only a response can provide one. The gateway rejects others, and the schema can't express that.
    for container, name in ((case.query, "cursor"), (case.headers, "Last-Event-ID")):
        if container is not None:
            container.pop(name, None)
    # Half of the requests name existing resources.
    if uuid.uuid4().int % 2:
        for name in (case.path_parameters or {}).keys() & KNOWN.keys():
            case.path_parameters[name] = KNOWN[name]
