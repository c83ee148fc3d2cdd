"""POST /resume on the admin port: an operator's word to a worker that stands still. The one request there that changes.

    another machine · a proxy · a browser's page ─▶ 403      who and why missing ─▶ 422      else ─▶ resumed, and logged

Whoever may run a program beside the worker (kubectl exec) may resume it, nobody else: no secret, nothing to rotate.
"""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from schemas.field_types import Name, Why

_HERE = frozenset({"127.0.0.1", "::1"})
_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
# A proxy or a mesh's sidecar speaks from this machine for somebody who is not on it.
_PROXIED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
_MOST_BYTES = 4 << 10


class ResumeRequest(BaseModel):
    """Who wants which partitions to go on, and why; without any named: those that too many dead letters stopped."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    operator: Name
    why: Why
    partitions: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(max_length=1_000)] | None = None


Resume = Callable[[ResumeRequest], dict[str, Any]]
"""Resumes, and returns what was resumed and what still stands."""


async def answer(request: Request, resume: Resume | None) -> tuple[int, dict[str, Any]]:
    """Return the status and the body of the answer."""
    if resume is None:
        return 404, {"summary": "this process has nothing to resume"}
    if not _is_local(request):
        return 403, {"summary": "only from the machine itself: run `gateway worker resume` beside the worker"}
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        return 415, {"summary": "expected application/json"}
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_BYTES:
            return 413, {"summary": f"expected at most {_MOST_BYTES} bytes"}
    try:
        asked = ResumeRequest.model_validate_json(bytes(body))
    except ValidationError:
        return 422, {"summary": "expected operator, why and, if only some are meant, partitions"}
    return 200, resume(asked)


def _is_local(request: Request) -> bool:
    host = request.headers.get("host", "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    is_direct = not any(header in request.headers for header in (*_PROXIED, "origin"))
    is_envoy = any(header.startswith("x-envoy-") for header in request.headers)
    return request.client is not None and request.client.host in _HERE and name in _HOSTS and is_direct and not is_envoy
