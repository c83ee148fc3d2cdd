"""The webhooks of `make dev`: a receiver of docs/examples, and the deliverer's file with a subscription to it."""

import base64
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Final

from local.installation import Installation
from local.processes.ports import free_ports
from local.processes.run import Run

RECEIVER: Final = Path(__file__).parents[2] / "docs" / "examples" / "webhook_receiver.py"
_FILE: Final = Template("""\
# A change needs no restart. Another `name` needs its topics: gateway topics apply
[[subscription]]
name = "local"
url = "$url"
since = $since
secret_files = ["$secret"]
allow_plain_http = true
allowed_networks = ["127.0.0.0/8"]
""")


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
    installation.write_secret(secret.name, f"whsec_{base64.b64encode(os.urandom(32)).decode()}")
    run.spawn([sys.executable, RECEIVER, str(port), secret, directory / "received.db"], log=webhooks.log)
    since = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    webhooks.file.write_text(_FILE.substitute(url=webhooks.url, since=since, secret=secret))
    installation.change(
        {
            "GATEWAY_DELIVERER__SUBSCRIPTIONS_FILE": str(webhooks.file),
            "GATEWAY_DELIVERER__GROUP": f"{installation.prefix}deliverer",
        }
    )
    return webhooks
