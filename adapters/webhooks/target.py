"""The URL of a webhook receiver, checked when it is configured. Pure.

A path or a query may contain a token. Only `origin` may be logged or shown.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_NAME: Final = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_TARGET: Final = re.compile(r"/[\x21\x24-\x3b\x3d\x3f-\x5a\x5f\x61-\x7a\x7e]*")
_FIRST_FREE_PORT: Final = 1_024
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


class TargetInvalid(ValueError):
    """A URL that the deliverer must not call. The message never contains the URL."""


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """A receiver's address: where to connect, the request line and the Host header."""

    is_tls: bool
    host: str
    port: int
    netloc: str
    path: str

    @property
    def origin(self) -> str:
        """The part of the URL without a secret."""
        return f"{'https' if self.is_tls else 'http'}://{self.netloc}"

    def __repr__(self) -> str:
        """Show the origin alone."""
        return f"WebhookTarget({self.origin})"


def read_target(url: str, *, allow_plain_http: bool) -> WebhookTarget:
    """Parse and check a receiver's URL. Raises TargetInvalid."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise TargetInvalid("expected a URL of printable ASCII, percent-encoded")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise TargetInvalid("expected a URL like https://hooks.example/collate") from None
    if parts.scheme not in _DEFAULT_PORTS or not host:
        raise TargetInvalid("expected https:// and a host")
    if parts.scheme == "http" and not allow_plain_http:
        raise TargetInvalid("expected https://; http:// needs allow_plain_http = true")
    if "@" in parts.netloc:
        raise TargetInvalid("expected no user and no password in the URL")
    if "#" in url:
        raise TargetInvalid("expected no fragment")
    default = _DEFAULT_PORTS[parts.scheme]
    port = default if port is None else port
    if port != default and port < _FIRST_FREE_PORT:
        raise TargetInvalid(f"expected port {default}, or a port from {_FIRST_FREE_PORT} on")
    host = _checked_host(host)
    shown = f"[{host}]" if ":" in host else host
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _TARGET.fullmatch(path):
        raise TargetInvalid("expected a percent-encoded path")
    netloc = shown if port == default else f"{shown}:{port}"
    return WebhookTarget(parts.scheme == "https", host, port, netloc, path)


def _checked_host(host: str) -> str:
    """Return the host in one form: a DNS name, or an address. `0x7f.1` and `2130706433` are neither."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    name = host.removesuffix(".")
    if not _NAME.fullmatch(name):
        raise TargetInvalid("expected a DNS name or an address as the host")
    return name
