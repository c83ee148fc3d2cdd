"""`python -m bench.load '<json>'`: a closed loop of raw sockets in a separate process. It prints one JSON line.

Every connection sends its next request when the last response is complete. Requests differ in their Idempotency-Key and
authorization. Every other status than the expected one counts as an error.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count

import uvloop

from bench.floors.bare_calls import BareCalls
from bench.harness import milliseconds

AUTHORIZATIONS = 1_000
WARM_UP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Load:
    """The requests of one run, and its duration.

    `{authorization}` in the path is replaced. The requests take turns with the credentials.
    """

    port: int
    run: str
    connections: int
    seconds: float
    path: str
    body: str
    credentials: list[str] = field(default_factory=list)
    expected: int = 202

    def request(self, number: int) -> bytes:
        """Return the bytes of a request."""
        authorization, key = f"auth_{number % AUTHORIZATIONS:06d}", f"{self.run}-{number}"
        own = f"Idempotency-Key: {key}\r\nAuthorization: Bearer {self.credentials[number % len(self.credentials)]}"
        return (
            f"POST {self.path.replace('{authorization}', authorization)} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(self.body)}\r\n{own}\r\n\r\n{self.body}"
        ).encode()


async def drive(load: Load) -> dict[str, object]:
    """Send requests for the given time. Return rates and latencies after the warm-up."""
    count_from = time.perf_counter() + WARM_UP_SECONDS
    stop_at = count_from + load.seconds
    numbers, took, errors = count(), list[float](), Counter[str]()

    async def call_until_the_end() -> None:
        calls = BareCalls(f"127.0.0.1:{load.port}")
        while (began := time.perf_counter()) < stop_at:
            status, _ = await calls.call(load.request(next(numbers)))
            if status != load.expected:
                errors[str(status)] += 1
            elif began >= count_from:
                took.append(time.perf_counter() - began)
        calls.close()

    await asyncio.gather(*(call_until_the_end() for _ in range(load.connections)))
    took.sort()
    return {
        "sent": next(numbers),
        "per_second": round(len(took) / load.seconds, 1),
        "p50_ms": round(milliseconds(took, 0.5), 2),
        "p99_ms": round(milliseconds(took, 0.99), 2),
        "errors": errors,
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(drive(Load(**json.loads(sys.argv[1]))))))
