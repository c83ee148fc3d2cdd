"""Errors of local servers. Each message names the next step.

LocalError
├── NoJava       the platform has no packaged Java runtime
├── NoJars       a jar is not in the cache and cannot be downloaded
├── NoPackage    an npm package cannot be downloaded or is not the pinned one
├── NoPostgres   the platform has no packaged PostgreSQL
├── NoSpace      the disk is too full
└── StartFailed  a server did not become ready
"""


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


class StartFailed(LocalError):
    """A server did not become ready."""


USE_AN_EXISTING_CLUSTER = (
    "To use your own Kafka: TEST_KAFKA=host:port for the tests, GATEWAY_KAFKA__BOOTSTRAP=host:port for the gateway."
)
