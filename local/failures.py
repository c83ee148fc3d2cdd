"""Why something local could not start, each with what to do next.

LocalError
├── NoJava       this platform has no packaged Java runtime
├── NoJars       the jars are neither in the cache nor to be downloaded
├── NoPostgres   this platform has no packaged PostgreSQL
├── NoSpace      the disk is too full
└── StartFailed  a server was started and did not become ready
"""


class LocalError(Exception):
    """Something local could not start."""


class NoJava(LocalError):
    """No Java runtime comes packaged for this platform."""


class NoJars(LocalError):
    """A jar is not in the cache and cannot be downloaded."""


class NoPostgres(LocalError):
    """No PostgreSQL comes packaged for this platform."""


class NoSpace(LocalError):
    """The disk is too full."""


class StartFailed(LocalError):
    """A server did not become ready."""


USE_AN_EXISTING_CLUSTER = (
    "To use a Kafka that you have: TEST_KAFKA=host:port for the tests, "
    "GATEWAY_KAFKA__BOOTSTRAP=host:port for the gateway."
)
