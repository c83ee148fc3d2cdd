import json
from datetime import UTC, datetime

from gateway.ingress.commands.responses import CommandReceipt, command_response
from gateway.ingress.commands.waiters import Finished
from schemas.api.messages import CommandOutcome
from schemas.events import CommandFinished

ABSENT_IN_THE_EXAMPLE = {
    "reason": "writes_off",
    "advice": "Nothing was sent.",
    "claimedBy": "people:jo.miller",
    "wouldSend": {"operation": "create", "version": 23},
    "redrive": 1,
    "decision": {"requestedBy": "jo.miller", "assertedBy": "caller", "caller": "desk", "reason": "caller_asked"},
    "reportedBy": "jo.miller",
    "attemptsLeftOut": 2,
    "digest": "A9RnPQkZsFw2-_8x",
    "unknownAuthorizations": 7,
}


def names(model):
    return {field.alias for field in model.model_fields.values()}


def test_the_answer_has_the_declared_fields_of_an_event_with_all_fields():
    document = dict(CommandFinished.EXAMPLE) | ABSENT_IN_THE_EXAMPLE
    assert set(document) == names(CommandFinished)
    event = CommandFinished.from_record(json.dumps(document))
    receipt = CommandReceipt(
        command_id=event.command_id,
        command_type=event.command,
        authorization_id="auth_1",
        accepted_at=datetime(2026, 6, 2, 14, 6, tzinfo=UTC),
        waited_seconds=30,
        news=Finished(event, datetime(2026, 6, 2, 14, 6, 1, tzinfo=UTC)),
    )
    answer = json.loads(command_response(receipt).body)
    assert set(answer) == names(CommandOutcome)
    assert {name: answer[name] for name in answer if name in document}.items() <= document.items()
