"""One broker for all processes of a run: `pytest -p tests.shared_broker --numprocesses 5`.

The process that distributes the tests runs it; it starts while the others collect. However that process ends, its
broker ends too (`local.processes.run`). No test may stop or freeze this broker.
"""

from contextlib import closing

import pytest

from local.failures import LocalError
from local.kafka.nodes import Cluster
from local.processes.ports import HeldPort, free_ports, hold

_PORT = pytest.StashKey[HeldPort]()


def own_broker(port: int | None = None, **properties: str) -> Cluster:
    """One broker that allows the short sessions of the engine's tests."""
    properties |= {
        "group.min.session.timeout.ms": "500",
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "300",
        "log.cleaner.backoff.ms": "500",
    }
    return Cluster(properties=properties, port=port)


def pytest_sessionstart(session: pytest.Session) -> None:
    is_xdist_worker = hasattr(session.config, "workerinput")
    if not (is_xdist_worker or session.config.option.collectonly):
        session.config.stash[_PORT] = hold(*free_ports(1))


def pytest_configure_node(node: object) -> None:
    """Give the broker's address to a process of pytest-xdist."""
    node.workerinput["broker"] = f"127.0.0.1:{node.config.stash[_PORT].number}"


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> object:
    if (port := session.config.stash.get(_PORT, None)) is None:
        return (yield)
    try:
        cluster = own_broker(port.release()).open()
    except LocalError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.INTERNAL_ERROR)
    with closing(cluster):
        return (yield)
