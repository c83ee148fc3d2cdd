"""`gateway local kafka` and `gateway local collate`: one local server alone, until Ctrl-C."""

import sys
import time

from local.collate.__main__ import main as serve_collate
from local.failures import LocalError
from local.kafka import Cluster
from local.run import until_interrupted

LOOK_EVERY_SECONDS = 1.0
UNAVAILABLE = 69  # sysexits: a service is not to be had


def kafka(brokers: int = 1, port: int | None = None) -> int:
    """Run a cluster, print where it is, and return the exit code."""
    try:
        with until_interrupted(), Cluster(brokers, port=port) as cluster:
            print(cluster.bootstrap, flush=True)
            while True:
                cluster.require_running()
                time.sleep(LOOK_EVERY_SECONDS)
    except LocalError as error:
        print(error, file=sys.stderr)
        return UNAVAILABLE
    return 0


def collate(port: int | None = None) -> int:
    """Run the simulated Collate, print where it is, and return the exit code."""
    return serve_collate(["--port", str(port or 0)])
