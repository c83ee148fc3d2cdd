"""What `make` installs for a verb, when it installs nothing, and the errors if it cannot."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from local import environment

ROOT = Path(__file__).parents[3]
RUN = ["runtime.txt", "local.txt", "java.txt", "postgres.txt"]
TEST, DEV = ["test.txt", "browser.txt", "docs.txt"], ["dev.txt"]
OF_VERBS = {
    "run": ("demo", "dev", "drill", "soak"),
    "test": ("test", "unit", "chaos"),
    "dev": ("lint", "docs", "install"),
}
# Imports that a package tries, and does without.
OPTIONAL = {"chardet", "pip", "setuptools"}


@pytest.fixture
def checkout(monkeypatch, tmp_path):
    """A checkout whose .venv exists, with one pin in each file of requirements."""
    for name in (*RUN, *TEST, *DEV):
        write(tmp_path / "requirements" / name, f"{name.removesuffix('.txt')}==1\n")
    for project in (tmp_path, tmp_path / "clients" / "python"):
        write(project / "pyproject.toml", '[project]\nname = "one"\n[tool.ruff]\nline-length = 1\n')
    write(tmp_path / ".venv" / "bin" / "python", "")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environment, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    monkeypatch.setattr(environment, "PROJECTS", (tmp_path, tmp_path / "clients" / "python"))
    monkeypatch.setattr(environment, "has_this_python", lambda: True)
    return tmp_path


@pytest.fixture
def pip(monkeypatch, checkout):
    """A pip that records its calls, prints a text and exits with a code. `called()` returns the new calls."""
    calls = checkout / "calls"

    def fake(text="", code=0):
        program = f"import sys; print(*sys.argv[1:], file=open({str(calls)!r}, 'a')); print({text!r}); sys.exit({code})"
        monkeypatch.setattr(environment, "PIP", (sys.executable, "-c", program))

    def called():
        lines = calls.read_text().splitlines() if calls.exists() else []
        calls.unlink(missing_ok=True)
        return [name for line in lines for name in re.findall(r"requirements/(\S+)", line)]

    fake.called = called
    fake()
    return fake


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def installed_by(pip, name):
    environment.main(name)
    return pip.called()


def test_each_set_installs_what_the_smaller_ones_lack_and_a_switch_back_installs_nothing(pip):
    assert installed_by(pip, "run") == RUN
    assert installed_by(pip, "test") == TEST
    assert installed_by(pip, "dev") == DEV
    for name in ("run", "test", "dev"):
        assert installed_by(pip, name) == []


def test_times_and_the_settings_of_tools_install_nothing(pip, checkout):
    environment.main("dev")
    pip.called()
    for path in checkout.rglob("*.t*"):
        os.utime(path, (2e9, 2e9))
    write(checkout / "pyproject.toml", '[project]\nname = "one"\n[tool.ruff]\nline-length = 2\n')
    assert installed_by(pip, "dev") == []


def test_an_installation_that_fails_is_repeated(pip):
    pip("ERROR: the network is away", 1)
    with pytest.raises(SystemExit, match="the network is away"):
        environment.main("run")
    pip.called()
    pip()
    assert installed_by(pip, "run") == RUN


@pytest.mark.parametrize(("name", "verb"), [(name, verb) for name, verbs in OF_VERBS.items() for verb in verbs])
def test_a_verb_of_make_installs_its_set(name, verb):
    done = subprocess.run(["make", "--dry-run", verb], cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.findall(r"environment\.py (\w+)", done.stdout) == [name]


def test_the_verbs_that_run_the_gateway_import_no_package_of_a_larger_set():
    program = """
import importlib, importlib.metadata, json, sys
for name in ("cli.app", "local.__main__"):
    importlib.import_module(name)
found = importlib.metadata.packages_distributions()
modules = {name.partition(".")[0] for name in sys.modules}
print(json.dumps(sorted({package for module in modules for package in found.get(module, ())})))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    pinned = {
        line.partition("==")[0]
        for name in RUN
        for line in (ROOT / "requirements" / name).read_text().splitlines()
        if "==" in line
    }
    imported = {re.sub(r"[._]", "-", name).lower() for name in json.loads(done.stdout)}
    assert imported - pinned - OPTIONAL - {"collate-gateway", "collate-gateway-client"} == set()


def test_a_program_that_runs_from_venv_keeps_it(monkeypatch, pip, checkout):
    monkeypatch.setattr(environment, "has_this_python", lambda: False)
    program = f"import sys; sys.prefix = {str(checkout / '.venv')!r}; from local.environment import hold; hold()"
    program += "; print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(SystemExit, match=r"(?s)`make dev` runs from \.venv.*End that program first"):
            environment.main("run")
    assert (checkout / ".venv" / "bin" / "python").exists()
    assert pip.called() == []
    monkeypatch.setattr(environment.subprocess, "run", lambda *args, **options: None)  # neither venv nor pip
    assert installed_by(pip, "run") == RUN


def test_the_error_of_an_old_python_names_the_required_version(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))

    with pytest.raises(SystemExit, match=r"(?s)Python 3\.10; 3\.11 or newer is required.*make PYTHON="):
        environment.main("run")
