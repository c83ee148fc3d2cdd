import os
from datetime import timedelta

import pytest

from runtime.environ import SettingsInvalid
from runtime.settings import (
    IngressSettings,
    load_cluster_settings,
    load_console_settings,
    load_deliverer_settings,
    load_settings,
    read_secret,
)

OAUTH = {"GATEWAY_KAFKA__SECURITY": "SASL_SSL", "GATEWAY_KAFKA__MECHANISM": "OAUTHBEARER"}


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.write_text("s3cret\n")
    return path


@pytest.fixture
def good(secret):
    """The least that makes a worker's settings whole."""
    return {
        "GATEWAY_ENVIRONMENT": "test",
        "GATEWAY_KAFKA__BOOTSTRAP": "kafka-1:9092, kafka-2:9092",
        "GATEWAY_COLLATE__BASE_URL": "https://api.sandbox.trycollate.ai/",
        "GATEWAY_COLLATE__API_KEY_FILE": str(secret),
        "GATEWAY_WORKER__DIGEST_KEY_FILE": str(secret),
        "GATEWAY_TOPICS__PHI_KEY_FILE": str(secret),
    }


def problems_of(environ, process="worker"):
    with pytest.raises(SettingsInvalid) as refused:
        load_settings(environ, process)
    return refused.value.problems


def test_five_settings_are_enough_for_a_worker(good):
    settings = load_settings(good | {"PATH": "/bin", "GATEWAYS": "not ours"}, "worker")
    assert settings.kafka.bootstrap == ("kafka-1:9092", "kafka-2:9092")
    assert settings.collate.base_url == "https://api.sandbox.trycollate.ai"
    assert settings.topics.partitions == 12
    assert settings.worker.session_timeout == timedelta(seconds=10)


SHADOW = {
    "GATEWAY_COLLATE__WRITES": "off",
    "GATEWAY_ENVIRONMENT": "production-shadow",
    "GATEWAY_TOPICS__PREFIX": "collate-gateway-shadow.",
    "GATEWAY_WORKER__GROUP": "collate-gateway-shadow-worker",
}


@pytest.mark.parametrize("process", ["worker", "ingress"])
@pytest.mark.parametrize("name", ["GATEWAY_ENVIRONMENT", "GATEWAY_TOPICS__PREFIX", "GATEWAY_WORKER__GROUP"])
def test_a_shadow_with_a_name_of_the_installation_that_writes_is_refused(good, secret, process, name):
    environ = good | SHADOW | {"GATEWAY_INGRESS__CALLERS_FILE": str(secret)}
    assert load_settings(environ, process).collate.writes == "off"
    default = {name: good[name]} if name in good else {}
    (problem,) = problems_of({key: value for key, value in environ.items() if key != name} | default, process)
    assert problem.startswith(f"{name}: expected a name of its own that contains `shadow`")


@pytest.mark.parametrize("name", ["GATEWAY_ENVIRONMENT", "GATEWAY_TOPICS__PREFIX", "GATEWAY_WORKER__GROUP"])
def test_a_process_that_writes_with_a_name_of_a_shadow_is_refused(good, name):
    (problem,) = problems_of(good | {name: SHADOW[name]})
    assert problem.startswith(f"{name} contains `shadow`, but GATEWAY_COLLATE__WRITES is on")


@pytest.mark.parametrize("name", ["GATEWAY_ENVIRONMENT", "GATEWAY_TOPICS__PREFIX"])
def test_a_shadow_has_no_deliverer(good, secret, name):
    environ = good | {"GATEWAY_DELIVERER__SUBSCRIPTIONS_FILE": str(secret)}
    assert load_deliverer_settings(environ).is_shadow is False
    with pytest.raises(SettingsInvalid, match="a shadow delivers no webhooks"):
        load_deliverer_settings(environ | {name: SHADOW[name]})


@pytest.mark.parametrize(("setting", "rate"), [({}, 2.0), ({"GATEWAY_COLLATE__CALLS_PER_SECOND": "7"}, 7.0)])
def test_a_shadow_has_a_tenth_of_the_default_rate_unless_it_is_set(good, setting, rate):
    assert load_settings(good, "worker").collate.calls_per_second == 20.0
    assert load_settings(good | SHADOW | setting, "worker").collate.calls_per_second == rate


def test_ingress_requires_the_callers_file(good, secret):
    assert problems_of(good, "ingress") == ["GATEWAY_INGRESS__CALLERS_FILE: required for `gateway ingress` but not set"]
    settings = load_settings(good | {"GATEWAY_INGRESS__CALLERS_FILE": str(secret)}, "ingress")
    assert settings.ingress.callers_file == secret


def test_without_settings_all_required_ones_are_listed():
    assert problems_of({}, "ingress") == [
        "GATEWAY_ENVIRONMENT: required but not set",
        "GATEWAY_KAFKA__BOOTSTRAP: required but not set",
        "GATEWAY_COLLATE__BASE_URL: required but not set",
        "GATEWAY_COLLATE__API_KEY_FILE: required but not set",
        "GATEWAY_INGRESS__CALLERS_FILE: required for `gateway ingress` but not set",
        "GATEWAY_TOPICS__PHI_KEY_FILE: required for `gateway ingress` but not set",
    ]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("GATEWAY_TOPICS__PREFX", "GATEWAY_TOPICS__PREFX: unknown; did you mean GATEWAY_TOPICS__PREFIX?"),
        ("GATEWAY_KAFKA_BOOTSTRAP", "GATEWAY_KAFKA_BOOTSTRAP: unknown; did you mean GATEWAY_KAFKA__BOOTSTRAP?"),
        ("GATEWAY_ENVIROMENT", "GATEWAY_ENVIROMENT: unknown; did you mean GATEWAY_ENVIRONMENT?"),
        ("gateway_environment", "gateway_environment: unknown; names are upper case: GATEWAY_ENVIRONMENT"),
        ("GATEWAY_KAFKA", "GATEWAY_KAFKA: a section, not a setting; its settings are named GATEWAY_KAFKA__…"),
        ("GATEWAY_XYZZY", "GATEWAY_XYZZY: unknown"),
    ],
)
def test_an_unknown_key_is_an_error_with_a_suggestion(good, key, message):
    assert problems_of(good | {key: "x"}) == [message]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"GATEWAY_KAFKA__SECURITY": "SASL_SSL"}, "security SASL_SSL needs username and password_file"),
        ({"GATEWAY_KAFKA__USERNAME": "u"}, "username and password_file are for SASL_PLAINTEXT and SASL_SSL"),
        ({"GATEWAY_KAFKA__CA_FILE": "{secret}"}, "ca_file, certificate_file and key_file are for SSL and SASL_SSL"),
        (
            {"GATEWAY_KAFKA__SECURITY": "SSL", "GATEWAY_KAFKA__KEY_FILE": "{secret}"},
            "certificate_file and key_file must be set together",
        ),
        ({"GATEWAY_KAFKA__TOKEN_FILE": "{secret}"}, "token_file and oauth_url are for mechanism OAUTHBEARER"),
        (OAUTH, "mechanism OAUTHBEARER needs either token_file or oauth_url"),
        (
            OAUTH | {"GATEWAY_KAFKA__TOKEN_FILE": "{secret}", "GATEWAY_KAFKA__USERNAME": "u"},
            "username and password_file are for SCRAM and PLAIN",
        ),
        (
            OAUTH | {"GATEWAY_KAFKA__OAUTH_URL": "https://id.test"},
            "oauth_url needs oauth_client_id and oauth_client_secret",
        ),
        (
            OAUTH
            | {
                "GATEWAY_KAFKA__OAUTH_URL": "http://id.test",
                "GATEWAY_KAFKA__OAUTH_CLIENT_ID": "c",
                "GATEWAY_KAFKA__OAUTH_CLIENT_SECRET_FILE": "{secret}",
            },
            "sends the client's secret unencrypted",
        ),
        ({"GATEWAY_TOPICS__MIN_INSYNC": "4"}, "min_insync 4 can't be more than replication 3"),
        ({"GATEWAY_COLLATE__BASE_URL": "http://collate.test"}, "sends the API key unencrypted"),
        ({"GATEWAY_COLLATE__TOTAL_TIMEOUT": "1s"}, "total_timeout is shorter than connect_timeout"),
        (
            {
                "GATEWAY_COLLATE__SEND_IDEMPOTENCY_KEY": "none",
                "GATEWAY_COLLATE__IF_MATCH_IS_HONOURED": "false",
            },
            "nothing prevents two effects",
        ),
    ],
)
def test_a_contradiction_is_an_error(good, secret, setting, message):
    (problem,) = problems_of(good | {key: value.format(secret=secret) for key, value in setting.items()})
    section = next(iter(setting)).split("__", maxsplit=1)[0]
    assert problem.startswith(f"{section}__…: ")
    assert message in problem


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        (
            {"GATEWAY_WORKER__READ_AHEAD": "39", "GATEWAY_INGRESS__MAX_REPLICAS": "5"},
            (
                "GATEWAY_WORKER__READ_AHEAD is 39, less than eight commands for each of GATEWAY_INGRESS__MAX_REPLICAS "
                "5 processes: one caller could fill more than half of a partition; raise the first or lower the second"
            ),
        ),
        (
            {"GATEWAY_READMODEL__DSN_FILE": "{secret}", "GATEWAY_WATCH__FORGET_AFTER": "89d"},
            (
                "GATEWAY_READMODEL__RETENTION is 90d, longer than GATEWAY_WATCH__FORGET_AFTER 89d: the read model "
                "would ignore the events of an authorization that begins again; shorten the retention or "
                "raise forget_after"
            ),
        ),
    ],
)
def test_settings_of_two_sections_that_contradict_each_other_are_an_error(good, secret, setting, problem):
    assert problems_of(good | {key: value.format(secret=secret) for key, value in setting.items()}) == [problem]


def test_all_kinds_of_problems_are_listed_together(tmp_path):
    problems = problems_of(
        {
            "GATEWAY_ENVIRONMENT": "Not A Name",
            "GATEWAY_KAFKA__SECURITY": "SASL_SSL",
            "GATEWAY_TOPICS__PREFX": "x",
            "GATEWAY_COLLATE__API_KEY_FILE": str(tmp_path / "absent"),
            "GATEWAY_COLLATE__KEY_RETENTION": "24",
            "GATEWAY_WORKER__MAX_INVOCATIONS": "many",
            "GATEWAY_COLLATE__TOTAL_TIMEOUT": "1s",
        },
        "ingress",
    )
    message = "\n".join(problems)
    for expected in (
        "GATEWAY_TOPICS__PREFX: unknown",
        "GATEWAY_ENVIRONMENT: ",
        "GATEWAY_KAFKA__BOOTSTRAP: required",
        "GATEWAY_KAFKA__…: security SASL_SSL needs",
        "GATEWAY_COLLATE__BASE_URL: required",
        "GATEWAY_COLLATE__KEY_RETENTION: expected a number with a unit",
        f"GATEWAY_COLLATE__API_KEY_FILE: {tmp_path / 'absent'} does not exist",
        "GATEWAY_WORKER__MAX_INVOCATIONS: ",
        "GATEWAY_COLLATE__…: total_timeout",
        "GATEWAY_INGRESS__CALLERS_FILE: required",
        "GATEWAY_TOPICS__PHI_KEY_FILE: required",
    ):
        assert expected in message
    assert len(problems) == 11


def test_a_problem_never_contains_the_value(good):
    message = "\n".join(
        problems_of(
            good
            | {
                "GATEWAY_KAFKA__PASSWORD": "hunter2",
                "GATEWAY_KAFKA__SECURITY": "hunter2",
                "GATEWAY_COLLATE__BASE_URL": "https://user:hunter2@collate.test",
                "GATEWAY_WORKER__MAX_INVOCATIONS": "hunter2",
            }
        )
    )
    assert "hunter2" not in message
    assert "GATEWAY_KAFKA__PASSWORD: unknown; did you mean GATEWAY_KAFKA__PASSWORD_FILE?" in message


def test_a_setting_must_name_a_readable_nonempty_file(good, tmp_path):
    empty = tmp_path / "empty"
    empty.touch()
    key = "GATEWAY_COLLATE__API_KEY_FILE"
    assert problems_of(good | {key: str(empty)}) == [f"{key}: {empty} is empty"]
    assert problems_of(good | {key: str(tmp_path)}) == [f"{key}: {tmp_path} is not a file"]


def test_an_unreadable_file_is_an_error(good, secret, monkeypatch):
    # Tests may run as root, who reads everything.
    monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.R_OK)
    assert problems_of(good) == [
        f"GATEWAY_TOPICS__PHI_KEY_FILE: {secret} can't be read by this process",
        f"GATEWAY_COLLATE__API_KEY_FILE: {secret} can't be read by this process",
        f"GATEWAY_WORKER__DIGEST_KEY_FILE: {secret} can't be read by this process",
    ]


def test_cluster_settings_need_only_kafka_but_reject_unknown_keys(good):
    environ = {key: value for key, value in good.items() if "COLLATE" not in key} | {
        "GATEWAY_WORKER__MAX_INVOCATIONS": "many"
    }
    assert load_cluster_settings(environ).kafka.bootstrap[0] == "kafka-1:9092"
    with pytest.raises(SettingsInvalid, match="GATEWAY_WORKER__TURN: unknown"):
        load_cluster_settings(environ | {"GATEWAY_WORKER__TURN": "1"})


def test_a_secret_loses_its_line_end_and_never_appears_in_a_repr(secret):
    value = read_secret(secret)
    assert value.get_secret_value() == "s3cret"
    assert "s3cret" not in f"{value} {value!r}"


@pytest.mark.parametrize("value", ["kafka", "kafka:", ":9092", "kafka:0", "kafka:x", ""])
def test_a_broker_has_a_host_and_a_port(good, value):
    (problem,) = problems_of(good | {"GATEWAY_KAFKA__BOOTSTRAP": value})
    assert problem.startswith("GATEWAY_KAFKA__BOOTSTRAP: ")


@pytest.fixture
def console(secret):
    """The least that makes a console's settings whole."""
    return {
        "GATEWAY_ENVIRONMENT": "test",
        "GATEWAY_CONSOLE__PUBLIC_URL": "https://handoffs.example",
        "GATEWAY_CONSOLE__API_URL": "http://gateway-ingress:8080",
        "GATEWAY_CONSOLE__COOKIE_KEY_FILE": str(secret),
        "GATEWAY_CONSOLE__OIDC_ISSUER": "https://login.example",
        "GATEWAY_CONSOLE__OIDC_CLIENT_ID": "console",
    }


def test_a_console_needs_neither_kafka_nor_collate(console):
    assert load_console_settings(console).console.public_url == "https://handoffs.example"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"PUBLIC_URL": None}, "GATEWAY_CONSOLE__PUBLIC_URL: required for `gateway console` but not set"),
        ({"PUBLIC_URL": "https://a.example/path"}, "GATEWAY_CONSOLE__PUBLIC_URL: expected an origin"),
        ({"PUBLIC_URL": "http://handoffs.example"}, "public_url is http://, which sends sessions unencrypted"),
        ({"OIDC_ISSUER": "http://login.example"}, "oidc_issuer is http://, which sends tokens unencrypted"),
        ({"OIDC_CLIENT_ID": None}, "oidc_issuer and oidc_client_id must be set together"),
        ({"OIDC_ISSUER": None, "OIDC_CLIENT_ID": None}, "set one, or people can't sign in"),
        ({"COOKIE_KEY_FILE": None}, "GATEWAY_CONSOLE__COOKIE_KEY_FILE: required for sessions"),
        ({"LINK_DIRECTORY": "/tmp"}, "link_directory needs a public_url of this machine"),
        ({"SESSION_ORIGINS": "https://a.example/x"}, "GATEWAY_CONSOLE__SESSION_ORIGINS: expected an origin"),
        ({"IDLE_AFTER": "13h"}, "idle_after is longer than session_life"),
        ({"OIDC_SCOPE": "profile"}, "oidc_scope must contain openid"),
    ],
)
def test_a_console_starts_only_with_safe_settings(console, changes, problem):
    named = {f"GATEWAY_CONSOLE__{name}": value for name, value in changes.items()}
    environ = {name: value for name, value in (console | named).items() if value is not None}
    with pytest.raises(SettingsInvalid) as refused:
        load_console_settings(environ)
    assert problem in "\n".join(refused.value.problems)


def test_a_console_on_this_machine_may_use_plain_http_and_a_proxy_needs_no_key(console):
    local = console | {"GATEWAY_CONSOLE__PUBLIC_URL": "http://127.0.0.1:8090"}
    assert load_console_settings(local).console.public_url == "http://127.0.0.1:8090"
    without = {name: value for name, value in console.items() if "OIDC" not in name and "COOKIE" not in name}
    assert load_console_settings(without | {"GATEWAY_CONSOLE__TRUST_BEARER": "true"}).console.trust_bearer


@pytest.mark.parametrize("suffix", ["_next", "_old"])
def test_a_schema_that_a_rebuild_of_another_installation_would_drop_is_refused(good, suffix):
    problems = problems_of(good | {"GATEWAY_READMODEL__SCHEMA_NAME": f"gateway{suffix}"})
    assert len(problems) == 1
    assert "must not end with _next or _old" in problems[0]


def test_each_caller_may_wait_and_stream_also_with_few_places():
    own = IngressSettings(max_requests_in_flight=5, max_streams=5, max_unfinished_per_caller=5)
    assert (own.max_waiters_per_caller, own.max_streams_per_caller, own.max_unfinished_per_person) == (1, 1, 1)
