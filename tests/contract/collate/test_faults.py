"""The faults of the simulated Collate. docs/collate-contract.md §8 excludes none of them."""

import asyncio
import time

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


async def test_a_status_after_the_effect_hides_it(sim, caller, code, effects):
    [authorization] = sim.create()
    sim.fault("answer", status=500, when="after", path=HANDOFFS, count=1)
    assert code(await caller.write(authorization, "manual-handoffs", key="k"), 500) == "internal_error"
    assert effects("handoff_opened") == 1
    [call] = [call for call in sim.ledger.calls if call.method == "POST"]
    assert (call.answered, call.status) == (200, 500)


async def test_a_trickle_never_lets_a_read_time_out(sim, http):
    sim.fault("trickle", seconds=0.1)
    http.timeout = httpx.Timeout(1.0)
    started = time.monotonic()
    assert (await http.get("/health")).json() == {"status": "ok"}
    assert time.monotonic() - started > 1.0


async def test_another_actor_acts_between_a_read_and_the_write(sim, caller, code, effects):
    [authorization] = sim.create()
    sim.fault("act", actor={"do": "open_handoff"}, method="POST", path=HANDOFFS, count=1)
    read = await caller.read(authorization)
    answer = await caller.write(authorization, "manual-handoffs", version=read["version"])
    assert code(answer, 409) == "version_conflict"
    assert effects("handoff_opened", by="other") == 1


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
