"""POST /resume on the admin port: only from the same machine, with an operator and a reason."""

import httpx
import pytest
from prometheus_client import CollectorRegistry

from runtime.admin.app import admin_app
from runtime.health import Health

REQUEST = {"operator": "op-7", "why": "The deploy was rolled back."}


@pytest.fixture
def resumed():
    return []


@pytest.fixture
def client_of(resumed):
    async def resume(request):
        resumed.append(request)
        return {"resumed": [3], "stopped": []}

    def client_of(peer="127.0.0.1", base="http://127.0.0.1:9090", *, has_partitions=True):
        app = admin_app(Health(), CollectorRegistry(), lambda: None, lambda: resume if has_partitions else None)
        return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(peer, 5)), base_url=base)

    return client_of


@pytest.mark.parametrize(
    ("peer", "base"),
    [
        ("127.0.0.1", "http://127.0.0.1:9090"),
        ("127.0.0.1", "http://localhost:9090"),
        ("127.0.0.1", "http://localhost"),
        ("::1", "http://[::1]:9090"),
    ],
)
async def test_a_client_on_the_same_machine_may_resume(client_of, resumed, peer, base):
    reply = await client_of(peer, base).post("/resume", json=REQUEST)
    assert (reply.status_code, reply.json()["resumed"]) == (200, [3])
    (one,) = resumed
    assert (one.operator, one.why, one.partitions) == ("op-7", "The deploy was rolled back.", None)


@pytest.mark.parametrize(
    ("peer", "base", "headers"),
    [
        ("10.0.0.7", "http://127.0.0.1:9090", {}),
        ("127.0.0.6", "http://127.0.0.1:9090", {}),
        ("127.0.0.1", "http://worker-0:9090", {}),
        ("127.0.0.1", "http://127.0.0.1.attacker.example:9090", {}),
        ("127.0.0.1", "http://127.0.0.1:9090", {"X-Forwarded-For": "10.0.0.7"}),
        ("127.0.0.1", "http://127.0.0.1:9090", {"Forwarded": "for=10.0.0.7"}),
        ("127.0.0.1", "http://127.0.0.1:9090", {"X-Envoy-Attempt-Count": "1"}),
        ("127.0.0.1", "http://127.0.0.1:9090", {"Origin": "http://attacker.example"}),
    ],
)
async def test_another_machine_a_proxy_and_a_web_page_get_403(client_of, resumed, peer, base, headers):
    assert (await client_of(peer, base).post("/resume", json=REQUEST, headers=headers)).status_code == 403
    assert resumed == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{}", 422),
        (b'{"operator": "op"}', 422),
        (b'{"operator": "", "why": "w"}', 422),
        (b'{"operator": "op", "why": "w", "partitions": [-1]}', 422),
        (b'{"operator": "op", "why": "w", "x": 1}', 422),
        (b"x" * 5_000, 413),
    ],
)
async def test_operator_and_why_are_required(client_of, resumed, body, status):
    reply = await client_of().post("/resume", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == status
    assert resumed == []


async def test_only_json_is_accepted(client_of, resumed):
    assert (await client_of().post("/resume", content=b"{}", headers={"Content-Type": "text/plain"})).status_code == 415
    assert resumed == []


async def test_a_process_without_partitions_answers_404(client_of):
    assert (await client_of(has_partitions=False).post("/resume", json=REQUEST)).status_code == 404


async def test_get_does_not_resume(client_of, resumed):
    assert (await client_of().get("/resume")).status_code == 405
    assert resumed == []
