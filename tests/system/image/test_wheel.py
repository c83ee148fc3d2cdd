"""A release: a wheel, a source distribution that gives the same wheel, and a bill of materials."""

import json
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from local.processes.archives import unpack
from runtime.version import VERSION

ROOT = Path(__file__).parents[3]
# The first test builds the image.
PACKAGES = ("cli", "console", "gateway", "consumers", "adapters", "runtime", "schemas")


def build(source, target, kind):
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(target)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (built,) = target.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return built


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(ROOT, tmp_path_factory.mktemp("wheel"), "wheel")


def test_the_wheel_has_exactly_the_files_of_the_packages(wheel):
    expected = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert contents(wheel).keys() == expected


def test_the_source_distribution_gives_the_same_wheel(wheel, tmp_path):
    with tarfile.open(build(ROOT, tmp_path / "sdist", "sdist")) as archive:
        unpack(archive, tmp_path / "source")
    (source,) = (tmp_path / "source").iterdir()
    assert contents(build(source, tmp_path / "again", "wheel")) == contents(wheel)
    assert not (source / "local").exists()
    assert not (source / "tests").exists()


def test_the_wheel_has_its_version_and_its_command(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (described,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = Parser().parsestr(archive.read(described).decode())
        commands = archive.read(described.replace("METADATA", "entry_points.txt")).decode()
    assert metadata["Version"] == VERSION
    assert commands.split() == ["[console_scripts]", "gateway", "=", "cli.app:main"]


def test_the_bill_of_materials_lists_all_packages_of_the_image(image, tmp_path):
    tool = Path(sys.executable).with_name("cyclonedx-py")
    command = [tool, "environment", str(image.root / "opt/gateway"), "--output-file", str(tmp_path / "sbom.json")]
    subprocess.run([*command, "--pyproject", str(ROOT / "pyproject.toml")], check=True, capture_output=True)
    bill = json.loads((tmp_path / "sbom.json").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "collate-gateway"
    (packages,) = (image.root / "opt/gateway/lib").glob("python*/site-packages")
    installed = {path.name.partition("-")[0].lower().replace("_", "-") for path in packages.glob("*.dist-info")}
    listed = {component["name"].lower().replace("_", "-") for component in bill["components"]}
    assert listed | {"collate-gateway"} == installed
    assert all(component["version"] for component in bill["components"])
