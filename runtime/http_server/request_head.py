"""The rules of a request's head: sizes, version, transfer coding and Host (RFC 9112)."""

import re
from itertools import chain

from runtime.http_server.connections import ConnectionLimits
from runtime.http_server.port_problems import (
    HeadersTooLarge,
    InvalidHeader,
    TransferCodingUnknown,
    Unreadable,
    UrlTooLong,
    VersionNotSupported,
)
from runtime.http_server.problem import Fault, Problem

RawHeaders = list[tuple[bytes, bytes]]
# RFC 9110 section 7.2 and RFC 3986: a host and an optional port, or nothing.
_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[A-Za-z0-9:.]+\])(?::[0-9]*)?")


def size_problem(limits: ConnectionLimits, url: bytes, headers: RawHeaders) -> Problem | None:
    """Return the problem of a head that is too large, complete or not."""
    if len(url) > limits.url_bytes:
        return UrlTooLong(f"Send a URL of at most {limits.url_bytes} bytes.", close=True)
    header_bytes = sum(map(len, chain.from_iterable(headers)))
    if header_bytes > limits.header_bytes or len(headers) > limits.header_count:
        return too_large(limits)
    return None


def too_large(limits: ConnectionLimits) -> Problem:
    """Return the problem of headers or trailers that are too many or too large."""
    return HeadersTooLarge(
        f"Send at most {limits.header_count} headers and {limits.header_bytes} bytes of them.", close=True
    )


def head_problem(limits: ConnectionLimits, version: str, url: bytes, headers: RawHeaders) -> Problem | None:
    """Return the problem of a complete head."""
    if problem := size_problem(limits, url, headers):
        return problem
    if version not in {"1.1", "1.0"}:
        return VersionNotSupported("Send the request as HTTP/1.1.", close=True)
    fields = dict(headers)
    if b"transfer-encoding" in fields and (problem := _coding_problem(version, headers)):
        return problem
    return _host_problem(version, fields.get(b"host"))


def _coding_problem(version: str, headers: RawHeaders) -> Problem | None:
    """Return the problem of a transfer coding that the server does not know."""
    codings = [
        coding.strip().lower()
        for name, value in headers
        if name == b"transfer-encoding"
        for coding in value.split(b",")
    ]
    if codings == [b"chunked"] and version == "1.1":
        return None
    if set(codings) == {b"chunked"}:
        return Unreadable("Send one Content-Length, or in HTTP/1.1 the coding `chunked` once.", close=True)
    return TransferCodingUnknown(
        "Send the body with a Content-Length, or with the coding `chunked` alone.",
        faults=(Fault("chunked", header="transfer-encoding"),),
        close=True,
    )


def _host_problem(version: str, host: bytes | None) -> Problem | None:
    """Return the problem of a Host that is missing or malformed. `StrictHeaders` rejects a repeated one."""
    if host is None and version == "1.1":
        expected = "to be given: HTTP/1.1 requires it"
    elif host is not None and not _HOST.fullmatch(host):
        expected = "a host name or address, and an optional port"
    else:
        return None
    return InvalidHeader("Correct the Host header.", faults=(Fault(expected, header="host"),), close=True)
