import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from adapters.collate.answers import Ambiguous, Answered, NotSent, Refused
from adapters.collate.operations import Operation
from adapters.http_connection.cause import Cause
from gateway.ingress.commands.claims import ClaimsUnknown
from gateway.ingress.live.grants import MAX_ATTEMPTS, MAX_MINTS, GrantRequest, Grants
from gateway.ingress.live.outcomes import (
    ClaimCheckFailed,
    Granted,
    NoAccess,
    NotOpen,
    UpstreamError,
)
from gateway.ingress.read_model import ReadModelClaims
from schemas.authorization import ActiveHandoff, HandoffClaim
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import AccessGrant, ManualHandoff
from schemas.enums import ClaimCheck

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
    pauses: list = field(default_factory=list)

    async def sleep(self, seconds):
        self.pauses.append(seconds)

    async def get_authorization(self, authorization_id, *, priority, caller):
        self.requests.append("authorization")
        pointer = None if self.active is None else {"id": self.active}
        return Answered(
            200,
            PriorAuthorization(id="auth_1", version=1, status="requires_action", active_manual_handoff=pointer),
            b"",
        )

    async def get_handoff(self, authorization_id, handoff_id, *, priority, caller):
        self.requests.append(handoff_id)
        return Answered(200, ManualHandoff(id=handoff_id, version=1, **self.handoff), b"")

    async def mint_grant(self, authorization_id, handoff_id, *, key, priority, caller):
        self.keys.append(key)
        answer = self.mints.pop(0) if self.mints else grant(number=len(self.keys))
        return Answered(201, answer, b"") if isinstance(answer, AccessGrant) else answer


@dataclass
class Record:
    is_open: bool = True
    retry_after: float | None = None
    accesses: list = field(default_factory=list)

    @contextmanager
    def place(self, authorization_id, caller):
        yield self

    async def append(self, access):
        self.accesses.append(access)
        return self.retry_after


@pytest.fixture
def collate():
    return Collate()


@pytest.fixture
def record():
    return Record()


async def mint(collate, record, *, handoff="mhand_1", key=None):
    grants = Grants(collate, record, lambda: NOW, sleep=collate.sleep, chance=lambda: 0.5)
    return await grants.mint(GrantRequest("auth_1", handoff, "op-7", "desk", key))


async def test_no_secret_is_in_the_record_or_in_a_repr(collate, record):
    outcome = await mint(collate, record)
    text = repr(record.accesses) + repr(outcome) + str(outcome)
    assert "rag_" not in text
    assert "https://" not in text


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


@pytest.mark.parametrize("state", ["active", "closed"])
async def test_a_message_of_collate_is_in_no_repr(collate, record, state):
    collate.handoff = {"state": state, "access_available": False, "message": "secret text"}
    outcome = await mint(collate, record)
    assert outcome.message == ("secret text" if state == "active" else None)
    assert "secret text" not in repr(outcome)
    collate.handoff = {"state": "active", "access_available": True, "message": "secret text"}
    granted = await mint(collate, record)
    assert granted.message == "secret text"
    assert "secret text" not in repr(granted)


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
async def test_a_lost_response_is_requested_again_under_the_same_key_after_a_pause(collate, record, lost):
    collate.mints = [lost, lost]
    assert isinstance(await mint(collate, record), Granted)
    assert (len(collate.keys), len(set(collate.keys))) == (3, 1)
    assert collate.pauses == [0.25, 0.5], "with half of the jitter"


async def test_a_mint_waits_as_long_as_collate_asks(collate, record):
    collate.mints = [Ambiguous(Cause.SERVER_ERROR, 503, retry_after_seconds=1.5)]
    assert isinstance(await mint(collate, record), Granted)
    assert collate.pauses == [pytest.approx(1.5, abs=0.1)]


async def test_a_mint_that_must_wait_for_long_is_the_callers_to_repeat(collate, record):
    busy = Ambiguous(Cause.SERVER_ERROR, 503, retry_after_seconds=30.0)
    collate.mints = [busy]
    assert await mint(collate, record) == UpstreamError(Operation.MINT_GRANT, busy)
    assert (len(collate.keys), collate.pauses) == (1, [])


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


async def test_without_a_key_each_request_is_a_new_mint(collate, record):
    await mint(collate, record)
    await mint(collate, record)
    assert collate.keys[0] != collate.keys[1]
    assert len(record.accesses) == 2


async def test_the_same_key_for_another_handoff_is_another_mint(collate, record):
    await mint(collate, record, key="k")
    await mint(collate, record, handoff="mhand_2", key="k")
    assert collate.keys[0] != collate.keys[1]


@dataclass
class Claims:
    """Who has the handoff in hand; None: nobody. ClaimsUnknown: nobody knows. `opener` None: it is not shown yet."""

    claim: HandoffClaim | type[ClaimsUnknown] | None = None
    asked: list = field(default_factory=list)
    opener: str | None = "desk"

    async def open_handoff(self, authorization_id, handoff_id, caller):
        self.asked.append((authorization_id, handoff_id))
        if self.claim is ClaimsUnknown:
            raise ClaimsUnknown
        return self.opener and active_handoff(handoff_id, claim=self.claim, opener=self.opener)


def active_handoff(handoff_id, **fields):
    return ActiveHandoff(id=handoff_id, state="active", access_available=True, final_submit_capable=True, **fields)


async def mint_as(collate, record, claims, caller, *, take_over=False, handoff="mhand_1", required=False, own=False):
    grants = Grants(collate, record, lambda: NOW, claims=claims, sleep=collate.sleep)
    asked = {"take_over": take_over, "requires_claim_check": required, "own_handoffs": own}
    return await grants.mint(GrantRequest("auth_1", handoff, "op-7", caller, **asked))


class HangingReadModel:
    async def fetch(self, name, query, caller):
        await asyncio.Event().wait()


@pytest.mark.virtual_time
@pytest.mark.parametrize("claims", [Claims(ClaimsUnknown), ReadModelClaims(HangingReadModel())])
async def test_a_required_claim_check_that_fails_mints_no_link_and_answers_within_two_seconds(collate, record, claims):
    began = asyncio.get_running_loop().time()
    outcome = await mint_as(collate, record, claims, "people:sam", required=True)
    assert (outcome, collate.keys, record.accesses) == (ClaimCheckFailed(), [], [])
    assert (await mint_as(collate, record, claims, "people:sam")).claim_check is ClaimCheck.SKIPPED
    assert asyncio.get_running_loop().time() - began < 2 * 2.0
