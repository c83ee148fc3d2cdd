"""Connections at the server: each names its process and part, and the reader counts them."""

import psycopg
import pytest

from adapters.postgres.database import PARTS, connected


@pytest.mark.usefixtures("reader")
async def test_the_reader_counts_the_connections_of_each_part_and_of_other_programs(readmodel, registry, eventually):
    def counted(part):
        return registry.get_sample_value("collate_gateway_database_connections", {"part": part})

    assert await eventually(lambda: counted("ingress reads")) == 1
    before = counted("other")
    with psycopg.connect(readmodel.dsn_file.read_text(), autocommit=True) as other:
        await eventually(lambda: counted("other") == before + 1)
        allowed = int(other.execute("SHOW max_connections").fetchone()[0]) - 10
        assert registry.get_sample_value("collate_gateway_database_connections_allowed") == allowed
        for part in PARTS:
            more = counted(part) + 1
            async with connected(readmodel, "public", part, statement_seconds=5):
                name = f"collate-gateway {part}"
                found = other.execute("SELECT 1 FROM pg_stat_activity WHERE application_name = %s", [name])
                assert found.fetchone() == (1,)
                await eventually(lambda part=part, more=more: counted(part) == more)


async def test_a_name_of_the_connection_string_comes_first(readmodel):
    dsn = readmodel.dsn_file
    dsn.write_text(psycopg.conninfo.make_conninfo(dsn.read_text(), application_name="payers"))
    async with connected(readmodel, "public", "projector people", statement_seconds=5) as connection:
        assert connection.info.parameter_status("application_name") == "payers projector people"
