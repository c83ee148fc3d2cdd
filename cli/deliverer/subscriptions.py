"""The subscription that a verb of `gateway deliverer` names."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from cli.terminal import fail
from consumers.deliverer.subscriptions_file import SubscriptionsFile
from runtime.exits import Exit
from runtime.settings import DelivererProcessSettings, load_deliverer_settings
from runtime.toml_file import TomlInvalid

if TYPE_CHECKING:
    from consumers.deliverer.subscription import Subscription

Name = Annotated[str, typer.Argument(help="Name of the subscription in the subscriptions file.")]


def load_subscription(name: str) -> "tuple[DelivererProcessSettings, Subscription]":
    """Return the settings and the subscription; end with 78 for an invalid file, with 2 for an unknown name."""
    settings = load_deliverer_settings(os.environ)
    path = settings.deliverer.subscriptions_file
    if path is None:
        fail(Exit.CONFIG, "GATEWAY_DELIVERER__SUBSCRIPTIONS_FILE is not set")
    try:
        found = SubscriptionsFile(path).current
    except TomlInvalid as invalid:
        fail(Exit.CONFIG, f"{path}: {invalid}")
    if name not in found:
        fail(Exit.USAGE, f"{path} has no such subscription; it has: {', '.join(sorted(found)) or 'none'}")
    return settings, found[name]
