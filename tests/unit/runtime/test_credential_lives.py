import base64
import json
import os
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from local.kafka.secured import Authority
from runtime.credentials.credential_lives import CredentialLives, Life, life_of
from runtime.environ import section_of, setting_paths
from runtime.metrics import Metrics
from runtime.settings import ConsoleProcessSettings, DelivererProcessSettings, ProcessSettings, Settings

NOW = 1_780_000_000.0
DAY = 86_400.0
KEY, FIRST_USE = base64.b64encode(b"k" * 32), datetime(2026, 6, 1, tzinfo=UTC).timestamp()


def token(**claims):
    parts = ({"alg": "none"}, claims)
    return b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts) + b".c2ln\n"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """One certificate that ends in 3 days, and one that ends in 300."""
    authority, directory = Authority("test"), tmp_path_factory.mktemp("certificates")
    pair = []
    for days in (3, 300):
        authority.issue("gateway", directory / f"{days}.pem", directory / f"{days}.key", days=days)
        pair.append((directory / f"{days}.pem").read_bytes())
    return pair


@pytest.mark.parametrize(
    ("content", "life"),
    [
        (token(exp=NOW + DAY, iat=NOW - DAY), Life(NOW - DAY, NOW + DAY)),
        (token(exp=NOW + DAY, nbf=NOW - 1), Life(NOW - 1, NOW + DAY)),
        (token(exp=NOW + DAY), Life(0.0, NOW + DAY)),
        (token(iat=NOW), None),
        (token(exp="soon"), None),
        (token(exp=True), None),
        (token(exp=10**400), None),
        (KEY + b" 2026-06-01\n" + KEY + b" 2020-01-01\n", Life(FIRST_USE, FIRST_USE + 194 * DAY)),
        (KEY + b"\n" + KEY + b" 2020-01-01\n", None),
        (KEY + b" 2026-02-30", None),
        (b"sk_live_1\n", None),
        (b"user:password", None),
        (b"a.b.c", None),
        (b"\xff\x00.\xff.\xff", None),
        (b"", None),
        (b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n", None),
        (b"-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n", None),
    ],
)
def test_a_token_tells_when_it_ends(content, life):
    assert life_of(content) == life


def test_a_chain_ends_with_its_first_certificate_and_authorities_with_their_last(certificates):
    short, long = certificates
    assert life_of(short + long) == life_of(short)
    assert life_of(short + long, is_authority=True) == life_of(long)
    assert life_of(long).ends - life_of(short).ends == pytest.approx(297 * DAY, abs=5)


@pytest.mark.parametrize("model", [Settings, ProcessSettings, DelivererProcessSettings, ConsoleProcessSettings])
def test_every_setting_that_is_a_file_is_looked_at(model, tmp_path):
    files = {path: tmp_path / ".".join(path) for path in setting_paths(model) if path[-1].endswith("_file")}
    for file in files.values():
        file.write_bytes(token(exp=NOW + DAY, iat=NOW))
    registry = CollectorRegistry()
    CredentialLives(build(model, files), Metrics(registry).process).look()
    assert files
    assert {file.name for file in files.values() if ends_of(registry, file.name) != NOW + DAY} == set()


def test_a_new_file_shows_its_end_and_a_lost_one_none(tmp_path, certificates):
    registry = CollectorRegistry()
    certificate = tmp_path / "certificate"
    certificate.write_bytes(certificates[0])
    files = {("kafka", "certificate_file"): certificate, ("kafka", "ca_file"): tmp_path / "missing"}
    lives = CredentialLives(build(Settings, files), Metrics(registry).process)
    lives.look()
    first = ends_of(registry, "kafka.certificate_file")
    assert ends_of(registry, "kafka.ca_file") is None
    certificate.write_bytes(certificates[1])
    os.utime(certificate, (1, 1))
    lives.look()
    assert ends_of(registry, "kafka.certificate_file") - first == pytest.approx(297 * DAY, abs=5)
    assert registry.get_sample_value(
        "collate_gateway_credential_life_seconds", {"credential": "kafka.certificate_file"}
    ) == pytest.approx(300 * DAY, rel=0.01)
    certificate.unlink()
    lives.look()
    assert ends_of(registry, "kafka.certificate_file") is None


@pytest.mark.parametrize(
    "connection",
    [
        "postgresql://gateway:secret@db/gateway?sslmode=verify-full&sslcert={file}&connect_timeout=3",
        "host=db sslcert={file} user=gateway",
        "host=db sslcert = '{file}' user=gateway",
    ],
)
def test_the_certificate_in_a_connection_string_is_looked_at(tmp_path, certificates, connection):
    registry = CollectorRegistry()
    (tmp_path / "certificate").write_bytes(certificates[0])
    (tmp_path / "dsn").write_text(connection.format(file=tmp_path / "certificate"))
    settings = build(Settings, {("readmodel", "dsn_file"): tmp_path / "dsn"})
    lives = CredentialLives(settings, Metrics(registry).process)
    lives.look()
    assert ends_of(registry, "readmodel.sslcert") == life_of(certificates[0]).ends
    (tmp_path / "dsn").write_text("host=db")
    lives.look()
    assert ends_of(registry, "readmodel.sslcert") is None


def ends_of(registry, credential):
    return registry.get_sample_value("collate_gateway_credential_expires_timestamp_seconds", {"credential": credential})


def build(model, files):
    """Build settings in which only these files are set."""
    sections = {name: section_of(field.annotation) for name, field in model.model_fields.items()}
    values = {
        name: section.model_construct(
            **dict.fromkeys(section.model_fields) | {path[1]: file for path, file in files.items() if path[0] == name}
        )
        for name, section in sections.items()
        if section is not None
    }
    return model.model_construct(**dict.fromkeys(model.model_fields) | values)
