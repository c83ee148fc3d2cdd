"""`python -m local kafka` and `postgres`: run one local server until Ctrl-C."""

import sys
import time
from collections.abc import Callable
from typing import TypeVar

from local.failures import LocalError
from local.kafka.nodes import Cluster
from local.postgres import Postgres
from local.processes.run import until_interrupted

Server = TypeVar("Server", Cluster, Postgres)

CHECK_EVERY_SECONDS = 1.0
UNAVAILABLE = 69  # EX_UNAVAILABLE of sysexits


def kafka(brokers: int = 1, port: int | None = None) -> int:
    """Run a cluster, print its addresses, and return the exit code."""
    return _serve(Cluster(brokers, port=port), lambda cluster: cluster.bootstrap)


def postgres() -> int:
    """Run a PostgreSQL server, print its conninfo, and return the exit code."""
    return _serve(Postgres(), lambda server: server.conninfo)


def _serve(server: Server, address: Callable[[Server], str]) -> int:
    try:
        with until_interrupted(), server:
            print(address(server), flush=True)
            while True:
                server.require_running()
                time.sleep(CHECK_EVERY_SECONDS)
    except LocalError as error:
        print(error, file=sys.stderr)
        return UNAVAILABLE
    return 0
