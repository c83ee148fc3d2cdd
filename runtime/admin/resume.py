"""POST /resume on the admin port: resumes stopped partitions. It is the only request there that changes state.

    from another machine, a proxy or a web page ─▶ 403      operator or why missing ─▶ 422      else ─▶ resumed

Only a program on the worker's machine may call it (kubectl exec), so there is no secret to rotate.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from runtime.admin.answers import Resumed
from schemas.fields.visible_text import FROM_CALLER, SentName, Why

_LOCAL_ADDRESSES = frozenset({"127.0.0.1", "::1"})
_LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
# A proxy or a mesh's sidecar connects from this machine on behalf of a client on another machine.
_PROXY_HEADERS = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")


class ResumeRequest(BaseModel):
    """The operator, the reason and the partitions; None means all that stopped because of too many dead letters.

    `subscription` is for the deliverer: the one to resume. None resumes nothing there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    operator: SentName
    why: Why
    partitions: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(max_length=1_000)] | None = None
    subscription: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")] | None = None


Resume = Callable[[ResumeRequest], Awaitable[Resumed]]
"""Resumes partitions; returns the resumed partitions and the partitions that are still stopped."""


async def handle_resume(request: Request, resume: Resume | None) -> tuple[int, Mapping[str, Any]]:
    """Return the status and the body of the response. `BodyBound` bounds the body of the request."""
    if resume is None:
        return 404, {"summary": "this process has no partitions to resume"}
    if not _is_local(request):
        return 403, {"summary": "only from the process's own machine: run `gateway worker resume` there"}
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        return 415, {"summary": "expected application/json"}
    body = await request.body()
    try:
        resume_request = ResumeRequest.model_validate_json(body, context=FROM_CALLER)
    except ValidationError:
        return 422, {
            "summary": "expected operator, why, optional partitions and subscription, without invisible characters"
        }
    return 200, await resume(resume_request)


def _is_local(request: Request) -> bool:
    host = request.headers.get("host", "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    is_direct = not any(header in request.headers for header in (*_PROXY_HEADERS, "origin"))
    is_envoy = any(header.startswith("x-envoy-") for header in request.headers)
    is_local_client = request.client is not None and request.client.host in _LOCAL_ADDRESSES
    return is_local_client and name in _LOCAL_HOSTS and is_direct and not is_envoy
