from types import SimpleNamespace

from local.judge import evidence
from local.judge.evidence import find_leaks, gather
from local.phi_keys import new_keys


async def test_the_evidence_stays_the_same_while_collate_goes_through_further_states(monkeypatch):
    async def nothing(*_, since):
        return []

    monkeypatch.setattr(evidence, "read_topic", nothing)
    sim = SimpleNamespace(now=lambda: 0.0, ledger=SimpleNamespace(effects=[], calls=[]))
    shown = {("auth_1", 1): (0.0, "processing")}
    run = await gather("", "collate-gateway.", 1, sim, shown, keys=new_keys())
    shown[("auth_1", 2)] = (1.0, "waiting_on_payer")
    assert run.shown == {("auth_1", 1): (0.0, "processing")}


def test_each_secret_in_a_log_or_an_event_is_found_among_many_that_begin_alike(tmp_path):
    links = [f"https://payer.example/session/{number:04d}" for number in range(1_000)]
    (tmp_path / "worker-0.log").write_text(f'{{"event": "collate.attempt", "url": "{links[7]}"}}')
    (tmp_path / "ingress-0.log").write_text("https://payer.example/session/another short")
    run = SimpleNamespace(events=[SimpleNamespace(data={"note": "short"})])
    found = find_leaks(tmp_path, run, ["short", *links])
    assert sorted(found) == ["events: short…", "ingress-0.log: short…", "worker-0.log: https://…"]
    assert find_leaks(tmp_path, SimpleNamespace(events=[]), ["unknown"]) == []
