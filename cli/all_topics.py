"""The topics of an installation: the five of the gateway, and two of each webhook subscription."""

import typer

from consumers.deliverer.subscriptions_file import read_names
from runtime.exits import Exit
from runtime.settings import ClusterSettings
from runtime.toml_file import TomlInvalid
from schemas.topics import Topic, catalogue, subscription_topics


def all_topics(settings: ClusterSettings) -> tuple[Topic, ...]:
    """List the topics. Ends the program with 78 if the subscriptions file is set and invalid."""
    prefix = settings.topics.prefix
    path = settings.deliverer.subscriptions_file
    if path is None:
        return tuple(catalogue(prefix))
    try:
        names = read_names(path)
    except TomlInvalid as invalid:
        typer.echo(f"GATEWAY_DELIVERER__SUBSCRIPTIONS_FILE {path}: {invalid}", err=True)
        raise typer.Exit(Exit.CONFIG) from None
    return (*catalogue(prefix), *(topic for name in names for topic in subscription_topics(prefix, name)))
