"""Credentials of a Kafka client. Each connection reads the files again, so rotation needs no restart.

An unusable TLS file leaves the previous file in force. An unusable password or token file fails that one connection;
clients retry by themselves.
"""

import asyncio
import json
import ssl
import time
import urllib.parse
from base64 import b64encode
from pathlib import Path
from typing import Any, Self

import httpx

from runtime.file_watcher import FileWatcher
from runtime.http_client import HttpClient, reason_of
from runtime.logs import get_log
from runtime.settings import KafkaSettings, read_secret

_TOKEN_SECONDS = 10.0
_TOKEN_BYTES = 64 << 10
# A new token is fetched when a fifth of the lifetime is left, so that no token expires during a login.
_USED_SHARE = 0.8
_DEFAULT_LIFETIME_SECONDS = 300.0


class CredentialUnavailable(ConnectionError):
    """A password or token is not available. The message has the reason and never a secret."""


class PasswordFile:
    """A password that is read from its file at each login. SCRAM only calls `encode` on a password."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def encode(self, encoding: str = "utf-8") -> bytes:
        """Return the present password."""
        return _read(self._path).encode(encoding)


class TokenFile:
    """A bearer token from a file that another process renews, such as a projected service account token."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def token(self) -> str:
        """Return the present token."""
        return _read(self._path).strip()


class TokenEndpoint:
    """Bearer tokens by client credentials (RFC 6749, section 4.4); each is used for 80 % of its lifetime."""

    def __init__(self, url: str, client_id: str, secret_file: Path, scope: str | None) -> None:
        self._url, self._client_id, self._secret_file, self._scope = url, client_id, secret_file, scope
        self._token, self._until = "", float("-inf")
        self._lock = asyncio.Lock()

    async def token(self) -> str:
        """Return a token with at least a fifth of its lifetime left; raises CredentialUnavailable."""
        async with self._lock:
            if time.monotonic() >= self._until:
                fetched_at = time.monotonic()
                self._token, lifetime_seconds = await asyncio.to_thread(self._fetch)
                self._until = fetched_at + lifetime_seconds * _USED_SHARE
            return self._token

    def _fetch(self) -> tuple[str, float]:
        form = {"grant_type": "client_credentials", **({"scope": self._scope} if self._scope else {})}
        secret = _read(self._secret_file)
        # RFC 6749, section 2.3.1: both are form-encoded before they become a Basic credential.
        pair = f"{urllib.parse.quote(self._client_id, safe='')}:{urllib.parse.quote(secret, safe='')}"
        headers = {
            "Authorization": f"Basic {b64encode(pair.encode()).decode()}",
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        client = HttpClient(self._url, seconds=_TOKEN_SECONDS, max_bytes=_TOKEN_BYTES)
        try:
            response = client.send("POST", self._url, headers=headers, content=urllib.parse.urlencode(form).encode())
        except httpx.HTTPError as error:
            raise CredentialUnavailable(f"the token endpoint did not respond: {reason_of(error)}") from None
        if not 200 <= response.status < 300:
            raise CredentialUnavailable(f"the token endpoint responded {response.status}")
        return _read_token(response.body)


def _read(path: Path) -> str:
    try:
        secret = read_secret(path).get_secret_value()
    except UnicodeDecodeError:
        raise CredentialUnavailable(f"{path} is not UTF-8") from None
    if not secret.strip():
        raise CredentialUnavailable(f"{path} is empty")
    return secret


def _read_token(content: bytes) -> tuple[str, float]:
    try:
        token = json.loads(content)
        return str(token["access_token"]), float(token.get("expires_in", _DEFAULT_LIFETIME_SECONDS))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CredentialUnavailable("the response of the token endpoint has no access_token") from None


class RotatingContext(ssl.SSLContext):
    """A TLS context that is rebuilt before a handshake if one of its files has changed.

    New files that don't match (a certificate written before its key) leave the old files in force; the next handshake
    reads them again.
    """

    def __new__(cls, *_: object) -> Self:
        """Create the outer context; the inner one performs the handshakes."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        files = (kafka.ca_file, kafka.certificate_file, kafka.key_file)
        self._watcher = FileWatcher(*(file for file in files if file is not None))
        self._watcher.changed()
        self._problem: str | None = None
        self._inner = _build_context(kafka)
        self._watcher.mark_read()

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        """Begin a handshake with the present files."""
        self._reload()
        return self._inner.wrap_bio(*arguments, **options)

    def _reload(self) -> None:
        if not self._watcher.changed():
            self._problem = None
            return
        try:
            self._inner = _build_context(self._kafka)
        except OSError as error:
            problem = type(error).__name__
            if problem != self._problem:
                self._problem = problem
                get_log().error("kafka.tls_files_rejected", error=problem)
            return
        self._watcher.mark_read()
        self._problem = None
        get_log().info("kafka.tls_files_reloaded")


def _build_context(kafka: KafkaSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=None if kafka.ca_file is None else str(kafka.ca_file))
    if kafka.certificate_file is not None:
        context.load_cert_chain(kafka.certificate_file, kafka.key_file)
    return context
