"""Settings that operators use to see a process: the admin port, logs and traces."""

import re
from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from runtime.environ import Section
from runtime.settings.addresses import HttpUrl, Port
from runtime.units import Duration, Names

_PAYER_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}")


def _payer_ids(ids: tuple[str, ...]) -> tuple[str, ...]:
    if not all(_PAYER_ID.fullmatch(payer) for payer in ids):
        raise ValueError("expected payer ids as Collate shows them, separated by commas")
    return ids


class AdminSettings(Section):
    """The admin port: health, metrics, partition status, resume. Never expose it to callers."""

    host: str = Field("0.0.0.0", description="Address that the admin port listens on.")  # noqa: S104 - probes come from outside the container
    port: Port = Field(9090, description="The admin port; 0 selects a free port.")
    stalled_after: Duration = Field(
        timedelta(seconds=30), description="How long a loop may be silent before /livez fails."
    )
    payer_labels: Annotated[Names, Field(max_length=20), AfterValidator(_payer_ids)] = Field(
        (), description="Payer ids with a label of their own in metrics, separated by commas; all others are `other`."
    )


class LogSettings(Section):
    """Logs on standard error."""

    format: Literal["json", "console"] = Field(
        "json", description="Log format: one JSON object per line, or coloured text for people."
    )
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level that is logged.")


class TraceSettings(Section):
    """OpenTelemetry traces of ingress and worker; they are off without `endpoint`."""

    endpoint: HttpUrl | None = Field(
        None, description="OTLP/HTTP collector, e.g. http://collector:4318/v1/traces; needs the extra `otel`."
    )
    sample: Annotated[float, Field(ge=0, le=1)] = Field(
        1.0, description="Share of requests that are traced, unless the caller's `traceparent` decides it."
    )
