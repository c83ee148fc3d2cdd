"""The access to Kafka that each process needs: the one table of `gateway topics acls`, `gateway check` and the tests.

Pure. READ and WRITE include DESCRIBE. Every process needs DESCRIBE_CONFIGS on its topics: each start checks
min.insync.replicas, on which the durability of a 202 depends.
"""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Literal

from schemas.topics import Topics, subscription_prefix

Process = Literal["ingress", "worker", "projector", "deliverer", "topics", "promises"]
Resource = Literal["topic", "group", "transactional-id", "cluster"]


class AclOperation(IntEnum):
    """Operations, with Kafka's numbers (org.apache.kafka.common.acl.AclOperation)."""

    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    CLUSTER_ACTION = 9
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11

    @property
    def tool_name(self) -> str:
        """The operation's name in kafka-acls.sh."""
        return "".join(word.capitalize() for word in self.name.split("_"))


@dataclass(frozen=True, slots=True)
class ResourceAccess:
    """One resource of Kafka, and the operations that a process needs on it."""

    resource: Resource
    name: str
    operations: frozenset[AclOperation]
    is_prefix: bool = False
    why: str = field(default="", compare=False)

    def __str__(self) -> str:
        """Return the kind and the name of the resource."""
        return f"{self.resource} {self.name}{'*' if self.is_prefix else ''}"


def required_access(process: Process, topics: Topics, prefix: str, group: str) -> tuple[ResourceAccess, ...]:
    """List the access that a process needs; `prefix` is the topics'.

    `group` is the worker's consumer group, or the prefix of the deliverer's groups.
    """
    read, write, check = AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE_CONFIGS
    match process:
        case "ingress":
            return (
                _topic(topics.commands.name, write, check, why="ingress alone writes commands"),
                _topic(topics.events.name, read, check, why="`Prefer: wait` and the event stream"),
                _topic(topics.dead_letters.name, read, check, why="operators list, redrive and discard them"),
                ResourceAccess("group", group, frozenset({AclOperation.DESCRIBE}), why="whether a worker runs"),
            )
        case "worker":
            return (
                _topic(topics.commands.name, read, check, why="its input"),
                *(
                    _topic(topic.name, read, write, check, why="its output, and the search for torn transactions")
                    for topic in (topics.events, topics.authorizations, topics.dead_letters)
                ),
                _topic(topics.state.name, read, write, check, why="its state"),
                *_of_a_worker(group),
            )
        case "projector":
            return tuple(
                _topic(topic.name, read, check, why="the read model is built from it")
                for topic in (topics.commands, topics.events, topics.authorizations)
            )
        case "deliverer":
            own = frozenset({read, write, check})
            return (
                _topic(topics.events.name, read, check, why="its input"),
                ResourceAccess(
                    "topic", subscription_prefix(prefix), own, is_prefix=True, why="the topics of each subscription"
                ),
                ResourceAccess(
                    "group", f"{group}.", frozenset({read}), is_prefix=True, why="one group per subscription"
                ),
                ResourceAccess(
                    "transactional-id",
                    f"{group}.",
                    frozenset({write}),
                    is_prefix=True,
                    why="one per subscription and partition",
                ),
            )
        case "topics":
            own = frozenset({AclOperation.CREATE, AclOperation.DESCRIBE, check, AclOperation.ALTER_CONFIGS})
            return (ResourceAccess("topic", prefix, own, is_prefix=True, why="`gateway topics plan` and `apply`"),)
        case "promises":
            return tuple(_topic(topic.name, read, why="`gateway check promises`") for topic in topics)


def optional_access(process: Process) -> tuple[ResourceAccess, ...]:
    """List the access without which a process works, and warns."""
    if process not in {"worker", "deliverer"}:
        return ()
    check = frozenset({AclOperation.DESCRIBE_CONFIGS})
    return (ResourceAccess("cluster", "kafka-cluster", check, why="it compares a deadline with the brokers' session"),)


def possible_access(topics: Topics, group: str | None) -> tuple[ResourceAccess, ...]:
    """List every resource with the operations that can do harm there; `group` is the worker's, None if unknown.

    DESCRIBE and DESCRIBE_CONFIGS are left out: they only read names and settings.
    """
    on_topics = frozenset(
        {
            AclOperation.READ,
            AclOperation.WRITE,
            AclOperation.CREATE,
            AclOperation.DELETE,
            AclOperation.ALTER,
            AclOperation.ALTER_CONFIGS,
        }
    )
    on_cluster = frozenset(
        {AclOperation.CREATE, AclOperation.ALTER, AclOperation.CLUSTER_ACTION, AclOperation.ALTER_CONFIGS}
    )
    return (
        ResourceAccess("cluster", "kafka-cluster", on_cluster),
        *(ResourceAccess("topic", topic.name, on_topics) for topic in topics),
        *(() if group is None else _of_a_worker(group)),
    )


def without(access: ResourceAccess, needed: Iterable[ResourceAccess]) -> ResourceAccess:
    """Return the access without the operations that one of `needed` includes."""
    covering = [need for need in needed if need.resource == access.resource and _covers(need, access)]
    rest = access.operations.difference(*(need.operations for need in covering))
    return replace(access, operations=rest)


def _covers(need: ResourceAccess, access: ResourceAccess) -> bool:
    return access.name.startswith(need.name) if need.is_prefix else access.name == need.name


def _of_a_worker(group: str) -> tuple[ResourceAccess, ResourceAccess]:
    return (
        ResourceAccess("group", group, frozenset({AclOperation.READ}), why="membership and progress"),
        ResourceAccess(
            "transactional-id", f"{group}-", frozenset({AclOperation.WRITE}), is_prefix=True, why="one per partition"
        ),
    )


def acl_commands(
    principals: Mapping[Process, str], required: Mapping[Process, Iterable[ResourceAccess]]
) -> Iterator[list[str]]:
    """Return the arguments of the kafka-acls.sh calls that grant each principal the access of its process.

    Each call takes one or two seconds, so resources with the same operations share a call.
    """
    for process, accesses in required.items():
        grouped: dict[tuple[Resource, frozenset[AclOperation], bool], list[str]] = {}
        for access in accesses:
            grouped.setdefault((access.resource, access.operations, access.is_prefix), []).append(access.name)
        for (resource, operations, is_prefix), names in grouped.items():
            yield [
                "--add",
                *("--allow-principal", principals[process]),
                *(part for operation in sorted(operations) for part in ("--operation", operation.tool_name)),
                *(part for name in names for part in (f"--{resource}", name)[: 1 if resource == "cluster" else 2]),
                *(("--resource-pattern-type", "prefixed") if is_prefix else ()),
            ]


def acl_script(bootstrap: str, all_arguments: Iterable[list[str]]) -> str:
    """Return the calls as a shell script."""
    start = ["kafka-acls.sh", "--bootstrap-server", bootstrap, "--command-config", "admin.properties"]
    return "".join(shlex.join([*start, *arguments]) + "\n" for arguments in all_arguments)


def _topic(name: str, *operations: AclOperation, why: str) -> ResourceAccess:
    return ResourceAccess("topic", name, frozenset(operations), why=why)
