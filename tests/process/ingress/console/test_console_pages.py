"""Pages of the console on the real ingress, with a person's own token: the link, dead letters and events."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from schemas.commands import HandoffRequest, RecordAccess, RecordRead, Redrive
from schemas.dead_letter import DeadLetter, OriginalRecord
from schemas.identity import command_id_from_key
from schemas.records import RecordedCommand, write_command
from tests.process.phi_keys import PHI_KEYS
from tests.unit.console.app import browser, console_app, console_settings

GROUPS = {"staff": ["authorization:read", "authorization:review", "handoff:request", "handoff:grant", "handoff:close"]}
GROUPS |= {"on-call": ["authorization:read", "operate"]}


@pytest.fixture
async def person(ingress, issuer, collate):
    """A browser of a person who is staff and on call. Its API is the ingress."""
    entry = issuer.callers_file_entry(GROUPS)
    ingress.add_callers(entry)
    token = issuer.token("jo.miller", list(GROUPS))
    async with httpx.AsyncHTTPTransport() as network:

        async def forward(request):
            request.url = request.url.copy_with(host="127.0.0.1", port=ingress.port)
            return await network.handle_async_request(request)

        app = console_app(forward, settings=console_settings(session_origins=(collate.url,)))
        async with browser(app, authorization=f"Bearer {token}") as client:
            yield client


async def test_the_link_is_in_the_location_alone(lines, person, ingress, kafka, collate):
    (authorization,) = collate.create("handoff_active", handoff_overlay={"message": "Ask Pat Roe."})
    here = f"/authorizations/{authorization}/work"
    form = {"key": "k-1", "handoff": "active"}
    # This ingress has no read model, so the claims are unknown: the first click makes no link.
    asked = await person.post(f"{here}/session", data=form)
    assert (asked.status_code, "location" in asked.headers, kafka.commands) == (503, False, [])
    assert "not known now whether another person has this handoff in hand" in asked.text
    form |= {"unchecked": "yes"}
    answer = await person.post(f"{here}/session", data=form)
    again = await person.post(f"{here}/session", data=form)
    link = answer.headers["location"]
    assert (answer.status_code, answer.content) == (303, b"")
    assert link.startswith(f"{collate.url}/runtime/access/")
    assert again.headers["location"] == link  # a double click is one link
    (secret,) = link.rsplit("/", 1)[1:]
    workbench = await person.get(here)
    assert ("Pat Roe" in workbench.text, workbench.headers["cache-control"]) == (True, "no-store")
    everything_else = [
        json.dumps(lines()),
        repr(kafka.commands),
        repr([(name, value) for name, value in answer.headers.items() if name != "location"]),
        repr(list(person.cookies.jar)),
        workbench.text.replace("Ask Pat Roe.", ""),
        (await person.post(f"{here}/session", data=form | {"handoff": "mhand_unknown"})).text,
    ]
    assert not [text for text in everything_else if secret in text or "Pat Roe" in text]
    access = [command.data for command in kafka.read() if isinstance(command.data, RecordAccess)]
    assert [each.operator for each in access] == ["jo.miller", "jo.miller"]
    assert not [call for call in collate.ledger.calls if "runtime/access" in call.path]


ACCEPTED = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=9)


@pytest.fixture
async def dead(ingress, kafka, collate, eventually):
    """A dead letter of a handoff request that may have arrived."""
    (authorization,) = collate.create("complete_payer_interaction")
    command_id = command_id_from_key("intake", authorization, "k")
    data = HandoffRequest.from_caller(json.dumps({"requestedBy": "Dr. Doe"}))
    command = RecordedCommand(command_id, "intake", authorization, ACCEPTED, data)
    record = write_command(command, "/collate-gateway/test", PHI_KEYS)
    letter = DeadLetter(
        command_id=command_id,
        command=data.TYPE.value,
        caller="intake",
        authorization_id=authorization,
        accepted_at=ACCEPTED,
        dead_at=ACCEPTED + timedelta(minutes=4),
        cause="outcome_unknown",
        advice="Look in Collate.",
        redrive=0,
        intents=[],
        record=OriginalRecord.of(3, 1, *record),
    )
    kafka.add_dead_letter(letter)
    await eventually(lambda: ingress.components.dead_letters.index.find(command_id, datetime.now(UTC)))
    return letter


async def test_a_dead_letter_is_forecast_redriven_and_revealed(person, kafka, dead):
    listed = await person.get("/dead-letters")
    page = await person.get(f"/dead-letters/{dead.command_id}")
    assert "outcome unknown" in listed.text
    assert "Redrive: sends the command to Collate" in page.text
    assert kafka.commands == []
    revealed = await person.get(f"/dead-letters/{dead.command_id}/reveal")
    assert "Dr. Doe" in revealed.text
    assert isinstance(kafka.read()[0].data, RecordRead)
    form = {"redrive": "0", "reason": "checked_by_hand", "ticket": "OPS-1"}
    answer = await person.post(f"/dead-letters/{dead.command_id}/redrive", data=form)
    assert answer.status_code == 303
    decision = kafka.read()[1].data
    assert isinstance(decision, Redrive)
    assert (decision.requested_by, decision.reason) == ("jo.miller", "checked_by_hand")


async def test_all_that_match_are_decided_by_what_was_seen(person, kafka, dead):
    page = await person.get("/dead-letters/all?cause=outcome_unknown")
    assert "sends the command to Collate" in page.text
    fields = dict(item.split('" value="') for item in _hidden(page.text))
    form = fields | {"verb": "discard", "reason": "done_by_hand"}
    answer = await person.post("/dead-letters/all", data=form)
    done = await person.get(answer.headers["location"])
    assert "All are decided" in done.text
    assert len(kafka.commands) == 1
    stale = await person.post("/dead-letters/all", data=form | {"count": "2"})
    assert stale.headers["location"].endswith("changed=yes")
    assert len(kafka.commands) == 1


def _hidden(text):
    return [part.partition('">')[0] for part in text.split('<input type="hidden" name="')[1:]]
