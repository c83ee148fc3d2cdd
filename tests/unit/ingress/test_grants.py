from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from adapters.collate.answers import Ambiguous, Answered, Cause, NotSent, Refused
from gateway.ingress.live.grants import MAX_ATTEMPTS, MAX_MINTS, GrantRequest, Grants
from gateway.ingress.live.outcomes import Granted, NoAccess, NotOpen, Unrecorded, UpstreamError
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import AccessGrant, ManualHandoff

NOW = 1_000_000.0


def grant(seconds=300.0, number=1):
    expires = datetime.fromtimestamp(NOW + seconds, UTC)
    return AccessGrant(id=SecretStr(f"rag_{number}"), url=SecretStr(f"https://x/{number}"), expires_at=expires)


@dataclass
class Collate:
    handoff: dict = field(default_factory=lambda: {"state": "active", "access_available": True})
    active: str | None = "mhand_1"
    mints: list = field(default_factory=list)
    keys: list = field(default_factory=list)
    requests: list = field(default_factory=list)

    async def get_authorization(self, authorization_id, *, priority):
        self.requests.append("authorization")
        pointer = None if self.active is None else {"id": self.active}
        return Answered(
            200,
            PriorAuthorization(id="auth_1", version=1, status="requires_action", active_manual_handoff=pointer),
            b"",
        )

    async def get_handoff(self, authorization_id, handoff_id, *, priority):
        self.requests.append(handoff_id)
        return Answered(200, ManualHandoff(id=handoff_id, version=1, **self.handoff), b"")

    async def mint_grant(self, authorization_id, handoff_id, *, key, priority):
        self.keys.append(key)
        answer = self.mints.pop(0) if self.mints else grant(number=len(self.keys))
        return Answered(201, answer, b"") if isinstance(answer, AccessGrant) else answer


@dataclass
class Record:
    is_open: bool = True
    retry_after: float | None = None
    accesses: list = field(default_factory=list)

    async def put(self, access):
        self.accesses.append(access)
        return self.retry_after


@pytest.fixture
def collate():
    return Collate()


@pytest.fixture
def record():
    return Record()


async def mint(collate, record, *, handoff="mhand_1", key=None):
    return await Grants(collate, record, lambda: NOW).mint(GrantRequest("auth_1", handoff, "op-7", "desk", key))


async def test_a_grant_is_recorded_before_it_is_returned(collate, record):
    outcome = await mint(collate, record)
    assert isinstance(outcome, Granted)
    (access,) = record.accesses
    assert (access.handoff_id, access.operator, access.caller) == ("mhand_1", "op-7", "desk")
    assert access.expires_at == outcome.grant.expires_at


async def test_no_secret_is_in_the_record_or_in_a_repr(collate, record):
    outcome = await mint(collate, record)
    text = repr(record.accesses) + repr(outcome) + str(outcome)
    assert "rag_" not in text
    assert "https://" not in text


async def test_a_grant_that_cannot_be_recorded_is_not_returned(collate, record):
    record.retry_after = 2.0
    assert await mint(collate, record) == Unrecorded(2.0)


async def test_nothing_is_minted_while_nothing_can_be_recorded(collate, record):
    record.is_open = False
    assert isinstance(await mint(collate, record), Unrecorded)
    assert collate.requests == collate.keys == []


async def test_active_means_the_handoff_that_the_authorization_names(collate, record):
    collate.active = "mhand_9"
    outcome = await mint(collate, record, handoff="active")
    assert outcome.handoff_id == "mhand_9"
    assert collate.requests == ["authorization", "mhand_9"]


@pytest.mark.parametrize(
    ("handoff", "shut"),
    [
        ({"state": "offered"}, NoAccess.HANDOFF_NOT_ACTIVE_YET),
        ({"state": "closing", "access_available": True}, NoAccess.HANDOFF_CLOSING),
        ({"state": "closed", "result": "revoked"}, NoAccess.HANDOFF_CLOSED),
        ({"state": "active", "access_available": False}, NoAccess.ACCESS_NOT_AVAILABLE),
        ({"state": "parked", "access_available": False}, NoAccess.ACCESS_NOT_AVAILABLE),
    ],
)
async def test_a_handoff_that_is_not_open_has_a_reason_and_no_mint(collate, record, handoff, shut):
    collate.handoff = handoff
    assert await mint(collate, record) == NotOpen(shut, "mhand_1", handoff.get("result"))
    assert collate.keys == []


async def test_without_an_active_handoff_there_is_no_access(collate, record):
    collate.active = None
    assert await mint(collate, record, handoff="active") == NotOpen(NoAccess.NO_ACTIVE_HANDOFF)


@pytest.mark.parametrize("seconds", [-10.0, 0.0, 30.0])
async def test_a_grant_about_to_expire_is_replaced_by_a_new_mint(collate, record, seconds):
    collate.mints = [grant(seconds, 1), grant(300, 2)]
    outcome = await mint(collate, record, key="k")
    assert outcome.grant.id.get_secret_value() == "rag_2"
    assert len(set(collate.keys)) == 2
    assert len(record.accesses) == 1


async def test_minting_ends_if_collate_returns_only_old_grants(collate, record):
    collate.mints = [grant(1)] * MAX_MINTS
    assert await mint(collate, record) == NotOpen(NoAccess.GRANTS_TOO_SHORT, "mhand_1")
    assert record.accesses == []


@pytest.mark.parametrize("lost", [Ambiguous(Cause.RESET), NotSent(Cause.REFUSED)])
async def test_a_lost_response_is_requested_again_under_the_same_key(collate, record, lost):
    collate.mints = [lost, lost]
    assert isinstance(await mint(collate, record), Granted)
    assert len(collate.keys) == 3
    assert len(set(collate.keys)) == 1


async def test_a_response_that_stays_lost_is_reported(collate, record):
    lost = Ambiguous(Cause.RESET)
    collate.mints = [lost] * MAX_ATTEMPTS
    outcome = await mint(collate, record)
    assert isinstance(outcome, UpstreamError)
    assert outcome.answer is lost


async def test_a_refusal_is_reported_and_not_retried(collate, record):
    collate.mints = [Refused(409, "live_session_not_available")]
    assert isinstance(await mint(collate, record), UpstreamError)
    assert len(collate.keys) == 1


async def test_the_callers_key_makes_its_retry_the_same_mint_and_each_return_of_the_link_has_its_own_record(
    collate, record
):
    await mint(collate, record, key="k")
    await mint(collate, record, key="k")
    assert collate.keys[0] == collate.keys[1]
    assert record.accesses[0].record_id != record.accesses[1].record_id


async def test_without_a_key_each_request_is_a_new_mint(collate, record):
    await mint(collate, record)
    await mint(collate, record)
    assert collate.keys[0] != collate.keys[1]
    assert record.accesses[0].record_id != record.accesses[1].record_id


async def test_the_same_key_for_another_handoff_is_another_mint(collate, record):
    await mint(collate, record, key="k")
    await mint(collate, record, handoff="mhand_2", key="k")
    assert collate.keys[0] != collate.keys[1]
