"""The command line on a real Kafka, and a port that leads to Kafka only after a while."""

import os

import pytest

from tests.preloaded import run_gateway

PARTITIONS = 3


@pytest.fixture
def gateway(kafka, prefix):
    """Run `gateway` on this Kafka, with small topics of one replica."""
    from tests.system.documents.kubernetes import until_reachable  # noqa: PLC0415 - unit tests must not import it

    def run(*arguments, **changes):
        environ = {
            "PATH": os.environ["PATH"],
            "COLUMNS": "300",
            "GATEWAY_ENVIRONMENT": "test",
            "GATEWAY_KAFKA__BOOTSTRAP": kafka,
            "GATEWAY_TOPICS__PREFIX": prefix,
            "GATEWAY_TOPICS__PARTITIONS": str(PARTITIONS),
            "GATEWAY_TOPICS__REPLICATION": "1",
            "GATEWAY_TOPICS__MIN_INSYNC": "1",
            **changes,
        }

        def start():
            return run_gateway(*arguments, environ=environ)

        return start() if changes else until_reachable(start)

    return run


@pytest.fixture
async def late_port(kafka):
    """A free port, and a function that opens it as a proxy to Kafka."""
    from local.processes.ports import free_ports  # noqa: PLC0415 - as above
    from tests.system.proxy import Proxy  # noqa: PLC0415 - as above

    (port,) = free_ports(1)
    proxy = Proxy(port, kafka.split(",")[0])
    yield port, proxy.mend
    await proxy.refuse()
