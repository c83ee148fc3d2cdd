"""The users and topics of an installation as Strimzi's resources: `gateway topics acls --format strimzi`. Pure.

Strimzi's operators create what the resources describe. Then the gateway's own Job of topics is not needed.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from adapters.kafka.acls import Process, ResourceAccess
from adapters.kafka.topics import WantedTopic
from runtime.settings import KafkaSettings

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_RESOURCES: Final = {
    "topic": "topic",
    "group": "group",
    "transactional-id": "transactionalId",
    "cluster": "cluster",
}


class PrincipalUnusable(Exception):
    """A principal is no user that Strimzi can create."""


def resources(
    principals: Mapping[Process, str],
    required: Mapping[Process, Iterable[ResourceAccess]],
    topics: Iterable[WantedTopic],
    kafka: KafkaSettings,
    *,
    cluster: str,
    version: str,
) -> Iterator[dict[str, object]]:
    """Yield a KafkaTopic for each topic, and a KafkaUser for each process but `topics`. Raises PrincipalUnusable."""
    for topic in topics:
        spec = {
            "topicName": topic.name,
            "partitions": topic.partitions,
            "replicas": topic.replication,
            "config": {key: int(value) if value.isdigit() else value for key, value in topic.config.items()},
        }
        yield _resource(
            "KafkaTopic", re.sub(r"[^a-z0-9.-]", "-", topic.name.lower()).strip("-."), cluster, version, spec
        )
    for process, principal in principals.items():
        if process == "topics":
            continue
        acls = [_acl(access) for access in required[process]]
        login = _authentication(kafka)
        spec = {
            **({"authentication": {"type": login}} if login else {}),
            "authorization": {"type": "simple", "acls": acls},
        }
        yield _resource("KafkaUser", _user(principal), cluster, version, spec)


def document(all_resources: Iterable[dict[str, object]]) -> str:
    """Return the resources as one YAML document each."""
    return "".join(f"---\n{''.join(_yaml(resource, 0))}" for resource in all_resources)


def _resource(kind: str, name: str, cluster: str, version: str, spec: dict[str, object]) -> dict[str, object]:
    return {
        "apiVersion": f"kafka.strimzi.io/{version}",
        "kind": kind,
        "metadata": {"name": name, "labels": {"strimzi.io/cluster": cluster}},
        "spec": spec,
    }


def _user(principal: str) -> str:
    name = principal.removeprefix("User:").removeprefix("CN=")
    if not _NAME.fullmatch(name):
        raise PrincipalUnusable(
            f"{principal} is not the name of a KafkaUser: expected lower-case letters, digits, dots and hyphens"
        )
    return name


def _authentication(kafka: KafkaSettings) -> str | None:
    """Return the type of login that Strimzi creates; None if another system does."""
    if kafka.security == "SSL":
        return "tls"
    if kafka.security.startswith("SASL") and kafka.mechanism == "SCRAM-SHA-512":
        return "scram-sha-512"
    return None


def _acl(access: ResourceAccess) -> dict[str, object]:
    pattern = (
        {}
        if access.resource == "cluster"
        else {
            "name": access.name,
            "patternType": "prefix" if access.is_prefix else "literal",
        }
    )
    return {
        "resource": {"type": _RESOURCES[access.resource], **pattern},
        "operations": [operation.tool_name for operation in sorted(access.operations)],
    }


def _yaml(value: Mapping[str, object], depth: int) -> Iterator[str]:
    """Yield the lines of a mapping. The values are mappings, lists of mappings, lists of words, words or numbers."""
    indent = "  " * depth
    for key, own in value.items():
        if isinstance(own, Mapping):
            yield f"{indent}{key}:\n"
            yield from _yaml(own, depth + 1)
        elif isinstance(own, list) and own and isinstance(own[0], Mapping):
            yield f"{indent}{key}:\n"
            for item in own:
                first, *rest = _yaml(item, depth + 2)
                yield f"{indent}  - {first.lstrip()}"
                yield from rest
        else:
            yield f"{indent}{key}: {json.dumps(own)}\n"
