"""What a client of Kafka shows of itself, always as the files are at that moment: rotation needs no restart.

Each connection asks anew: a password for its login, a token for its login, a certificate for its handshake. A file that
can't be used keeps what was there before where that is possible (TLS), and fails that one connection elsewhere; clients
try again by themselves. Knows nothing of aiokafka but what it asks for.
"""

import asyncio
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from pathlib import Path
from typing import Any, Self

from runtime.file_watcher import FileWatcher
from runtime.logs import get_log
from runtime.settings import KafkaSettings, read_secret

_TOKEN_SECONDS = 10.0
_TOKEN_BYTES = 64 << 10
# A token is asked anew when a fifth of its life is left, so that none is shown in its last moments.
_USED_SHARE = 0.8
_LIFE_IF_UNSAID_SECONDS = 300.0


class CredentialUnavailable(ConnectionError):
    """A password or token could not be had; the message says why and never holds one."""


class PasswordFile:
    """A password that SCRAM reads from its file at each login: it asks a password only to encode itself."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def encode(self, encoding: str = "utf-8") -> bytes:
        """Return the password of this moment."""
        return _read(self._path).encode(encoding)


class TokenFile:
    """A bearer token that somebody else keeps fresh in a file, such as a projected service account token."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def token(self) -> str:
        """Return the token of this moment."""
        return _read(self._path).strip()


class TokenEndpoint:
    """Bearer tokens by client credentials (RFC 6749, 4.4), each used for most of its life."""

    def __init__(self, url: str, client_id: str, secret_file: Path, scope: str | None) -> None:
        self._url, self._client_id, self._secret_file, self._scope = url, client_id, secret_file, scope
        self._token, self._until = "", float("-inf")
        self._asking = asyncio.Lock()

    async def token(self) -> str:
        """Return a token with enough life left; raises CredentialUnavailable."""
        async with self._asking:
            if time.monotonic() >= self._until:
                asked_at = time.monotonic()
                self._token, life = await asyncio.to_thread(self._ask)
                self._until = asked_at + life * _USED_SHARE
            return self._token

    def _ask(self) -> tuple[str, float]:
        form = {"grant_type": "client_credentials", **({"scope": self._scope} if self._scope else {})}
        secret = _read(self._secret_file)
        # RFC 6749, 2.3.1: both are form-encoded before they become a Basic credential.
        pair = f"{urllib.parse.quote(self._client_id, safe='')}:{urllib.parse.quote(secret, safe='')}"
        request = urllib.request.Request(  # noqa: S310 - settings accept https alone
            self._url,
            data=urllib.parse.urlencode(form).encode(),
            headers={"Authorization": f"Basic {b64encode(pair.encode()).decode()}", "Accept": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_TOKEN_SECONDS) as answer:  # noqa: S310 - as above
                return _read_token(answer.read(_TOKEN_BYTES))
        except urllib.error.HTTPError as error:
            raise CredentialUnavailable(f"the token endpoint answered {error.code}") from None
        except (urllib.error.URLError, TimeoutError) as error:
            reason = getattr(error, "reason", error)
            raise CredentialUnavailable(f"the token endpoint did not answer ({type(reason).__name__})") from None


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
        answer = json.loads(content)
        return str(answer["access_token"]), float(answer.get("expires_in", _LIFE_IF_UNSAID_SECONDS))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CredentialUnavailable("the token endpoint's answer holds no access_token") from None


class RotatingContext(ssl.SSLContext):
    """A TLS context that looks at its files before each handshake and is built anew when one has changed.

    New files that don't fit together (a certificate written before its key) leave the old ones in force; the next
    handshake looks again.
    """

    def __new__(cls, *_: object) -> Self:
        """Make the shell; the context that shakes hands is inside."""
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
        """Begin a handshake with the files as they are now."""
        self._look()
        return self._inner.wrap_bio(*arguments, **options)

    def _look(self) -> None:
        if not self._watcher.changed():
            self._problem = None
            return
        try:
            self._inner = _build_context(self._kafka)
        except OSError as error:
            problem = type(error).__name__
            if problem != self._problem:
                self._problem = problem
                get_log().error("kafka tls files refused, the old ones hold", error=problem)
            return
        self._watcher.mark_read()
        self._problem = None
        get_log().info("kafka tls files reread")


def _build_context(kafka: KafkaSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=None if kafka.ca_file is None else str(kafka.ca_file))
    if kafka.certificate_file is not None:
        context.load_cert_chain(kafka.certificate_file, kafka.key_file)
    return context
