"""Measures a running installation: memory and handles of processes, sizes of tables and topics."""

import contextlib

import psutil
import psycopg

from local.drills.rows import SCHEMA, TABLES
from local.scene.scene import Scene

# The processes that no fault kills: a restart would hide their growth.
SPARED = ("worker-1", "ingress-0", "projector")


def measure(scene: Scene) -> dict[str, float]:
    """Return the values by name, such as `memory worker-1`, `topic events`. What does not answer is left out."""
    values: dict[str, float] = {}
    for name in SPARED:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(scene.programs[name].process.pid)
            values[f"memory {name}"] = process.memory_info().rss
            values[f"handles {name}"] = process.num_fds()
    with contextlib.suppress(psycopg.Error), psycopg.connect(scene.database.conninfo, connect_timeout=2) as connection:
        for table in TABLES:
            row = connection.execute("SELECT pg_total_relation_size(%s)", [f"{SCHEMA}.{table}"]).fetchone()
            if row is not None:
                values[f"table {table}"] = row[0]
    prefix = scene.installation.prefix
    for topic, size in scene.cluster.topic_bytes().items():
        if topic.startswith(prefix):
            values[f"topic {topic.removeprefix(prefix)}"] = size
    return values
