"""Types and checks of settings that are an address: a port, a URL, an origin, a proxy, `host:port`."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from runtime.units import Names


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("expected a URL like https://api.sandbox.trycollate.ai, without user, query or fragment")
    return value.rstrip("/")


def _origin(value: str) -> str:
    parts = urlsplit(_http_url(value))
    if parts.path:
        raise ValueError("expected an origin like https://handoffs.example, without path")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _origins(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_origin(value) for value in values)


def _http_urls(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_http_url(value) for value in values)


def _proxy_url(value: str) -> str:
    parts = urlsplit(value)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme != "http" or not parts.hostname or not port or parts.netloc.count("@") or parts.path.strip("/"):
        raise ValueError("expected http://host:port, without user; credentials come from a file")
    return value.rstrip("/")


def _host_and_port(value: tuple[str, ...]) -> tuple[str, ...]:
    for server in value:
        host, colon, port = server.rpartition(":")
        if not (host and colon and port.isascii() and port.isdigit() and 0 < int(port) <= 65_535):
            raise ValueError("expected host:port, or several separated by commas")
    return value


Port = Annotated[int, Field(ge=0, le=65_535)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
HttpUrls = Annotated[Names, AfterValidator(_http_urls)]
ProxyUrl = Annotated[str, AfterValidator(_proxy_url)]
Origin = Annotated[str, AfterValidator(_origin)]
Origins = Annotated[Names, AfterValidator(_origins)]
Servers = Annotated[Names, Field(min_length=1), AfterValidator(_host_and_port)]


def is_this_machine(url: str) -> bool:
    """Return whether a URL's host is a loopback address or `localhost`."""
    return (urlsplit(url).hostname or "") in {"localhost", "127.0.0.1", "::1"}
