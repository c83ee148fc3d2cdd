"""The floor of the ingress: bare Starlette, aiokafka and one pydantic model, without callers, ids, logs and limits."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from aiokafka import AIOKafkaProducer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from schemas.commands import HandoffCloseBody


def build(bootstrap: str, topic: str) -> Starlette:
    """Return the application."""
    producer: AIOKafkaProducer

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        nonlocal producer
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, acks="all")
        await producer.start()
        yield
        await producer.stop()

    async def close(request: Request) -> JSONResponse:
        body = HandoffCloseBody.from_caller(await request.body())
        authorization_id = request.path_params["authorization_id"]
        written = await producer.send_and_wait(topic, body.to_json(), key=authorization_id.encode())
        return JSONResponse({"status": "accepted", "offset": written.offset}, 202)

    path = "/v1/authorizations/{authorization_id}/handoffs/{handoff_id}/close"
    return Starlette(routes=[Route(path, close, methods=["POST"])], lifespan=lifespan)


if __name__ == "__main__":
    _bootstrap, _topic, _port = sys.argv[1:]
    uvicorn.run(build(_bootstrap, _topic), port=int(_port), log_level="error", access_log=False, loop="uvloop")
