"""Checks of the files that settings name, without any network call."""

import ssl
import time
from collections.abc import Iterator
from pathlib import Path

from adapters.kafka.credentials import RotatingContext
from cli.check.check_results import CheckResult, differs, failed, ok
from consumers.deliverer.subscriptions_file import SubscriptionsFile
from gateway.ingress.auth.callers_file import read_callers
from runtime.credentials.credential_lives import KEY_DAYS, first_use
from runtime.credentials.key_ring import KeyFileError, read_keys
from runtime.exits import Exit
from runtime.http_client import client_tls
from runtime.settings import MOST_PHI_KEYS, ClusterSettings, DelivererProcessSettings, Settings, read_secret
from runtime.settings.processes import UNKNOWN_STATE_BYTES
from runtime.toml_file import TomlInvalid

_DIGEST_KEY_BYTES = 16


def check_files(settings: ClusterSettings, process: str | None) -> Iterator[CheckResult]:
    """Check the certificates, the callers file, the keys and the subscriptions file."""
    if settings.kafka.security.endswith("SSL"):
        yield _kafka_tls(settings)
    if isinstance(settings, DelivererProcessSettings) or (process is None and settings.deliverer.subscriptions_file):
        yield _subscriptions(settings)
    if not isinstance(settings, Settings):
        return
    if settings.collate.ca_file is not None:
        yield _collate_tls(settings)
    if process in {None, "ingress"} and settings.ingress.callers_file is not None:
        yield from _callers(settings)
    if process in {None, "worker"} and settings.worker.digest_key_file is not None:
        yield _digest_key(settings)
    if settings.topics.phi_key_file is not None:
        yield _phi_keys(settings.topics.phi_key_file, time.time())


def _kafka_tls(settings: ClusterSettings) -> CheckResult:
    try:
        RotatingContext(settings.kafka)
    except OSError as error:
        return failed("kafka tls", f"unusable certificate or key file: {_reason(error)}", Exit.CONFIG)
    return ok("kafka tls", "certificates and keys match")


def _collate_tls(settings: Settings) -> CheckResult:
    try:
        client_tls(settings.collate.ca_file)
    except OSError as error:
        return failed("collate tls", f"GATEWAY_COLLATE__CA_FILE is unusable: {_reason(error)}", Exit.CONFIG)
    return ok("collate tls", "certificate authorities are readable")


def _callers(settings: Settings) -> Iterator[CheckResult]:
    path = settings.ingress.callers_file
    if path is None:
        yield failed("callers", "GATEWAY_INGRESS__CALLERS_FILE is not set", Exit.CONFIG)
        return
    try:
        callers = read_callers(path.read_bytes())
    except TomlInvalid as invalid:
        yield failed("callers", f"{path}: {invalid}", Exit.CONFIG)
        return
    if unusable := callers.unusable_permissions():
        names = "; ".join(f"{name}: {', '.join(permissions)}" for name, permissions in sorted(unusable.items()))
        yield differs("callers", f"{path}: a signature is for commands only, so these need a key or a token: {names}")
    else:
        yield ok("callers", f"{len(callers)} in {path}")
    yield _unknown(settings, callers.pools)


def _unknown(settings: Settings, callers: int) -> CheckResult:
    """Compare what all callers can fill together with the memory for states (decision 0028)."""
    bound = settings.max_unknown_in_partition(callers) * settings.topics.partitions
    # What a caller adds beyond its bound: closes and others at each process, twice after all of ingress has restarted.
    unfinished = 2 * 2 * settings.ingress.max_replicas * settings.ingress.max_unfinished_per_caller
    needed, memory = callers * (bound + unfinished) * UNKNOWN_STATE_BYTES >> 20, settings.worker.state_memory >> 20
    detail = (
        f"{callers} callers × ({bound:,} a day + {unfinished:,} unfinished) need {needed} of {memory} MiB of a worker"
    )
    if needed <= memory:
        return ok("unknown ids", detail)
    return failed("unknown ids", f"{detail}; raise its memory and GATEWAY_WORKER__MEMORY_LIMIT", Exit.CONFIG)


def _subscriptions(settings: ClusterSettings) -> CheckResult:
    path = settings.deliverer.subscriptions_file
    if path is None:
        return failed("webhooks", "GATEWAY_DELIVERER__SUBSCRIPTIONS_FILE is not set", Exit.CONFIG)
    try:
        found = SubscriptionsFile(path).current
    except TomlInvalid as invalid:
        return failed("webhooks", f"{path}: {invalid}", Exit.CONFIG)
    return ok("webhooks", f"{len(found)} in {path}: {', '.join(sorted(found)) or 'none'}")


def _digest_key(settings: Settings) -> CheckResult:
    path = settings.worker.digest_key_file
    size = 0 if path is None else len(read_secret(path).get_secret_value().encode())
    if size < _DIGEST_KEY_BYTES:
        return failed("digest key", f"{path} has {size} bytes, at least {_DIGEST_KEY_BYTES} are required", Exit.CONFIG)
    return ok("digest key", f"{size} bytes")


def _phi_keys(file: Path, now: float) -> CheckResult:
    """Check the keys, and how long the first one has been in use."""
    found = check_key_file("phi keys", file, MOST_PHI_KEYS)
    if found.code != Exit.OK:
        return found
    if (since := first_use(file.read_bytes())) is None:
        return differs(
            "phi keys", f"{found.detail}; behind the first key write the day of its first use: KEY 2026-06-01"
        )
    days = int((now - since) / 86_400)
    detail = f"{found.detail}; the first key has been in use for {days} days"
    return differs("phi keys", f"{detail}: rotate it") if days >= KEY_DAYS else ok("phi keys", detail)


def check_key_file(name: str, file: Path, most: int) -> CheckResult:
    """Check the keys of a file. The result names each key by its id, the first one first."""
    try:
        return ok(name, f"{', '.join(key.id for key in read_keys(file, most))} in {file}")
    except KeyFileError as invalid:
        return failed(name, "; ".join(invalid.problems), Exit.CONFIG)


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "unexpected content").replace("_", " ").lower()
    return (error.strerror or type(error).__name__).lower()
