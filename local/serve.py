"""`gateway local kafka`: one server of the local kind, until Ctrl-C."""

import time

from local.kafka import Cluster
from local.run import until_interrupted

LOOK_EVERY_SECONDS = 1.0


def kafka(brokers: int = 1, port: int | None = None) -> None:
    """Run a cluster and print where it is; raises a LocalError if it can't start or does not stay up."""
    with until_interrupted(), Cluster(brokers, port=port) as cluster:
        print(cluster.bootstrap, flush=True)
        while True:
            cluster.require_running()
            time.sleep(LOOK_EVERY_SECONDS)
