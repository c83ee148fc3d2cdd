"""The storage of a node, as `kafka-storage format` writes it: formatted once for each version of the jars, then copied.

The tool takes a second of processor time for each node. What it writes depends on the version of Kafka, except the ids
in `meta.properties`. A storage with users (`local.kafka.secured`) needs the tool.
"""

import base64
import hashlib
import shutil
import tempfile
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from local.kafka.broker import Node


def random_id() -> str:
    """Return an id of a cluster or of a directory, as Kafka makes it: 16 bytes in base64."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def template_of(jars: Sequence[Path]) -> Path:
    """Return the path of the formatted storage of these jars. It may not exist yet."""
    digest = hashlib.sha256("\n".join(map(str, jars)).encode()).hexdigest()[:12]
    return jars[0].parent / f"formatted-{digest}"


def keep(template: Path, node: Node) -> None:
    """Make the template from a node that the tool has just formatted."""
    with tempfile.TemporaryDirectory(dir=template.parent) as directory:
        copied = Path(directory, "data")
        shutil.copytree(node.data, copied)
        # Another process may have been faster.
        with suppress(OSError):
            copied.rename(template)


def copy(template: Path, node: Node, cluster_id: str) -> None:
    """Format a node's storage with the template."""
    shutil.copytree(template, node.data)
    ids = {"version": 1, "cluster.id": cluster_id, "node.id": node.number, "directory.id": random_id()}
    (node.data / "meta.properties").write_text("".join(f"{name}={value}\n" for name, value in ids.items()))
