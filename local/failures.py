"""Errors of local servers. Each message names the next step.

LocalError
├── NoJava       the platform has no packaged Java runtime
├── NoJars       a jar is not in the cache and cannot be downloaded
├── NoPackage    an npm package cannot be downloaded or is not the pinned one
├── NoPostgres   the platform has no packaged PostgreSQL
├── NoSpace      the disk is too full
├── NotPossible  this machine cannot run the verb
└── StartFailed  a server did not become ready
"""

import sys
from collections.abc import Callable
from typing import Final

FAILED: Final = 1
UNAVAILABLE: Final = 69  # EX_UNAVAILABLE of sysexits


class LocalError(Exception):
    """A local server could not start."""


class NoJava(LocalError):
    """The platform has no packaged Java runtime."""


class NoJars(LocalError):
    """A jar is not in the cache and cannot be downloaded."""


class NoPackage(LocalError):
    """An npm package cannot be downloaded, or is not the pinned one."""


class NoPostgres(LocalError):
    """The platform has no packaged PostgreSQL."""


class NoSpace(LocalError):
    """The disk is too full."""


class NotPossible(LocalError):
    """This machine cannot run the verb. The message says what is missing."""


class StartFailed(LocalError):
    """A server did not become ready."""


def exit_code(verb: Callable[[], int | None]) -> int:
    """Run a verb of `make`; return its exit code. Print a LocalError; the code is then 69 for NotPossible, else 1."""
    try:
        return verb() or 0
    except LocalError as failed:
        print(failed, file=sys.stderr)
        return UNAVAILABLE if isinstance(failed, NotPossible) else FAILED


USE_AN_EXISTING_CLUSTER = (
    "To use your own Kafka: TEST_KAFKA=host:port for the tests, GATEWAY_KAFKA__BOOTSTRAP=host:port for the gateway."
)
