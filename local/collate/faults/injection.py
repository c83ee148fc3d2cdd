"""The replies of faults: typed errors of Collate, and errors of gateways and proxies."""

import math
import time
import zlib
from email.utils import formatdate
from functools import cache

from local.collate.faults.rules import Answer
from local.collate.ledger import Call
from local.collate.web.message import Reply, json_reply
from local.collate.web.refusal import Refusal

_CODES = {
    401: "unauthorized",
    403: "forbidden",
    404: "prior_authorization_not_found",
    429: "rate_limited",
    500: "internal_error",
    503: "service_unavailable",
}
_BOMB_BYTES = 64 << 20


def injected(answer: Answer, call: Call) -> Reply:
    """Return the reply of a fault, and record its code in the ledger."""
    headers: tuple[tuple[str, str], ...] = ()
    if answer.location is not None:
        headers += (("location", answer.location),)
    if answer.retry_after is not None:
        headers += _retry_after(answer.retry_after)
    match answer.shape:
        case "typed":
            call.code = answer.code or _CODES.get(answer.status, "unknown_error")
            refusal = Refusal(answer.status, call.code, "An injected fault.", answer.retryable)
            typed = json_reply(answer.status, refusal.envelope(f"req_{call.number:08x}"))
            return Reply(answer.status, typed.body, headers=headers)
        case "json":
            return Reply(answer.status, json_reply(answer.status, answer.body).body, headers=headers)
        case "html":
            page = f"<html><head><title>{answer.status}</title></head><body><h1>{answer.status}</h1></body></html>"
            return Reply(answer.status, page.encode(), "text/html", headers)
        case "text":
            return Reply(answer.status, str(answer.body or "upstream error").encode(), "text/plain", headers)
        case "gzip_bomb":
            return Reply(answer.status, _bomb(), headers=(*headers, ("content-encoding", "gzip")))
    return Reply(answer.status, b"", "text/plain", headers)


def _retry_after(wanted: str) -> tuple[tuple[str, str], ...]:
    if not wanted.startswith("date:"):
        return (("retry-after", wanted),)
    # A client compares the date with its own clock, which has the real time.
    now = time.time()
    at = math.ceil(now + float(wanted.removeprefix("date:")))
    return (("date", formatdate(now, usegmt=True)), ("retry-after", formatdate(at, usegmt=True)))


@cache
def _bomb() -> bytes:
    """Return 64 KB that unpack to 64 MiB."""
    packer = zlib.compressobj(9, wbits=31)
    megabyte = bytes(1 << 20)
    return b"".join(packer.compress(megabyte) for _ in range(_BOMB_BYTES >> 20)) + packer.flush()
