"""The webhooks of `make dev`: a receiver of docs/examples, and the deliverer's file with a subscription to it."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from local.installation import Installation
from local.processes.ports import free_ports
from local.processes.run import Run
from local.subscriptions import new_secret, subscription_toml

RECEIVER: Final = Path(__file__).parents[2] / "docs" / "examples" / "webhook_receiver.py"
_HEAD: Final = "# A change needs no restart. Another `name` needs its topics: gateway topics apply\n"


@dataclass(frozen=True, slots=True)
class LocalWebhooks:
    """The receiver's address, what it has received, and the subscriptions file."""

    url: str
    log: Path
    file: Path


def start_receiver(run: Run, installation: Installation) -> LocalWebhooks:
    """Start the receiver without waiting, and give the installation's deliverer a subscription to it."""
    (port,) = free_ports(1)
    directory = installation.directory
    webhooks = LocalWebhooks(f"http://127.0.0.1:{port}/", directory / "receiver.log", directory / "subscriptions.toml")
    secret = directory / "webhook-secret"
    installation.write_secret(secret.name, new_secret())
    run.spawn([sys.executable, RECEIVER, str(port), secret, directory / "received.db"], log=webhooks.log)
    since = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    webhooks.file.write_text(_HEAD + subscription_toml("local", webhooks.url, [secret], since=since))
    installation.change(
        {
            "GATEWAY_DELIVERER__SUBSCRIPTIONS_FILE": str(webhooks.file),
            "GATEWAY_DELIVERER__GROUP": f"{installation.prefix}deliverer",
        }
    )
    return webhooks
