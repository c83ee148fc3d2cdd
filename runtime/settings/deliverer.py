"""Settings of the deliverer."""

import socket
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field

from runtime.environ import Section
from runtime.settings.addresses import HttpUrls
from runtime.units import Duration


class DelivererSettings(Section):
    """The deliverer, which posts events to webhook receivers: its subscriptions, its consumer groups and its limits."""

    subscriptions_file: Path | None = Field(
        None, description="File with the webhook subscriptions; `gateway topics` reads their names, too."
    )
    group: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,128}$")] = Field(
        "collate-gateway-deliverer",
        description="Prefix of the consumer groups and transactional ids; a dot and a subscription's name follow.",
    )
    instance: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,128}$")] = Field(
        default_factory=socket.gethostname,
        description="Stable name of this deliverer, unique in the groups; two with the same name fence each other.",
        json_schema_extra={"shown_default": "the host's name"},
    )
    admin_urls: HttpUrls = Field(
        (),
        description="Admin ports of all deliverers, e.g. http://gateway-deliverer-0.gateway-deliverer:9090, separated "
        "by commas; ingress reads the state of webhooks there for `/v1/overview`.",
    )
    stop_deadline: Duration = Field(timedelta(seconds=20), description="Time for requests in flight after SIGTERM.")
