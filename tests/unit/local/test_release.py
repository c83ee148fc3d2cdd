"""What `make release` says of its artifacts: provenance, checksums and known vulnerabilities."""

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from local.release.__main__ import report_vulnerabilities
from local.release.advisories import AdvisoriesUnusable, read, scan
from local.release.provenance import Build, sha256, statement

PAGE = Path(__file__).parents[3] / "docs" / "before-you-publish.md"


def component(name, version, kind="pypi"):
    return {"name": name, "version": version, "purl": f"pkg:{kind}/{name}@{version}"}


def advisory(*events, package="http_x", ecosystem="PyPI", versions=()):
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}] if events else []
    affected = {"package": {"name": package, "ecosystem": ecosystem}, "ranges": ranges, "versions": list(versions)}
    return {"id": "OSV-1", "summary": "it leaks", "affected": [affected]}


@pytest.mark.parametrize(
    ("record", "is_affected"),
    [
        (advisory({"introduced": "0"}), True),
        (advisory({"introduced": "0"}, {"fixed": "1.2.0"}), True),
        (advisory({"introduced": "0"}, {"fixed": "1.1.9"}), False),
        (advisory({"introduced": "0"}, {"fixed": "1.0"}, {"introduced": "1.1"}, {"fixed": "1.1.10"}), True),
        (advisory({"introduced": "0"}, {"last_affected": "1.1.9"}), True),
        (advisory({"introduced": "0"}, {"last_affected": "1.1.8"}), False),
        (advisory({"introduced": "1.1.10"}), False),
        (advisory(versions=["1.1.9"]), True),
        (advisory(versions=["1.1.8"]), False),
        (advisory({"introduced": "0"}, package="other"), False),
        (advisory({"introduced": "0"}, ecosystem="npm"), False),
        (advisory({"introduced": "0"}, package="HTTP-X"), True),
    ],
)
def test_a_component_is_compared_with_the_ranges_of_an_advisory(record, is_affected):
    bill = {"components": [component("http.x", "1.1.9"), component("libc6", "2.41", kind="deb")]}
    found, compared = scan(bill, [record])
    assert [(one.component, one.version) for one in found] == [("http.x", "1.1.9")] * is_affected
    assert compared == 1


def test_a_zip_of_records_is_read_without_those_that_were_withdrawn(tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("OSV-1.json", json.dumps(advisory()))
        archive.writestr("OSV-2.json", json.dumps(advisory() | {"id": "OSV-2", "withdrawn": "2026-01-01T00:00:00Z"}))
    assert [record["id"] for record in read(tmp_path / "all.zip")] == ["OSV-1"]


@pytest.mark.parametrize("content", ["", "{}", "[]", '[{"id": "x"}, 3]', "<html>"])
def test_another_file_is_refused_with_its_name(content, tmp_path):
    (tmp_path / "advisories").write_text(content)
    with pytest.raises(AdvisoriesUnusable, match=r"advisories: .*Expected JSON records in the OSV format"):
        read(tmp_path / "advisories")


def test_a_vulnerability_ends_the_build_with_its_own_code(tmp_path, capsys):
    (tmp_path / "sbom.json").write_text(json.dumps({"components": [component("http-x", "1.0")]}))
    (tmp_path / "osv.json").write_text(json.dumps(advisory({"introduced": "0"})))
    assert report_vulnerabilities(tmp_path / "sbom.json", tmp_path / "osv.json") == 3
    assert "http-x 1.0  OSV-1  it leaks" in capsys.readouterr().out
    assert report_vulnerabilities(tmp_path / "sbom.json", None) == 0
    assert "not scanned" in capsys.readouterr().out


def test_a_statement_names_each_artifact_and_what_it_was_made_from_and_the_recipe_verifies_it(tmp_path):
    """The recipe is that of the page; a changed artifact and a changed statement are found."""
    (tmp_path / "chart.tgz").write_text("chart")
    (tmp_path / "SHA256SUMS").write_text(f"{sha256(tmp_path / 'chart.tgz')}  chart.tgz\n")
    (tmp_path / "runtime.txt").write_text("pins")
    build = Build("4f2c", "urn:a-builder", "2026-11-30T03:00:00Z", "2026-11-30T03:05:00Z", ("--image",))
    made = statement(build, [tmp_path / "chart.tgz"], [("requirements/runtime.txt", tmp_path / "runtime.txt")])
    assert [one["name"] for one in made["subject"]] == ["chart.tgz"]
    assert made["predicate"]["buildDefinition"]["resolvedDependencies"] == [
        {"uri": "git+collate-gateway", "digest": {"gitCommit": "4f2c"}},
        {"uri": "file:requirements/runtime.txt", "digest": {"sha256": sha256(tmp_path / "runtime.txt")}},
    ]
    (tmp_path / "provenance.json").write_text(json.dumps(made))
    signing, verifying = (block.partition("\n```")[0] for block in PAGE.read_text().split("```sh\n")[1:])
    keys = "openssl genrsa -out owner.pem 2048 && openssl rsa -in owner.pem -pubout -out owner.pub"

    def run(script):
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    assert run(f"{keys}\n{signing}")[0] == 0
    assert run(verifying) == (0, "Verified OK\nchart.tgz: OK\nchart.tgz: OK\n")
    (tmp_path / "chart.tgz").write_text("changed")
    assert run(verifying)[0] != 0
    (tmp_path / "chart.tgz").write_text("chart")
    (tmp_path / "provenance.json").write_text(json.dumps(made | {"subject": []}))
    assert run(verifying)[0] != 0
