"""The HTTP client for all calls except those of `adapters.collate`: httpx, with bounds.

Every call is bounded in time and size. No redirect is followed unless the caller allows it. A proxy from the
environment (HTTPS_PROXY, NO_PROXY) is used only for hosts outside this machine and its network link.
"""

import ipaddress
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from runtime.settings import read_secret

_METADATA_NAMES: Final = frozenset({"localhost", "metadata", "metadata.google.internal"})


class ResponseTooLarge(httpx.TransportError):
    """The response is longer than the caller accepts."""


class ProxyCredentialsUnavailable(httpx.ProxyError):
    """The file with the proxy's credentials cannot be used; the message never holds them."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole response."""

    status: int
    headers: httpx.Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpProxy:
    """An outgoing proxy (http://host:port); `credentials_file` holds `user:password`."""

    url: str
    credentials_file: Path | None = None


class HttpClient:
    """Sends requests to the host of `url`; for one thread. Each request has a connection of its own.

    Args:
        url: any address of the host that the client is for.
        seconds: how long one step (connecting, sending, receiving a piece) and the whole response may take.
        max_bytes: the largest response body.
        proxy: the proxy to use instead of one from the environment.
        follow_redirects: whether a redirect is followed; httpx drops credentials when the host changes.
        direct: never use a proxy from the environment.
    """

    def __init__(
        self,
        url: str,
        *,
        seconds: float,
        max_bytes: int,
        proxy: HttpProxy | None = None,
        follow_redirects: bool = False,
        direct: bool = False,
    ) -> None:
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._client = httpx.Client(
            # httpx would trust certifi's authorities; the gateway trusts the system's (or SSL_CERT_FILE's).
            verify=client_tls(),
            proxy=None if proxy is None else _httpx_proxy(proxy),
            trust_env=proxy is None and not direct and not is_local(url),
            timeout=seconds,
            follow_redirects=follow_redirects,
            # Callers send few requests. A new connection for each avoids connections that the server has just closed.
            limits=httpx.Limits(max_keepalive_connections=0),
            headers={"Accept-Encoding": "identity"},
        )

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
    ) -> Fetched:
        """Send one request and return the whole response, of any status. Raises httpx.HTTPError, httpx.InvalidURL."""
        ends = time.monotonic() + self._seconds
        request = self._client.build_request(method, url, headers=headers, content=content)
        response = self._client.send(request, stream=True)
        try:
            body = bytearray()
            for piece in response.iter_raw():
                body += piece
                if len(body) > self._max_bytes:
                    raise ResponseTooLarge(f"the response is larger than {self._max_bytes} bytes")
                if time.monotonic() > ends:
                    raise httpx.ReadTimeout("the response took too long", request=request)
        finally:
            response.close()
        return Fetched(response.status_code, response.headers, bytes(body))


def client_tls(ca_file: Path | None = None) -> ssl.SSLContext:
    """Return a context that verifies the certificate and the host name, TLS 1.2 or later.

    Without `ca_file` the system's authorities are trusted. ssl.create_default_context() is not used because it writes
    session keys to the file that SSLKEYLOGFILE names.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(cafile=ca_file)
    return context


def is_local(url: str) -> bool:
    """Return whether the address is of this machine or of its metadata service, which no proxy may see."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host in _METADATA_NAMES or host.endswith(".localhost")
    return address.is_loopback or address.is_link_local


def reason_of(error: Exception) -> str:
    """Return why a call failed, as a short sentence without the address."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            problem = getattr(cause, "reason", None) or str(cause)
            return f"{problem.replace('_', ' ').lower()} (is its certificate trusted here?)"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__


def _httpx_proxy(proxy: HttpProxy) -> httpx.Proxy:
    if proxy.credentials_file is None:
        return httpx.Proxy(proxy.url)
    try:
        user, _, password = read_secret(proxy.credentials_file).get_secret_value().partition(":")
    except (OSError, UnicodeDecodeError) as error:
        raise ProxyCredentialsUnavailable(f"{proxy.credentials_file}: {type(error).__name__}") from None
    return httpx.Proxy(proxy.url, auth=(user, password))
