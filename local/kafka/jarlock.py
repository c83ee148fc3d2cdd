"""Write `kafka.lock.toml` and those of other versions of Kafka: `python -m local.kafka.jarlock`, or `make lock`.

Only this step resolves POMs. It takes half a minute for each version.
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
TOOLS = "org.apache.kafka:kafka-tools:4.4.0"
_LOG4J = "org.apache.logging.log4j:log4j-{}:2.25.5!"
_BROKER = "org.apache.kafka:kafka_2.13:{}+" + _LOG4J.format("slf4j-impl")
# For each lock: the jars with their dependencies, and those without. Kafka 3.9 calls log4j 1.
WANTED = {
    "kafka-3.9.lock.toml": (_BROKER.format("3.9.2"), _LOG4J.format("1.2-api")),
    "kafka-4.0.lock.toml": (_BROKER.format("4.0.2"), ""),
    "kafka.lock.toml": (_BROKER.format("4.4.0"), TOOLS),
}


def make_lock(lock: Path, with_dependencies: str, without: str) -> None:
    """Resolve and pin the jars that one version of Kafka needs at run time."""
    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(repo_cache=Path(scratch), local_repos=[], timeout=30)
        wanted = [
            context.create_dependency(replace(jar, scope="compile"))
            for jar in Endpoint.parse(with_dependencies).coordinates
        ]
        inputs, transitive = context.resolver.resolve(wanted)
        alone = [context.create_dependency(jar) for jar in (Endpoint.parse(without).coordinates if without else ())]
        needed = [jar for jar in (*inputs, *transitive) if jar.scope in {"compile", "runtime"}]
        jars = [_pin(jar) for jar in (*needed, *alone)]
    lock.write_text(tomli_w.dumps({"jar": [asdict(jar) for jar in jars]}))


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
    for name, jars in WANTED.items():
        make_lock(LOCK.with_name(name), *jars)
