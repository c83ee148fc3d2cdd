"""`gateway topics`: compares the topics with the required ones, creates them, prints ACL commands."""

import os
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from adapters.kafka.acls import Process, acl_commands, acl_script, optional_access, required_access
from adapters.kafka.cluster import open_cluster
from adapters.kafka.surplus_partitions import find_misplaced
from adapters.kafka.topics import Difference, WantedTopic, apply, compare, compare_when_visible, wanted_topics
from cli.all_topics import all_topics
from cli.kafka import run_with_kafka
from cli.terminal import AsOneJson, print_json
from cli.topic_ids import ProgressNotRead, id_differences
from runtime.exits import Exit
from runtime.settings import ClusterSettings, load_access_settings, load_cluster_settings
from schemas.topics import catalogue

_NO_DIFFERENCE = "All topics are correct."


def plan(*, as_json: AsOneJson = False) -> None:
    """Show the differences between the topics and the required ones. Changes nothing.

    If it may read `state`, it also compares the topic's id with the worker's progress. Exit codes:

      0   there is no difference
      3   `gateway topics apply` would change something
      78  you must change something by hand before the processes can run
    """
    settings = load_cluster_settings(os.environ)
    differences = run_with_kafka(settings.kafka, _plan(settings), "gateway topics")
    if as_json:
        print_json({"differences": differences}, indent=2)
    elif differences:
        _print_table("Differences", differences)
    else:
        typer.echo(_NO_DIFFERENCE)
    raise typer.Exit(_code(differences, changes=Exit.CHANGES))


def apply_plan(*, as_json: AsOneJson = False) -> None:
    """Create missing topics and correct configs. Never changes partitions, replicas, cleanup policy or records.

    Safe to repeat. Exit codes:

      0   the processes can run
      69  Kafka is unreachable, or did not apply the changes in time
      78  you must change something by hand before the processes can run
    """
    settings = load_cluster_settings(os.environ)
    applied, left = run_with_kafka(settings.kafka, _apply(settings), "gateway topics")
    if as_json:
        print_json({"applied": applied, "left": left}, indent=2)
    else:
        for difference in applied:
            typer.echo(_applied(difference))
        if left:
            _print_table("Remaining differences", left)
        else:
            typer.echo(_NO_DIFFERENCE)
    raise typer.Exit(_code(left, changes=Exit.UNAVAILABLE))


def acls(
    *,
    ingress: Annotated[str, typer.Option(help="Kafka principal of ingress.")] = "User:gateway-ingress",
    worker: Annotated[str, typer.Option(help="Kafka principal of the worker.")] = "User:gateway-worker",
    projector: Annotated[str, typer.Option(help="Kafka principal of the projector.")] = "User:gateway-projector",
    deliverer: Annotated[
        str, typer.Option(help="Kafka principal of the deliverer, if the subscriptions file is set.")
    ] = "User:gateway-deliverer",
    topics: Annotated[str, typer.Option(help="Kafka principal of `gateway topics apply`.")] = "User:gateway-topics",
    promises: Annotated[
        str | None, typer.Option(help="Kafka principal of `gateway check promises`, if it runs by itself.")
    ] = None,
) -> None:
    """Print commands of kafka-acls.sh that grant each process exactly the permissions that it needs.

    Run them as a user who may alter ACLs. This verb does not connect to Kafka and changes nothing.
    """
    settings = load_access_settings(os.environ)
    principals: dict[Process, str] = {
        "ingress": ingress,
        "worker": worker,
        "projector": projector,
        **({"deliverer": deliverer} if settings.deliverer.subscriptions_file else {}),
        "topics": topics,
        **({"promises": promises} if promises else {}),
    }
    prefix = settings.topics.prefix
    groups = {"deliverer": settings.deliverer.group}
    wanted = {
        process: required_access(process, catalogue(prefix), prefix, groups.get(process, settings.worker.group))
        + optional_access(process)
        for process in principals
    }
    typer.echo(acl_script(",".join(settings.kafka.bootstrap), acl_commands(principals, wanted)), nl=False)


async def _plan(settings: ClusterSettings) -> tuple[Difference, ...]:
    wanted = _wanted(settings)
    async with open_cluster(settings.kafka) as cluster:
        shown = await cluster.find_topics(topic.name for topic in wanted)
        found = await find_misplaced(settings.kafka, wanted, shown)
    differences = compare(wanted, found)
    try:
        return differences + await id_differences(settings.kafka, catalogue(settings.topics.prefix), found)
    except ProgressNotRead as unread:
        typer.echo(f"gateway topics plan: {unread}", err=True)
        return differences


async def _apply(settings: ClusterSettings) -> tuple[tuple[Difference, ...], tuple[Difference, ...]]:
    wanted = _wanted(settings)
    async with open_cluster(settings.kafka) as cluster:
        before = compare(wanted, await cluster.find_topics(topic.name for topic in wanted))
        await apply(cluster, wanted, before)
        _, left = await compare_when_visible(cluster, wanted)
    return tuple(difference for difference in before if difference.remedy != "by hand"), left


def _wanted(settings: ClusterSettings) -> tuple[WantedTopic, ...]:
    return wanted_topics(all_topics(settings), settings.topics)


def _code(differences: Iterable[Difference], *, changes: Exit) -> Exit:
    differences = tuple(differences)
    if any(difference.fatal and difference.remedy == "by hand" for difference in differences):
        return Exit.CONFIG
    return changes if any(difference.remedy != "by hand" for difference in differences) else Exit.OK


def _applied(difference: Difference) -> str:
    if difference.remedy == "create":
        return f"created {difference.topic}"
    return f"set {difference.aspect} of {difference.topic} to {difference.wanted} (was {difference.found})"


def _print_table(title: str, differences: Iterable[Difference]) -> None:
    columns = ("topic", "aspect", "found", "required", "remedy")
    table = Table(*columns, title=title, title_justify="left", box=None, pad_edge=False)
    for difference in differences:
        by_hand = difference.remedy == "by hand"
        style = "red" if by_hand and difference.fatal else "yellow" if by_hand else ""
        table.add_row(
            difference.topic, difference.aspect, difference.found, difference.wanted, difference.advice, style=style
        )
    Console().print(table)
