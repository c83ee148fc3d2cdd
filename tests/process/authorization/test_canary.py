"""Free text, reference numbers and grants stay where they belong: in the command's record, its dead letter, the call.

Planted wherever a caller, an operator or Collate can put them; then looked for in all that the worker says.
"""

import io
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
import structlog
from prometheus_client import CollectorRegistry, generate_latest

from local.collate import Options
from local.collate.simulation import Simulation
from runtime.logs import configure_logs
from runtime.metrics import create_metrics
from runtime.settings import LogSettings
from schemas.commands import (
    AuthorizationWatch,
    Completed,
    Discard,
    HandoffClose,
    HandoffRequest,
    RecordAccess,
    Revoked,
    UnableToComplete,
)
from schemas.enums import DecisionReason, ReportedOutcome
from schemas.records import read_dead_letter
from tests.process.authorization.harness import TOPICS, Lane, key_file

CANARY = "Jane Roe, born 1971-02-03"
REFERENCE = "PA-CANARY-4711"
PLANTED = (CANARY, REFERENCE, "Roe", "CANARY")
RESULTS = {
    "completed": Completed(
        reported_outcome=ReportedOutcome.SUBMITTED, observed_reference_number=REFERENCE, operator_notes=CANARY
    ),
    "unable": UnableToComplete(reason="other", operator_notes=CANARY),
    "revoked": Revoked(reason=CANARY, notes=CANARY),
}
TROUBLES = {
    "none": None,
    "answer lost": {"do": "reset", "when": "after", "count": 1},
    "refused": {"do": "answer", "when": "before", "status": 400, "code": "bad_request", "count": 1},
    "a word that is none": {"do": "answer", "when": "before", "status": 409, "code": CANARY, "count": 1},
    "a page": {"do": "answer", "when": "before", "status": 502, "shape": "text", "body": CANARY, "count": 1},
    "another acted": {"do": "act", "actor": {"do": "revoke", "reason": CANARY, "notes": CANARY}, "count": 1},
    "an echo": {"do": "answer", "when": "before", "status": 409, "count": 1, "body": json.dumps({"error": {
        "code": "manual_handoff_not_allowed", "message": CANARY, "retryable": False,
        "details": {"reason": CANARY, "note": REFERENCE}, "issues": [{"message": CANARY}]}, "requestId": CANARY})},
}  # fmt: skip
OVERLAY = {
    "authorization": {
        "answers": {"item": [{"linkId": "name", "answer": [{"valueString": CANARY}]}]},
        "metadata": {"patient": CANARY},
        "submission": {"payerReceipt": {"referenceNumber": REFERENCE}, "decision": {"denialReasons": [CANARY]}},
        "nextAction": {"label": CANARY, "message": CANARY},
        CANARY: REFERENCE,
    },
    "handoff": {"message": CANARY, "claim": {"operatorNotes": CANARY, "observedReferenceNumber": REFERENCE}},
}


@dataclass
class Heard:
    """All that the worker has said."""

    log: io.StringIO = field(default_factory=io.StringIO)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    records: list = field(default_factory=list)
    letters: list = field(default_factory=list)
    memories: list = field(default_factory=list)
    lane: object = None

    def take(self, outputs):
        self.memories.append(self.lane.memory or b"")
        for output in outputs:
            if output.topic == TOPICS.dead_letters.name:
                self.letters.append(read_dead_letter(output.headers, output.value))
            else:
                self.records += [output.topic.encode(), output.value or b"", *(value for _, value in output.headers)]

    def everything(self):
        said = [self.log.getvalue().encode(), generate_latest(self.registry), *self.records, *self.memories]
        return b"\n".join(said).decode()


@pytest.fixture
def heard():
    heard = Heard()
    configure_logs(LogSettings(level="debug"), "worker", heard.log)
    yield heard
    structlog.reset_defaults()


@pytest.fixture
def make_lane(heard, tmp_path):
    def make():
        sim = Simulation(Options(seed=1))
        sim.clock.freeze()
        (authorization,) = sim.create()
        sim.act(authorization, "overlay", **OVERLAY)
        metrics = create_metrics(heard.registry)
        heard.lane = Lane(sim, key_file(tmp_path), authorization, metrics=metrics)
        heard.lane.on_outputs = heard.take
        return heard.lane

    return make


def opened(lane):
    """Open a handoff with an operator in it; return its id and its grant."""
    lane.send(HandoffRequest())
    lane.run_for(1.0)
    (handoff,) = lane.sim.world.authorizations[lane.authorization_id].handoffs
    lane.sim.act(lane.authorization_id, "mint_grant")
    (grant,) = lane.sim.world.grants.values()
    until = datetime.fromtimestamp(grant.expires_at, UTC)
    lane.send(RecordAccess(handoff_id=handoff.id, operator="op-7", grant_expires_at=until))
    lane.run_for(1.0)
    return handoff.id, grant.id


def nothing_is_told(heard, *more):
    said = heard.everything()
    assert "collate.attempt" in said
    assert "collate_gateway_" in said
    for planted in (*PLANTED, *more):
        assert planted not in said, f"{planted!r} in {said[max(0, said.index(planted) - 300) :][:400]}"


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("result", RESULTS)
def test_a_close_through_every_trouble(make_lane, heard, result, trouble):
    lane = make_lane()
    handoff, grant = opened(lane)
    if TROUBLES[trouble]:
        lane.sim.fault(method="POST", **TROUBLES[trouble])
    close = HandoffClose(handoff_id=handoff, result=RESULTS[result])
    command = lane.send(close)
    lane.run_for(5.0)
    lane.send(AuthorizationWatch(), command)
    lane.send(close, command)
    lane.sim.act(lane.authorization_id, "payer", truth="denied")
    lane.run_for(7200.0)
    assert lane.is_idle
    nothing_is_told(heard, grant)
    assert CANARY in b"".join(record.value for record in lane.records).decode(), "planted"


def test_a_dead_letter_holds_the_command_and_its_event_does_not(make_lane, heard):
    lane = make_lane()
    handoff, grant = opened(lane)
    lane.sim.fault("answer", method="POST", status=400, code="bad_request")
    close = lane.send(HandoffClose(handoff_id=handoff, result=RESULTS["completed"]))
    lane.run_for(60.0)
    (letter,) = [letter for letter in heard.letters if letter.command_id == close]
    assert CANARY.encode() in letter.record.bytes()[1]
    lane.send(Discard(command_id=close, requested_by="op-1", reason=DecisionReason.OTHER, why=CANARY))
    lane.run_for(60.0)
    nothing_is_told(heard, grant)


def test_records_and_memories_that_cannot_be_read(make_lane, heard):
    lane = make_lane()
    opened(lane)
    headers, value = lane.records[0].headers, lane.records[0].value
    for broken in (CANARY.encode(), json.dumps({"result": CANARY, CANARY: 1}).encode(), b"{"):
        lane.append(headers, broken)
    lane.append(((CANARY, CANARY.encode()), *headers), value)
    lane.append(tuple((name, CANARY.encode() if name == "ce_type" else text) for name, text in headers), value)
    lane.run_for(60.0)
    assert lane.is_idle
    nothing_is_told(heard)

    lane.memory = json.dumps({"sequence": CANARY, "known": {CANARY: REFERENCE}}).encode()
    lane.send(AuthorizationWatch())
    lane.act()
    heard.memories = [memory for memory in heard.memories if memory is not lane.memory]
    nothing_is_told(heard)
    assert not lane.is_idle
