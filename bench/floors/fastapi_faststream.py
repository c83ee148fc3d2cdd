"""The peer of the ingress: FastAPI and FastStream as their pages use them, for the same two commands.

It checks an API key and the body, makes an id from the idempotency key, and appends with acks=all. It encrypts nothing,
and has no bounds, no log line and no metrics.
"""

import hashlib
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException
from faststream.kafka import KafkaBroker
from pydantic import BaseModel, Field

KEY = "peer-key"
_CALLERS = {hashlib.sha256(KEY.encode()).hexdigest(): "scheduling"}


class Result(BaseModel):
    """The result of a handoff."""

    type: Literal["completed"]
    reported_outcome: str = Field(alias="reportedOutcome", pattern="^[a-z_]{1,64}$")
    operator_notes: str | None = Field(None, alias="operatorNotes", max_length=4_000)


class Close(BaseModel):
    """The body of a close."""

    result: Result
    metadata: dict[str, str] | None = None


class Request(BaseModel):
    """The body of a request for a handoff."""

    requested_by: str | None = Field(None, alias="requestedBy", max_length=64)
    metadata: dict[str, str] | None = None


class Accepted(BaseModel):
    """The answer."""

    command_id: uuid.UUID = Field(serialization_alias="commandId")
    status: Literal["accepted"] = "accepted"


def caller(authorization: Annotated[str, Header()]) -> str:
    """Return the name of the caller whose key a request has."""
    found = _CALLERS.get(hashlib.sha256(authorization.removeprefix("Bearer ").encode()).hexdigest())
    if found is None:
        raise HTTPException(401)
    return found


def build(bootstrap: str, topic: str) -> FastAPI:
    """Return the application."""
    broker = KafkaBroker(bootstrap, enable_idempotence=True, acks="all")

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with broker:
            yield

    async def append(authorization_id: str, body: BaseModel, type_: str, caller: str, idempotency_key: str) -> Accepted:
        accepted = Accepted(command_id=uuid.uuid5(uuid.NAMESPACE_URL, f"{caller}/{authorization_id}/{idempotency_key}"))
        headers = {"ce_id": str(accepted.command_id), "ce_type": type_, "ce_caller": caller}
        await broker.publish(body, topic, key=authorization_id.encode(), headers=headers)
        return accepted

    async def close(
        authorization_id: str,
        handoff_id: str,
        body: Close,
        caller: Annotated[str, Depends(caller)],
        idempotency_key: Annotated[str, Header()],
    ) -> Accepted:
        return await append(authorization_id, body, f"close {handoff_id}", caller, idempotency_key)

    async def request(
        authorization_id: str,
        body: Request,
        caller: Annotated[str, Depends(caller)],
        idempotency_key: Annotated[str, Header()],
    ) -> Accepted:
        return await append(authorization_id, body, "request", caller, idempotency_key)

    app, path = FastAPI(lifespan=lifespan), "/v1/authorizations/{authorization_id}/handoffs"
    app.add_api_route(path, request, methods=["POST"], status_code=202)
    app.add_api_route(f"{path}/{{handoff_id}}/close", close, methods=["POST"], status_code=202)
    return app


if __name__ == "__main__":
    _bootstrap, _topic, _port = sys.argv[1:]
    uvicorn.run(build(_bootstrap, _topic), port=int(_port), log_level="error", access_log=False, loop="uvloop")
