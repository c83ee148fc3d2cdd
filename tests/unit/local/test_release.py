"""What `make release` says of its artifacts: provenance and checksums."""

import json
import os
import subprocess
import tarfile
from pathlib import Path

from local.release import archive
from local.release.provenance import Build, sha256, statement

PAGE = Path(__file__).parents[3] / "docs" / "changing.md"


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


def test_an_archive_of_the_same_files_has_the_same_bytes_in_another_folder_at_another_time(tmp_path):
    made = []
    for time, names in ((1, ("b", "a/c")), (2_000_000_000, ("a/c", "b"))):
        folder = tmp_path / str(time) / "site"
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(name)
            os.utime(folder / name, (time, time))
        archive.write_folder(tmp_path / f"{time}.tgz", folder, at=1_700_000_000)
        with tarfile.open(tmp_path / f"again-{time}.tgz", "w:gz") as other:
            other.add(folder, "site")
        archive.write_again(tmp_path / f"again-{time}.tgz", at=1_700_000_000)
        made += [(tmp_path / f"{name}{time}.tgz").read_bytes() for name in ("", "again-")]
    assert len(set(made)) == 1
    with tarfile.open(tmp_path / "1.tgz") as opened:
        assert [(one.name, one.mtime) for one in opened] == [("site/a/c", 1_700_000_000), ("site/b", 1_700_000_000)]
