from types import SimpleNamespace

from local.judge import evidence
from local.judge.evidence import gather
from local.phi_keys import new_keys


async def test_the_evidence_stays_the_same_while_collate_goes_through_further_states(monkeypatch):
    async def nothing(*_):
        return []

    monkeypatch.setattr(evidence, "read_topic", nothing)
    sim = SimpleNamespace(now=lambda: 0.0, ledger=SimpleNamespace(effects=[], calls=[]))
    shown = {("auth_1", 1): (0.0, "processing")}
    run = await gather("", "collate-gateway.", 1, sim, shown, keys=new_keys())
    shown[("auth_1", 2)] = (1.0, "waiting_on_payer")
    assert run.shown == {("auth_1", 1): (0.0, "processing")}
