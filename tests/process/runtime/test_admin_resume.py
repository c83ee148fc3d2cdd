"""The one request of the admin port that changes something: from this machine, by somebody with a name and a reason."""

import httpx
import pytest
from prometheus_client import CollectorRegistry

from runtime.admin import admin_app
from runtime.health import Health

ASKED = {"operator": "op-7", "why": "The deploy was rolled back."}


@pytest.fixture
def asked():
    return []


@pytest.fixture
def client_of(asked):
    def resume(what):
        asked.append(what)
        return {"resumed": [3], "stopped": []}

    def client_of(peer="127.0.0.1", base="http://127.0.0.1:9090", *, has_lanes=True):
        app = admin_app(Health(), CollectorRegistry(), lambda: None, lambda: resume if has_lanes else None)
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
async def test_somebody_on_the_machine_may_resume(client_of, asked, peer, base):
    reply = await client_of(peer, base).post("/resume", json=ASKED)
    assert (reply.status_code, reply.json()["resumed"]) == (200, [3])
    (one,) = asked
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
async def test_another_machine_a_proxy_or_a_browsers_page_may_not(client_of, asked, peer, base, headers):
    assert (await client_of(peer, base).post("/resume", json=ASKED, headers=headers)).status_code == 403
    assert asked == []


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
async def test_who_and_why_must_be_said(client_of, asked, body, status):
    reply = await client_of().post("/resume", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == status
    assert asked == []


async def test_a_form_of_a_page_is_not_read(client_of, asked):
    assert (await client_of().post("/resume", content=b"{}", headers={"Content-Type": "text/plain"})).status_code == 415
    assert asked == []


async def test_a_process_without_partitions_says_so(client_of):
    assert (await client_of(has_lanes=False).post("/resume", json=ASKED)).status_code == 404


async def test_looking_resumes_nothing(client_of, asked):
    assert (await client_of().get("/resume")).status_code == 405
    assert asked == []
