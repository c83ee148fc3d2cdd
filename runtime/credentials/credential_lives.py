"""The lives of the certificates, tokens and keys in the files that the settings name, as metrics. Keeps no secret.

A file of authorities counts until its last certificate ends, so that old and new ones can stand in it together. Any
other file counts until its first certificate ends.
"""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from runtime.credentials.json_web_token import unverified_part
from runtime.environ import Section, setting_paths
from runtime.metrics.process import ProcessMetrics
from runtime.settings import value_at

LOOK_EVERY_SECONDS: Final = 60.0
MAX_BYTES: Final = 1 << 20
# The year 9999: a date beyond it is no date.
_LAST: Final = 253_402_300_800.0
# A key seals at most 2^32 records (decision 0025): 180 days at 276 a second. The warning comes 14 days before the end.
KEY_DAYS: Final = 180
_KEY_LIFE_SECONDS: Final = (KEY_DAYS + 14) * 86_400.0
_DATED_KEY: Final = re.compile(rb"\s*[A-Za-z0-9+/_-]{43}=?[ \t]+(\d{4}-\d\d-\d\d)\s")
_IN_DSN: Final = re.compile(r"\b(sslcert|sslrootcert)\s*=\s*(?:'([^']*)'|([^\s&']+))")


@dataclass(frozen=True, slots=True)
class Life:
    """The first and last moment at which a credential is valid, in Unix time."""

    begins: float
    ends: float


@dataclass(slots=True)
class CredentialLives:
    """Shows the lives of the credentials of one process as metrics."""

    settings: Section
    metrics: ProcessMetrics
    _shown: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Look at the files for ever."""
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    def look(self) -> None:
        """Read the files and show the lives of what they hold. A file that cannot be read holds nothing."""
        lives = {
            name: life_of(_read(path), is_authority=name.endswith(("ca_file", "sslrootcert")))
            for name, path in credential_files(self.settings)
        }
        shown = {name: life for name, life in lives.items() if life is not None}
        for name in self._shown - shown.keys():
            self.metrics.credential_expires.remove(name)
            self.metrics.credential_life_seconds.remove(name)
        for name, life in shown.items():
            self.metrics.credential_expires.labels(name).set(life.ends)
            self.metrics.credential_life_seconds.labels(name).set(life.ends - life.begins)
        self._shown = set(shown)


def credential_files(settings: Section) -> Iterator[tuple[str, Path]]:
    """Yield the name and file of each setting that is a file, and of the certificates in PostgreSQL's string."""
    for path in setting_paths(type(settings)):
        file = value_at(settings, path)
        if not isinstance(file, Path):
            continue
        name = ".".join(path)
        yield name, file
        if name == "readmodel.dsn_file":
            for found in _IN_DSN.finditer(_read(file).decode("utf-8", "replace")):
                yield f"readmodel.{found[1]}", Path(unquote(found[2] or found[3]))


def life_of(content: bytes, *, is_authority: bool = False) -> Life | None:
    """Return the life of the certificates (PEM), the JSON Web Token or the first key in a file; None if it holds none.

    A key has one if the day of its first use follows it (`runtime.credentials.key_ring`).
    A token that does not say when it began counts as a long one, whose end is noticed early.
    """
    if b"-----BEGIN CERTIFICATE-----" in content:
        return _life_of_certificates(content, is_authority=is_authority)
    if (day := first_use(content)) is not None:
        return Life(day, day + _KEY_LIFE_SECONDS)
    claims = unverified_part(content.decode("latin-1").strip(), 1)
    ends = _time(claims.get("exp"))
    return None if ends is None else Life(_time(claims.get("iat")) or _time(claims.get("nbf")) or 0.0, ends)


def first_use(content: bytes) -> float | None:
    """Return the day of the first use of a file's first key, as Unix time; None without one."""
    try:
        found = _DATED_KEY.match(content + b"\n")
        return None if found is None else datetime.fromisoformat(found[1].decode()).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _life_of_certificates(content: bytes, *, is_authority: bool) -> Life | None:
    # Few installations have a certificate, and the import takes 16 MiB.
    from cryptography import x509  # noqa: PLC0415 - for the reason above

    try:
        certificates = x509.load_pem_x509_certificates(content)
    except ValueError:
        return None
    lives = [
        Life(found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp()) for found in certificates
    ]
    return (max if is_authority else min)(lives, key=lambda life: life.ends)


def _time(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _LAST:
        return None
    return float(value)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES)
    except OSError:
        return b""
