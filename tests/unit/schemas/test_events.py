import json

import pytest

from schemas.authorization import AuthorizationRecord
from schemas.enums import Outcome
from schemas.events import EVENTS, AuthorizationChanged, CommandFinished

FINISHED = (
    b'{"commandId":"2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10","command":"collate-gateway.handoff.request.v1","caller":"intake",'
    b'"outcome":"applied","effect":"ours"}'
)


def test_a_word_that_the_reader_does_not_know_is_kept():
    read = CommandFinished.from_record(FINISHED.replace(b"applied", b"postponed")[:-1] + b',"by":"a newer worker"}')
    assert read.outcome == "postponed"
    assert not read.outcome.is_known
    assert read.outcome not in set(Outcome)
    assert read.to_json() == FINISHED.replace(b"applied", b"postponed")


def test_wire_names_that_are_python_keywords():
    event = AuthorizationChanged(from_status="processing", to_status="completed", receipt_seen=True, decision_seen=True)
    assert event.to_json() == b'{"from":"processing","to":"completed","receiptSeen":true,"decisionSeen":true}'


@pytest.mark.parametrize("model", [*EVENTS.values(), AuthorizationRecord])
def test_a_message_built_without_validation_equals_the_validated_message(model):
    validated = model.from_caller(json.dumps(model.EXAMPLE))
    fields = {name: getattr(validated, name) for name in sorted(validated.model_fields_set, reverse=True)}
    built = model.model_construct(**fields)
    assert built == validated
    assert built.to_json() == validated.to_json()
