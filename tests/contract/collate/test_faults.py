"""The faults of the simulated Collate. docs/collate-contract.md §8 excludes none of them."""

import asyncio
import time
from email.utils import parsedate_to_datetime

import httpx
import pytest

HANDOFFS = "manual-handoffs$"


@pytest.mark.parametrize(("when", "opened"), [("before", 0), ("after", 1)])
async def test_a_reset_happens_before_or_after_the_effect(sim, caller, effects, when, opened):
    [authorization] = sim.create()
    sim.fault("reset", when=when, path=HANDOFFS, count=1)
    with pytest.raises(httpx.ReadError):
        await caller.write(authorization, "manual-handoffs", key="k", version=3)
    assert effects("handoff_opened") == opened
    assert (await caller.write(authorization, "manual-handoffs", key="k", version=3)).status_code == 200
    assert effects("handoff_opened") == 1


async def test_a_reset_is_a_real_rst(sim):
    sim.fault("reset", when="after")
    reader, writer = await asyncio.open_connection(*sim.url.removeprefix("http://").split(":"))
    writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


@pytest.mark.parametrize(("when", "opened"), [("before", 0), ("after", 1)])
async def test_a_hang_happens_before_or_after_the_effect(sim, caller, effects, eventually, *, when, opened):
    [authorization] = sim.create()
    sim.fault("hang", when=when, path=HANDOFFS)
    caller.http.timeout = httpx.Timeout(30, read=0.5)
    with pytest.raises(httpx.ReadTimeout):
        await caller.write(authorization, "manual-handoffs", version=3)
    assert effects("handoff_opened") == opened
    await eventually(lambda: sim.ledger.calls[-1].ended == "client_left")


async def test_a_delay_before_can_delay_the_effect_past_the_clients_timeout(sim, caller, effects, eventually):
    [authorization] = sim.create()
    sim.fault("delay", seconds=1.0, when="before", path=HANDOFFS)
    caller.http.timeout = httpx.Timeout(30, read=0.1)
    with pytest.raises(httpx.ReadTimeout):
        await caller.write(authorization, "manual-handoffs", version=3)
    assert effects("handoff_opened") == 0
    await eventually(lambda: effects("handoff_opened") == 1)


@pytest.mark.parametrize(("when", "opened"), [("before", 0), ("after", 1)])
async def test_a_held_call_continues_when_its_rule_is_removed(sim, caller, effects, eventually, *, when, opened):
    [authorization] = sim.create()
    holding = sim.fault("hold", when=when, path=HANDOFFS)
    calling = asyncio.create_task(caller.write(authorization, "manual-handoffs", version=3))
    await eventually(lambda: holding.struck)
    assert (effects("handoff_opened"), calling.done()) == (opened, False)
    sim.faults.remove(holding.id)
    assert (await calling).status_code == 200
    assert effects("handoff_opened") == 1


async def test_a_delay_may_be_drawn_from_a_range(sim, http):
    rule = sim.fault("delay", seconds=0.01, upToSeconds=0.02, when="after", seed=7)
    drawn = [rule.waits("after") for _ in range(50)]
    assert all(0.01 <= seconds <= 0.02 for seconds in drawn)
    assert len(set(drawn)) > 25
    await http.get("/health")
    assert sim.ledger.calls[-1].seconds >= 0.009


@pytest.mark.parametrize("status", [500, 502, 503, 429, 401, 403, 418])
async def test_a_status_may_be_typed(sim, http, code, status):
    sim.fault("answer", status=status, code="made_up", retryable=True, details={"a": 1})
    answer = await http.get("/health")
    assert code(answer, status) == "made_up"
    assert answer.json()["error"]["details"] == {"a": 1}


@pytest.mark.parametrize(
    ("shape", "content_type"), [("html", "text/html"), ("text", "text/plain"), ("empty", "text/plain")]
)
async def test_a_status_may_be_untyped(sim, http, shape, content_type):
    sim.fault("answer", status=502, shape=shape)
    answer = await http.get("/health")
    assert (answer.status_code, answer.headers["content-type"]) == (502, content_type)
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()


async def test_a_status_after_the_effect_hides_it(sim, caller, code, effects):
    [authorization] = sim.create()
    sim.fault("answer", status=500, when="after", path=HANDOFFS, count=1)
    assert code(await caller.write(authorization, "manual-handoffs", key="k"), 500) == "internal_error"
    assert effects("handoff_opened") == 1
    [call] = [call for call in sim.ledger.calls if call.method == "POST"]
    assert (call.answered, call.status) == (200, 500)


async def test_retry_after_is_seconds_or_a_date(sim, http):
    sim.fault("answer", status=503, retryAfter=7, nth=1)
    sim.fault("answer", status=503, retryAfter="date:7", nth=2)
    assert (await http.get("/health")).headers["retry-after"] == "7"
    before = time.time()
    at = parsedate_to_datetime((await http.get("/health")).headers["retry-after"])
    assert before + 7 <= at.timestamp() <= time.time() + 8


async def test_a_truncated_body_promises_more_than_it_sends(sim, http):
    sim.fault("truncate")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        await http.get("/health")


async def test_an_endless_body_never_ends(sim, http):
    sim.fault("endless")
    received = 0
    async with http.stream("GET", "/health") as answer:
        async for piece in answer.aiter_bytes():
            received += len(piece)
            if received > 2_000_000:
                break
    assert received > 2_000_000


async def test_an_endless_head_never_ends(sim, http):
    sim.fault("endless", part="head")
    with pytest.raises(httpx.RemoteProtocolError):
        await http.get("/health")


async def test_a_trickle_never_lets_a_read_time_out(sim, http):
    sim.fault("trickle", seconds=0.1)
    http.timeout = httpx.Timeout(1.0)
    started = time.monotonic()
    assert (await http.get("/health")).json() == {"status": "ok"}
    assert time.monotonic() - started > 1.0


async def test_a_dropped_connection_responds_before_it_closes(sim, http):
    sim.fault("drop", count=1)
    assert [(await http.get("/health")).status_code for _ in range(2)] == [200, 200]


async def test_garbage_is_not_http(sim, http):
    sim.fault("garbage")
    with pytest.raises(httpx.RemoteProtocolError):
        await http.get("/health")


async def test_a_gzip_bomb_is_small_until_it_is_unpacked(sim, http):
    sim.fault("answer", status=200, shape="gzip_bomb")
    async with http.stream("GET", "/health") as answer:
        assert int(answer.headers["content-length"]) < 500_000
        assert answer.headers["content-encoding"] == "gzip"


async def test_a_redirect_leads_to_another_host(sim, http):
    sim.fault("redirect", location="https://elsewhere.invalid/v1")
    answer = await http.get("/health")
    assert (answer.status_code, answer.headers["location"]) == (307, "https://elsewhere.invalid/v1")


async def test_401_for_a_while_and_403_for_one_authorization(sim, http, caller, code):
    one, other = sim.create(count=2)
    sim.fault("answer", status=401, forSeconds=60)
    sim.fault("answer", status=403, path=one)
    assert code(await http.get(f"/v1/prior-authorizations/{other}"), 401) == "unauthorized"
    sim.advance(60)
    assert code(await http.get(f"/v1/prior-authorizations/{one}"), 403) == "forbidden"
    assert (await caller.read(other))["id"] == other


async def test_another_actor_acts_between_a_read_and_the_write(sim, caller, code, effects):
    [authorization] = sim.create()
    sim.fault("act", actor={"do": "open_handoff"}, method="POST", path=HANDOFFS, count=1)
    read = await caller.read(authorization)
    answer = await caller.write(authorization, "manual-handoffs", version=read["version"])
    assert code(answer, 409) == "version_conflict"
    assert effects("handoff_opened", by="other") == 1


async def test_another_actor_may_close_a_handoff_before_its_close_call(sim, caller, code, effects):
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    sim.fault("act", actor={"do": "complete", "reportedOutcome": "submitted"}, path="complete$")
    assert code(await caller.complete(authorization, handoff), 409) == "version_conflict"
    assert effects("handoff_closing", by="other") == 1


async def test_several_rules_may_apply_to_one_call(sim, caller, effects):
    [authorization] = sim.create()
    sim.fault("act", actor={"do": "edit"}, path=HANDOFFS)
    sim.fault("reset", when="after", path=HANDOFFS)
    with pytest.raises(httpx.ReadError):
        await caller.write(authorization, "manual-handoffs", version=4)
    assert effects("handoff_opened") == 1


async def test_a_response_may_be_rewritten(sim, caller):
    [authorization] = sim.create()
    sim.fault("rewrite", overlay={"status": "on_hold", "payer": {"tier": 2}}, method="GET")
    read = await caller.read(authorization)
    assert (read["status"], read["payer"]["tier"], read["payer"]["id"]) == ("on_hold", 2, "payer_example")


async def test_a_rule_matches_by_method_path_nth_skip_and_count(sim, http):
    rule = sim.fault("answer", status=500, method="GET", path="^/health$", skip=1, count=2)
    statuses = [(await http.get("/health")).status_code for _ in range(5)]
    assert statuses == [200, 500, 500, 200, 200]
    assert (rule.seen, rule.struck) == (5, 2)
    sim.faults.clear()
    sim.fault("answer", status=500, nth=[1, 3])
    assert [(await http.get("/health")).status_code for _ in range(4)] == [500, 200, 500, 200]


async def test_a_probability_is_repeatable_by_its_seed(sim, http):
    runs = []
    for _ in range(2):
        sim.faults.clear()
        sim.fault("answer", status=500, probability=0.5, seed=11)
        runs.append([(await http.get("/health")).status_code for _ in range(30)])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 500}


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ({"do": "explode"}, "`do` is one of"),
        ({"do": "delay"}, "needs the field 'seconds'"),
        ({"do": "reset", "when": "never"}, "before or after"),
        ({"do": "reset", "paths": "x"}, "unknown fields: paths"),
        ({"do": "reset", "path": "("}, "ill-typed"),
        ({"do": "answer", "status": 500, "shape": "round"}, "`shape` is"),
        ({"do": "act", "actor": {"do": "dance"}}, "an actor's `do`"),
        ({"do": "act", "actor": {"do": "complete"}}, "reportedOutcome is one of"),
        ({"do": "act", "actor": {"do": "payer", "truth": "maybe"}}, "not a valid Truth"),
    ],
)
def test_the_error_of_an_invalid_rule_has_the_reason(sim, wanted, problem):
    with pytest.raises(ValueError, match=problem):
        sim.fault(**wanted)
