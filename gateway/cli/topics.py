"""`gateway topics plan | apply`: the topics as they are against the topics as they must be."""

import asyncio
import json
import os
from collections.abc import Coroutine, Iterable
from dataclasses import asdict
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from adapters.kafka.acls import Process, commands, needs, script
from adapters.kafka.cluster import ClusterRefused, KafkaAway, KafkaCluster, open_cluster
from adapters.kafka.topics import Difference, Wanted, apply, compare, wanted_topics
from runtime.exits import Exit
from runtime.settings import ClusterSettings, load_access_settings, load_cluster_settings
from schemas.topics import catalogue

_VISIBLE_WITHIN_SECONDS = 15.0
_ALL_WELL = "Every topic is as it must be."
Answer = TypeVar("Answer")
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    group = typer.Typer(no_args_is_help=True, help="Compare the five topics with what they must be, and create them.")
    group.command()(plan)
    group.command(name="apply")(apply_plan)
    group.command()(acls)
    app.add_typer(group, name="topics", rich_help_panel="Installation")


def plan(*, as_json: AsJson = False) -> None:
    """Show what the topics lack; change nothing.

    Exits 0 if nothing, 3 if `apply` would change something, 78 if something must be done by hand before processes run.
    """
    settings = load_cluster_settings(os.environ)
    differences = _ask(_plan(settings))
    if as_json:
        _print_json(differences=differences)
    elif differences:
        _print_table("Differences", differences)
    else:
        typer.echo(_ALL_WELL)
    raise typer.Exit(_code(differences, changes=Exit.CHANGES))


def apply_plan(*, as_json: AsJson = False) -> None:
    """Create missing topics and set what can be set; never touch partitions, replicas, cleanup policy or records.

    Exits 0 when processes can run, 78 if something must be done by hand first, 69 if Kafka could not be reached or did
    not do it in time. Running it again changes nothing.
    """
    settings = load_cluster_settings(os.environ)
    done, left = _ask(_apply(settings))
    if as_json:
        _print_json(applied=done, left=left)
    else:
        for one in done:
            typer.echo(_applied(one))
        if left:
            _print_table("Left", left)
        else:
            typer.echo(_ALL_WELL)
    raise typer.Exit(_code(left, changes=Exit.UNAVAILABLE))


def acls(
    ingress: Annotated[str, typer.Option(help="Who ingress is in Kafka.")] = "User:gateway-ingress",
    worker: Annotated[str, typer.Option(help="Who the worker is in Kafka.")] = "User:gateway-worker",
    projector: Annotated[
        str, typer.Option(help="Who the projector is, where there is one.")
    ] = "User:gateway-projector",
    topics: Annotated[str, typer.Option(help="Who runs `gateway topics apply`.")] = "User:gateway-topics",
) -> None:
    """Print the commands that give each process what it needs in Kafka, and nothing more, with these names and topics.

    They are for somebody who may alter ACLs, with Kafka's own kafka-acls.sh; this asks and changes nothing.
    """
    settings = load_access_settings(os.environ)
    principals: dict[Process, str] = {
        "ingress": ingress,
        "worker": worker,
        "projector": projector,
        "topics": topics,
    }
    prefix = settings.topics.prefix
    wanted = {process: needs(process, catalogue(prefix), prefix, settings.worker.group) for process in principals}
    typer.echo(script(",".join(settings.kafka.bootstrap), commands(principals, wanted)), nl=False)


async def _plan(settings: ClusterSettings) -> tuple[Difference, ...]:
    async with open_cluster(settings.kafka) as cluster:
        return await _compare(cluster, _wanted(settings))


async def _apply(settings: ClusterSettings) -> tuple[tuple[Difference, ...], tuple[Difference, ...]]:
    wanted = _wanted(settings)
    async with open_cluster(settings.kafka) as cluster:
        before = await _compare(cluster, wanted)
        await apply(cluster, wanted, before)
        left = await _compare_when_visible(cluster, wanted)
    return tuple(difference for difference in before if difference.remedy != "by hand"), left


async def _compare_when_visible(cluster: KafkaCluster, wanted: tuple[Wanted, ...]) -> tuple[Difference, ...]:
    """Compare again; what one broker has done, the broker asked next may learn a moment later."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _VISIBLE_WITHIN_SECONDS
    while True:
        left = await _compare(cluster, wanted)
        if all(difference.remedy == "by hand" for difference in left) or loop.time() > deadline:
            return left
        await asyncio.sleep(0.1)


async def _compare(cluster: KafkaCluster, wanted: tuple[Wanted, ...]) -> tuple[Difference, ...]:
    return compare(wanted, await cluster.find_topics(topic.name for topic in wanted))


def _wanted(settings: ClusterSettings) -> tuple[Wanted, ...]:
    return wanted_topics(catalogue(settings.topics.prefix), settings.topics)


def _ask(work: Coroutine[Any, Any, Answer]) -> Answer:
    try:
        return asyncio.run(work)
    except KafkaAway as away:
        problem = f"Kafka at {away}"
    except ClusterRefused as refused:
        problem = str(refused)
    typer.echo(f"gateway topics: {problem}", err=True)
    raise typer.Exit(Exit.UNAVAILABLE)


def _code(differences: Iterable[Difference], *, changes: Exit) -> Exit:
    differences = tuple(differences)
    if any(difference.fatal and difference.remedy == "by hand" for difference in differences):
        return Exit.CONFIG
    return changes if any(difference.remedy != "by hand" for difference in differences) else Exit.OK


def _applied(difference: Difference) -> str:
    if difference.remedy == "create":
        return f"created {difference.topic}"
    return f"set {difference.aspect} of {difference.topic} to {difference.wanted} (was {difference.found})"


def _print_json(**lists: Iterable[Difference]) -> None:
    whole = {name: [asdict(one) for one in differences] for name, differences in lists.items()}
    typer.echo(json.dumps(whole, indent=2))


def _print_table(title: str, differences: Iterable[Difference]) -> None:
    table = Table("topic", "what", "is", "must be", "then", title=title, title_justify="left", box=None, pad_edge=False)
    for one in differences:
        style = "red" if one.remedy == "by hand" and one.fatal else "yellow" if one.remedy == "by hand" else ""
        table.add_row(one.topic, one.aspect, one.found, one.wanted, one.advice, style=style)
    Console().print(table)
