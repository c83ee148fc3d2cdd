"""Whose claim is known, by the state of a real read model."""

import time

import psycopg
import pytest

from gateway.ingress.commands.claims import ClaimsUnknown
from gateway.ingress.live.grants import GrantRequest, Grants
from gateway.ingress.live.outcomes import ClaimCheckFailed
from gateway.ingress.read_model import CLAIM_SECONDS, ReadModelClaims
from schemas.api.reads import MOST_BEHIND, SILENT_SECONDS
from tests.unit.ingress.test_grants import Collate, Record

ASK = ("auth_1", "mhand_1", "people:sam")


@pytest.fixture
async def claims(readmodel, reader, eventually):
    claims = ReadModelClaims(reader)

    async def is_connected():
        try:
            await claims.open_handoff(*ASK)
        except ClaimsUnknown:
            return False
        return True

    async with await psycopg.AsyncConnection.connect(readmodel.dsn_file.read_text(), autocommit=True) as database:
        await database.execute("SET search_path TO collate_gateway")  # PgBouncer refuses it as a startup parameter
        claims.database = database
        await report(database, 0.0, 0)
        await eventually(is_connected)
        yield claims


async def report(database, seconds_ago, behind):
    await database.execute("DELETE FROM heartbeat")
    await database.execute(
        "INSERT INTO heartbeat (id, at, behind) VALUES (1, now() - make_interval(secs => %s), %s)",
        (seconds_ago, behind),
    )


@pytest.mark.parametrize(
    ("seconds_ago", "behind"), [(SILENT_SECONDS + 1, 0), (0.0, MOST_BEHIND + 1)], ids=["silent", "behind"]
)
async def test_a_claim_of_a_late_read_model_is_unknown(claims, seconds_ago, behind):
    await report(claims.database, seconds_ago, behind)
    with pytest.raises(ClaimsUnknown):
        await claims.open_handoff(*ASK)
    await report(claims.database, 0.0, MOST_BEHIND)
    assert await claims.open_handoff(*ASK) is None


async def test_a_projector_that_never_reported_knows_no_claims(claims):
    await claims.database.execute("DELETE FROM heartbeat")
    with pytest.raises(ClaimsUnknown):
        await claims.open_handoff(*ASK)


async def test_a_locked_read_model_delays_a_grant_by_less_than_two_seconds(claims):
    """A table lock stands for a database that hangs: the query waits until its end."""
    grants = Grants(Collate(), Record(), lambda: 1_000_000.0, claims=claims)
    async with claims.database.transaction():
        await claims.database.execute("LOCK TABLE heartbeat IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        outcome = await grants.mint(GrantRequest("auth_1", "mhand_1", "sam", "people:sam", requires_claim_check=True))
        took = time.monotonic() - began
    assert outcome == ClaimCheckFailed()
    # The read's own time limit is 2 s, and a busy machine adds its own: this bound is for hangs.
    assert CLAIM_SECONDS <= took < 30 * CLAIM_SECONDS
