"""`gateway check`: can this machine reach Kafka, log in, and find the topics as they must be? Changes nothing."""

import asyncio
import os

import typer

from gateway.runtime.cluster import ClusterRefused, KafkaAway, open_cluster
from gateway.runtime.exits import Exit
from gateway.runtime.settings import ClusterSettings, load_cluster_settings
from gateway.runtime.topics import Difference, compare, wanted_topics
from schemas.topics import catalogue


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(rich_help_panel="Installation")(check)


def check() -> None:
    """Check Kafka and the topics with the settings in force, a line for each.

    Exits 0 if processes can run, 69 if Kafka is away or does not let us in, 78 if settings or topics are wrong.
    """
    settings = load_cluster_settings(os.environ)
    _tell("settings", "ok", f"environment {settings.environment}")
    raise typer.Exit(asyncio.run(_check(settings)))


async def _check(settings: ClusterSettings) -> Exit:
    wanted = wanted_topics(catalogue(settings.topics.prefix), settings.topics)
    try:
        async with open_cluster(settings.kafka) as cluster:
            user = f" as {settings.kafka.username}" if settings.kafka.username else ""
            _tell("kafka", "ok", f"{','.join(settings.kafka.bootstrap)} by {settings.kafka.security}{user}")
            found = await cluster.find_topics(topic.name for topic in wanted)
    except KafkaAway as away:
        _tell("kafka", "FAILED", str(away))
        return Exit.UNAVAILABLE
    except ClusterRefused as refused:
        _tell("topics", "FAILED", str(refused))
        return Exit.UNAVAILABLE
    differences = compare(wanted, found)
    for topic in wanted:
        own = [difference for difference in differences if difference.topic == topic.name]
        for difference in own:
            _tell("topic", "FAILED" if _keeps_from_running(difference) else "differs", str(difference))
        if not own:
            _tell("topic", "ok", topic.name)
    return Exit.CONFIG if any(map(_keeps_from_running, differences)) else Exit.OK


def _keeps_from_running(difference: Difference) -> bool:
    return difference.fatal or difference.remedy == "create"


def _tell(what: str, state: str, detail: str) -> None:
    colour = {"ok": typer.colors.GREEN, "FAILED": typer.colors.RED}.get(state, typer.colors.YELLOW)
    typer.echo(f"{typer.style(f'{state:<8}', fg=colour)}{what:<9} {detail}")
