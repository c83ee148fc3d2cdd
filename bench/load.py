"""`python -m bench.load '<json>'`: a closed loop of raw sockets in a separate process. It prints one JSON line.

Every connection sends its next request when the last response is complete. Requests differ in their Idempotency-Key and
authorization. Every other status than the expected one counts as an error.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import sys
import time
from dataclasses import dataclass, field
from typing import cast

import uvloop

_KEY = ("Idempotency-Key", "Webhook-Id")
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Load:
    """The requests of one run, and its duration.

    `{authorization}` in the path is replaced. With a signing secret the body is a CloudEvent, in which
    `{authorization}` and `{id}` are replaced.
    """

    port: int
    run: str
    connections: int
    seconds: float
    warm_up_seconds: float
    path: str
    headers: str
    body: str
    signing_secret: str = ""
    authorizations: int = 1_000
    expected: int = 202


@dataclass(slots=True)
class Tally:
    """The results of one run."""

    number: int = 0
    stop_at: float = 0.0
    count_from: float = 0.0
    latencies: list[float] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)


class Caller(asyncio.Protocol):
    """One connection."""

    def __init__(self, load: Load, tally: Tally, ended: asyncio.Future[None]) -> None:
        self._load = load
        self._tally = tally
        self._ended = ended
        self._buffer = b""
        self._missing = -1
        self._body = load.body.encode()
        self._head = f"Host: 127.0.0.1\r\n{load.headers}"
        self._secret = base64.b64decode(load.signing_secret)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        # uvloop's transports do not inherit from asyncio's classes.
        self._transport = cast("asyncio.WriteTransport", transport)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a connection that the server closed."""
        del exc
        if not self._ended.done():
            self._error("connection lost")
            self._ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Collect the response, and send the next request when it is complete."""
        if self._missing < 0:
            self._buffer += data
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(self._buffer)
            assert length is not None
            self._status = self._buffer[9:12]
            self._missing = int(length[1]) - (len(self._buffer) - end - 4)
        else:
            self._missing -= len(data)
        if self._missing > 0:
            return
        now = time.perf_counter()
        if self._status != str(self._load.expected).encode():
            self._error(self._status.decode())
        elif self._started >= self._tally.count_from:
            self._tally.latencies.append(now - self._started)
        self._buffer, self._missing = b"", -1
        if now >= self._tally.stop_at:
            if not self._ended.done():
                self._ended.set_result(None)
            self._transport.close()
            return
        self._send()

    def _send(self) -> None:
        number = self._tally.number
        self._tally.number += 1
        authorization, key = f"auth_{number % self._load.authorizations:06d}", f"{self._load.run}-{number}"
        path, body = self._load.path.replace("{authorization}", authorization), self._body
        if self._secret:
            body = body.replace(b"{authorization}", authorization.encode()).replace(b"{id}", key.encode())
            key = self._signature(key, body)
        head = f"POST {path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n"
        self._started = time.perf_counter()
        self._transport.write(f"{head}{_KEY[bool(self._secret)]}: {key}\r\n\r\n".encode() + body)

    def _signature(self, message_id: str, body: bytes) -> str:
        """Return the headers of a Standard Webhooks signature. The message id is the id of the event."""
        now = int(time.time())
        signed = f"{message_id}.{now}.".encode() + body
        signature = base64.b64encode(hmac.digest(self._secret, signed, hashlib.sha256)).decode()
        return f"{message_id}\r\nWebhook-Timestamp: {now}\r\nWebhook-Signature: v1,{signature}"

    def _error(self, kind: str) -> None:
        self._tally.errors[kind] = self._tally.errors.get(kind, 0) + 1


async def drive(load: Load) -> dict[str, object]:
    """Send requests for the given time. Return rates and latencies after the warm-up."""
    loop = asyncio.get_running_loop()
    tally = Tally()
    begun = time.perf_counter()
    tally.count_from = begun + load.warm_up_seconds
    tally.stop_at = tally.count_from + load.seconds
    ends = []
    for _ in range(load.connections):
        ended = loop.create_future()
        ends.append(ended)
        await loop.create_connection(lambda ended=ended: Caller(load, tally, ended), "127.0.0.1", load.port)  # type: ignore[misc]
    await asyncio.gather(*ends)
    latencies = sorted(tally.latencies)
    count = len(latencies)
    return {
        "sent": tally.number,
        "requests": count,
        "per_second": round(count / load.seconds, 1),
        "p50_ms": round(latencies[count // 2] * 1e3, 2) if count else None,
        "p99_ms": round(latencies[int(count * 0.99)] * 1e3, 2) if count else None,
        "max_ms": round(latencies[-1] * 1e3, 2) if count else None,
        "errors": tally.errors,
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(drive(Load(**json.loads(sys.argv[1]))))))
