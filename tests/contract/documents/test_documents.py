"""What the documents say can be done, can be done: commands, settings, metrics, links, values of the chart."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import helm_python as helm
import pytest
import yaml
from prometheus_client import CollectorRegistry
from typer.main import get_command

from gateway.cli.app import app
from gateway.runtime.environ import leaves, variable
from gateway.runtime.exits import Exit
from gateway.runtime.metrics import create_metrics
from gateway.runtime.settings import Settings
from schemas import commands as schema_commands
from schemas.model import PUBLIC, data_class
from schemas.vocabulary import DecisionReason

ROOT = Path(__file__).parents[3]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "local" / "collate" / "README.md")
}
# Programs of others that a reader has.
OTHERS = {"docker", "kubectl", "helm", "curl", "openssl", "export", "kafka-acls.sh", "python", "cd", "git"}
HARMLESS = (["make", "help"], ["gateway", "migrate", "--sql"], ["gateway", "topics", "acls"])


def blocks(page, language):
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", page, re.MULTILINE | re.DOTALL)


def shell_lines():
    """Every command line of every shell block, and of README's indented ones, continued lines joined."""
    for name, page in PAGES.items():
        text = "\n".join(blocks(page, "sh") + blocks(page, "bash"))
        if name == "README.md":
            text += "\n" + "\n".join(re.findall(r"^    (\S.*)$", page, re.MULTILINE))
        for line in re.sub(r"\\\n\s*", " ", text).splitlines():
            words = shlex.split(line, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words:
                yield name, words


def mentioned():
    """Every `gateway …` and `make …` in backticks of running text."""
    for name, page in PAGES.items():
        prose = re.sub(r"^ *```.*?^ *```", "", page, flags=re.MULTILINE | re.DOTALL)
        for code in re.findall(r"`((?:gateway|make) [a-z][^`|…]*)`", prose):
            yield name, shlex.split(code, comments=True)


def own(words):
    """The part of a line that is ours: what stands behind kubectl exec … --, too."""
    if words[0] == "kubectl" and "--" in words:
        return words[words.index("--") + 1 :]
    return words


LINES = list(shell_lines())
OURS = [(name, own(words)) for name, words in LINES if own(words)[0] in {"gateway", "make"}] + list(mentioned())


def judge_gateway(words):
    """Walk the command line's own tree; return what is wrong with these words."""
    command, rest = get_command(app), list(words[1:])
    while isinstance(command, click.Group) or hasattr(command, "commands"):
        if not rest or rest[0].startswith("-"):
            break
        if rest[0] not in command.commands:
            return f"there is no {rest[0]!r} in `{' '.join(words)}`"
        command = command.commands[rest.pop(0)]
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    options |= {"--help", "-h"}
    unknown = [word for word in rest if word.startswith("-") and word.partition("=")[0] not in options]
    return f"{unknown} in `{' '.join(words)}`" if unknown else None


def judge_make(words):
    verbs = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    unknown = [word for word in words[1:] if "=" not in word and word not in verbs]
    return f"{unknown} in `{' '.join(words)}`" if unknown else None


def test_there_are_documents_and_commands_in_them():
    assert {"docs/deploy.md", "docs/operations.md", "docs/upgrade.md", "docs/threat-model.md"} <= PAGES.keys()
    assert len(OURS) > 30


def test_every_command_that_is_documented_exists():
    judges = {"gateway": judge_gateway, "make": judge_make}
    assert [(page, wrong) for page, words in OURS if (wrong := judges[words[0]](words)) is not None] == []


def test_every_other_program_is_one_that_a_reader_has():
    assert {words[0] for _, words in LINES} <= OTHERS | {"gateway", "make"}


@pytest.fixture
def environ(tmp_path):
    """What the documents have set when they come to a command."""
    (tmp_path / "key").write_text("key")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GATEWAY_ENVIRONMENT": "production",
        "GATEWAY_KAFKA__BOOTSTRAP": "kafka-0.example.com:9093",
        "GATEWAY_COLLATE__BASE_URL": "https://collate.test",
        "GATEWAY_COLLATE__API_KEY_FILE": str(tmp_path / "key"),
    }


def is_harmless(words):
    return (
        words in HARMLESS
        or words[:3] == ["gateway", "callers", "new"]
        or words[:3] == ["gateway", "check", "--offline"]
    )


RUNNABLE = {" ".join(words): words for _, words in LINES if is_harmless(words)}


@pytest.mark.parametrize("words", RUNNABLE.values(), ids=RUNNABLE)
def test_a_harmless_command_of_the_documents_works(words, environ, tmp_path):
    if "--for" in words:
        made = subprocess.run(
            ["gateway", "callers", "new", "x", "--may", "operate"],
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        )
        (tmp_path / "callers.toml").write_text(made.stdout)
        environ["GATEWAY_INGRESS__CALLERS_FILE"] = str(tmp_path / "callers.toml")
    words = words[: words.index(">")] if ">" in words else words
    done = subprocess.run(words, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_enough_of_them_are_run():
    assert len(RUNNABLE) >= 5


def test_the_values_of_the_deployment_guide_render():
    (values,) = blocks(PAGES["docs/deploy.md"], "yaml")
    with helm.Chart.load(ROOT / "helm" / "gateway") as chart:
        rendered = chart.render(yaml.safe_load(values), name="gateway", namespace="gateway")
    names = {
        one["metadata"]["name"]
        for name, text in rendered.items()
        if not name.endswith(".txt")
        for one in yaml.safe_load_all(text)
        if one
    }
    # What the guides tell a reader to look at.
    assert {"gateway-worker", "gateway-ingress"} <= names


def test_the_secret_of_the_deployment_guide_is_the_one_that_the_chart_reads():
    (create,) = [
        words
        for name, words in LINES
        if name == "docs/deploy.md" and words[:2] == ["kubectl", "--namespace"] and "secret" in words
    ]
    made = {word.split("=")[1] for word in create if word.startswith("--from-file=")}
    secrets = yaml.safe_load((ROOT / "helm" / "gateway" / "values.yaml").read_text())["secrets"]
    assert made == {secrets[name] for name in ("collateApiKey", "callers", "digestKey")}


def test_every_metric_that_is_named_exists():
    known = {one.name for one in create_metrics(CollectorRegistry()).described}
    named = {(page, name) for page, text in PAGES.items() for name in re.findall(r"`(collate_gateway_\w+)`", text)}
    assert {(page, name) for page, name in named if name not in known} == set()


def test_every_setting_that_is_named_exists():
    variables = {variable(path) for path in leaves(Settings)}
    dotted = {".".join(path) for path in leaves(Settings)}
    sections = {path.partition(".")[0] for path in dotted if "." in path}
    charts = yaml.safe_load((ROOT / "helm" / "gateway" / "values.yaml").read_text())
    wrong = []
    for page in (
        "docs/deploy.md",
        "docs/operations.md",
        "docs/upgrade.md",
        "docs/capacity.md",
        "docs/data-protection.md",
    ):
        text = PAGES[page]
        wrong += [(page, name) for name in re.findall(r"`(GATEWAY_[A-Z_]+)`", text) if name not in variables]
        for name in re.findall(r"`(?:settings\.)?([a-z]+\.[a-z_]+)`", text):
            is_setting = name in dotted
            first, _, second = name.partition(".")
            is_value = isinstance(charts.get(first), dict) and second in charts[first]
            if first in sections and not (is_setting or is_value):
                wrong.append((page, name))
    assert wrong == []


def test_every_link_leads_somewhere():
    wrong = []
    for name, page in PAGES.items():
        prose = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", prose):
            if "://" in target:
                continue
            file, _, anchor = target.partition("#")
            found = (ROOT / name).parent / file if file else ROOT / name
            if not found.exists() or (anchor and anchor not in anchors(found.read_text())):
                wrong.append((name, target))
    assert wrong == []


def anchors(page):
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_test_that_the_threat_model_names_is_there():
    named = re.findall(r"`(tests/[\w/.]+)`", PAGES["docs/threat-model.md"])
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_exit_codes_of_check_are_the_ones_that_the_guide_lists():
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGES["docs/deploy.md"], re.MULTILINE)}
    assert listed == {Exit.OK, Exit.UNAVAILABLE, Exit.DENIED, Exit.CONFIG}


def test_data_protection_names_every_field_of_a_command_that_is_phi():
    page = PAGES["docs/data-protection.md"]
    callers = (
        schema_commands.Completed,
        schema_commands.UnableToComplete,
        schema_commands.Revoked,
        schema_commands.HandoffRequest,
        schema_commands.AuthorizationWatch,
        schema_commands.Discard,
    )
    phi = {
        model.model_fields[field].alias or field
        for model in callers
        for field in model.model_fields
        if data_class(model, field) != PUBLIC
    }
    assert phi == {"observedReferenceNumber", "operatorNotes", "reason", "notes", "why"}
    assert all(f"`{name}`" in page for name in phi)


def test_operations_names_every_reason_that_an_operator_may_give():
    page = PAGES["docs/operations.md"]
    assert [word for word in DecisionReason if f"`{word}`" not in page] == []


def test_the_judge_would_notice():
    assert judge_gateway(["gateway", "wrker"])
    assert judge_gateway(["gateway", "topics", "aply"])
    assert judge_gateway(["gateway", "check", "--offlin"])
    assert judge_make(["make", "tset"])
