"""The topics that every way back begins with: many closed authorizations, and the state that a rebuild makes of them.

They are written once, and kept as the volume of a broker: each further run begins with a copy.
"""

import asyncio
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.promises import write_stories
from local.collate.simulation import Simulation
from local.installation import Installation
from local.kafka.nodes import Cluster
from schemas.topics import catalogue

_CLOSED = b'"settledAt"'
_VERSION = 20  # later than that of each story


def put_back(volume: Path, cluster: Cluster) -> None:
    """Replace the broker's volume by a copy of another."""
    cluster.stop(0)
    shutil.rmtree(cluster.volume(0))
    shutil.copytree(volume, cluster.volume(0))
    cluster.start(0)


def keep(volume: Path, cluster: Cluster) -> None:
    """Copy the volume of a broker that is killed meanwhile, as a snapshot of a disk does."""
    cluster.kill(0)
    shutil.copytree(cluster.volume(0), volume)
    cluster.start(0)


def fill(authorizations: int, cluster: Cluster, sim: Simulation, installation: Installation) -> None:
    """Write the topics, or take those of an earlier run, and give Collate these authorizations, which are completed."""
    sim.create("completed", ids=tuple(map("auth_{}".format, range(authorizations))), version=_VERSION)
    kept = Path(tempfile.gettempdir(), f"gateway-ways-{authorizations}")
    if kept.exists():
        put_back(kept, cluster)
        return
    installation.apply_topics()
    day = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}".encode()
    topics = catalogue(installation.prefix)
    asyncio.run(write_stories(cluster.bootstrap, topics, authorizations, 1, holds=_CLOSED, day=day))
    installation.run_verb("topics", "rebuild-state", "--yes")
    keep(kept, cluster)
