"""Why an HTTP call got no definite result. A closed set, suitable as a metric's label."""

from enum import StrEnum


class Cause(StrEnum):
    """Why a call got no definite result. A closed set, suitable as a metric's label."""

    # Nothing was sent:
    DNS = "dns"
    REFUSED = "connect_refused"
    UNREACHABLE = "unreachable"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS = "tls"
    PROXY_UNREACHABLE = "proxy_unreachable"
    PROXY_TIMEOUT = "proxy_timeout"
    PROXY_CREDENTIALS = "proxy_credentials"
    PROXY_REFUSED = "proxy_refused"
    PROXY_FAILED = "proxy_failed"
    # The request was sent:
    WRITE_TIMEOUT = "write_timeout"
    READ_TIMEOUT = "read_timeout"
    RESET = "reset"
    CLOSED = "closed"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    # The response is not a valid response of Collate:
    SERVER_ERROR = "server_error"
    REDIRECT = "redirect"
    UNTYPED = "untyped"
    UNREADABLE = "unreadable"
    MISMATCHED = "mismatched"
    # The total deadline passed, before or after the request was sent:
    DEADLINE = "deadline"
