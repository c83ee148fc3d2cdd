"""The floor of the chain, in one process: an HTTP handler that appends, and a bare loop that calls Collate.

A command costs a read, a write and a transaction. With intents it costs what the gateway's promises need: a read, a
transaction with the intent, a write, a read of its effect, and a transaction with the outcome.
"""

import asyncio
import logging
import sys
import uuid

import uvicorn
import uvloop
from aiokafka import AIOKafkaProducer, ConsumerRecord
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bench.floors.bare_calls import BareCalls
from bench.floors.bare_loop import BareLoop
from local.processes.ports import free_ports
from schemas.topics import partition_for


async def _main(collate: str, key: str, bootstrap: str, prefix: str, count: str, *options: str) -> None:
    partitions, has_intents = int(count), "--intents" in options
    connections = BareCalls(collate)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, acks="all")
    await producer.start()
    head = f"Host: bench\r\nAuthorization: Bearer {key}\r\n"

    async def append(request: Request) -> JSONResponse:
        authorization = request.path_params["authorization"].encode()
        command_id = str(uuid.uuid4())
        await producer.send_and_wait(
            f"{prefix}commands",
            command_id.encode(),
            key=authorization,
            partition=partition_for(authorization, partitions),
        )
        return JSONResponse({"commandId": command_id}, 202)

    async def handle(record: ConsumerRecord) -> None:
        path = f"/v1/prior-authorizations/{record.key.decode()}"
        read = f"GET {path} HTTP/1.1\r\n{head}\r\n".encode()
        await connections.call(read)
        if has_intents:
            await loop.write_intent(record)
        await connections.call(
            f"POST {path}/manual-handoffs HTTP/1.1\r\n{head}"
            f'If-Match: "3"\r\nIdempotency-Key: {record.value.decode()}\r\n'
            "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}".encode()
        )
        if has_intents:
            await connections.call(read)

    loop = BareLoop(bootstrap, prefix, handle, lambda _: None)
    app = Starlette(routes=[Route("/{authorization}", append, methods=["POST"])])
    (port,) = free_ports(1)
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, log_level="warning", access_log=False, timeout_keep_alive=75)
    )
    running = asyncio.create_task(loop.run(asyncio.Event()))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no other signal
        await asyncio.sleep(0.05)
    await asyncio.sleep(3)  # until each partition of the loop has its producer
    print(f"127.0.0.1:{port}", flush=True)
    await asyncio.wait([running, serving], return_when=asyncio.FIRST_COMPLETED)


if __name__ == "__main__":
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    uvloop.run(_main(*sys.argv[1:]))
