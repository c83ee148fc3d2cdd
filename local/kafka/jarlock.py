"""Write `kafka.lock.toml`: `python -m local.kafka.jarlock`, or `make lock`.

Only this step resolves POMs. It takes half a minute.
"""

import hashlib
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import tomli_w
from jgo.maven import Dependency, MavenContext
from jgo.parse import Endpoint

from local.kafka.jars import LOCK, Jar

# "!" excludes log4j from version management: its bill of materials would downgrade kafka-clients to 3.9.
# Without a binding of slf4j the broker writes no logs.
# kafka-tools is needed for its console consumer only, which needs none of its dependencies (Kafka Connect's).
WITHOUT_DEPENDENCIES = ("org.apache.kafka:kafka-tools:4.4.0",)
WANTED = "org.apache.kafka:kafka_2.13:4.4.0+org.apache.logging.log4j:log4j-slf4j-impl:2.25.5!"


def make_lock() -> None:
    """Resolve and pin the jars that Kafka needs at run time."""
    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(repo_cache=Path(scratch), local_repos=[], timeout=30)
        wanted = [
            context.create_dependency(replace(jar, scope="compile")) for jar in Endpoint.parse(WANTED).coordinates
        ]
        inputs, transitive = context.resolver.resolve(wanted)
        alone = [
            context.create_dependency(jar) for text in WITHOUT_DEPENDENCIES for jar in Endpoint.parse(text).coordinates
        ]
        needed = [jar for jar in (*inputs, *transitive) if jar.scope in {"compile", "runtime"}]
        jars = [_pin(jar) for jar in (*needed, *alone)]
    LOCK.write_text(tomli_w.dumps({"jar": [asdict(jar) for jar in jars]}))


def _pin(dependency: Dependency) -> Jar:
    content = Path(dependency.artifact.resolve()).read_bytes()
    return Jar(
        group=dependency.groupId,
        artifact=dependency.artifactId,
        version=dependency.version,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
    )


if __name__ == "__main__":
    make_lock()
