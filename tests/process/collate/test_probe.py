"""`gateway collate probe` against the simulated Collate, in each of its readings."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.app import app
from cli.collate.caller import CollateUnreachable
from cli.collate.findings import Findings
from cli.collate.probe import _report, run_probe
from local.collate import Options, SimulatedCollate, named
from runtime.settings import CollateSettings

TYPES = {"true": True, "false": False}
SETTINGS = {
    "if_match_on_close": "authorization",
    "if_match_is_honoured": "true",
    "send_idempotency_key": "all",
    "handoffs_raise_version": "true",
}


@pytest.fixture
def probe(tmp_path):
    """Probe a simulated Collate with these readings; return the answers by question, the settings and the problems."""
    (tmp_path / "key").write_text("local-collate-key")

    async def run(*profile, readings=None, walk=True, overlay=None, accepted=None, **wanted):
        async with SimulatedCollate(
            Options(profile=named(profile, {"closing_seconds": 0.1} | (readings or {})))
        ) as sim:
            (authorization,) = sim.create(**wanted)
            if overlay:
                sim.fault("rewrite", method="GET", overlay=overlay)
            settings = CollateSettings(base_url=sim.url, api_key_file=tmp_path / "key", allow_plain_http=True)
            findings = Findings()
            await run_probe(settings, authorization, findings, walk=walk, accepted=accepted)
            opened = [
                effect
                for _, effect in sim.ledger.effects
                if effect.kind == "handoff_opened" and effect.cause.by == "client"
            ]
            ended = [effect for _, effect in sim.ledger.effects if effect.kind == "handoff_closing"]
            assert len(opened) == len(ended) or "replace" in str(readings)
            assert not [effect for _, effect in sim.ledger.effects if effect.kind == "grant_opened"]
        answers = {}
        for one in findings.found:
            answers[one.question] = one.reading
        chosen = {name.removeprefix("GATEWAY_COLLATE__").lower(): value for name, value in findings.settings.items()}
        return answers, chosen, [one.question for one in findings.found if one.is_problem]

    return run


PAGE = (Path(__file__).parents[3] / "docs/collate-probe.md").read_text().partition("| reading of the")[2]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines()[2:] if line]


def reading_of(cell):
    """Return the profile and the single reading of a row."""
    name, equals, value = cell.partition("=")
    if not equals:
        return name, {}
    return "v2", {name: json.loads(value) if value[0].isdigit() else TYPES.get(value, value)}


@pytest.mark.parametrize("reading", dict.fromkeys(row[0] for row in ROWS))
async def test_the_page_says_what_the_probe_says(probe, reading):
    profile, readings = reading_of(reading)
    answers, chosen, _ = await probe(profile, readings=readings)
    settings = {}
    for _, question, says, setting in (row for row in ROWS if row[0] == reading):
        assert says in answers[question], answers
        settings |= dict([setting.split("=")] if setting else [])
    expected = SETTINGS | settings
    assert chosen | settings == {name: value for name, value in expected.items() if name in chosen}


async def test_the_default_readings_are_no_problem(probe):
    answers, chosen, problems = await probe("v2")
    assert (problems, chosen) == ([], SETTINGS), answers


async def test_refused_keys_do_not_look_like_a_comparison_of_versions(probe):
    answers, chosen, _ = await probe("v3_refuses_keys", readings={"checks_if_match": False})
    assert chosen["if_match_is_honoured"] == "false", answers
    assert chosen["send_idempotency_key"] == "none"


async def test_a_read_alone_changes_nothing(probe):
    answers, chosen, problems = await probe("v2", walk=False)
    assert (chosen, problems) == ({}, [])
    assert answers["activeManualHandoff"] == "null"
    assert answers["error body"] == "Collate's envelope"


async def test_a_second_handoff_is_a_problem(probe):
    answers, _, problems = await probe("v2", readings={"create_while_active": "replace"})
    assert "create while a handoff is active" in problems, answers


@pytest.mark.parametrize(
    ("overlay", "field"),
    [
        ({"nextAction": {"covers": []}}, "nextAction.covers"),
        ({"activeManualHandoff": {"x": 1}}, "activeManualHandoff.id"),
    ],
)
async def test_a_field_that_cannot_be_read_is_a_problem_and_nothing_is_opened(probe, overlay, field):
    answers, _, problems = await probe("v2", overlay=overlay)
    assert answers["fields that cannot be read"] == field
    assert "fields that cannot be read" in problems
    assert "create" not in answers


async def test_a_walk_needs_an_authorization_that_waits_for_a_handoff(probe):
    for state in ("processing", "completed", "handoff_active"):
        answers, _, problems = await probe("v2", state=state)
        assert answers["walk"].startswith("not done")
        assert problems == ["walk"]


async def test_a_walk_accepts_no_snapshot_for_the_reviewer(probe):
    answers, _, _ = await probe("v2", review_backed=True)
    assert "must name the snapshot" in answers["walk"]


async def test_values_and_links_are_in_no_finding(probe):
    answers, _, _ = await probe("v2", overlay={"metadata": {"case": "SECRET"}, "status": "Jane Roe"})
    assert "SECRET" not in json.dumps(answers)
    assert "Jane" not in json.dumps(answers)
    answers, _, _ = await probe("v2")
    assert "runtime/access" not in json.dumps(answers)
    assert "rag_" not in json.dumps(answers)


async def test_a_collate_that_is_away_is_unreachable(tmp_path):
    (tmp_path / "key").write_text("k")
    settings = CollateSettings(base_url="http://127.0.0.1:1", api_key_file=tmp_path / "key", allow_plain_http=True)
    with pytest.raises(CollateUnreachable):
        await run_probe(settings, "auth_1", Findings(), walk=False)


@pytest.fixture
def run_verb(tmp_path, monkeypatch):
    """Run `gateway collate probe` for one authorization with these settings."""

    def run(*arguments, **settings):
        (tmp_path / "key").write_text("k")
        settings |= {"KAFKA__BOOTSTRAP": "127.0.0.1:1", "COLLATE__API_KEY_FILE": str(tmp_path / "key")}
        for name, value in settings.items():
            monkeypatch.setenv(f"GATEWAY_{name}", value)
        return CliRunner().invoke(app, ["collate", "probe", "--authorization", "auth_1", *arguments])

    return run


@pytest.mark.parametrize(
    ("arguments", "url", "message"),
    [
        (["--walk"], "http://127.0.0.1:1", "give --confirm with the same id"),
        (["--walk", "--confirm", "auth_2"], "http://127.0.0.1:1", "give --confirm with the same id"),
        (["--walk", "--confirm", "auth_1"], "https://api.trycollate.ai", "this is Collate's production"),
        (["--walk", "--confirm", "auth_1"], "https://API.trycollate.ai:443/", "this is Collate's production"),
    ],
)
def test_a_walk_is_asked_twice_and_never_in_production(run_verb, arguments, url, message):
    ended = run_verb(*arguments, ENVIRONMENT="test", COLLATE__BASE_URL=url, COLLATE__ALLOW_PLAIN_HTTP="true")
    assert ended.exit_code == 2
    assert message in ended.output


def test_a_shadow_walks_nowhere(run_verb):
    shadow = {"ENVIRONMENT": "shadow", "TOPICS__PREFIX": "shadow.", "WORKER__GROUP": "shadow-worker"}
    collate = {"COLLATE__BASE_URL": "https://api.sandbox.trycollate.ai", "COLLATE__WRITES": "off"}
    ended = run_verb("--walk", "--confirm", "auth_1", **shadow, **collate)
    assert (ended.exit_code, "GATEWAY_COLLATE__WRITES is off" in ended.output) == (2, True)


def test_the_report_marks_a_setting_that_should_change(tmp_path, capsys):
    (tmp_path / "key").write_text("local-collate-key")
    settings = CollateSettings(
        base_url="http://127.0.0.1:1", api_key_file=tmp_path / "key", allow_plain_http=True, send_idempotency_key="none"
    )
    findings = Findings()
    findings.add("3", "fields that cannot be read", "none")
    findings.choose("send_idempotency_key", "all")
    findings.choose("if_match_is_honoured", "true")
    assert _report(findings, settings, as_json=False) == ["GATEWAY_COLLATE__SEND_IDEMPOTENCY_KEY"]
    out = capsys.readouterr().out
    assert "GATEWAY_COLLATE__SEND_IDEMPOTENCY_KEY=all   (now: none)" in out
    assert "GATEWAY_COLLATE__IF_MATCH_IS_HONOURED=true   (as it is)" in out


async def test_a_write_that_may_have_had_an_effect_is_not_repeated(probe, tmp_path):
    async with SimulatedCollate(Options()) as sim:
        (authorization,) = sim.create()
        sim.fault("answer", when="after", method="POST", path="/manual-handoffs$", status=500, code="broken", skip=2)
        settings = CollateSettings(base_url=sim.url, api_key_file=tmp_path / "key", allow_plain_http=True)
        findings = Findings()
        await run_probe(settings, authorization, findings, walk=True)
        creates = [call for call in sim.ledger.calls if call.path.endswith("/manual-handoffs")]
    assert len(creates) == 3
    assert [one.reading for one in findings.found if one.question == "create"] == ["500 broken, no state"]
    (last,) = [one for one in findings.found if one.question == "an open handoff"]
    assert last.is_problem
    assert "may have opened it" in last.reading
