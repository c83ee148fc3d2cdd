"""Free text, reference numbers and grants appear only in the command record, its dead letter and the call to Collate.

The tests plant them wherever a caller, an operator or Collate can, then search everything that the worker writes.
"""

import io
import json
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
import structlog
from prometheus_client import CollectorRegistry, generate_latest

from local.collate import Options
from local.collate.simulation import Simulation
from runtime.logs import configure_logs
from runtime.metrics import Metrics
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
from schemas.records import read_command, read_dead_letter
from tests.process.authorization.in_memory import InMemoryKeyQueue, key_file
from tests.process.key_queue import TOPICS

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
class Written:
    """Everything that the worker has written."""

    log: io.StringIO = field(default_factory=io.StringIO)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    records: list = field(default_factory=list)
    dead_letters: list = field(default_factory=list)
    states: list = field(default_factory=list)
    queue: object = None

    def take(self, outputs):
        self.states.append(self.queue.state or b"")
        for output in outputs:
            if output.topic == TOPICS.dead_letters.name:
                self.dead_letters.append(read_dead_letter(output.headers, output.value))
            else:
                self.records += [output.topic.encode(), output.value or b"", *(value for _, value in output.headers)]

    def everything(self):
        text = [self.log.getvalue().encode(), generate_latest(self.registry), *self.records, *self.states]
        return b"\n".join(text).decode()


@pytest.fixture
def written():
    written, root = Written(), logging.getLogger()
    before = root.handlers[:], root.level
    configure_logs(LogSettings(level="debug"), "worker", written.log)
    yield written
    structlog.reset_defaults()
    root.handlers[:], root.level = before
    logging.captureWarnings(capture=False)


@pytest.fixture
def make_queue(written, tmp_path):
    def make():
        sim = Simulation(Options(seed=1))
        sim.clock.freeze()
        (authorization,) = sim.create()
        sim.act(authorization, "overlay", **OVERLAY)
        metrics = Metrics(written.registry)
        written.queue = InMemoryKeyQueue(sim, key_file(tmp_path), authorization, metrics=metrics)
        written.queue.on_outputs = written.take
        return written.queue

    return make


def opened(queue):
    """Open a handoff and record a grant; return its id and the grant."""
    queue.send(HandoffRequest())
    queue.run_for(1.0)
    (handoff,) = queue.sim.state.authorizations[queue.authorization_id].handoffs
    queue.sim.act(queue.authorization_id, "mint_grant")
    (grant,) = queue.sim.state.grants.values()
    until = datetime.fromtimestamp(grant.expires_at, UTC)
    queue.send(RecordAccess(handoff_id=handoff.id, operator="op-7", grant_expires_at=until))
    queue.run_for(1.0)
    return handoff.id, grant.id


def decrypted(queue, headers, value):
    return read_command(headers, value, queue.keys).data.model_dump_json()


def nothing_leaked(written, *more):
    text = written.everything()
    assert "collate.attempt" in text
    assert "collate_gateway_" in text
    for planted in (*PLANTED, *more):
        assert planted not in text, f"{planted!r} in {text[max(0, text.index(planted) - 300) :][:400]}"


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("result", RESULTS)
def test_a_close_leaks_nothing_under_any_fault(make_queue, written, result, trouble):
    queue = make_queue()
    handoff, grant = opened(queue)
    if TROUBLES[trouble]:
        queue.sim.fault(method="POST", **TROUBLES[trouble])
    close = HandoffClose(handoff_id=handoff, result=RESULTS[result])
    command = queue.send(close)
    queue.run_for(5.0)
    queue.send(AuthorizationWatch(), command)
    queue.send(close, command)
    queue.sim.act(queue.authorization_id, "payer", truth="denied")
    queue.run_for(7200.0)
    assert queue.is_idle
    nothing_leaked(written, grant)
    assert any(CANARY in decrypted(queue, record.headers, record.value) for record in queue.records), "planted"


def test_a_dead_letter_contains_the_command_and_its_event_does_not(make_queue, written):
    queue = make_queue()
    handoff, grant = opened(queue)
    queue.sim.fault("answer", method="POST", status=400, code="bad_request")
    close = queue.send(HandoffClose(handoff_id=handoff, result=RESULTS["completed"]))
    queue.run_for(60.0)
    (dead_letter,) = [dead_letter for dead_letter in written.dead_letters if dead_letter.command_id == close]
    assert CANARY in decrypted(queue, *dead_letter.record.bytes())
    queue.send(Discard(command_id=close, requested_by="op-1", reason=DecisionReason.OTHER, why=CANARY))
    queue.run_for(60.0)
    nothing_leaked(written, grant)


def test_unreadable_records_and_states_leak_nothing(make_queue, written):
    queue = make_queue()
    opened(queue)
    headers, value = queue.records[0].headers, queue.records[0].value
    for broken in (CANARY.encode(), json.dumps({"result": CANARY, CANARY: 1}).encode(), b"{"):
        queue.append(headers, broken)
    queue.append(((CANARY, CANARY.encode()), *headers), value)
    queue.append(tuple((name, CANARY.encode() if name == "ce_type" else text) for name, text in headers), value)
    queue.run_for(60.0)
    assert queue.is_idle
    nothing_leaked(written)

    queue.state = json.dumps({"sequence": CANARY, "known": {CANARY: REFERENCE}}).encode()
    queue.send(AuthorizationWatch())
    queue.act()
    written.states = [state for state in written.states if state is not queue.state]
    nothing_leaked(written)
    assert not queue.is_idle
