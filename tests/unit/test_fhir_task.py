"""docs/examples/fhir_task.py: stories of events as FHIR R4 Tasks, which the models of `fhir.resources` (R4B) accept."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from fhir.resources.R4B.task import Task

from schemas.cloudevents import Envelope, to_kafka
from schemas.events import (
    AuthorizationActionRequired,
    AuthorizationChanged,
    AuthorizationSettled,
    HandoffAccessGranted,
    HandoffClaimed,
    HandoffClosed,
    HandoffOpened,
    HandoffReconciled,
    HandoffReleased,
)
from tests.unit.test_examples import example

fhir_task = example("fhir_task")
URL = "https://gateway.example"
# Of http://hl7.org/fhir/ValueSet/task-status, whose words the model does not check.
STATUSES = {"requested", "ready", "accepted", "in-progress", "completed", "failed", "cancelled"}
EVIDENCE = f"{URL}/v1/authorizations/auth_7Q2M/payer-evidence"
NO_RECEIPT = {"status": "requires_action", "receiptSeen": False, "decisionSeen": False}
RECEIPT = {"status": "waiting_on_payer", "receiptSeen": True, "decisionSeen": False}
DECIDED = {"status": "completed", "outcome": "approved", "receiptSeen": True, "decisionSeen": True}


class Story:
    """The events of one authorization, and the Tasks that they leave."""

    def __init__(self):
        self.of, self.count, self.versions = {}, 0, []

    def event(self, event, **changes):
        """Apply an example with changes; return the new version of a Task, of which there is at most one."""
        wire = {name: value for name, value in (event.EXAMPLE | changes).items() if value is not None}
        event.model_validate_json(json.dumps(wire))
        self.count += 1
        at = datetime(2026, 6, 2, 14, tzinfo=UTC) + timedelta(minutes=self.count)
        source, time = "/collate-gateway/test/authorizations/auth_7Q2M", at.isoformat().replace("+00:00", "Z")
        attributes = {"type": event.TYPE.value, "source": source, "id": str(self.count), "subject": "auth_7Q2M"}
        new = fhir_task.apply(attributes | {"time": time, "data": wire}, self.of, URL)
        for task in new:
            Task.model_validate(task)
            assert task["status"] in STATUSES
        self.versions += new
        return new[-1] if new else None


def word(concept):
    return concept["coding"][0]["code"]


def owner(task):
    return task["owner"]["identifier"]["value"]


@pytest.fixture
def story():
    return Story()


def test_a_contradicted_report_fails_and_the_next_handoff_is_revoked_and_the_third_agrees(story):
    need = story.event(AuthorizationActionRequired)
    assert (need["status"], need["focus"]["identifier"]["value"]) == ("requested", "auth_7Q2M")
    ready = story.event(HandoffOpened, handoffId="mh_1", metadata={"serviceRequest": "4711"})
    assert (ready["id"], ready["status"]) == (need["id"], "ready")
    assert ready["basedOn"] == [{"reference": "ServiceRequest/4711"}]
    entered = story.event(HandoffAccessGranted, handoffId="mh_1", operator="op-7")
    assert (entered["status"], owner(entered)) == ("in-progress", "op-7")
    assert story.event(HandoffClaimed, handoffId="mh_1", by="op-7")["status"] == "in-progress"
    reported = story.event(HandoffClosed, handoffId="mh_1", reported="submitted")
    assert (reported["status"], word(reported["statusReason"])) == ("in-progress", "completed_reported")
    contradicted = story.event(HandoffReconciled, handoffId="mh_1", payer=NO_RECEIPT, agreement="contradicts")
    assert (contradicted["status"], word(contradicted["businessStatus"])) == ("failed", "contradicts")
    assert "output" not in contradicted

    again = story.event(AuthorizationActionRequired)
    assert (again["id"] == need["id"], again["status"]) == (False, "requested")
    story.event(HandoffOpened, handoffId="mh_2")
    assert owner(story.event(HandoffClaimed, handoffId="mh_2", by="jo.miller")) == "jo.miller"
    assert "owner" not in story.event(HandoffReleased, handoffId="mh_2")
    revoked = story.event(HandoffClosed, handoffId="mh_2", result="revoked", reported=None)
    assert (revoked["status"], word(revoked["statusReason"])) == ("cancelled", "revoked")
    later = story.event(HandoffReconciled, handoffId="mh_2", reported=None, payer=NO_RECEIPT, agreement="no_report")
    assert (later["id"], later["status"]) == (again["id"], "cancelled")

    # Another actor opened the third, without a need that the gateway saw.
    story.event(HandoffOpened, handoffId="mh_3")
    story.event(HandoffClosed, handoffId="mh_3")
    unknown = story.event(HandoffReconciled, handoffId="mh_3", payer=RECEIPT, agreement="undetermined")
    assert (unknown["status"], unknown["output"][0]["valueUrl"]) == ("in-progress", EVIDENCE)
    done = story.event(AuthorizationSettled, handoffId="mh_3", payer=DECIDED, agreement="agrees")
    assert [word(one["type"]) for one in done["output"]] == ["payer_receipt", "payer_decision"]
    latest = {task["id"]: task["status"] for task in story.versions}
    assert latest == {need["id"]: "failed", again["id"]: "cancelled", done["id"]: "completed"}
    assert story.of == {}


def test_a_later_verdict_leaves_an_ended_task_ended(story):
    story.event(HandoffOpened)
    story.event(HandoffClosed, result="unable_to_complete", reported="unable_to_complete", reason="channel_outage")
    contradicted = story.event(HandoffReconciled, reported="unable_to_complete", payer=RECEIPT, agreement="contradicts")
    settled = story.event(AuthorizationSettled, reported="unable_to_complete", payer=DECIDED, agreement="contradicts")
    assert [task["status"] for task in (contradicted, settled)] == ["failed", "failed"]
    assert len(settled["output"]) == 2


@pytest.mark.parametrize(
    ("event", "changes"),
    [
        (AuthorizationChanged, {"nextAction": None}),
        (AuthorizationActionRequired, {"action": "approve_submission", "resolution": "confirm"}),
        (AuthorizationSettled, {"handoffId": None, "reported": None, "agreement": "no_report"}),
    ],
)
def test_a_need_that_ends_without_a_handoff_is_cancelled(story, event, changes):
    story.event(AuthorizationActionRequired)
    assert story.event(event, **changes)["status"] == "cancelled"


def test_a_need_of_the_same_person_stays_one_task_and_other_needs_have_none(story):
    assert story.event(AuthorizationActionRequired, action="resolve_requirements", resolution=None) is None
    story.event(AuthorizationActionRequired)
    assert story.event(AuthorizationActionRequired, coversReviewSnapshotId="rev_91") is None
    assert story.event(AuthorizationChanged, nextAction="complete_payer_interaction") is None


async def test_the_program_reads_records_as_the_worker_writes_them(monkeypatch, capsys):
    data = json.dumps(HandoffOpened.EXAMPLE).encode()
    attributes = {
        "source": "/collate-gateway/test/authorizations/auth_1",
        "subject": "auth_1",
        "time": datetime(2026, 6, 2, 14, 6, 1, tzinfo=UTC),
    }
    headers, value = to_kafka(Envelope(id="1", type=HandoffOpened.TYPE, data=data, **attributes))

    class Consumer:
        def __init__(self, *topics, **settings):
            assert (topics, settings["isolation_level"]) == (("gw.events",), "read_committed")

        async def __aenter__(self):
            return self

        async def __aexit__(self, *_):
            pass

        async def __aiter__(self):
            yield SimpleNamespace(headers=headers, value=value)

    monkeypatch.setattr(fhir_task, "AIOKafkaConsumer", Consumer)
    await fhir_task.main("localhost:9092", "gw.", URL)
    assert Task.model_validate_json(capsys.readouterr().out).status == "ready"


def test_a_settlement_leaves_an_open_handoff_to_its_close(story):
    story.event(HandoffOpened)
    assert story.event(AuthorizationSettled, reported=None, payer=DECIDED, agreement="undetermined") is None
    assert story.event(HandoffClosed, result="canceled", reported=None, by="cancellation")["status"] == "cancelled"
