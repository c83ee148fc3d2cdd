"""The TypeScript client's tools are installed once for each lock, and a build stops at the first failure."""

import sys

import pytest

from local.failures import NoPackage, StartFailed
from local.npm import clients, project


@pytest.fixture
def npm(monkeypatch, tmp_path):
    """A project, and a fake npm that records its arguments and exits with a code."""
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "package-lock.json").write_text("{}")
    record = tmp_path / "record"
    record.write_text("")

    def fake(code=0):
        program = f"import sys; open({str(record)!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n'); sys.exit({code})"
        monkeypatch.setattr(project, "npm_command", lambda: [sys.executable, "-c", program])

    fake()
    fake.project = tmp_path
    fake.calls = lambda: record.read_text().splitlines()
    return fake


def test_the_tools_are_installed_once_for_each_lock(npm):
    project.prepare(npm.project)
    project.prepare(npm.project)
    assert npm.calls() == ["ci --ignore-scripts --no-audit --no-fund"]
    (npm.project / "package-lock.json").write_text('{"changed": true}')
    project.prepare(npm.project)
    assert len(npm.calls()) == 2


def test_a_failed_installation_is_tried_again(npm):
    npm(1)
    with pytest.raises(NoPackage, match="could not install the tools"):
        project.prepare(npm.project)
    npm(0)
    project.prepare(npm.project)
    assert len(npm.calls()) == 2


def test_a_machine_without_npm_gets_a_sentence(monkeypatch, npm):
    monkeypatch.setattr(project, "npm_command", lambda: None)
    with pytest.raises(NoPackage, match="There is no npm"):
        project.run_npm("ci", project=npm.project)


def test_a_failed_step_ends_the_build(monkeypatch, npm, tmp_path):
    monkeypatch.setattr(clients, "prepare", lambda: None)
    npm(3)
    with pytest.raises(StartFailed, match="npm run generate -- --check"):
        clients.run(tmp_path / "target", is_check=True)
    assert npm.calls() == ["run generate -- --check"]


def test_only_a_check_leaves_the_types_as_they_are():
    writes, checks = (clients.checks(is_check=is_check) for is_check in (False, True))
    assert writes[0] == ("run", "generate")
    assert checks[0] == ("run", "generate", "--", "--check")
    assert writes[1:] == checks[1:]
