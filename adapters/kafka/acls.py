"""What each process may do in Kafka and no more: the one table behind `gateway topics acls`, `gateway check` and tests.

Pure. READ and WRITE include DESCRIBE. Every process may DESCRIBE_CONFIGS of its topics, because a 202 is only as
durable as min.insync.replicas, which is checked at each start.
"""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

from schemas.topics import Topics

Process = Literal["ingress", "worker", "projector", "topics"]
Resource = Literal["topic", "group", "transactional-id"]


class Operation(IntEnum):
    """Operations with Kafka's own numbers (org.apache.kafka.common.acl.AclOperation)."""

    READ = 3
    WRITE = 4
    CREATE = 5
    DESCRIBE = 8
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11

    @property
    def tool_name(self) -> str:
        """As Kafka's command line tool writes it."""
        return "".join(word.capitalize() for word in self.name.split("_"))


@dataclass(frozen=True, slots=True)
class Need:
    """One resource that a process touches, and what it does there."""

    resource: Resource
    name: str
    operations: frozenset[Operation]
    is_prefix: bool = False
    why: str = field(default="", compare=False)

    def __str__(self) -> str:
        """Name the resource."""
        return f"{self.resource} {self.name}{'*' if self.is_prefix else ''}"


def needs(process: Process, topics: Topics, prefix: str, group: str) -> tuple[Need, ...]:
    """List what a process needs; `prefix` is the topics', `group` the worker's."""
    read, write, look = Operation.READ, Operation.WRITE, Operation.DESCRIBE_CONFIGS
    match process:
        case "ingress":
            return (
                _topic(topics.commands.name, write, look, why="commands come in through ingress alone"),
                _topic(topics.events.name, read, look, why="`Prefer: wait` and the event stream"),
                _topic(topics.dead_letters.name, read, look, why="what operators list, redrive and discard"),
            )
        case "worker":
            return (
                _topic(topics.commands.name, read, look, why="its input"),
                *(
                    _topic(topic.name, write, look, why="its output")
                    for topic in (topics.events, topics.authorizations, topics.dead_letters)
                ),
                _topic(topics.state.name, read, write, look, why="its memory"),
                Need("group", group, frozenset({read}), why="membership and progress"),
                Need("transactional-id", f"{group}-", frozenset({write}), is_prefix=True, why="one per partition"),
            )
        case "projector":
            return tuple(
                _topic(topic.name, read, look, why="what the read model is made of")
                for topic in (topics.commands, topics.events, topics.authorizations)
            )
        case "topics":
            own = frozenset({Operation.CREATE, Operation.DESCRIBE, look, Operation.ALTER_CONFIGS})
            return (Need("topic", prefix, own, is_prefix=True, why="`gateway topics plan` and `apply`"),)


def commands(principals: Mapping[Process, str], wanted: Mapping[Process, Iterable[Need]]) -> Iterator[list[str]]:
    """Write, as arguments of Kafka's kafka-acls.sh, what gives each principal what its process needs.

    The tool takes a second or two each time, so what is alike goes into one call.
    """
    for process, needed in wanted.items():
        alike: dict[tuple[Resource, frozenset[Operation], bool], list[str]] = {}
        for need in needed:
            alike.setdefault((need.resource, need.operations, need.is_prefix), []).append(need.name)
        for (resource, operations, is_prefix), names in alike.items():
            yield [
                "--add",
                *("--allow-principal", principals[process]),
                *(part for operation in sorted(operations) for part in ("--operation", operation.tool_name)),
                *(part for name in names for part in (f"--{resource}", name)),
                *(("--resource-pattern-type", "prefixed") if is_prefix else ()),
            ]


def script(bootstrap: str, all_arguments: Iterable[list[str]]) -> str:
    """Write those commands for a shell."""
    start = ["kafka-acls.sh", "--bootstrap-server", bootstrap, "--command-config", "admin.properties"]
    return "".join(shlex.join([*start, *arguments]) + "\n" for arguments in all_arguments)


def _topic(name: str, *operations: Operation, why: str) -> Need:
    return Need("topic", name, frozenset(operations), why=why)
