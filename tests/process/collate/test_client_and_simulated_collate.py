"""The client against the simulated Collate on real sockets: the walk of a handoff, faults, outages, credentials."""

import asyncio
import json

import pytest

from adapters.collate.answers import Ambiguous, Answered, Deferred, Refused
from adapters.collate.call_policy.calls import Priority
from adapters.collate.errors import Disposition, route
from adapters.collate.operations import Operation, write_key
from adapters.http_connection.cause import Cause
from local.processes.patience import Patience
from schemas.events.wait_reasons import HoldReason


@pytest.fixture
def key_file(tmp_path):
    file = tmp_path / "collate-key"
    file.write_text("local-collate-key\n")
    return file


@pytest.fixture
async def client(collate, connect, key_file):
    return await connect(0, base_url=collate.url, api_key_file=key_file)


async def read_until(client, authorization, within=20.0):
    """Repeat a deferred or failed read until it succeeds, as a key queue does."""
    patience = Patience(within)
    while True:
        result = await client.get_authorization(authorization)
        if isinstance(result, Answered) or patience.is_over:
            return result
        pause = result.wait_seconds if isinstance(result, Deferred) else 0.05
        await asyncio.sleep(min(pause, 1.0))


async def open_handoff(client, authorization, n=1, writer=None):
    found = await client.get_authorization(authorization)
    assert isinstance(found, Answered)
    body = {}
    if found.model.covers_review_snapshot_id:
        body = {"acceptedReviewSnapshotId": found.model.covers_review_snapshot_id}
    return await (writer or client).create_handoff(
        authorization,
        if_match=found.model.version,
        key=write_key("command-1", Operation.CREATE_HANDOFF, n),
        body=json.dumps(body).encode(),
    )


async def test_a_handoff_walks_the_whole_way(collate, client):
    (authorization,) = collate.create()
    opened = await open_handoff(client, authorization)
    assert isinstance(opened, Answered)
    handoff = opened.model.id
    seen = await client.get_handoff(authorization, handoff)
    assert isinstance(seen, Answered)
    assert seen.model.state == "active"
    grant = await client.mint_grant(authorization, handoff, key=write_key("mint-1", Operation.MINT_GRANT, 1))
    assert isinstance(grant, Answered)
    assert grant.model.url.get_secret_value().startswith("http")
    version = (await client.get_authorization(authorization)).model.version
    closed = await client.close_handoff(
        authorization,
        handoff,
        Operation.COMPLETE,
        if_match=version,
        key=write_key("command-2", Operation.COMPLETE, 1),
        body=b'{"reportedOutcome":"submitted"}',
    )
    assert isinstance(closed, Answered)
    assert closed.model.authorization.version > version


async def test_a_stale_version_is_refused_with_both_versions(collate, client):
    (authorization,) = collate.create()
    version = (await client.get_authorization(authorization)).model.version
    result = await client.create_handoff(authorization, if_match=version - 1, key="cg1-x", body=b"{}")
    assert isinstance(result, Refused)
    assert (result.code, result.expected_version, result.actual_version) == ("version_conflict", version - 1, version)
    assert result.request_id
    assert route(Operation.CREATE_HANDOFF, result).disposition is Disposition.REREAD


# The faults that `tests/process/applier/test_lost_responses.py` has not.
FAULTS = [
    ({"do": "trickle", "seconds": 0.1}, Ambiguous, {Cause.DEADLINE}, 1),
    ({"do": "endless"}, Ambiguous, {Cause.TOO_LARGE}, 1),
    ({"do": "endless", "part": "head"}, Ambiguous, {Cause.TOO_LARGE}, 1),
    ({"do": "answer", "status": 500}, Ambiguous, {Cause.SERVER_ERROR}, 0),
    ({"do": "answer", "status": 404, "shape": "html"}, Ambiguous, {Cause.UNTYPED}, 0),
    ({"do": "answer", "status": 200, "shape": "html", "when": "after"}, Ambiguous, {Cause.UNREADABLE}, 1),
    ({"do": "answer", "status": 200, "shape": "gzip_bomb", "when": "after"}, Ambiguous, None, 1),
    ({"do": "redirect", "location": "http://127.0.0.1:9/v1"}, Ambiguous, {Cause.REDIRECT}, 0),
    ({"do": "answer", "status": 429, "retryAfter": 0}, Refused, None, 0),
    ({"do": "answer", "status": 403, "code": "forbidden"}, Refused, None, 0),
]


# The time for the whole call is longer: a busy machine must have sent the request by then.
TIMEOUTS = {"trickle": {"connect_timeout": "2s", "read_timeout": "2s", "total_timeout": "2s"}}


@pytest.mark.parametrize("case", FAULTS, ids=[str(case[0]) for case in FAULTS])
async def test_a_write_that_is_resent_after_a_fault_has_one_effect(case, collate, client, connect, key_file):
    fault, kind, causes, effects = case
    hasty = await connect(0, base_url=collate.url, api_key_file=key_file, **TIMEOUTS.get(fault["do"], {}))
    (authorization,) = collate.create()
    collate.fault(**fault, method="POST", count=1)

    def opened():
        return [effect for _, effect in collate.ledger.effects if effect.kind.value == "handoff_opened"]

    first = await open_handoff(client, authorization, writer=hasty)
    assert isinstance(first, kind), first
    assert causes is None or first.cause in causes
    assert len(opened()) == effects
    second = await open_handoff(client, authorization)
    assert isinstance(second, Answered), second
    assert len(opened()) == 1


async def test_a_connection_that_closes_after_a_response_is_not_reused(collate, client):
    (authorization,) = collate.create()
    collate.fault("drop")
    for _ in range(20):
        assert isinstance(await client.get_authorization(authorization), Answered)


async def test_a_truncated_grant_is_never_logged(collate, client, capsys):
    (authorization,) = collate.create()
    handoff = (await open_handoff(client, authorization)).model.id
    collate.fault("truncate", path="access-grants")
    assert isinstance(await client.mint_grant(authorization, handoff, key="cg1-m"), Ambiguous)
    said = capsys.readouterr()
    assert "rag_" not in said.out + said.err
    assert "local-collate-key" not in said.out + said.err


async def test_a_revoked_key_defers_all_calls_until_the_file_has_the_new_key(collate, client, key_file):
    authorizations = collate.create(count=5)
    assert isinstance(await client.get_authorization(authorizations[0]), Answered)
    collate.revoke_keys()
    collate.api.organizations["new-key"] = "org_local"
    refused = await client.get_authorization(authorizations[0])
    assert isinstance(refused, Refused)
    assert refused.suspended
    assert route(Operation.GET_AUTHORIZATION, refused).disposition is Disposition.SUSPEND
    assert client.trouble is HoldReason.CREDENTIALS
    calls = len(collate.ledger.calls)
    for authorization in authorizations:
        for priority in Priority:
            held = await client.get_authorization(authorization, priority=priority)
            assert isinstance(held, Deferred)
            assert held.reason is HoldReason.CREDENTIALS
    assert len(collate.ledger.calls) == calls
    key_file.write_text("new-key")
    assert isinstance(await read_until(client, authorizations[1], within=3), Answered)
    assert client.trouble is None
