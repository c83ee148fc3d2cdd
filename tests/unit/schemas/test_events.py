import json

import pytest
from pydantic import ValidationError

from schemas.authorization import AuthorizationRecord
from schemas.commands import COMMANDS
from schemas.enums import Agreement, CloseReport, CommandType, Effect, EventType, Outcome, ReportedOutcome
from schemas.events import EVENTS, AuthorizationChanged, CommandFinished

FINISHED = (
    b'{"commandId":"2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10","command":"collate-gateway.handoff.request.v1","caller":"intake",'
    b'"outcome":"applied","effect":"ours"}'
)


def test_the_registry_has_every_type():
    assert set(EVENTS) == {str(kind) for kind in EventType}
    assert len(EVENTS) == 20
    assert not set(EVENTS) & set(COMMANDS)
    assert all(kind == model.TYPE for kind, model in EVENTS.items())


def test_code_can_only_use_known_words():
    with pytest.raises(ValidationError):
        CommandFinished(
            command_id="2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
            command=CommandType.HANDOFF_REQUEST,
            caller="intake",
            outcome="applied",
            effect=Effect.OURS,
        )


def test_a_word_that_the_reader_does_not_know_is_kept():
    read = CommandFinished.from_record(FINISHED.replace(b"applied", b"postponed")[:-1] + b',"by":"a newer worker"}')
    assert read.outcome == "postponed"
    assert not read.outcome.is_known
    assert read.outcome not in set(Outcome)
    assert read.to_json() == FINISHED.replace(b"applied", b"postponed")


@pytest.mark.parametrize("word", ['"a b"', '""', "7", "null", '"' + "x" * 65 + '"'])
def test_text_that_is_not_a_word_is_rejected(word):
    with pytest.raises(ValidationError):
        CommandFinished.from_record(FINISHED.replace(b'"applied"', word.encode()))


def test_an_event_has_no_field_for_free_text():
    with pytest.raises(ValidationError):
        AuthorizationChanged(to_status="Patient called twice", receipt_seen=False, decision_seen=False)


def test_wire_names_that_are_python_keywords():
    event = AuthorizationChanged(from_status="processing", to_status="completed", receipt_seen=True, decision_seen=True)
    assert event.to_json() == b'{"from":"processing","to":"completed","receiptSeen":true,"decisionSeen":true}'


def test_a_report_is_any_reported_outcome_or_inability():
    assert {str(word) for word in CloseReport} == {str(word) for word in ReportedOutcome} | {"unable_to_complete"}
    assert CloseReport(ReportedOutcome.SUBMITTED) is CloseReport.SUBMITTED
    assert [word.is_known for word in Agreement] == [True] * 4


@pytest.mark.parametrize("model", [*EVENTS.values(), AuthorizationRecord])
def test_a_message_built_without_validation_equals_the_validated_message(model):
    validated = model.from_caller(json.dumps(model.EXAMPLE))
    fields = {name: getattr(validated, name) for name in sorted(validated.model_fields_set, reverse=True)}
    built = model.model_construct(**fields)
    assert built == validated
    assert built.to_json() == validated.to_json()
