"""The key for the digests of commands and of their writes: a reader of `state` cannot find free text by its digest."""

from typing import Final

from runtime.exits import StartupError
from runtime.settings import WorkerSettings, read_secret

_LEAST_BYTES: Final = 16


class DigestKeyRefused(StartupError):
    """The digest key is unusable."""

    title = "digest key"


def read_digest_key(worker: WorkerSettings) -> bytes:
    """Return the digest key. Raises DigestKeyRefused."""
    path = worker.digest_key_file
    if path is None:
        raise DigestKeyRefused(["GATEWAY_WORKER__DIGEST_KEY_FILE is not set"])
    key = read_secret(path).get_secret_value().encode()
    if len(key) < _LEAST_BYTES:
        raise DigestKeyRefused(
            [f"GATEWAY_WORKER__DIGEST_KEY_FILE: the secret has {len(key)} bytes, at least {_LEAST_BYTES} are needed"]
        )
    return key
