"""Settings of the read model in PostgreSQL."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field

from runtime.environ import Section
from runtime.units import Duration


class ReadModelSettings(Section):
    """The optional read model in PostgreSQL, with status and timelines; it is off without `dsn_file`."""

    dsn_file: Path | None = Field(
        None, description="File with PostgreSQL's connection string, e.g. postgresql://user:password@host/database."
    )
    schema_name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")] = Field(
        "collate_gateway",
        description="Schema of the tables, of one installation alone; a rebuild uses a second one, with the suffix "
        "`_next`.",
    )
    retention: Duration = Field(
        timedelta(days=90), description="How long finished commands and settled authorizations stay in the read model."
    )
    batch: Annotated[int, Field(ge=1, le=5_000)] = Field(
        2_000, description="Maximum number of records that the projector writes in one transaction."
    )
    connections: Annotated[int, Field(ge=1, le=100)] = Field(
        4,
        description="Maximum number of database connections of one ingress process. `gateway check` compares those of "
        "`ingress.max_replicas` processes with the server's limit.",
    )

    def contradictions(self) -> list[str]:
        """A rebuild of another installation would drop this schema."""
        if self.schema_name.endswith(("_next", "_old")):
            return ["schema_name must not end with _next or _old: a rebuild uses and drops schemas with these suffixes"]
        return []
