"""What schemathesis can't know: a key is fresh for every command, and an event's id is its key."""

import uuid

import schemathesis
from schemathesis.generation.modes import GenerationMode

KEY = "Idempotency-Key"


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is not None and case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    if case.headers is not None and KEY in case.headers:
        case.headers[KEY] = str(uuid.uuid4())
    if isinstance(case.body, dict) and "specversion" in case.body:
        case.body["id"] = str(uuid.uuid4())
