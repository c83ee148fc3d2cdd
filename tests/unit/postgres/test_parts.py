"""The public part of messages, and the schema's newest revision."""

import json
from datetime import UTC, datetime
from importlib import resources

import pytest
from alembic.script import ScriptDirectory

from adapters.postgres.migrate import as_sql
from adapters.postgres.rows import HandoffRow
from adapters.postgres.schema_version import HEAD, problem_of
from adapters.postgres.serializers import handoff_status
from schemas.commands import COMMANDS, Completed, HandoffClose, Redrive, Revoked, UnableToComplete
from schemas.enums import ReportedOutcome
from schemas.events import EVENTS
from schemas.public_fields import public_json

SCRIPTS = ScriptDirectory(resources.files("adapters.postgres") / "migrations")


def test_a_handoff_has_its_people_from_its_events():
    at = datetime(2026, 6, 2, 14, tzinfo=UTC)
    row = dict.fromkeys(HandoffRow.__dataclass_fields__) | {"authorization_id": "a", "handoff_id": "h"}
    row |= {"state": "closed", "operator": "jo", "grant_expires_at": at}
    bare = handoff_status(row | {"people": None})
    assert (bare.request, bare.report, bare.last_grant.caller, bare.last_grant.asserted_by) == (None, None, None, None)
    people = {
        "handoff.opened": {"caller": "desk", "requestedBy": "op-7", "acceptedBy": "dr-1"},
        "handoff.access_granted": {"caller": "people:jo", "operator": "jo"},
        "handoff.closed": {"caller": "people:jo", "reportedBy": "jo"},
    }
    status = json.loads(handoff_status(row | {"people": people}).to_json())
    assert status["request"] == {"caller": "desk", "requestedBy": "op-7", "acceptedBy": "dr-1", "assertedBy": "caller"}
    assert status["report"] == {"caller": "people:jo", "reportedBy": "jo", "assertedBy": "person"}
    assert (status["lastGrant"]["caller"], status["lastGrant"]["assertedBy"]) == ("people:jo", "person")


def close(result):
    return json.loads(public_json(HandoffClose(handoff_id="mhand_1", result=result)))


def test_a_stored_close_has_no_free_text():
    completed = Completed(
        reported_outcome=ReportedOutcome.SUBMITTED, observed_reference_number="REF-1", operator_notes="about Jane Roe"
    )
    stored = {"type": "completed", "reportedOutcome": "submitted"}
    assert close(completed) == {"handoffId": "mhand_1", "result": stored}
    unable = {"type": "unable_to_complete", "reason": "channel_outage"}
    assert close(UnableToComplete(reason="channel_outage", operator_notes="Jane"))["result"] == unable
    assert close(Revoked(reason="Jane Roe died", notes="Jane"))["result"] == {"type": "revoked"}


def test_a_stored_redrive_has_no_free_text_no_command_data_and_no_intent():
    redrive = Redrive.from_caller(json.dumps(Redrive.EXAMPLE))
    stored = json.loads(public_json(redrive))
    assert stored.keys() == {"commandId", "redrive", "requestedBy", "reason", "ticket", "command"}
    assert stored["command"].keys() == {"type", "caller", "acceptedAt"}


@pytest.mark.parametrize("model", [*EVENTS.values(), *COMMANDS.values()], ids=lambda model: model.__name__)
def test_the_public_part_is_json_of_the_message(model):
    message = model.from_caller(json.dumps(model.EXAMPLE))
    stored = json.loads(public_json(message))
    assert stored.keys() <= json.loads(message.to_json()).keys()


def test_head_is_the_newest_migration():
    assert SCRIPTS.get_current_head() == HEAD


def test_each_migration_states_the_oldest_reader_that_still_works():
    scripts = list(SCRIPTS.walk_revisions())
    revisions = {script.revision for script in scripts}
    for script in scripts:
        assert script.module.oldest_reader in revisions
        assert script.module.oldest_reader <= script.revision


@pytest.mark.parametrize(
    ("found", "oldest_reader", "expected"),
    [
        (HEAD, None, None),
        (HEAD, HEAD, None),
        ("9998", HEAD, None),
        ("9998", "0000", None),
        ("9998", "9998", "needs a version of 9998 or newer"),
        ("9998", None, "needs a version of 9998 or newer"),
        ("0000", "0000", "run `gateway migrate` of this version"),
        (None, None, "the schema is at no revision"),
    ],
)
def test_a_process_uses_its_own_schema_and_newer_ones_that_fit_it(found, oldest_reader, expected):
    problem = problem_of(found, oldest_reader)
    assert problem is None if expected is None else expected in problem


def test_the_migrations_can_be_printed_as_sql():
    printed = as_sql()
    for table in ("progress", "heartbeat", "commands", "handoffs", "authorizations", "timeline", "schema_version"):
        assert f"CREATE TABLE {table}" in printed
    oldest_reader = SCRIPTS.get_revision("head").module.oldest_reader
    assert f"INSERT INTO schema_reader VALUES ('{oldest_reader}')" in printed
