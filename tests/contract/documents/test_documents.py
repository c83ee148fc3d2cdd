"""Commands, settings, metrics, links and chart values in the documents exist."""

import re
import shlex
import subprocess
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry
from typer.main import get_command

from bench.__main__ import BENCHMARKS
from cli.app import VERBS, app, command_of
from local.practice.environment_script import script
from runtime.environ import setting_paths, variable_name
from runtime.exits import Exit
from runtime.metrics import Metrics
from runtime.settings import Settings
from schemas import commands as schema_commands
from schemas.enums import DecisionReason
from schemas.events.reasons import DeadLetterCause
from schemas.events.wait_reasons import WaitReason
from schemas.model import PUBLIC, data_class
from tests.contract.documents.pages import LINES, PAGES, ROOT, anchors

PRODUCT = ("cli", "console", "gateway", "consumers", "adapters", "runtime", "schemas")
# Common programs that a reader has.
OTHERS = {
    "docker",
    "kubectl",
    "helm",
    "curl",
    "date",
    "openssl",
    "export",
    "kafka-acls.sh",
    "python",
    "python3",
    "printf",
    "sha256sum",
}


def mentioned():
    """Yield each `gateway …` and `make …` in backticks in the text."""
    for name, page in PAGES.items():
        prose = re.sub(r"^ *```.*?^ *```", "", page, flags=re.MULTILINE | re.DOTALL)
        for code in re.findall(r"`((?:gateway|make) [a-z][^`|…]*)`", prose):
            yield name, shlex.split(code, comments=True)


def own(words):
    """Return the gateway's part of a command line, also after `kubectl exec … --`."""
    if words[0] == "kubectl" and "--" in words:
        return words[words.index("--") + 1 :]
    return words


OWN_LINES = [(line.page, own(line.words)) for line in LINES if own(line.words)[0] in {"gateway", "make"}] + list(
    mentioned()
)


read_command = cache(command_of)


def find_gateway_error(words):
    """Return the error in a `gateway` command line, found in the CLI's own tree, or None."""
    path, rest = "", list(words[1:])
    while not path or hasattr(read_command(path), "commands"):
        if not rest or rest[0].startswith("-"):
            break
        path = f"{path} {rest.pop(0)}".strip()
        if path not in VERBS:
            return f"there is no {path!r} in `{' '.join(words)}`"
    parameters = (read_command(path) if path else get_command(app)).params
    options = {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}
    options |= {"--help", "-h"}
    unknown = [word for word in rest if word.startswith("-") and word.partition("=")[0] not in options]
    return f"{unknown} in `{' '.join(words)}`" if unknown else None


def find_make_error(words):
    verbs = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    unknown = [word for word in words[1:] if "=" not in word and word not in verbs]
    return f"{unknown} in `{' '.join(words)}`" if unknown else None


def test_every_documented_command_exists():
    checks = {"gateway": find_gateway_error, "make": find_make_error}
    assert [(page, wrong) for page, words in OWN_LINES if (wrong := checks[words[0]](words)) is not None] == []


def test_every_other_program_is_a_common_one():
    assert {line.words[0] for line in LINES} <= OTHERS | {"gateway", "make"}


def test_every_measured_number_has_its_command():
    measured = PAGES["docs/capacity.md"].partition("## What was measured")[2].partition("\n## ")[0]
    rows = [line for line in measured.splitlines() if line.startswith("| ") and not line.startswith("| measured |")]
    assert len(rows) > 5
    assert [row for row in rows if not re.search(r"`(make|gateway|python -m) [^`]+`[^|]*\|$", row)] == []


def test_every_documented_benchmark_and_its_options_exist():
    lines = [line.split() for line in {word for _, words in OWN_LINES for word in bench_arguments(words)}]
    assert len(lines) > 10
    documented = defaultdict(set)
    for line in lines:
        names = [word.partition(":")[0] for word in line if word.partition(":")[0] in BENCHMARKS]
        options = [word for word in line if word.startswith("--")]
        values = [word for word in line if word.replace(".", "").isdigit()]
        assert len(names) + len(options) + len(values) == len(line), f"`make bench` has no {line}"
        if options:
            documented[tuple(names)].update(options)
    for names, options in documented.items():
        command = [sys.executable, "-m", "bench", *names, "--help"]
        shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert [option for option in options if option not in shown] == []


def bench_arguments(words):
    """Return the values of ARGS in a `make bench …`."""
    return [word.removeprefix("ARGS=") for word in words[2:] if word.startswith("ARGS=") and words[1] == "bench"]


def test_every_documented_metric_exists():
    known = {one.name for one in Metrics(CollectorRegistry()).described}
    named = {(page, name) for page, text in PAGES.items() for name in re.findall(r"`(collate_gateway_\w+)`", text)}
    assert {(page, name) for page, name in named if name not in known} == set()


def test_every_documented_setting_exists():
    variables = {variable_name(path) for path in setting_paths(Settings)}
    dotted = {".".join(path) for path in setting_paths(Settings)}
    sections = {path.partition(".")[0] for path in dotted if "." in path}
    charts = yaml.safe_load((ROOT / "helm" / "gateway" / "values.yaml").read_text())
    sources = (path for room in PRODUCT for path in (ROOT / room).rglob("*.py"))
    # A log event such as `collate.attempt` may begin with the name of a section.
    events = {event for path in sources for event in re.findall(r'"([a-z]+\.[a-z_]+)"', path.read_text())}
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
            if first in sections and not (is_setting or is_value or name in events):
                wrong.append((page, name))
    assert wrong == []


def test_every_link_has_a_target():
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


def test_the_readme_is_short():
    lines = PAGES["README.md"].splitlines()
    assert len(lines) <= 110
    assert [line for line in lines if len(line) > 150] == []
    assert "    make demo" in lines[:20]


def test_no_line_of_a_page_is_longer_than_300_characters():
    long = [(name, n) for name, page in PAGES.items() for n, line in enumerate(page.splitlines(), 1) if len(line) > 300]
    assert long == []


def test_the_guide_lists_the_exit_codes_of_check():
    (sentence,) = re.findall(r"exit code\]\(\S+\) is ([^.]+)\.", PAGES["docs/deploy.md"])
    listed = {int(code) for code in re.findall(r"\d+", sentence)}
    assert listed == {Exit.OK, Exit.UNAVAILABLE, Exit.DENIED, Exit.CONFIG}


def test_data_protection_names_every_phi_field_of_a_command():
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


def test_operations_names_every_reason_to_wait_cause_of_a_dead_letter_and_reason_of_a_decision():
    page = PAGES["docs/operations.md"]
    assert [word for word in (*WaitReason, *DeadLetterCause, *DecisionReason) if f"`{word}`" not in page] == []


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if "env.sh" in page])
def test_env_sh_sets_each_variable_of_a_page_that_tells_to_read_it(name):
    parts = dict.fromkeys(("kafka", "ingress", "worker", "projector", "deliverer", "console"), "1")
    made = script(
        {}, url="", key="", authorization="", admin_urls=parts, pids=parts, start_lines=parts, bin_path=Path("bin")
    )
    page, names = PAGES[name], r"[A-Z][A-Z_]+"
    used = set(re.findall(rf"\$({names})", page)) | set(re.findall(rf"environ\[\"({names})", page))
    for taken in re.findall(r"const \{(.*)\} = process\.env", page):
        used |= set(re.findall(names, taken))
    assert used
    assert used - {"HOME", "PATH"} <= set(re.findall(rf"^export ({names})=", made, re.MULTILINE))
