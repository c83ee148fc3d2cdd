"""Fixtures for all tests. A server starts with the first test that needs it.

With TEST_KAFKA=host:port the tests use an existing cluster. Their topics begin with `test-`; the tests remove them.
With TEST_POSTGRES=postgresql://user@host/database they use an existing PostgreSQL. The user must be able to create
databases. Servers of the tests keep their data in TEST_DATA, by default in memory.
"""

import asyncio
import functools
import gc
import importlib
import inspect
import itertools
import os
import signal
import sys
import time
import types
import uuid
import warnings

import pytest
import structlog
from httpx._transports import default as httpx_transports
from hypothesis import HealthCheck, Phase, settings

from local.processes.memory import prefer_memory
from local.processes.patience import Patience

# The collection makes a million objects that stay. A collector that reads them again and again takes a fifth of
# the processor time of `make unit`.
gc.disable()


def pytest_collection_finish():
    """Collect garbage again, but never read the objects of the collection."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items):
    """Mark the tests that need servers. `make test` leaves them out, except those of a promise."""
    for item in items:
        if item.nodeid.startswith(("tests/system/", "tests/browser/")):
            item.add_marker("servers")


def _is_valid_syntax(term, value):
    sys.modules.pop("rfc3987_syntax", None)
    return importlib.import_module("rfc3987_syntax").is_valid_syntax(term, value)


# jsonschema imports this package, which takes a second to build 38 parsers for formats that our schemas do not use.
sys.modules["rfc3987_syntax"] = types.ModuleType("rfc3987_syntax")
sys.modules["rfc3987_syntax"].is_valid_syntax = _is_valid_syntax

# A traceback with colours and local variables takes up to a second, and no test shows it to a person.
structlog.dev.ConsoleRenderer.get_active().exception_formatter = structlog.dev.plain_traceback

# A client of httpx reads 140 certificates, which takes 40 ms. Clients without a context of their own share one.
httpx_transports.create_ssl_context = functools.lru_cache(maxsize=4)(httpx_transports.create_ssl_context)

# No deadlines, because machines may be busy. CI uses the same examples for each commit.
settings.register_profile(
    "house",
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
    print_blob=True,
)
# For `make unit`, which must be fast.
settings.register_profile("quick", settings.get_profile("house"), max_examples=10)
# For `make mutants`: one failure is enough, so do not spend minutes on the search for a smaller one.
settings.register_profile("mutants", settings.get_profile("quick"), phases=[Phase.explicit, Phase.generate])
settings.load_profile("house")

# A background process of a shell ignores SIGINT, and the processes that a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The machine's own settings must not reach a test or its processes.
for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
    del os.environ[name]

prefer_memory()

SLOW_FIXTURE_SECONDS = 10.0


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request):
    """Name the slow fixtures in the report of a test that fails."""
    began = time.monotonic()
    try:
        return (yield)
    finally:
        if (seconds := time.monotonic() - began) > SLOW_FIXTURE_SECONDS:
            request._pyfuncitem.add_report_section("setup", "slow fixture", f"{fixturedef.argname}: {seconds:.0f} s")


@pytest.fixture
def eventually():
    """Repeat a check, sync or async, until it returns a true value without a failed assertion; return the value.

    A key or element that is missing is not there yet: an answer of 503 has no list.

    `value = await eventually(lambda: ledger.effects, within=5)`
    """

    async def wait(check, within=30):
        patience = Patience(within)
        while True:
            failed = None
            try:
                value = check()
                if inspect.isawaitable(value):
                    value = await value
                if value:
                    return value
            except (AssertionError, LookupError) as error:
                failed = error
            if patience.is_over:
                raise failed or AssertionError(f"still {value!r} after {within} s: {inspect.getsource(check).strip()}")
            await asyncio.sleep(patience.pause)

    return wait


@pytest.fixture
def eventually_blocking():
    """`eventually` for tests without an event loop."""

    def wait(check, within=30):
        patience = Patience(within)
        while not (value := check()):
            assert not patience.is_over, f"still {value!r} after {within} s: {inspect.getsource(check).strip()}"
            time.sleep(patience.pause)
        return value

    return wait


@pytest.fixture(scope="session")
def broker(request):
    """Bootstrap servers of one broker that no test stops. It allows the short sessions of the engine's tests."""
    if shared := getattr(request.config, "workerinput", {}).get("broker"):
        yield shared
        return
    from tests.shared_broker import own_broker  # noqa: PLC0415 - unit tests do not need this import

    with own_broker() as cluster:
        yield cluster.bootstrap


@pytest.fixture(scope="session")
def kafka(request):
    """Bootstrap servers of a real Kafka: TEST_KAFKA, or the tests' own broker."""
    return os.environ.get("TEST_KAFKA") or request.getfixturevalue("broker")


@pytest.fixture(scope="session")
def one_broker():
    from local.scene.settings import BROKERS  # noqa: PLC0415 - as above
    from tests.shared_broker import own_broker  # noqa: PLC0415 - as above

    with own_broker(**BROKERS) as cluster:
        yield cluster


@pytest.fixture
def kafka1(one_broker):
    """A broker that a test may kill, freeze and restart. It runs before each test."""
    if not one_broker.is_running(0):
        one_broker.start(0)
    return one_broker


@pytest.fixture(scope="session")
def three_brokers():
    from local.kafka.nodes import Cluster  # noqa: PLC0415 - as above
    from local.scene.settings import BROKERS  # noqa: PLC0415 - as above

    with Cluster(brokers=3, properties=BROKERS) as cluster:
        yield cluster


@pytest.fixture
def killed_clients_are_collected():
    """After the test: close the sockets of clients that it has cut off, and not in any later test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def kafka3(three_brokers, killed_clients_are_collected):
    """A cluster of three nodes that a test may kill and restart. All nodes run before and after each test."""
    yield three_brokers
    down = [index for index in three_brokers.brokers if not three_brokers.is_running(index)]
    for index in down:
        three_brokers.start(index, wait=False)
    three_brokers.await_ready()


@pytest.fixture(scope="session")
def postgres_server():
    """The conninfo of a real PostgreSQL: TEST_POSTGRES, or a server for the whole session."""
    if existing := os.environ.get("TEST_POSTGRES"):
        yield existing
        return
    from local.postgres import Postgres  # noqa: PLC0415 - unit tests do not need this import

    with Postgres() as server:
        yield server.conninfo


@pytest.fixture
def postgres(postgres_server):
    """The conninfo of a new, empty database."""
    import psycopg  # noqa: PLC0415 - as above

    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield psycopg.conninfo.make_conninfo(postgres_server, dbname=name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def collate():
    """A new simulated Collate on a free port: `collate.url`, `collate.create()`, `collate.fault(…)`."""
    from local.collate.web.server import SimulatedCollate  # noqa: PLC0415 - as above

    async with SimulatedCollate() as simulated:
        yield simulated


@pytest.fixture(scope="session")
def _prefixes():
    session = uuid.uuid4().hex[:8]
    yield (f"test-{session}-{number}." for number in itertools.count(1))
    if existing := os.environ.get("TEST_KAFKA"):
        asyncio.run(_remove_topics(existing, f"test-{session}-"))


@pytest.fixture
def prefix(_prefixes, request):
    """A unique topic prefix, also for group and transactional ids.

    Its topics go with the test: else the shared broker of a run ends with 3,000 partitions.
    """
    own = next(_prefixes)
    yield own
    for broker in {"kafka", "broker"} & {*request.fixturenames}:
        asyncio.run(_remove_topics(request.getfixturevalue(broker), own))


async def _remove_topics(bootstrap, prefix):
    from local.kafka.admin import admin_of  # noqa: PLC0415 - as above

    async with admin_of(bootstrap) as admin:
        if ours := [topic for topic in await admin.list_topics() if topic.startswith(prefix)]:
            await admin.delete_topics(ours)
