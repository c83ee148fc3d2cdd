"""`gateway deliverer test`: sends one signed test event to a receiver, and shows each step."""

import asyncio

import typer
from rich.text import Text

from cli.deliverer.subscriptions import Name, load_subscription
from cli.formatting import console, table_of
from cli.terminal import AsOneJson, print_json
from consumers.deliverer.trial import try_subscription
from runtime.exits import Exit
from schemas.records import source


def send_test(name: Name, *, as_json: AsOneJson = False) -> None:
    """Send one signed test event to the receiver of a subscription, and show what happened.

    It needs the subscriptions file and its secrets, but no Kafka. The event has the type
    collate-gateway.subscription.test.v1. Exit codes:

      0   the receiver accepted the event
      1   it did not, or it cannot be reached
      78  the subscriptions file is invalid
    """
    settings, subscription = load_subscription(name)
    steps = asyncio.run(try_subscription(subscription, source(settings.environment)))
    is_good = all(step.is_good for step in steps)
    if as_json:
        print_json({"subscription": name, "accepted": is_good, "steps": steps})
    else:
        good, bad = Text("ok", "green"), Text("FAILED", "red")
        rows = ((step.step, good if step.is_good else bad, Text(step.detail)) for step in steps)
        console().print(table_of(("step", "result", "detail"), rows, heading="dim"))
    raise typer.Exit(Exit.OK if is_good else Exit.FAILED)
