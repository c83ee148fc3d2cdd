"""People who sign in to the API: their own tokens, through the whole ingress, with an issuer's keys over HTTP."""

import asyncio
import json
import secrets
from datetime import UTC, datetime

import pytest

from gateway.ingress.commands.claims import ClaimsUnknown, NoClaims
from local.issuer import LocalIssuer
from schemas.authorization import HandoffClaim
from schemas.commands import ReleaseHandoff
from schemas.permissions import Permission
from tests.unit.ingress.test_grants import active_handoff

STAFF = ["authorization:read", "authorization:review", "handoff:request", "handoff:grant", "handoff:close"]
REQUEST = "/v1/authorizations/auth_1/handoffs"
CLOSE = "/v1/authorizations/auth_1/handoffs/mhand_1/close"
REPORT = {"result": {"type": "completed", "reportedOutcome": "submitted"}}
JO = "jo.miller"
ACCEPTS = {"acceptedReviewSnapshotId": "rev_1"}
SINCE = datetime(2026, 6, 2, 14, 0, tzinfo=UTC)
MODES = ["rest", "binary", "structured"]


@pytest.fixture
def ingress(ingress, issuer):
    entry = issuer.callers_file_entry({"staff": STAFF, "on-call": ["authorization:read", "operate"]})
    ingress.add_callers(entry)
    ingress.service_key, ingress.key = ingress.key, issuer.token(JO, ["staff", "on-call"])
    return ingress


def slug(reply):
    return reply.json["type"].rpartition(":")[2]


def pointer(mode, field):
    return f"/data/{field}" if mode == "structured" else f"/{field}"


def envelope(command, data):
    return {
        "specversion": "1.0",
        "id": secrets.token_hex(4),
        "source": "/x",
        "type": f"collate-gateway.{command}.v1",
        "subject": "auth_1",
        "data": data,
    }


async def send(ingress, mode, command, data):
    """Send a command as REST, or as a CloudEvent in binary or structured mode."""
    event = envelope(command, data)
    match mode:
        case "rest":
            path = {"handoff.request": REQUEST, "handoff.close": CLOSE}[command]
            body = {name: value for name, value in data.items() if name != "handoffId"}
            return await ingress.post(path, body, secrets.token_hex(4))
        case "binary":
            headers = {f"ce-{name}": value for name, value in event.items() if name != "data"}
            return await ingress.call("POST", "/v1/commands", data, headers)
        case "structured":
            headers = {"content-type": "application/cloudevents+json"}
            return await ingress.call("POST", "/v1/commands", event, headers)


async def sent(ingress, mode, data):
    """Send a request of a handoff; return its status and its body, in a batch those of its event."""
    if mode != "batch":
        reply = await send(ingress, mode, "handoff.request", data)
        return reply.status, reply.json
    headers = {"content-type": "application/cloudevents-batch+json"}
    reply = await ingress.call(
        "POST", "/v1/commands", json.dumps([envelope("handoff.request", data)]).encode(), headers
    )
    (result,) = reply.json["results"]
    return result["status"], result.get("problem")


class TestWhoItIs:
    async def test_a_person_is_a_caller_with_a_prefix(self, ingress, kafka):
        assert (await ingress.post(REQUEST)).status == 202
        assert [command.caller for command in kafka.read()] == ["people:jo.miller"]

    async def test_a_retry_is_the_same_command_and_that_of_another_person_is_not(self, ingress, issuer):
        first = (await ingress.post(REQUEST)).json["commandId"]
        ingress.key = issuer.token(JO, ["staff"], jti="another token")
        again = (await ingress.post(REQUEST)).json["commandId"]
        ingress.key = issuer.token("sam.lee", ["staff"])
        other = (await ingress.post(REQUEST)).json["commandId"]
        assert first == again != other

    async def test_me_says_who_the_person_is_and_what_they_may_do(self, ingress):
        reply = await ingress.get("/v1/me")
        assert reply.status == 200
        assert reply.json == {
            "caller": "people:jo.miller",
            "kind": "person",
            "person": JO,
            "permissions": sorted([*STAFF, "operate"]),
            "limits": {
                "requestsPerSecond": 200.0,
                "burst": 400,
                "streams": 20,
                "waitingRequests": 100,
                "unfinishedCommands": 100,
            },
        }

    async def test_me_of_a_service(self, ingress):
        ingress.key = ingress.service_key
        reply = (await ingress.get("/v1/me")).json
        assert (reply["caller"], reply["kind"], reply.get("person")) == ("desk", "caller", None)
        assert reply["permissions"] == sorted(Permission)

    @pytest.mark.parametrize("groups", [[], ["STAFF"], "staff,on-call", None, [["staff"]]])
    async def test_a_person_in_no_known_group_may_do_nothing_but_ask_why(self, ingress, kafka, issuer, groups):
        ingress.key = issuer.token(JO, groups)
        assert (await ingress.get("/v1/me")).json["permissions"] == []
        replies = [await ingress.post(REQUEST), await ingress.get("/v1/dead-letters"), await ingress.get("/v1/events")]
        assert {(reply.status, slug(reply)) for reply in replies} == {(403, "not-permitted")}
        assert kafka.commands == []

    @pytest.mark.parametrize("claim", ["preferred_username", "aud", "sub", "exp"])
    async def test_a_token_without_a_claim_is_401(self, ingress, kafka, issuer, claim):
        ingress.key = issuer.token(JO, ["staff"], **{claim: None})
        reply = await ingress.post(REQUEST)
        assert (reply.status, slug(reply)) == (401, "unauthenticated")
        assert kafka.commands == []

    async def test_no_name_claim_makes_a_person_a_service_or_another_person(self, ingress, kafka, issuer):
        names = ["desk", "people:desk", "people:jo.miller", "Désk, (ext.)"]
        for name in names:
            ingress.key = issuer.token(name, ["staff"])
            assert (await ingress.post(REQUEST)).status == 202
            assert (await ingress.get("/v1/me")).json["kind"] == "person"
        assert [command.caller for command in kafka.read()] == [f"people:{name}" for name in names]

    async def test_two_issuers_with_a_person_of_the_same_name_have_two_people(self, ingress, kafka):
        with LocalIssuer() as other:
            entry = other.callers_file_entry({"staff": STAFF}, prefix="partner")
            ingress.add_callers(entry)
            first = (await ingress.post(REQUEST)).json["commandId"]
            ingress.key = other.token(JO, ["staff", "on-call"])
            second = (await ingress.post(REQUEST)).json["commandId"]
            assert "operate" not in (await ingress.get("/v1/me")).json["permissions"]
        assert first != second
        assert [command.caller for command in kafka.read()] == ["people:jo.miller", "partner:jo.miller"]

    async def test_a_subject_that_the_file_names_is_that_service(self, ingress, kafka, issuer):
        entry = (
            f'[[caller]]\nname = "batch"\npermissions = ["handoff:request"]\n'
            f'[[caller.token]]\nissuer = "{issuer.url}"\nsubject = "user-batch"\n'
        )
        ingress.add_callers(entry)
        ingress.key = issuer.token("batch", ["staff", "on-call"])
        assert (await ingress.post(REQUEST, {"requestedBy": "op-7"})).status == 202
        assert [command.caller for command in kafka.read()] == ["batch"]
        assert (await ingress.get("/v1/dead-letters")).status == 403

    async def test_without_their_entry_people_are_strangers(self, ingress, issuer):
        text = ingress.callers_file.read_text()
        assert (await ingress.get("/v1/me")).status == 200
        ingress.use_callers(text[: text.index("[[people]]")])
        assert (await ingress.get("/v1/me")).status == 401


class TestNames:
    """The names of people in a request come from the token."""

    @pytest.mark.parametrize("mode", MODES)
    async def test_a_command_has_the_names_of_its_person(self, ingress, kafka, mode):
        close = {"handoffId": "mhand_1"} | REPORT
        for command, data in [
            ("handoff.request", {}),
            ("handoff.request", ACCEPTS),
            ("handoff.request", ACCEPTS | {"requestedBy": JO, "acceptedBy": JO}),
            ("handoff.close", close),
            ("handoff.close", close | {"reportedBy": JO}),
        ]:
            assert (await send(ingress, mode, command, data)).status == 202
        bare, first, second, *closes = [command.data for command in kafka.read()]
        assert (bare.requested_by, bare.accepted_by) == (JO, None)
        assert {(data.requested_by, data.accepted_by) for data in (first, second)} == {(JO, JO)}
        assert {(data.reported_by, data.handoff_id) for data in closes} == {(JO, "mhand_1")}

    @pytest.mark.parametrize("mode", MODES)
    async def test_nobody_accepts_a_snapshot_that_is_not_named(self, ingress, kafka, mode):
        for key in (ingress.key, ingress.service_key):
            ingress.key = key
            reply = await send(ingress, mode, "handoff.request", {"acceptedBy": JO})
            assert (reply.status, slug(reply)) == (422, "invalid-command")
            assert reply.json["errors"][0]["pointer"] == pointer(mode, "acceptedBy")
        assert kafka.commands == []

    @pytest.mark.parametrize("mode", [*MODES, "batch"])
    async def test_only_a_person_who_may_read_a_review_accepts_it(self, ingress, kafka, issuer, mode):
        entry = issuer.callers_file_entry({"desk": ["handoff:request"], "reviewers": ["authorization:review"]})
        ingress.use_callers(entry)
        for groups, status in ((["desk"], 403), (["desk", "reviewers"], 202)):
            ingress.key = issuer.token(JO, groups)
            assert (await sent(ingress, mode, {}))[0] == 202
            found, problem = await sent(ingress, mode, ACCEPTS)
            assert found == status
            if status == 403:
                assert problem["type"].endswith("not-permitted")
                assert "authorization:review" in problem["detail"]
        assert [command.data.accepted_by for command in kafka.read()] == [None, None, JO]

    @pytest.mark.parametrize("mode", [*MODES, "batch"])
    async def test_a_service_names_the_person_who_accepts_a_review(self, ingress, kafka, mode):
        ingress.key = ingress.service_key
        found, problem = await sent(ingress, mode, ACCEPTS)
        assert (found, problem["type"].rpartition(":")[2]) == (422, "invalid-command")
        (fault,) = problem["errors"]
        assert fault["pointer"] == ("/0/data/acceptedBy" if mode == "batch" else pointer(mode, "acceptedBy"))
        assert (await sent(ingress, mode, ACCEPTS | {"acceptedBy": "dr-1"}))[0] == 202
        assert [command.data.accepted_by for command in kafka.read()] == ["dr-1"]

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize(
        ("command", "data", "field"),
        [
            ("handoff.request", {}, "requestedBy"),
            ("handoff.request", ACCEPTS, "acceptedBy"),
            ("handoff.close", {"handoffId": "mhand_1"} | REPORT, "reportedBy"),
        ],
    )
    async def test_a_command_may_name_no_other_person(self, ingress, kafka, *, mode, command, data, field):
        for name in ("sam.lee", "Jo.Miller", "people:jo.miller", "jo.miller "):
            reply = await send(ingress, mode, command, data | {field: name})
            assert (reply.status, slug(reply)) == (422, "names-another-person")
            assert reply.json["errors"] == [
                {"pointer": pointer(mode, field), "detail": "your own name, as your token has it, or no such field"}
            ]
            assert "sam.lee" not in reply.body.decode()
        assert kafka.commands == []

    async def test_an_event_of_a_batch_may_name_no_other_person(self, ingress, kafka):
        stated = ({"requestedBy": "sam.lee"}, {})
        events = [envelope("handoff.request", data) | {"id": f"e-{n}"} for n, data in enumerate(stated)]
        headers = {"content-type": "application/cloudevents-batch+json"}
        reply = await ingress.call("POST", "/v1/commands", json.dumps(events).encode(), headers)
        other, own = reply.json["results"]
        assert (other["status"], other["problem"]["errors"][0]["pointer"]) == (422, "/0/data/requestedBy")
        assert own["status"] == 202
        assert [command.data.requested_by for command in kafka.read()] == [JO]

    @pytest.mark.parametrize("mode", MODES)
    async def test_a_service_states_names_or_none(self, ingress, kafka, mode):
        ingress.key = ingress.service_key
        names = {"acceptedReviewSnapshotId": "rev_1", "requestedBy": "op-7", "acceptedBy": "dr-1"}
        for command, data in [
            ("handoff.request", names),
            ("handoff.request", {}),
            ("handoff.close", {"handoffId": "mhand_1", "reportedBy": "op-8"} | REPORT),
        ]:
            assert (await send(ingress, mode, command, data)).status == 202
        named, unnamed, close = [command.data for command in kafka.read()]
        assert (named.requested_by, named.accepted_by, close.reported_by) == ("op-7", "dr-1", "op-8")
        assert (unnamed.requested_by, unnamed.accepted_by) == (None, None)

    async def test_a_stated_name_is_one_visible_line(self, ingress, kafka):
        ingress.key = ingress.service_key
        for name in ("", "op\u202e7", "op\n7", "x" * 129, 7, ["op-7"]):
            reply = await ingress.post(REQUEST, {"requestedBy": name})
            assert (reply.status, reply.json["errors"][0]["pointer"]) == (422, "/requestedBy")
        assert kafka.commands == []


class TestOperators:
    """The operator of a grant and of decisions comes from the token."""

    @pytest.fixture
    def authorization(self, collate):
        (authorization,) = collate.create("handoff_active")
        return authorization

    async def test_a_grant_is_recorded_for_its_person(self, ingress, kafka, authorization):
        path = f"/v1/authorizations/{authorization}/handoffs/active/access-grants"
        for body in (b"", {}, {"operator": JO}):
            assert (await ingress.call("POST", path, body)).status == 201
        assert [(command.caller, command.data.operator) for command in kafka.read()] == [("people:jo.miller", JO)] * 3

    async def test_a_grant_for_another_person_is_refused_before_collate_is_called(
        self, ingress, kafka, collate, authorization
    ):
        path = f"/v1/authorizations/{authorization}/handoffs/active/access-grants"
        calls = len(collate.ledger.calls)
        reply = await ingress.call("POST", path, {"operator": "sam.lee"})
        assert (reply.status, slug(reply)) == (422, "names-another-person")
        assert reply.json["errors"][0]["pointer"] == "/operator"
        assert (len(collate.ledger.calls), kafka.commands) == (calls, [])

    async def test_a_service_must_name_the_operator_of_a_grant(self, ingress, kafka, authorization):
        ingress.key = ingress.service_key
        path = f"/v1/authorizations/{authorization}/handoffs/active/access-grants"
        reply = await ingress.call("POST", path, {})
        assert (reply.status, reply.json["errors"][0]["pointer"]) == (422, "/operator")
        assert kafka.commands == []

    async def test_a_decision_about_recent_commands_is_its_persons(self, ingress, kafka):
        path = "/v1/authorizations/auth_1/recent-commands/empty"
        assert (await ingress.post(path, {"reason": "other", "operator": "sam.lee"})).status == 422
        assert (await ingress.post(path, {"reason": "other"})).status == 202
        (command,) = kafka.read()
        assert (command.caller, command.data.requested_by) == ("people:jo.miller", JO)


class TestBounds:
    @pytest.fixture
    def settings_of(self):
        return {"GATEWAY_INGRESS__CALLER_RATE": "0.5", "GATEWAY_INGRESS__CALLER_BURST": "2"}

    async def test_a_person_above_the_rate_takes_nothing_from_the_others(self, ingress, issuer):
        statuses = [(await ingress.get("/v1/me")).status for _ in range(3)]
        ingress.key = issuer.token("sam.lee")
        other = (await ingress.get("/v1/me")).status
        ingress.key = ingress.service_key
        service = (await ingress.get("/v1/me")).status
        assert (statuses, other, service) == ([200, 200, 429], 200, 200)

    async def test_a_new_token_is_no_new_person(self, ingress, issuer):
        statuses = []
        for number in range(3):
            ingress.key = issuer.token(JO, jti=str(number))
            statuses.append((await ingress.get("/v1/me")).status)
        assert statuses == [200, 200, 429]


async def test_a_log_line_names_the_person_and_never_the_token(lines, ingress):
    await ingress.post(REQUEST)
    text = json.dumps(lines())
    assert '"caller": "people:jo.miller"' in text
    assert ingress.key not in text


GRANTS = "/v1/authorizations/{}/handoffs/active/access-grants"
RELEASE = "/v1/authorizations/auth_1/handoffs/mhand_1/release"


class TestClaims:
    """A person's link, and the claim that another person has; the read model is a stand-in."""

    @pytest.fixture
    def authorization(self, collate):
        (authorization,) = collate.create("handoff_active")
        return authorization

    @pytest.fixture
    def claimed_by(self, monkeypatch):
        """Let the read model say who has the handoff in hand; None: it is not available."""
        holder = []

        async def open_handoff(claims, authorization_id, handoff_id, caller):
            if holder == [None]:
                raise ClaimsUnknown
            claim = HandoffClaim(by=holder[0].partition(":")[2], caller=holder[0], since=SINCE) if holder else None
            return active_handoff(handoff_id, claim=claim)

        monkeypatch.setattr(NoClaims, "open_handoff", open_handoff)
        return holder

    async def test_a_second_person_gets_409_with_the_holder_and_can_take_over(
        self, ingress, kafka, collate, authorization, claimed_by
    ):
        claimed_by.append("people:sam.lee")
        reply = await ingress.post(GRANTS.format(authorization), {})
        assert (reply.status, slug(reply)) == (409, "handoff-claimed")
        assert (reply.json["claimedBy"], reply.json["claimedSince"]) == ("sam.lee", "2026-06-02T14:00:00Z")
        assert not [call for call in collate.ledger.calls if "access-grants" in call.path], "no link was minted"
        assert kafka.commands == []
        taken = await ingress.post(GRANTS.format(authorization), {"takeOver": True})
        assert (taken.status, taken.json["claimCheck"]) == (201, "done")
        (recorded,) = kafka.read()
        assert (recorded.caller, recorded.data.take_over) == ("people:jo.miller", True)

    async def test_without_a_read_model_the_check_is_skipped_and_the_response_says_so(
        self, ingress, kafka, authorization, claimed_by
    ):
        claimed_by.append(None)
        reply = await ingress.post(GRANTS.format(authorization), {})
        assert (reply.status, reply.json["claimCheck"]) == (201, "skipped")
        assert (kafka.read()[0].data.take_over, kafka.read()[0].data.claim_check) == (None, "skipped")

    async def test_a_required_claim_check_without_a_read_model_is_503_and_no_link(
        self, ingress, kafka, collate, authorization, claimed_by
    ):
        claimed_by.append(None)
        reply = await ingress.post(GRANTS.format(authorization), {"claimCheck": "required"})
        assert (reply.status, slug(reply), reply.headers["retry-after"]) == (503, "claim-unknown", "2")
        assert not [call for call in collate.ledger.calls if "access-grants" in call.path], "no link was minted"
        assert kafka.commands == []
        claimed_by[:] = ["people:jo.miller"]
        reply = await ingress.post(GRANTS.format(authorization), {"claimCheck": "required"})
        assert (reply.status, reply.json["claimCheck"], kafka.read()[0].data.claim_check) == (201, "done", "done")

    async def test_claims_mean_nothing_for_a_service(self, ingress, authorization, claimed_by):
        claimed_by.append("people:sam.lee")
        ingress.key = ingress.service_key
        reply = await ingress.post(GRANTS.format(authorization), {"operator": "op-7"})
        assert (reply.status, reply.json.get("claimCheck")) == (201, None)
        refused = await ingress.post(GRANTS.format(authorization), {"operator": "op-7", "takeOver": True})
        assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, "/takeOver")
        refused = await ingress.post(GRANTS.format(authorization), {"operator": "op-7", "claimCheck": "required"})
        assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, "/claimCheck")
        assert (await ingress.post(RELEASE)).status == 403

    async def test_a_persons_close_of_anothers_handoff_is_409_unless_it_takes_over(self, ingress, kafka, claimed_by):
        claimed_by.append("people:sam.lee")
        report = {"result": {"type": "revoked", "reason": "Not wanted."}}
        reply = await ingress.post(CLOSE, report, key="k-1")
        assert (reply.status, slug(reply), reply.json["claimedBy"]) == (409, "handoff-claimed", "sam.lee")
        assert kafka.commands == []
        assert (await ingress.post(CLOSE, report | {"takeOver": True}, key="k-2")).status == 202
        assert kafka.read()[0].data.take_over is True
        claimed_by[:] = [None]
        assert (await ingress.post(CLOSE, report, key="k-3")).status == 202, "the worker decides"
        claimed_by[:] = ["people:sam.lee"]
        ingress.key = ingress.service_key
        assert (await ingress.post(CLOSE, report, key="k-4")).status == 202, "a service as before"
        refused = await ingress.post(CLOSE, report | {"takeOver": True}, key="k-5")
        assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, "/takeOver")

    async def test_a_release_is_on_the_topic_before_the_response(self, ingress, kafka):
        assert (await ingress.post(RELEASE)).status == 202
        (released,) = kafka.read()
        assert (released.caller, released.data) == ("people:jo.miller", ReleaseHandoff(handoff_id="mhand_1"))
        assert (await ingress.post(RELEASE, {"operator": "somebody"})).status == 422
        ingress.lose_kafka()
        assert slug(await ingress.post(RELEASE)) == "audit-unavailable"


class TestPlaces:
    @pytest.fixture
    def settings_of(self):
        return {"GATEWAY_INGRESS__MAX_REQUESTS_IN_FLIGHT": "8"}

    async def test_all_people_of_a_prefix_share_half_of_the_places(self, ingress, issuer, kafka, eventually):
        kafka.is_silent = True
        sent = []
        for person in ("jo", "jo", "ann", "ann"):
            ingress.key = issuer.token(person, ["staff"])
            sent.append(asyncio.create_task(ingress.post(REQUEST, key=f"k-{len(sent)}")))
            await eventually(lambda: len(kafka.commands) == len(sent))
        for person in ("jo", "bob"):
            ingress.key = issuer.token(person, ["staff"])
            assert (await ingress.post(REQUEST, key="k")).status == 429
        kafka.is_silent, ingress.key = False, ingress.service_key
        assert (await ingress.post(REQUEST, key="k")).status == 202
        kafka.confirm()
        assert [reply.status for reply in await asyncio.gather(*sent)] == [202] * 4

    async def test_one_person_leaves_a_part_of_the_peoples_places_to_others(self, ingress, issuer, kafka, eventually):
        kafka.is_silent = True
        ingress.key = issuer.token("jo", ["staff"])
        sent = [asyncio.create_task(ingress.post(REQUEST, key=f"k-{number}")) for number in range(3)]
        await eventually(lambda: [one.done() for one in sent].count(True) == 1)
        kafka.is_silent, ingress.key = False, issuer.token("bob", ["staff"])
        assert (await ingress.post(REQUEST, key="k")).status == 202
        kafka.confirm()
        assert sorted(reply.status for reply in await asyncio.gather(*sent)) == [202, 202, 429]

    async def test_all_people_of_a_prefix_have_two_batches_at_a_time(self, ingress, issuer, kafka, eventually):
        kafka.is_silent = True
        sent = []

        def send_batch(person):
            ingress.key = issuer.token(person, ["staff"])
            body = json.dumps([envelope("handoff.request", {})]).encode()
            return ingress.call("POST", "/v1/commands", body, {"content-type": "application/cloudevents-batch+json"})

        for person in ("jo", "ann"):
            sent.append(asyncio.create_task(send_batch(person)))
            await eventually(lambda: len(kafka.commands) == len(sent))
        assert (await send_batch("bob")).status == 429
        kafka.confirm()
        assert [reply.status for reply in await asyncio.gather(*sent)] == [207, 207]
