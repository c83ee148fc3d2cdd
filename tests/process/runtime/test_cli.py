import json
import os
import secrets
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from tests.preloaded import run_gateway


@pytest.fixture
def gateway(tmp_path):
    """Run the command with these settings alone."""
    secret = tmp_path / "key"
    secret.write_text("sk-planted-secret\n")
    settings = {
        "GATEWAY_ENVIRONMENT": "test",
        "GATEWAY_KAFKA__BOOTSTRAP": "127.0.0.1:1",
        "GATEWAY_COLLATE__BASE_URL": "https://collate.test",
        "GATEWAY_COLLATE__API_KEY_FILE": str(secret),
        "GATEWAY_WORKER__INSTANCE": "worker-0",
    }

    def run(*arguments, **changes):
        environ = {"PATH": os.environ["PATH"], "COLUMNS": "200", **settings, **changes}
        return run_gateway(*arguments, environ=environ)

    return run


def test_without_a_verb_help_is_shown_and_a_wrong_verb_is_an_error(gateway):
    assert "First steps" in gateway().stdout
    ended = gateway("wrker")
    assert ended.returncode == 2
    assert "wrker" in ended.stderr


@pytest.mark.parametrize(
    "verb", [["ingress"], ["worker"], ["config"], ["check"], ["topics", "plan"], ["topics", "apply"]]
)
def test_wrong_settings_end_every_verb_with_78_and_all_problems(gateway, verb):
    ended = gateway(*verb, GATEWAY_KAFKA__SECURTY="SSL", GATEWAY_TOPICS__MIN_INSYNC="9")
    assert ended.returncode == 78
    assert ended.stdout == ""
    assert "GATEWAY_KAFKA__SECURTY: unknown; did you mean GATEWAY_KAFKA__SECURITY?" in ended.stderr
    assert "GATEWAY_TOPICS__…: min_insync 9 can't be more than replication 3" in ended.stderr


def test_config_shows_every_setting_and_no_secret(gateway):
    ended = gateway("config")
    assert ended.returncode == 0, ended.stderr
    lines = {line.split()[0]: line.split()[1:] for line in ended.stdout.splitlines()}
    assert lines["GATEWAY_KAFKA__BOOTSTRAP"] == ["127.0.0.1:1", "environment"]
    assert lines["GATEWAY_WORKER__SESSION_TIMEOUT"] == ["10s", "default"]
    assert lines["GATEWAY_INGRESS__MAX_BODY"] == ["64KiB", "default"]
    assert lines["GATEWAY_INGRESS__CALLERS_FILE"] == ["-", "default"]
    assert lines["GATEWAY_COLLATE__API_KEY_FILE"][0].endswith("/key")
    assert "sk-planted-secret" not in ended.stdout


@pytest.mark.parametrize("verb", [["topics", "plan"], ["topics", "apply"]])
def test_a_topics_verb_without_kafka_names_the_broker(gateway, verb):
    ended = gateway(*verb)
    assert ended.returncode == 69
    assert ended.stderr == "gateway topics: Kafka at 127.0.0.1:1: connection refused; run the same command again\n"


def test_check_without_kafka_and_collate_names_both_and_ends_with_69(gateway):
    ended = gateway("check", GATEWAY_COLLATE__BASE_URL="http://127.0.0.1:1", GATEWAY_COLLATE__ALLOW_PLAIN_HTTP="true")
    assert ended.returncode == 69
    assert ended.stdout.splitlines() == [
        "ok      settings     environment test",
        "FAILED  kafka        127.0.0.1:1: connection refused",
        "FAILED  collate      http://127.0.0.1:1: connect refused",
    ]


def test_check_offline_makes_no_network_call(gateway):
    ended = gateway("check", "--offline")
    assert ended.returncode == 0
    assert ended.stdout.splitlines() == ["ok      settings     environment test"]


def phi_keys(directory):
    (directory / "phi").write_text(secrets.token_urlsafe(32))
    return {"GATEWAY_TOPICS__PHI_KEY_FILE": str(directory / "phi")}


def test_check_offline_checks_the_files_of_a_process(gateway, tmp_path):
    callers, digest, keys = tmp_path / "callers.toml", tmp_path / "digest", phi_keys(tmp_path)
    callers.write_text("[[caller]]\nname = 'a b'\n")
    digest.write_text("short")
    ended = gateway("check", "--offline", "--for", "ingress", GATEWAY_INGRESS__CALLERS_FILE=str(callers), **keys)
    assert ended.returncode == 78
    assert f" in {tmp_path / 'phi'}" in ended.stdout
    assert f"FAILED  callers      {callers}: " in ended.stdout
    ended = gateway(
        "check", "--offline", "--for", "worker", "--json", GATEWAY_WORKER__DIGEST_KEY_FILE=str(digest), **keys
    )
    assert ended.returncode == 78
    message = json.loads(ended.stdout)
    assert (message["ok"], message["code"]) == (False, 78)
    assert {
        "check": "digest key",
        "state": "failed",
        "detail": f"{digest} has 5 bytes, at least 16 are required",
    } in message["checks"]


def test_check_says_how_long_the_first_phi_key_has_been_in_use(gateway, tmp_path):
    keys = phi_keys(tmp_path)
    key = (tmp_path / "phi").read_text()
    day = datetime.now(UTC).date()
    for since, found in (
        ("", ("differs", "behind the first key write the day of its first use")),
        (day - timedelta(days=179), ("ok     ", "the first key has been in use for 179 days")),
        (day - timedelta(days=180), ("differs", "the first key has been in use for 180 days: rotate it")),
    ):
        (tmp_path / "phi").write_text(f"{key} {since}\n{secrets.token_urlsafe(32)} 2020-01-01\n")
        ended = gateway("check", "--offline", **keys)
        (line,) = [line for line in ended.stdout.splitlines() if "phi keys" in line]
        assert line.startswith(found[0])
        assert found[1] in line
        assert (ended.returncode, key in ended.stdout) == (0, False)


def test_acls_are_printed_for_the_current_names(gateway):
    ended = gateway("topics", "acls", "--worker", "User:w", GATEWAY_TOPICS__PREFIX="t.", GATEWAY_WORKER__GROUP="g")
    assert ended.returncode == 0, ended.stderr
    start = "kafka-acls.sh --bootstrap-server 127.0.0.1:1 --command-config admin.properties --add --allow-principal"
    lines = ended.stdout.splitlines()
    assert f"{start} User:gateway-ingress --operation Write --operation DescribeConfigs --topic t.commands" in lines
    assert f"{start} User:w --operation Read --group g" in lines
    assert f"{start} User:w --operation Write --transactional-id g- --resource-pattern-type prefixed" in lines
    assert all(line.startswith(start) for line in lines)


def test_check_accepts_a_new_callers_entry_and_the_key_is_printed_separately(gateway, tmp_path):
    made = gateway("callers", "new", "scheduling", "--may", "handoff:request", "--may", "authorization:watch")
    assert made.returncode == 0, made.stderr
    key = made.stderr.strip()
    assert key.startswith("cgk_")
    assert key not in made.stdout
    file = tmp_path / "callers.toml"
    file.write_text(made.stdout)
    checked = gateway(
        "check", "--offline", "--for", "ingress", GATEWAY_INGRESS__CALLERS_FILE=str(file), **phi_keys(tmp_path)
    )
    assert checked.returncode == 0, checked.stdout
    assert f"ok      callers      1 in {file}" in checked.stdout
    wrong = gateway("callers", "new", "scheduling", "--may", "everything")
    assert wrong.returncode == 2
    assert "handoff:request" in wrong.stderr


def test_a_new_signing_secret_is_for_commands_only(gateway, tmp_path):
    secret, callers = tmp_path / "secret", tmp_path / "callers.toml"
    made = gateway("callers", "new", "intake", "--may", "handoff:request", "--secret-file", str(secret))
    assert made.returncode == 0, made.stderr
    assert made.stderr.strip().startswith("whsec_")
    assert made.stderr.strip() not in made.stdout
    secret.write_text(made.stderr)
    callers.write_text(made.stdout)
    check = partial(gateway, "check", "--offline", "--for", "ingress", **phi_keys(tmp_path))
    assert f"ok      callers      1 in {callers}" in check(GATEWAY_INGRESS__CALLERS_FILE=str(callers)).stdout
    wrong = gateway("callers", "new", "intake", "--may", "handoff:grant", "--secret-file", str(secret))
    assert wrong.returncode == 2
    assert "a signature allows only" in wrong.stderr
    callers.write_text(made.stdout.replace('"handoff:request"', '"handoff:request", "operate"'))
    checked = check(GATEWAY_INGRESS__CALLERS_FILE=str(callers))
    assert checked.returncode == 0, checked.stdout
    assert "differs callers" in checked.stdout
    assert "intake: operate" in checked.stdout
